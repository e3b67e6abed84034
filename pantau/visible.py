"""Delivered text on its way to a terminal or a log: what it would do there is shown instead of done.

Escapes, other control characters, those that turn the direction of writing, invisible ones and bytes that are no
text become `\\x1b`, `\\u202e` and the like. Promise: what comes out is printable, and the same when it passes again.
"""


def visible(text: object) -> str:
    """One line, whatever is in it."""
    told = str(text)
    if told.isprintable():
        return told
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in told)


def visible_lines(text: object) -> str:
    """Text that may have several lines of its own."""
    return "\n".join(visible(line) for line in str(text).split("\n"))
