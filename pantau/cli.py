"""The command line. Every command starts the database if it is down and stops what it started.

Exit codes: 0 done; 2 blocked by the gate; 1 anything else.
"""

import getpass
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pantau import catalogue, periods, server, setup
from pantau.database import connect, environment
from pantau.errors import BlockedError, PantauError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
delivery_app = typer.Typer(no_args_is_help=True, help="What arrived, and decisions about it.")
app.add_typer(delivery_app, name="delivery")
console = Console(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console.width = 140  # a log has no width; tables in it are not to be squeezed into 80 columns

By = Annotated[str, typer.Option(help="Who decides.")]
Why = Annotated[str, typer.Option(help="Why; the ledger keeps it.")]


@contextmanager
def _ready() -> Iterator[None]:
    with server.running():
        setup.prepare()
        yield


def _tell(line: str) -> None:
    console.print(line, markup=False)


def _table(title: str, columns: list[str], rows: list[list[object]]) -> None:
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(
            name.lstrip(">"), justify="right" if name.startswith(">") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console.print(table)


def _span(text: str) -> tuple[str, str]:
    first, _, last = text.partition("..")
    return periods.check(first), periods.check(last or first)


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Another simulated programme.")] = 1,
    provinces: Annotated[str, typer.Option(help="A smaller one, of provinces such as 93,96.")] = "",
) -> None:
    """Close the demo's months from simulated deliveries, on the real stack."""
    from pantau.demo import run

    with server.running():
        run(_tell, _table, seed, provinces)


@app.command()
def pull(
    feed: Annotated[list[str] | None, typer.Argument(help="Feeds; none: all.")] = None,
    everything: Annotated[bool, typer.Option(help="Pull every period again.")] = False,
) -> None:
    """Run feeds: pull what is due, read it, check it."""
    from pantau.runner import Runner

    names = [catalogue.feed(name).name for name in feed or catalogue.load()]
    names.sort(key=lambda name: name != "kemendagri__wilayah")  # the others resolve regions with it
    with _ready(), Runner(_tell) as runner:
        failed = []
        for name in names:
            try:
                runner.run(f"feed__{name}", everything=everything)
            except PantauError as error:
                failed.append(str(error))
        if failed:
            raise PantauError("\n".join(failed))


@app.command()
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
    from pantau.close import plan, waiting
    from pantau.runner import Runner

    with _ready():
        if period:
            first, last = _span(period)
            if opening != (first != last) and not opening:
                raise PantauError("Several months at once are opening history.", next_step="Add --opening.")
            with Runner(_tell) as runner:
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
            _tell("Nothing is due.")
        else:
            with Runner(_tell) as runner:
                while due := plan():
                    runner.run("close_month")
                    _candidates(due["first"], due["last"])
        lines = [str(each) for each in waiting()]
        for line in lines[-20:]:  # the newest months
            _tell(line)
        if len(lines) > 20:
            _tell(f"So do older months, {len(lines) - 20} times; `pantau lateness` shows all that is late.")


def _candidates(first: str, last: str) -> None:
    from pantau.release import candidates

    with connect() as connection:
        waiting = candidates(connection, first, last)
    if waiting:
        span = first if first == last else f"{first}..{last}"
        _tell(f"{len(waiting)} candidate(s) wait for approval: `pantau approve {span}`.")


@app.command()
def approve(
    period: Annotated[str, typer.Argument(help="2026-10, or 2025-01..2026-07 for opening history.")],
    acknowledge: Annotated[bool, typer.Option(help="Let the warnings that are shown stand.")] = False,
    by: By = "",
) -> None:
    """Approve a candidate by its hashes, and publish it."""
    from pantau import checks, release
    from pantau.runner import Runner, scheduler_runs

    first, last = _span(period)
    with _ready():
        with connect() as connection:
            waiting = release.candidates(connection, first, last)
            if not waiting:
                raise PantauError(
                    f"No candidate waits in {period}.", next_step=f"`pantau close {first}` makes one."
                )
            warnings = {f.rule: f for r in waiting for f in checks.gate(connection, r["build_id"]).warnings}
        _table(
            "Candidates",
            ["period", "version", "reason", "release hash", "page hash"],
            [
                [r["period"], f"v{r['version']}", r["reason"], r["release_hash"][:16], r["page_hash"][:16]]
                for r in waiting
            ],
        )
        if warnings:
            _table(
                "Warnings",
                ["rule", ">rows", "what must hold"],
                [[f.rule, f.rows, f.sentence["en"]] for f in warnings.values()],
            )
        release.approve(waiting, by or getpass.getuser(), list(warnings) if acknowledge else [])
        if scheduler_runs():
            _tell("The approval is written. The next run of close_month publishes it: trigger it in Airflow.")
            return
        opening = waiting[0]["reason"] == "opening"
        with Runner(_tell) as runner:
            for row in waiting[:1] if opening else waiting:
                build = _build_span(row["build_id"])
                runner.run(
                    "close_month",
                    period=build[0],
                    last=build[1] if opening else "",
                    **_decision(row["build_id"]),
                )


def _build_span(build: int) -> tuple[str, str]:
    with connect() as connection:
        row = connection.execute(
            "select first_period, last_period from ops.build where id = %s", [build]
        ).fetchone()
    assert row is not None
    return row["first_period"], row["last_period"]


def _decision(build: int) -> dict[str, object]:
    """The decision under which a build was made, so that it is found again."""
    with connect() as connection:
        row = connection.execute(
            "select b.without, l.what from ops.build b join ops.ledger l on l.no = b.ledger_no where b.id = %s",
            [build],
        ).fetchone()
    assert row is not None
    return {"without": row["without"], "by": row["what"]["by"], "why": row["what"]["why"]}


@app.command()
def rebuild(
    period: str,
    as_of: Annotated[str, typer.Option(help="A release (v1) or a time; without: now.")] = "",
) -> None:
    """Build a month again as it was known then, and compare its hash with the releases. Keeps nothing."""
    from pantau import release, warehouse

    periods.check(period)
    with _ready():
        with connect() as connection:
            releases = connection.execute(
                "select r.version, r.release_hash, b.cutoff, b.without from ops.release r join ops.build b"
                " on b.id = r.build_id where r.period = %s and not r.superseded order by r.version",
                [period],
            ).fetchall()
            cutoff, without = _as_of(as_of, releases, period)
        build = warehouse.open_build(period, period, "rebuild", cutoff=cutoff, without=without)
        try:
            warehouse.run_dbt(build)
            with connect() as connection:
                found = release.hash_of(release.figures_of_build(connection, build, period))
        finally:
            warehouse.drop_rows(build)
        same = [f"v{r['version']}" for r in releases if r["release_hash"] == found]
        _tell(f"{period} as of {as_of or 'now'}: {found}")
        _tell(f"equals {', '.join(same)}" if same else "equals no release")
        wanted = next((r for r in releases if f"v{r['version']}" == as_of), None)
        if wanted and wanted["release_hash"] != found:
            raise PantauError(
                f"The rebuild does not come to the hash of {as_of} ({wanted['release_hash']}).",
                where={"period": period},
                next_step="See docs/runbooks/tampering.md: a register, code or row is not what it was.",
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
    with connect() as connection:
        newest = connection.execute(
            "select max(no) as no from ops.ledger where product_at <= %s", [moment]
        ).fetchone()
    return (newest["no"] if newest else None), without


@app.command()
def trace(
    figure: Annotated[str, typer.Argument(help="Such as K2.00@2026-10 or K1.11:3T@2026-08/v1.")],
    all_rows: Annotated[bool, typer.Option(help="Every range of rows, not the first dozen.")] = False,
) -> None:
    """The way of one figure: definition, SQL, rows, deliveries, files, hashes."""
    from pantau.audit.trace import trace as way

    with _ready():
        _tell(way(figure, all_rows=all_rows))


@app.command()
def audit(
    everything: Annotated[bool, typer.Option(help="Write every page anew, also of frozen releases.")] = False,
) -> None:
    """Write the audit pages: static, to be opened from the folder or served."""
    from pantau.audit.site import write

    with _ready():
        index = write(everything=everything)
    _tell(f"The audit pages begin at {index}")


@app.command()
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
    else:
        with _ready():
            release = look.newest(periods.check(period))

        def subject() -> look.Subject:
            return release

    if watch:
        look.watch(subject, lang, _tell)
    _tell(str(look.write(subject(), lang)))


@app.command()
def feeds() -> None:
    """The catalogue: what each feed is, and what last came of it."""
    with _ready(), connect() as connection:
        rows = []
        for feed in catalogue.load().values():
            last = connection.execute(
                "select d.period, d.known_at, d.simulated, r.accepted, r.refused from ops.delivery d"
                " left join ops.reading r on r.delivery_id = d.id where d.feed = %s"
                " order by d.period desc, d.ledger_no desc, r.ledger_no desc limit 1",
                [feed.name],
            ).fetchone()
            due = f"day {feed.due_day} ({feed.due_source})" if feed.due_day else "-"
            came = (
                [last["period"], f"{last['known_at']:%Y-%m-%d}", last["accepted"], last["refused"]]
                if last
                else [""] * 4
            )
            rows.append([feed.name, feed.owner, feed.transport.kind, feed.cadence, due, feed.without, *came])
        _table(
            "Feeds",
            ["feed", "owner", "by", "cadence", "due", "without it", "newest", "known", ">rows", ">refused"],
            rows,
        )


@app.command()
def lateness() -> None:
    """What should have come by now and has not, and what a close does without it. Sends no mail."""
    from pantau import lateness as late

    with _ready(), connect() as connection:
        facts, told = late.Facts(connection), late.told(connection)
        found = late.late(connection)
        _table(
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
            _tell("Nothing is late.")


@app.command()
def findings(period: Annotated[str, typer.Argument(help="2026-10")], rows: int = 5) -> None:
    """What the checks found for a month's last build, with the first failing rows of each."""
    from pantau import checks

    with _ready(), connect() as connection:
        build = connection.execute(
            "select id from ops.build where %s between first_period and last_period and purpose <> 'rebuild'"
            " order by id desc limit 1",
            [periods.check(period)],
        ).fetchone()
        if not build:
            raise PantauError(f"{period} has no build.", next_step=f"`pantau close {period}`.")
        gate = checks.gate(connection, build["id"])
        for found in (*gate.critical, *gate.warnings, *gate.infos):
            console.rule(f"{found.severity} · {found.rule} · {found.rows:,} row(s)", align="left")
            _tell(f"{found.sentence['en']}\nwho fixes: {found.fixer}")
            for row in connection.execute(
                "select evidence from ops.finding_row where finding_id = %s order by no limit %s",
                [found.finding_id, rows],
            ):
                _tell(f"  {row['evidence']}")
        _tell(f"{gate.passed} of {gate.rules} rules passed.")


@delivery_app.command("list")
def delivery_list(feed: str = "", period: str = "", limit: int = 40) -> None:
    """Deliveries, the newest first."""
    with _ready(), connect() as connection:
        found = connection.execute(
            "select d.*, r.accepted, r.refused, r.set_aside,"
            " exists (select from ops.rejected((select max(no) from ops.ledger)) x where x = d.id) as rejected"
            " from ops.delivery d left join lateral (select * from ops.reading where delivery_id = d.id"
            " order by ledger_no desc limit 1) r on true"
            " where (%(feed)s = '' or feed = %(feed)s) and (%(period)s = '' or period = %(period)s)"
            " order by d.id desc limit %(limit)s",
            {"feed": feed, "period": period, "limit": limit},
        ).fetchall()
        _table(
            "Deliveries",
            [">id", "feed", "part", "period", "known", "content", ">accepted", ">refused", ">set aside", "state"],
            [
                [
                    d["id"], d["feed"], d["part"], d["period"], f"{d['known_at']:%Y-%m-%d}", d["content_hash"][:12],
                    d["accepted"], d["refused"], d["set_aside"],
                    "rejected" if d["rejected"] else "not read" if d["accepted"] is None else "",
                ]
                for d in found
            ],
        )  # fmt: skip


@delivery_app.command("show")
def delivery_show(delivery: int, limit: int = 20) -> None:
    """The refused rows of a delivery's newest reading: place, value, rule, and what may have been meant."""
    with _ready(), connect() as connection:
        found = connection.execute(
            "select q.*, f.name, x.first_file_row + q.source_row - x.first_source_row as file_row"
            " from ops.reading r join ops.quarantine q on q.reading_id = r.id"
            " join ops.reading_file x on x.reading_id = r.id and q.source_row between x.first_source_row"
            " and x.last_source_row join ops.delivery_file f on f.delivery_id = r.delivery_id and f.no = x.file_no"
            " where r.id = (select max(id) from ops.reading where delivery_id = %s) order by q.source_row limit %s",
            [delivery, limit],
        ).fetchall()
        _table(
            f"Refused rows of delivery {delivery}",
            ["file", ">row", "column", "value", "rule", "why", "perhaps"],
            [
                [q["name"], q["file_row"], q["column"], q["value"], q["rule"], q["message"], q["suggestion"]]
                for q in found
            ],
        )


@delivery_app.command("reject")
def delivery_reject(delivery: int, why: Annotated[str, typer.Option(help="Why.")], by: By = "") -> None:
    """Leave a delivery out of every build from now on."""
    from pantau.landing import decide

    with _ready():
        decide(delivery, "rejection", by or getpass.getuser(), why)
        _tell(f"Delivery {delivery} is rejected. `pantau close` closes what that changes.")


@delivery_app.command("reinstate")
def delivery_reinstate(delivery: int, why: Annotated[str, typer.Option(help="Why.")], by: By = "") -> None:
    """Take a rejection back."""
    from pantau.landing import decide

    with _ready():
        decide(delivery, "reinstatement", by or getpass.getuser(), why)


@app.command()
def up(
    without_simulator: Annotated[
        bool, typer.Option(help="Pull from real owners, by your connections.")
    ] = False,
) -> None:
    """The running system on this machine, until Ctrl-C: Airflow with its UI, database, simulator, audit pages."""
    from pantau import up as system

    with server.running():
        system.run(_tell, simulated=not without_simulator)


@app.command()
def process(
    name: str,
    check: Annotated[bool, typer.Option(help="Only say whether it is well.")] = False,
    with_parent: Annotated[int, typer.Option(metavar="PID", help="Stop when that process ends.")] = 0,
) -> None:
    """One process of the running system: `pantau up` and docker-compose.yml start these."""
    from pantau import processes

    if not check:
        processes.become(name, with_parent)
    if wrong := processes.named(name).wrong(float("inf")):
        raise PantauError(f"{name}: {wrong}.")


@app.command()
def simulate(
    feed: str,
    period: Annotated[str, typer.Argument(help="2026-10")],
    fault: Annotated[str, typer.Argument(help="Such as broken_header; none: off again.")] = "",
) -> None:
    """Let the running simulator deliver something faulty, to see what happens; for the demo alone."""
    from pantau.processes import order_fault

    order_fault(catalogue.feed(feed).name, periods.check(period), fault or None)
    _tell(f"{feed} {period}: {fault or 'no fault'} from now on. Run the feed to fetch it.")


@app.command()
def migrate(
    check: Annotated[
        bool, typer.Option(help="Change nothing; end with 1 where something is behind.")
    ] = False,
) -> None:
    """Bring the product's tables and Airflow's to this version; make Airflow's first administrator."""
    from pantau import keys, upgrade

    with server.running():
        changes, made = ([(p.has, p) for p in upgrade.state()], False) if check else upgrade.run()
    rows: list[list[object]] = []
    for had, part in changes:
        told = "behind" if part.behind else "" if part.has == had else "upgraded"
        rows.append([part.name, had or "-", part.wants if check else part.has, told])
    _table("Versions", ["what", "had", "wants" if check else "has", ""], rows)
    if made:
        _tell(
            f"Airflow's first administrator is {keys.ADMIN}; the password stands in {keys.admin_password_file()}."
        )
    if any(part.behind for _, part in changes):
        raise PantauError(
            "The database is behind this code.", next_step="`pantau migrate` brings it up to date."
        )


@app.command()
def doctor() -> None:
    """Look at everything a close needs, change nothing, and say what to do next."""
    from pantau.doctor import examine

    found = list(examine())
    _table("", ["check", "", "what", "next"], [[f.check, f.state, f.what, f.next_step] for f in found])
    states = [f.state for f in found]
    _tell(f"{states.count('problem')} problem(s), {states.count('attention')} to attend to.")
    if "problem" in states:
        raise typer.Exit(1)


@app.command(context_settings={"ignore_unknown_options": True})
def airflow(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Airflow's own command line, on this installation: `pantau airflow -- connections list`."""
    from pantau import processes

    with server.running():
        code = subprocess.run(
            [sys.executable, "-m", "airflow", *(arguments or [])], env=processes.environment(), check=False
        ).returncode
    raise typer.Exit(code)


@app.command()
def stop() -> None:
    """Stop the embedded database, should a killed command have left it running."""
    server.stop_unused()


@app.command(context_settings={"ignore_unknown_options": True})
def psql(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """psql on the warehouse."""
    with server.running():
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is psql's own
        code = subprocess.run(
            [server.client("psql"), *(arguments or [])], env={**os.environ, **environment()}, check=False
        ).returncode
    raise typer.Exit(code)


_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _stop(number: int, _: object) -> None:
    for each in _STOPS:
        signal.signal(each, signal.SIG_IGN)  # a second Ctrl-C must not keep us from stopping what we started
    with suppress(OSError):  # the terminal may be gone
        os.write(1, b"\nStopping.\n")  # not through the console: it may be in the middle of a line
    sys.exit(128 + number)


def main() -> None:
    """Run a command; tell errors to a person. Ctrl-C ends it with 130, and what it has started with it."""
    for each in _STOPS:
        if signal.getsignal(each) != signal.SIG_IGN:  # as for `nohup`
            signal.signal(each, _stop)
    try:
        app()
    except PantauError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), markup=False, style="red")
        sys.exit(2 if isinstance(error, BlockedError) else 1)
    except SystemExit as ended:
        sys.exit(
            1 if ended.code == 2 else ended.code
        )  # 2 is the gate's; the library takes it for a wrong option


if __name__ == "__main__":
    main()
