"""Commands that bring a month to its release: pull, close, approve; and rebuild, which proves one."""

from datetime import datetime
from typing import Annotated, Any

import typer

from pantau import catalogue, periods
from pantau.cli.console import By, Why, ready, span, table, tell
from pantau.database import Role, connect, decider, may
from pantau.errors import PantauError

commands = typer.Typer()


@commands.command()
def pull(
    feed: Annotated[list[str] | None, typer.Argument(help="Feeds; none: all.")] = None,
    everything: Annotated[bool, typer.Option(help="Pull every period again.")] = False,
) -> None:
    """Run feeds: pull what is due, read it, check it."""
    from pantau.fetch import inbox
    from pantau.runner import Runner

    names = [catalogue.feed(name).name for name in feed or catalogue.load()]
    names.sort(key=lambda name: name != "kemendagri__wilayah")  # the others resolve regions with it
    with ready(), Runner(tell) as runner:
        failed = []
        for name in names:
            try:
                runner.run(f"feed__{name}", everything=everything)
            except PantauError as error:
                failed.append(str(error))
        for stray in inbox.strays():
            if feed:
                tell(str(stray))
            else:
                failed.append(str(stray))
        if failed:
            raise PantauError("\n".join(failed))


@commands.command()
def close(
    period: Annotated[
        str, typer.Argument(help="2026-10; 2025-01..2026-07 with --opening; empty: all due.")
    ] = "",
    opening: Annotated[bool, typer.Option(help="Opening history: one build, no PDF.")] = False,
    without: Annotated[list[str] | None, typer.Option(help="Leave a feed out.")] = None,
    by: By = "",
    why: Why = "",
) -> None:
    """Close a month as far as a candidate; with its approval, publish it."""
    from pantau.close import BEGIN, is_begun, plan, waiting
    from pantau.runner import Runner

    first, last = span(period) if period else ("", "")
    if first != last and not opening:
        raise PantauError("Several months at once are opening history.", next_step="Add --opening.")
    with ready():
        if period:
            with Runner(tell) as runner:
                runner.run(
                    "close_month",
                    period=first,
                    last=last if opening else "",
                    without=without or [],
                    by=by,
                    why=why,
                )
            _candidates(first, last)
            return
        if plan() is None:
            tell("Nothing is due." if is_begun() else BEGIN)
        else:
            with Runner(tell) as runner:
                while due := plan():
                    runner.run("close_month")
                    _candidates(due["first"], due["last"])
        lines = [str(each) for each in waiting()]
        for line in lines[-20:]:  # the newest months
            tell(line)
        if len(lines) > 20:
            tell(f"So do older months, {len(lines) - 20} times; `pantau lateness` shows all that is late.")


def _candidates(first: str, last: str) -> None:
    from pantau.release import candidates

    with connect(Role.AUDITOR) as connection:
        waiting = candidates(connection, first, last)
    if waiting:
        months = first if first == last else f"{first}..{last}"
        tell(f"{len(waiting)} candidate(s) wait for approval: `pantau approve {months}`.")


@commands.command()
def approve(
    period: Annotated[str, typer.Argument(help="2026-10, or 2025-01..2026-07 for opening history.")],
    acknowledge: Annotated[bool, typer.Option(help="Let the warnings that are shown stand.")] = False,
    withdraw: Annotated[bool, typer.Option(help="Take an approval back that is not published yet.")] = False,
    alone: Annotated[
        bool, typer.Option(help="Approve what rests on your own decision about a delivery; say why.")
    ] = False,
    by: By = "",
    why: Why = "",
) -> None:
    """Approve a candidate by its hashes, and publish it; or take an approval back."""
    from pantau import checks, release
    from pantau.release import approvals
    from pantau.runner import Runner, scheduler_runs

    first, last = span(period)
    if alone and not why.strip():
        raise PantauError("Approving alone is a decision that the ledger keeps.", next_step="Say `--why`.")
    if withdraw:
        with ready():
            for line in approvals.withdraw(first, last, by, why):
                tell(f"Withdrawn: {line}. `pantau approve {period}` approves anew.")
        return
    with ready():
        with connect(Role.AUDITOR) as connection:
            waiting = release.candidates(connection, first, last)
            if not waiting:
                raise PantauError(
                    f"No candidate waits in {period}.", next_step=f"`pantau close {first}` makes one."
                )
            warnings = {f.rule: f for r in waiting for f in checks.gate(connection, r["build_id"]).warnings}
            by, is_ours = decider(connection, by), may(connection, Role.PUBLISHER)
        table(
            "Candidates",
            ["period", "version", "reason", "release hash", "page hash"],
            [
                [r["period"], f"v{r['version']}", r["reason"], r["release_hash"][:16], r["page_hash"][:16]]
                for r in waiting
            ],
        )
        if warnings:
            table(
                "Warnings",
                ["rule", ">rows", "what must hold"],
                [[f.rule, f.rows, f.sentence["en"]] for f in warnings.values()],
            )
        stands = release.approve(
            waiting,
            by,
            list(warnings) if acknowledge else [],
            {"why": why} if why else None,
            why if alone else "",
        )
        for row, name in zip(waiting, stands, strict=True):
            if name != by:
                tell(
                    f"{row['period']} v{row['version']}: {name} was faster, and that approval stands, not {by}'s."
                )
        if not is_ours or scheduler_runs():  # a person's own login decides, and runs nothing
            tell("The approval is written. The next run of close_month publishes it.")
            return
        opening = waiting[0]["reason"] == "opening"
        with Runner(tell) as runner:
            for row in waiting[:1] if opening else waiting:
                build = _build_span(row["build_id"])
                runner.run(
                    "close_month",
                    period=build[0],
                    last=build[1] if opening else "",
                    **_decision(row["build_id"]),
                )


