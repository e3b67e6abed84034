"""A designer's look at a report: rendered from a frozen release, or from the sample, into out/preview.

Promise: writes nothing else; the database, where one is asked at all, is only read. Every page is marked.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pantau.database import Connection, Role, connect
from pantau.errors import PantauError
from pantau.release import figures_of_release
from pantau.report.national import FOLDER, render_national
from pantau.report.national.source import figure_parts
from pantau.settings import settings

POLL = 0.5  # seconds between two looks at the template's files
_NO_HASH = "0" * 64  # of the sample, which is no release


@dataclass(frozen=True)
class Subject:
    """What is rendered: a page's frozen context, its figures, and the hashes of both."""

    context: dict[str, Any]
    figures: list[dict[str, Any]]
    release_hash: str
    page_hash: str


def sample() -> Subject:
    """The sample context beside the template, which needs no database."""
    file = settings.templates / FOLDER / "sample_context.json"
    context = json.loads(file.read_text(encoding="utf-8"))
    return Subject(context, list(_figures(context)), _NO_HASH, _NO_HASH)


def _figures(context: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The figures that a context shows, as rows of ops.figure."""
    versions = {d["id"]: d["version"] for d in context["definitions"]}
    cells = [
        cell
        for indicator in context["indicators"]
        for cell in {c["figure"]: c for c in (indicator, *indicator["breakdowns"])}.values()
    ]
    cells += [p[name] for p in context["provinces"] for name in versions if name in p]
    for cell in cells:
        if cell["value"] is not None:
            indicator, place, breakdown, period = figure_parts(cell["figure"])
            yield {
                "indicator_id": indicator,
                "indicator_version": versions[indicator],
                "period": period,
                "place": place,
                "breakdown": breakdown,
                **{key: cell[key] for key in ("numerator", "denominator", "value")},
            }


def newest(period: str) -> Subject:
    """The newest release of `period`, published or not. Raises PantauError where it has no page."""
    with connect(Role.AUDITOR) as connection:
        row = connection.execute(
            "select * from ops.release where period = %s and not superseded order by version desc limit 1",
            [period],
        ).fetchone()
        if row is None:
            raise _without_release(connection, period)
        if row["reason"] == "opening":
            raise PantauError(
                f"{period} is opening history, which has no page.",
                next_step="Name a month that was closed by itself; --sample needs none.",
            )
        figures = figures_of_release(connection, row["id"])
    return Subject(row["context"], figures, row["release_hash"], row["page_hash"])


def _without_release(connection: Connection, period: str) -> PantauError:
    """What to say of a month that has no release: what is missing, and what to run."""
    build = connection.execute(
        "select o.outcome from ops.build b left join ops.build_outcome o on o.build_id = b.id"
        " where %s between b.first_period and b.last_period and b.purpose <> 'rebuild' order by b.id desc limit 1",
        [period],
    ).fetchone()
    if build and build["outcome"] == "blocked":
        return PantauError(
            f"{period} has no release: the gate refused its last close.",
            next_step=f"`pantau findings {period}` shows why; --sample needs no release.",
        )
    missing = "its last close was cut off" if build else "it was never closed"
    return PantauError(
        f"{period} has no release: {missing}.",
        next_step=f"`pantau close {period}` makes one; --sample needs none.",
    )


def write(subject: Subject, language: str) -> Path:
    """Render the subject as a preview; returns the file."""
    pdf = render_national(
        subject.context,
        subject.figures,
        subject.release_hash,
        subject.page_hash,
        language,
        preview=True,
    )
    target = settings.out / "preview" / f"nasional.{subject.context['period']}.{language}.pdf"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(pdf)
    return target


def watch(subject: Callable[[], Subject], language: str, tell: Callable[[str], None]) -> None:
    """Render again whenever a file below report_templates changes, until interrupted; tell what is wrong."""
    seen = None
    while True:
        if (now := _times()) != seen:
            seen = now
            begun = time.monotonic()
            try:
                target = write(subject(), language)
                tell(f"{target}  {time.monotonic() - begun:.1f} s")
            except (PantauError, ValueError) as error:  # ValueError: a sample that is no JSON
                tell(str(error))
        time.sleep(POLL)


def _times() -> dict[Path, int]:
    return {f: f.stat().st_mtime_ns for f in sorted(settings.templates.rglob("*")) if f.is_file()}
