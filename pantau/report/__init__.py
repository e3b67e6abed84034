"""Reports: a release's frozen context in, PDF bytes out; `files` writes them where they belong.

Promise: `render_national` reads no database, no clock and no network.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from pantau.report import context as page_one
from pantau.report import evidence
from pantau.report.pdf import ReportError, render
from pantau.report.source import Source
from pantau.report.wording import LANGUAGES, Words, clean
from pantau.settings import settings

__all__ = ["LANGUAGES", "ReportError", "render_national"]


def national_view(
    context: Mapping[str, Any], release_hash: str, page_hash: str, language: str
) -> tuple[dict, Source]:
    """What the national template shows, and the source that holds the charts made for it."""
    folder = settings.templates / "nasional"
    words = Words(folder / "texts.yml", language)
    layout = yaml.safe_load((folder / "provinces.yml").read_text(encoding="utf-8"))
    source = Source(clean(dict(context)), words, layout)
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
        "hashes": words.say("method.hashes", release=release_hash, page=page_hash),
        "one": page_one.page_one(source),
        "two": evidence.page_two(source),
    }
    return view, source


def render_national(context: Mapping[str, Any], release_hash: str, page_hash: str, language: str) -> bytes:
    """The national report of one release as PDF bytes, in `language` (`id` or `en`).

    Args:
        context: the release's frozen page context; numbers are decimal strings.
        release_hash, page_hash: 64 hex digits each, of the figures and of this context.
    Raises PantauError (ReportError for the typesetting itself) with what to do next.
    """
    view, source = national_view(context, release_hash, page_hash, language)
    return render(settings.templates / "nasional", view, source.charts)
