"""The national report, two A4 pages: the first answers, the second proves. Its template: report_templates/nasional.

Promise: reads no database, no clock and no network. A list too long for two pages is cut, and says by how much.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from pantau.report.national import page_one, page_two
from pantau.report.national.source import ROOMS, Room, Source
from pantau.report.pdf import TooLong, render
from pantau.report.wording import Words, clean
from pantau.settings import settings

PAGES = 2


def national_view(
    context: Mapping[str, Any], release_hash: str, page_hash: str, language: str, room: Room
) -> tuple[dict[str, Any], Source]:
    """What the national template shows, and the source that holds the charts made for it."""
    folder = settings.templates / "nasional"
    words = Words(folder / "texts.yml", language)
    layout = yaml.safe_load((folder / "provinces.yml").read_text(encoding="utf-8"))
    source = Source(clean(dict(context)), words, layout, room)
    release = f"{source.period} v{source.context['version']}"
    view = {
        "t": words.texts,
        "language": language,
        "title": words.say("title.document", month=words.month(source.period)),
        "scope": words.say("title.scope", month=words.month(source.period)),
        "simulated": bool(source.context["simulated"]),
        "created": source.context["cutoff_at"],
        "footer": words.say("foot.release", release=release, hash=release_hash[:16])
        + " · "
        + words.say("foot.cutoff", cutoff=words.moment(source.context["cutoff_at"])),
        "release_hash": release_hash,
        "page_hash": page_hash,
        "one": page_one.view(source),
        "two": page_two.view(source),
    }
    return view, source


def render_national(context: Mapping[str, Any], release_hash: str, page_hash: str, language: str) -> bytes:
    """The national report of one release as PDF bytes, in `language` (`id` or `en`).

    Args:
        context: the release's frozen page context; numbers are decimal strings.
        release_hash, page_hash: 64 hex digits each, of the figures and of this context.
    Raises PantauError (ReportError for the typesetting itself) with what to do next.
    """

    def made(room: Room, most_pages: int | None) -> bytes:
        view, source = national_view(context, release_hash, page_hash, language, room)
        return render(settings.templates / "nasional", view, source.charts, most_pages)

    for room in ROOMS[:-1]:
        try:
            return made(room, PAGES)
        except TooLong:
            continue
    return made(ROOMS[-1], None)