def _build_span(build: int) -> tuple[str, str]:
    with connect(Role.AUDITOR) as connection:
        row = connection.execute(
            "select first_period, last_period from ops.build where id = %s", [build]
        ).fetchone()
    assert row is not None
    return row["first_period"], row["last_period"]


def _decision(build: int) -> dict[str, object]:
    """The decision under which a build was made, so that it is found again."""
    with connect(Role.AUDITOR) as connection:
        row = connection.execute(
            "select b.without, l.what from ops.build b join ops.ledger l on l.no = b.ledger_no where b.id = %s",
            [build],
        ).fetchone()
    assert row is not None
    return {"without": row["without"], "by": row["what"]["by"], "why": row["what"]["why"]}


@commands.command()
def rebuild(
    period: str,
    as_of: Annotated[str, typer.Option(help="A release (v1) or a time; without: now.")] = "",
) -> None:
    """Build a month again as it was known then, and compare its hash with the releases. Keeps nothing."""
    from pantau import clock, seal, warehouse

    periods.check(period)
    with ready():
        with connect(Role.AUDITOR) as connection:
            clock.check_ended(connection, period)
            releases = connection.execute(
                "select r.version, r.release_hash, b.cutoff, b.without, b.code_version from ops.release r"
                " join ops.build b on b.id = r.build_id where r.period = %s and not r.superseded order by r.version",
                [period],
            ).fetchall()
            cutoff, without = _as_of(as_of, releases, period)
        with warehouse.rebuilding(period, cutoff=cutoff, without=without) as build:
            warehouse.run_dbt(build)
            with connect(Role.AUDITOR) as connection:
                found = seal.figures_of_build(connection, build, period)
        same = [f"v{r['version']}" for r in releases if r["release_hash"] == found]
        tell(f"{period} as of {as_of or 'now'}: {found}")
        tell(f"equals {', '.join(same)}" if same else "equals no release")
        wanted = next((r for r in releases if f"v{r['version']}" == as_of), None)
        if wanted and wanted["release_hash"] != found:
            raise _other_hash(period, as_of, wanted)


def _other_hash(period: str, name: str, release: dict[str, Any]) -> PantauError:
    """What to tell of a rebuild that does not come to the hash of its release."""
    from pantau import warehouse

    code = warehouse.code_version()
    told = f"The rebuild does not come to the hash of {name} ({release['release_hash']})"
    if code != release["code_version"]:
        return PantauError(
            f"{told}; it was made by other code: {release['code_version']}, and this is {code}.",
            where={"period": period, "version": name},
            next_step="Rebuild with the checkout that made it; `pantau verify` says whether rows and figures stand.",
        )
    return PantauError(
        f"{told}, by the same code.",
        where={"period": period, "version": name},
        next_step="See docs/runbooks/tampering.md: a register or row is not what it was.",
    )


@commands.command()
def forget(build: int, why: Annotated[str, typer.Option(help="Why.")], by: By = "") -> None:
    """Delete the facts of a build whose releases were replaced; its figures, pages and entries stay."""
    from pantau import warehouse

    with ready():
        gone = warehouse.forget(build, by, why)
    tell(
        f"{sum(gone.values()):,} rows of facts of build {build} are deleted, and every verification says so."
    )


def _as_of(as_of: str, releases: list[dict[str, Any]], period: str) -> tuple[int | None, list[str]]:
    without = releases[-1]["without"] if releases else []
    if not as_of:
        return None, without
    for known in releases:
        if f"v{known['version']}" == as_of:
            return known["cutoff"], known["without"]
    try:
        moment = datetime.fromisoformat(as_of)
    except ValueError as error:
        names = ", ".join(f"v{r['version']}" for r in releases)
        raise PantauError(
            f"'{as_of}' is no release of {period} and no time.",
            next_step=f"Known: {names or 'none'}; or 2026-09-20.",
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=periods.JAKARTA)
    with connect(Role.AUDITOR) as connection:
        row = connection.execute(
            "select max(no) filter (where product_at <= %s) as newest, min(product_at) as begins from ops.ledger",
            [moment],
        ).fetchone()
    assert row is not None
    if row["newest"] is None:
        begins = row["begins"].astimezone(periods.JAKARTA)
        raise PantauError(
            f"Nothing was known yet at {as_of}: the ledger begins on {begins:%Y-%m-%d}.",
            next_step="Name a release (v1) or a later time.",
        )
    return row["newest"], without
