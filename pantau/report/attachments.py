"""What a report carries inside itself for machines: the release's figures as CSV, and its manifest as JSON.

Promise: the same bytes for the same release. From the rows of `figures.csv` the release's hash can be computed
again (docs/reference/attachments.md).
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from pantau.report.wording import Words

COLUMNS = (
    "id", "indicator", "indicator_version", "place", "breakdown", "period", "numerator", "denominator", "value", "unit",
)  # fmt: skip
_FEED = (
    "feed", "part", "how", "source_period", "known_at", "content_hash", "rows", "accepted", "refused", "set_aside",
    "simulated", "files",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet may take for the beginning of a formula


@dataclass(frozen=True)
class Attached:
    """A file inside the report: its name, content, and what it is, in words."""

    name: str
    content: bytes
    description: str


def attachments(
    context: Mapping[str, Any],
    figures: Iterable[Mapping[str, Any]],
    release_hash: str,
    page_hash: str,
    words: Words,
) -> list[Attached]:
    """`figures.csv` and `manifest.json` of a release."""
    table = figures_csv(context, figures, words)
    return [
        Attached("figures.csv", table, words["attached"]["figures"]),
        Attached(
            "manifest.json", manifest(context, table, release_hash, page_hash), words["attached"]["manifest"]
        ),
    ]


def figures_csv(context: Mapping[str, Any], figures: Iterable[Mapping[str, Any]], words: Words) -> bytes:
    """Every figure of the release, one a line, in the order of indicator, place and breakdown."""
    units = {i["id"]: words.pick(i["unit"]) for i in context["indicators"]}
    lines = sorted(
        [
            figure["indicator_id"],
            figure["place"],
            figure["breakdown"],
            str(figure["indicator_version"]),
            figure["period"],
            *(_number(figure[key]) for key in ("numerator", "denominator", "value")),
        ]
        for figure in figures
    )
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for indicator, place, breakdown, version, period, *numbers in lines:
        name = f"{indicator}.{place}" + (f":{breakdown}" if breakdown else "") + f"@{period}"
        cells = [name, indicator, version, place, breakdown, period, *numbers, units.get(indicator, "")]
        writer.writerow([_inert(cell) for cell in cells])
    return out.getvalue().encode("utf-8")


def _number(value: Any) -> str:
    """As PostgreSQL keeps it, without trailing zeros; nothing where there is none."""
    return "" if value is None else format(Decimal(value).normalize() if value else Decimal(0), "f")


def _inert(cell: str) -> str:
    """A cell that a spreadsheet takes for text, unless it is a number."""
    if not cell.startswith(_FORMULA):
        return cell
    try:
        Decimal(cell)
    except ArithmeticError:
        return f"'{cell}"
    return cell


def manifest(context: Mapping[str, Any], table: bytes, release_hash: str, page_hash: str) -> bytes:
    """What the release is made of: its hashes, the deliveries behind it with theirs, the attached table's."""
    told = {
        "period": context["period"],
        "version": context["version"],
        "reason": context["reason"],
        "cutoff_at": context["cutoff_at"],
        "simulated": context["simulated"],
        "release_hash": release_hash,
        "page_hash": page_hash,
        "figures_csv_sha256": sha256(table).hexdigest(),
        "audit_url": context.get("audit_url"),
        "code_version": context["code_version"],
        "definitions": [{"id": d["id"], "version": d["version"]} for d in context["definitions"]],
        "deliveries": [{key: feed[key] for key in _FEED} for feed in context["feeds"]],
    }
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode("utf-8")
