"""Commands about the system itself: the demo, its processes, its database, and its health."""

import os
import signal
import subprocess
import sys
from typing import Annotated

import typer

from pantau import catalogue, periods, server
from pantau.cli.console import existing, table, tell
from pantau.database import Role, environment
from pantau.errors import PantauError

commands = typer.Typer()


@commands.command()
def demo(
    seed: Annotated[int, typer.Option(help="Another simulated programme.")] = 1,
    provinces: Annotated[str, typer.Option(help="A smaller one, of provinces such as 93,96.")] = "",
) -> None:
    """Close the demo's months from simulated deliveries, on the real stack."""
    from pantau.demo import run

    with server.running():
        run(tell, table, seed, provinces)


@commands.command()
def up(
    without_simulator: Annotated[
        bool, typer.Option(help="Pull from real owners, by your connections.")
    ] = False,
) -> None:
    """The running system on this machine, until Ctrl-C: Airflow with its UI, database, simulator, audit pages."""
    from pantau import up as system

    with server.running():
        system.run(tell, simulated=not without_simulator)


@commands.command()
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


@commands.command()
def simulate(
    feed: str,
    period: Annotated[str, typer.Argument(help="2026-10")],
    fault: Annotated[str, typer.Argument(help="Such as broken_header; none: off again.")] = "",
) -> None:
    """Let the running simulator deliver something faulty, to see what happens; for the demo alone."""
    from pantau.processes import order_fault

    order_fault(catalogue.feed(feed).name, periods.check(period), fault or None)
    tell(f"{feed} {period}: {fault or 'no fault'} from now on. Run the feed to fetch it.")


@commands.command()
def migrate(
    check: Annotated[
        bool, typer.Option(help="Change nothing; end with 1 where something is behind.")
    ] = False,
) -> None:
    """Bring the product's tables and Airflow's to this version; make Airflow's first administrator."""
    from pantau import keys, upgrade

    with existing() if check else server.running():
        changes, made = ([(p.has, p) for p in upgrade.state()], False) if check else upgrade.run()
    rows: list[list[object]] = []
    for had, part in changes:
        told = "behind" if part.behind else "" if part.has == had else "upgraded"
        rows.append([part.name, had or "-", part.wants if check else part.has, told])
    table("Versions", ["what", "had", "wants" if check else "has", ""], rows)
    if made:
        tell(
            f"Airflow's first administrator is {keys.ADMIN}; the password stands in {keys.admin_password_file()}."
        )
    if any(part.behind for _, part in changes):
        raise PantauError(
            "The database is behind this code.", next_step="`pantau migrate` brings it up to date."
        )


@commands.command()
def doctor() -> None:
    """Look at everything a close needs, change nothing, and say what to do next."""
    from pantau.doctor import examine

    found = list(examine())
    table("", ["check", "", "what", "next"], [[f.check, f.state, f.what, f.next_step] for f in found])
    states = [f.state for f in found]
    tell(f"{states.count('problem')} problem(s), {states.count('attention')} to attend to.")
    if "problem" in states:
        raise typer.Exit(1)


@commands.command(context_settings={"ignore_unknown_options": True})
def airflow(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Airflow's own command line, on this installation: `pantau airflow -- connections list`."""
    from pantau import processes

    with server.running():
        code = subprocess.run(
            [sys.executable, "-m", "airflow", *(arguments or [])], env=processes.environment(), check=False
        ).returncode
    raise typer.Exit(code)


@commands.command()
def stop() -> None:
    """Stop the embedded database, should a killed command have left it running."""
    server.stop_unused()


@commands.command(context_settings={"ignore_unknown_options": True})
def psql(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """psql on the warehouse, as the auditor: everything can be read. `set role` takes another role."""
    with existing():
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is psql's own
        code = subprocess.run(
            [server.client("psql"), *(arguments or [])],
            env={**os.environ, **environment(Role.AUDITOR)},
            check=False,
        ).returncode
    raise typer.Exit(code)
