"""Commands that look: at figures and their way, reports, feeds, lateness, findings. They decide nothing."""

from typing import Annotated, Any

import typer

from pantau import catalogue, periods
from pantau.cli.console import By, Most, Why, head, looking, ready, table, tell
from pantau.database import Role, connect
from pantau.errors import NotSetUpError, PantauError

commands = typer.Typer()


@commands.command()
def trace(
    figure: Annotated[str, typer.Argument(help="Such as K2.00@2026-10 or K1.11:3T@2026-08/v1.")],
    all_rows: Annotated[bool, typer.Option(help="Every range of rows, not the first dozen.")] = False,
) -> None:
    """The way of one figure: definition, SQL, rows, deliveries, files, hashes."""
    from pantau.audit.trace import trace as way

    with looking():
        tell(way(figure, all_rows=all_rows))


@commands.command()
def audit(
    everything: Annotated[bool, typer.Option(help="Write every page anew, also of frozen releases.")] = False,
) -> None:
    """Write the audit pages: static, to be opened from the folder or served."""
    from pantau.audit.site import write

    with ready():
        index, failures = write(everything=everything, whole=True)
    tell(f"The audit pages begin at {index}")
    if failures:
        tell(f"{len(failures)} thing(s) do not hold, and the first page says so; `pantau verify` shows all.")
        raise typer.Exit(1)


@commands.command()
def verify(
    accept: Annotated[str, typer.Option(metavar="WHAT", help="Accept this failure as it stands now.")] = "",
    deep: Annotated[bool, typer.Option(help="Read the landed bytes anew too.")] = False,
    by: By = "",
    why: Why = "",
) -> None:
    """Compare what is there with the ledger, and the ledger with its witness; ends with 1 where they differ."""
    from pantau import verify as verification

    with looking():
        if accept:
            failure = verification.accept(accept, by, why)
            tell(f"Accepted, and told at every verification from now on: {failure.what}: {failure.told}.")
        found = verification.run(deep=deep)
    for failure in found.failures:
        tell(str(failure.error()) + "\n")
    for each in found.accepted:
        tell(f"accepted by {each.by} on {each.at} (entry {each.number}): {each.what}: {each.why}")
    for entry in found.deleted:
        told = entry["what"]
        tell(
            f"deleted by {told['by']} on {entry['product_at']:%Y-%m-%d} (entry {entry['no']}): the facts of build"
            f" {told['build']}: {told['why']}"
        )
    if found.read_anew is not None:
        tell(
            f"{found.read_anew} reading(s) were read anew from their landed bytes"
            + (
                f"; {found.of_other_contracts} belong to other contracts than this catalogue's, and were not."
                if found.of_other_contracts
                else "."
            )
        )
    if found.failures:
        tell(f"{len(found.failures)} thing(s) do not hold; {found.held_before()}.")
        raise typer.Exit(1)
    others = f" (and those of {found.others_witnessed} other ledger(s))" if found.others_witnessed else ""
    tell(
        f"All holds: {found.head} entries of the ledger, head {found.head_hash};"
        f" {found.witnessed} heads witnessed{others}."
    )


@commands.command()
def report(
    period: Annotated[str, typer.Option(help="2026-10: the month's newest release.")] = "",
    lang: Annotated[str, typer.Option(help="id or en.")] = "id",
    preview: Annotated[
        bool, typer.Option(help="Mark every page as a preview; write below out/preview.")
    ] = False,
    sample: Annotated[bool, typer.Option(help="From the template's sample; no database is needed.")] = False,
    watch: Annotated[bool, typer.Option(help="Render again when a template changes, until Ctrl-C.")] = False,
) -> None:
    """Look at a report while changing it. The reports of releases are written when these are published."""
    from pantau.report import preview as look

    if not preview:
        raise PantauError(
            "A release's report is written once, when it is published: below out/, by month and version.",
            next_step="Add --preview to see what the template makes of it now.",
        )
    if sample:
        subject = look.sample
    elif not period:
        raise PantauError(
            "Which report?", next_step="Name a month (--period 2026-10), or look at the sample (--sample)."
        )
    else:
        periods.check(period)
        with looking():
            release = look.newest(period)

        def subject() -> look.Subject:
            return release

    if watch:
        look.watch(subject, lang, tell)
    tell(str(look.write(subject(), lang)))


