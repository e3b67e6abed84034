"""The deliveries behind a page, one line for each feed and part: what stands, since when, how much of it is good.

Promise: lateness is that of the first arrival; a delivery that was re-sent keeps it beside its own day.
"""

from typing import Any

from pantau import catalogue, periods
from pantau.catalogue import Feed
from pantau.landing import late_days
from pantau.release.figures import Closing

OPERATORS = "operator__cakupan"
_TRANSPORTS = {
    "ckan": "CKAN", "ckan_datastore": "CKAN", "http": "HTTP", "paged_api": "API", "sftp": "SFTP", "inbox": "inbox",
}  # fmt: skip
_COUNTS = ("rows", "accepted", "refused", "set_aside")


def feeds(closing: Closing) -> list[dict[str, Any]]:
    """Every feed and part that stands in the build or that an indicator needs, in the catalogue's order."""
    lines = []
    for feed in catalogue.load().values():
        needed = [d["indicator_id"] for d in closing.definitions if feed.name in d["needs_feeds"].split(";")]
        for part in feed.parts:
            standing = closing.connection.execute(
                "select i.how, i.source_period, d.id as delivery_id, d.content_hash, d.known_at, d.simulated,"
                " r.rows, r.accepted, r.refused, r.set_aside from ops.build_input i"
                " join ops.reading r on r.id = i.reading_id join ops.delivery d on d.id = r.delivery_id"
                " where i.build_id = %s and i.feed = %s and i.part = %s and i.period = %s",
                [closing.build["id"], feed.name, part, closing.period],
            ).fetchone()
            if standing or (needed and feed.starts <= closing.period):
                lines.append(_feed(closing, feed, part, needed, standing))
    return lines


def _feed(
    closing: Closing, feed: Feed, part: str, needed: list[str], standing: dict[str, Any] | None
) -> dict[str, Any]:
    first = closing.connection.execute(
        "select min(known_at) as known_at, count(*) as deliveries from ops.delivery"
        " where feed = %s and part = %s and period = %s and ledger_no <= %s",
        [feed.name, part, standing["source_period"] if standing else closing.period, closing.cutoff],
    ).fetchone()
    assert first is not None
    monthly = feed.due_day is not None and feed.cadence == "monthly"
    due = periods.due(closing.period, feed.due_day) if monthly and feed.due_day is not None else None
    observed = due is not None and standing is not None and standing["source_period"] == closing.period
    files = closing.connection.execute(
        "select name, sha256, bytes from ops.delivery_file where delivery_id = %s order by no",
        [standing and standing["delivery_id"]],
    ).fetchall()
    return {
        "feed": feed.name,
        "part": part,
        "title": feed.title.model_dump(),
        "part_title": feed.parts[part],
        "owner": feed.owner,
        "transport": _TRANSPORTS[feed.transport.kind],
        "how": standing["how"] if standing else "missing",
        "rejected": (not standing or standing["how"] == "carried") and _is_rejected(closing, feed, part),
        "source_period": standing and standing["source_period"],
        "due_on": due and due.isoformat(),
        "first_known_at": standing and first["known_at"].astimezone(periods.JAKARTA).isoformat(),
        "known_at": standing and standing["known_at"].astimezone(periods.JAKARTA).isoformat(),
        "late_days": late_days(feed, closing.period, first["known_at"]) if observed else None,
        "lateness": "observed" if observed else "none",
        "deliveries": first["deliveries"],
        **{name: standing[name] if standing else 0 for name in _COUNTS},
        "content_hash": standing and standing["content_hash"],
        "files": files,
        "simulated": bool(standing and standing["simulated"]),
        "needed_by": needed,
    }


def _is_rejected(closing: Closing, feed: Feed, part: str) -> bool:
    """Whether a delivery of this month came and is rejected, so that what stands in for it is not called late."""
    found = closing.connection.execute(
        "select from ops.delivery where feed = %(feed)s and part = %(part)s and period = %(period)s"
        " and ledger_no <= %(cutoff)s and id in (select ops.rejected(%(cutoff)s))",
        {"feed": feed.name, "part": part, "period": closing.period, "cutoff": closing.cutoff},
    ).fetchone()
    return found is not None


def operators(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each operator claims, from the lines of the page's feeds: accepted rows of its standing delivery."""
    return [
        {
            "part": line["part"],
            "title": line["part_title"],
            "claims": line["accepted"],
            "how": line["how"],
            "rejected": line["rejected"],
            "source_period": line["source_period"],
        }
        for line in lines
        if line["feed"] == OPERATORS
    ]
