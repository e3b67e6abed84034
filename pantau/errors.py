"""Errors that a person reads: what broke, where, and what to do next."""

from collections.abc import Mapping

from pantau.visible import visible, visible_lines

_runbook = ""


def lead_to(runbook: str) -> None:
    """Let every error that this process tells from now on name this runbook."""
    global _runbook
    _runbook = runbook


class PantauError(Exception):
    """A failure told to a person.

    Args:
        what: one sentence that says what is wrong.
        where: place, in the order a person looks for it (feed, period, delivery, file, sheet, row, column, value).
        next_step: what to do now.
    """

    def __init__(self, what: str, *, where: Mapping[str, object] | None = None, next_step: str = "") -> None:
        self.what, self.where, self.next_step = what, dict(where or {}), next_step
        super().__init__(what)

    def __str__(self) -> str:
        place = ", ".join(f"{k} {visible(v)}" for k, v in self.where.items() if v is not None and v != "")
        return "\n".join(
            line
            for line in (
                visible_lines(self.what),
                f"  where: {place}" if place else "",
                f"  next:  {visible_lines(self.next_step)}" if self.next_step else "",
                f"  more:  {_runbook}" if _runbook else "",
            )
            if line
        )


class TransientError(PantauError):
    """A failure that may heal by itself (a server's 5xx, a cut connection): the step may be tried again."""


class BlockedError(PantauError):
    """The gate refuses a release. The command ends with exit code 2."""


class NotSetUpError(PantauError):
    """There is no database, or nothing of ours in it."""