@commands.command()
def feeds() -> None:
    """The catalogue: what each feed is, and what last came of it."""
    known = catalogue.load()
    try:
        newest = _newest()
    except NotSetUpError as error:
        tell(f"{error.what} These are the feeds of the catalogue.")
        newest = {}
    rows: list[list[object]] = []
    for feed in known.values():
        due = f"day {feed.due_day} ({feed.due_source})" if feed.due_day else "-"
        last = newest.get(feed.name)
        came = (
            [last["period"], f"{last['known_at']:%Y-%m-%d}", last["accepted"], last["refused"]]
            if last
            else [""] * 4
        )
        rows.append([feed.name, feed.owner, feed.transport.kind, feed.cadence, due, feed.without, *came])
    table(
        "Feeds",
        ["feed", "owner", "by", "cadence", "due", "without it", "newest", "known", ">rows", ">refused"],
        rows,
    )


def _newest() -> dict[str, dict[str, Any]]:
    """By feed: the delivery of its newest period, with its newest reading."""
    with looking(), connect(Role.AUDITOR) as connection:
        found = connection.execute(
            "select distinct on (d.feed) d.feed, d.period, d.known_at, r.accepted, r.refused from ops.delivery d"
            " left join ops.reading r on r.delivery_id = d.id"
            " order by d.feed, d.period desc, d.ledger_no desc, r.ledger_no desc"
        ).fetchall()
    return {row["feed"]: row for row in found}


@commands.command()
def lateness() -> None:
    """What should have come by now and has not, and what a close does without it. Sends no mail."""
    from pantau import lateness as late

    with looking(), connect(Role.AUDITOR) as connection:
        facts, told = late.Facts(connection), late.told(connection)
        found = late.late(connection)
        table(
            f"Late at {facts.now:%Y-%m-%d %H:%M}" + (" (simulated clock)" if facts.simulated else ""),
            ["feed", "part", "period", "due", ">days", "state", "without it", "told"],
            [
                [
                    each.feed, each.part, each.period, each.due_on, each.days, late.state(each, "en"),
                    late.outcome(each, facts, "en"), ", ".join(told.get(each.key, [])),
                ]
                for each in found
            ],
        )  # fmt: skip
        if not found:
            tell("Nothing is late.")


@commands.command()
def findings(period: Annotated[str, typer.Argument(help="2026-10")], rows: Most = 5) -> None:
    """What the checks found for a month's last build, with the first failing rows of each."""
    from pantau import checks

    periods.check(period)
    with looking(), connect(Role.AUDITOR) as connection:
        build = connection.execute(
            "select id from ops.build where %s between first_period and last_period and purpose <> 'rebuild'"
            " order by id desc limit 1",
            [period],
        ).fetchone()
        if not build:
            raise PantauError(f"{period} has no build.", next_step=f"`pantau close {period}`.")
        gate = checks.gate(connection, build["id"])
        for found in (*gate.critical, *gate.warnings, *gate.infos):
            head(f"{found.severity} · {found.rule} · {found.rows:,} row(s)")
            tell(f"{found.sentence['en']}\nwho fixes: {found.fixer}")
            for row in connection.execute(
                "select evidence from ops.finding_row where finding_id = %s order by no limit %s",
                [found.finding_id, rows],
            ):
                tell(f"  {row['evidence']}")
        idle = f" {gate.not_applicable} had nothing to compare with." if gate.not_applicable else ""
        tell(f"{gate.passed} of {gate.rules} rules passed.{idle}")
