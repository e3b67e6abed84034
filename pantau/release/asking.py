"""asking: what a person is asked before a release is published, and what follows from the answer.

Promises: an answer speaks for exactly the figures, page and warnings that were shown, by their hashes; who
answered, when and what stands in the ledger; one answer counts once, whoever repeats the step.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from pantau import checks, ledger, locks, release
from pantau.database import Connection, Role, connect
from pantau.errors import PantauError
from pantau.locks import Lock
from pantau.progress import step
from pantau.release import approvals
from pantau.release.outlook import likely_missed
from pantau.rounding import edge
from pantau.settings import settings
from pantau.visible import visible

APPROVE, REFUSE = "Approve", "Refuse"
_WARNINGS_SHOWN = 40


def questions(releases: list[int], ask: bool) -> list[dict[str, Any]]:
    """The runs of `approve_release` that these candidates of one build need: one, or none.

    Args:
        ask: whether a person is to be asked in Airflow; on the command line one is asked there.

    Returns:
        `trigger_run_id` and `conf` of the run. The id is the candidates' own, so that nobody is asked twice.
    """
    with connect(Role.AUDITOR) as connection:
        open_ = [row for row in _rows(connection, releases) if not row["approver"]]
        shown, warnings = [_shown(row) for row in open_], sorted(_warnings(connection, open_))
    if not ask or not shown:
        return []
    return [{"trigger_run_id": run_id(shown), "conf": {"releases": shown, "warnings": warnings}}]


def run_id(shown: list[dict[str, Any]]) -> str:
    """The id of the run that asks about these candidates: their own. Airflow takes no `..` in one."""
    first, last = shown[0], shown[-1]
    span = first["period"] if len(shown) == 1 else f"{first['period']}_{last['period']}"
    return f"{span}_v{first['version']}_{first['id']}"


def _rows(connection: Connection, releases: list[int]) -> list[dict[str, Any]]:
    return connection.execute(
        "select r.*, a.approver from ops.release r left join ops.approval a on a.release_id = r.id"
        " where r.id = any(%s) order by r.period",
        [releases],
    ).fetchall()


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "period", "version", "release_hash", "page_hash")}


def _warnings(connection: Connection, rows: list[dict[str, Any]]) -> dict[str, checks.Finding]:
    return {f.rule: f for row in rows for f in checks.gate(connection, row["build_id"]).warnings}


def question(shown: list[dict[str, Any]], acknowledged: list[str]) -> dict[str, Any] | None:
    """What the form says of these candidates.

    Args:
        shown: id, period, version, release_hash and page_hash of each.
        acknowledged: ids of the warnings that an approval lets stand. A run keeps them, for Airflow shows the form
            of its first question again when the run is cleared.

    Returns:
        `subject` and `body` (Markdown); None where all are approved already.

    Raises:
        PantauError: a candidate is no longer the one that waited, or other warnings stand against it now.
    """
    if not shown:
        raise PantauError(
            "Approve what? The run names no candidate.", next_step="Run close_month: it asks for what waits."
        )
    with connect(Role.AUDITOR) as connection:
        rows = _rows(connection, [each["id"] for each in shown])
        if rows and all(row["approver"] for row in rows):
            return None
        for each in shown:
            release.still_stands(connection, each)
        warnings = _warnings(connection, rows)
        if set(warnings) != set(acknowledged):
            raise PantauError(
                f"Other warnings stand against the candidate now: {', '.join(sorted(warnings)) or 'none'}.",
                where={"period": shown[0]["period"], "version": shown[0]["version"]},
                next_step="Approve it on the command line, which shows them: `pantau approve PERIOD --acknowledge`.",
            )
        decided = {who: its for row in rows for who, its in approvals.decided(connection, row).items()}
        reports = connection.execute(
            "select path from ops.report where release_id = any(%s) order by path", [[r["id"] for r in rows]]
        ).fetchall()
        published = connection.execute(
            "select context from public.published_release where period = %s", [shown[0]["period"]]
        ).fetchone()
    first, last = rows[0], rows[-1]
    span = first["period"] if len(rows) == 1 else f"{first['period']}..{last['period']}"
    subject = f"Publish {span} v{first['version']}?" + (
        " (simulated data)" if first["context"]["simulated"] else ""
    )
    page = f"{span}/v{first['version']}/index.html" if len(rows) == 1 else "index.html"
    lines = [
        f"**{first['explanation']['en']}.** {first['explanation']['id']}.",
        "",
        *_figures(first["context"] if len(rows) == 1 else {}, published["context"] if published else {}),
        *[f"- Report: [{r['path']}]({settings.audit_url}/reports/{r['path']})" for r in reports],
        f"- How each figure came about: [audit pages]({settings.audit_url}/{page})",
        "",
        *[
            f"- **{_literal(who)}** does not approve this: it rests on the {entry['kind']} of delivery"
            f" {entry['what']['delivery']} by the same person ({_literal(entry['what']['why'])})"
            for who, its in decided.items()
            for entry in its
        ],
        *_warned(list(warnings.values())),
        "An answer counts for exactly these figures and this page, and stands in the ledger with your name. If newer "
        "data comes first, it is refused and you are asked again.",
        "",
        *[
            f"- {r['period']} v{r['version']}: release `{r['release_hash']}`, page `{r['page_hash']}`"
            for r in rows
        ],
    ]
    return {"subject": subject, "body": "\n".join(lines)}


def _literal(text: str) -> str:
    """What a person wrote, as it stands: nothing in it is a link or a mark of Markdown."""
    return re.sub(r"([\\`*_\[\]()<>#|~!])", r"\\\1", visible(text))


def _figures(context: dict[str, Any], published: dict[str, Any]) -> list[str]:
    if "indicators" not in context:
        return []
    now = {each["id"]: each for each in published.get("indicators", [])}
    missed = likely_missed(context)
    lines = ["| indicator | figure | published now | since last month | target |", "|---|---|---|---|---|"]
    for each in context["indicators"]:
        unit = "" if each["value"] is None else f" {each['unit']['en']}"
        moved = _number(each["change"]["value"]) if each["change"] else "–"
        if each["change"] and Decimal(each["change"]["value"]) > 0:
            moved = f"+{moved}"
        target = each["target"]
        way = "–"
        if target:
            track = "on track" if target["on_track"] else "**off** track"
            track += ", **likely to miss**" if each["id"] in missed else ""
            way = f"{_number(target['value'])} by {target['deadline']}, {track}"
        lines.append(
            f"| {each['id']} {each['name']['en']} | {_value(each, 'not delivered')}{unit}"
            f" | {_value(now.get(each['id']))} | {moved} | {way} |"
        )
    return [*lines, ""]


def _number(text: str | None, without: str = "–") -> str:
    return without if text is None else f"{Decimal(text):,}"


def _value(each: dict[str, Any] | None, without: str = "–") -> str:
    """An indicator's value; of a share, "all" and "nothing" only where it is that."""
    if each is None or each["value"] is None:
        return without
    if each["kind"] != "ratio_pct":
        return _number(each["value"])
    value, numerator, denominator = (Decimal(each[name]) for name in ("value", "numerator", "denominator"))
    sign, amount = edge(value, numerator, denominator, each["decimals"])
    return f"{sign}{amount:,}"


