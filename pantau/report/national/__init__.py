"""The national report, six A4 pages: the first answers, the others show why. Template: report_templates/nasional.

Promise: reads no database, no clock and no network. Where the release lacks something, a sentence says so.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from pantau.report.attachments import attachments
from pantau.report.national import page_five, page_four, page_one, page_six, page_three, page_two
from pantau.report.national.source import Source
from pantau.report.pdf import render
from pantau.report.wording import Words, clean
from pantau.settings import settings

FOLDER = "nasional"


def national_view(
    context: Mapping[str, Any], release_hash: str, page_hash: str, language: str, *, preview: bool = False
) -> tuple[dict[str, Any], Source]:
    """What the national template shows, and the source that holds the charts made for it."""
    folder = settings.templates / FOLDER
    words = Words(folder / "texts.yml", language)
    layout = yaml.safe_load((folder / "provinces.yml").read_text(encoding="utf-8"))
    source = Source(clean(dict(context)), words, layout)
    release = f"{source.period} v{source.context['version']}"
    pages = {
        "one": page_one.view(source),
        "two": page_two.view(source),
        "three": page_three.view(source),
        "four": page_four.view(source),
        "five": page_five.view(source),
        "six": page_six.view(source),
    }
    view = {
        "t": words.texts,
        "language": language,
        "address": source.address,
        "title": words.say("title.document", month=source.month),
        "scope": words.say("title.scope", month=source.month),
        "simulated": bool(source.context["simulated"]),
        "preview": preview,
        "created": source.context["cutoff_at"],
        "footer": words.say("foot.release", release=release, hash=release_hash[:16])
        + " · "
        + words.say("foot.cutoff", cutoff=words.moment(source.context["cutoff_at"])),
        "release_hash": release_hash,
        "page_hash": page_hash,
        "sheets": list(_sheets(pages)),
        **pages,
    }
    return view, source


def _sheets(pages: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, bool]]:
    """Each page's name, and whether it begins on paper of its own: two with nothing to show share it."""
    before = False
    for name, page in pages.items():
        bare = page.get("bare", False)
        yield name, not (bare and before)
        before = bare


def render_national(
    context: Mapping[str, Any],
    figures: Iterable[Mapping[str, Any]],
    release_hash: str,
    page_hash: str,
    language: str,
    *,
    preview: bool = False,
) -> bytes:
    """The national report of one release as PDF bytes, in `language` (`id` or `en`).

    Args:
        context: the release's frozen page context; numbers are decimal strings.
        figures: the release's figures, to be attached: rows of indicator_id, indicator_version, period, place,
            breakdown, numerator, denominator, value.
        release_hash, page_hash: 64 hex digits each, of the figures and of this context.
        preview: mark every page as a preview.
    Raises PantauError (ReportError for the typesetting itself) with what to do next.
    """
    view, source = national_view(context, release_hash, page_hash, language, preview=preview)
    attached = attachments(source.context, figures, release_hash, page_hash, source.words)
    return render(settings.templates / FOLDER, view, source.charts, attached)