def _warned(warnings: list[checks.Finding]) -> list[str]:
    if not warnings:
        return ["No warning stands against it.", ""]
    told = [f"- `{f.rule}` ({f.rows:,} rows): {f.sentence['en']}" for f in warnings[:_WARNINGS_SHOWN]]
    more = len(warnings) - len(told)
    return [
        f"**Approving lets {len(warnings)} warning(s) stand:**",
        "",
        *told,
        *([f"- and {more} more: `pantau findings`"] if more > 0 else []),
        "",
    ]


def answer(shown: list[dict[str, Any]], warnings: list[str], given: dict[str, Any], run: str) -> list[int]:
    """Write a person's answer into the ledger.

    Args:
        shown, warnings: as `question` was given them.
        given: Airflow's record of the answer: `chosen_options`, `params_input`, `responded_by_user`, `responded_at`.
        run: the run in which it was asked.

    Returns:
        The releases that may be published; none where the answer is a refusal.

    Raises:
        PantauError: nobody has answered, or a candidate is no longer the one that was shown.
    """
    who, at = given["responded_by_user"], given["responded_at"]
    if not who:
        raise PantauError(
            "No person has answered.", where={"run": run}, next_step="Run close_month: it asks anew."
        )
    said = {
        "asked_in": run,
        "answered_at": at.isoformat() if isinstance(at, datetime) else str(at),
        "user_id": who["id"],
    }
    why = str((given.get("params_input") or {}).get("why") or "")
    span = f"{shown[0]['period']} v{shown[0]['version']}"
    with step("answer", span) as done:
        if given["chosen_options"] == [APPROVE]:
            first = release.approve(shown, who["name"], warnings, {**said, "why": why})[0]
            done.note = f"approved by {first}" + ("" if first == who["name"] else ", who was faster")
            return [each["id"] for each in shown]
        _refuse(shown, who["name"], why, said)
        done.note = f"refused by {who['name']}"
    return []


def _refuse(shown: list[dict[str, Any]], who: str, why: str, said: dict[str, Any]) -> None:
    with connect(Role.APPROVER) as connection:
        locks.take(connection, Lock.RELEASE)  # who approves at the same time does so before, or after
        for each in shown:
            faster = connection.execute(
                "select approver from ops.approval where release_id = %s", [each["id"]]
            ).fetchone()
            if faster:
                raise PantauError(
                    f"{faster['approver']} approved it before this refusal.",
                    where={"period": each["period"], "version": each["version"]},
                    next_step="It is published. What is wrong with it: reject the delivery, and close again.",
                )
            what = {**{k: v for k, v in each.items() if k != "id"}, "refused_by": who, "why": why, **said}
            known = connection.execute(
                "select no from ops.ledger where kind = 'approval_refused' and what @> %s", [Jsonb(what)]
            ).fetchone()
            if not known:
                ledger.append(connection, "approval_refused", what)
