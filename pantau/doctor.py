"""`pantau doctor`: looks at everything a close needs, pulls and changes nothing, and says what to do next.

Promises: no secret is printed; each check stands by itself, so that one trouble does not hide another.
"""

import asyncio
import ctypes
import shutil
import socket
import ssl
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import psycopg

from pantau import catalogue, clock, demo, keys, ledger, mail, processes, runner, server, upgrade
from pantau.database import airflow_url, connect, is_there
from pantau.errors import PantauError
from pantau.settings import settings

State = Literal["ok", "attention", "problem"]
_SECONDS = 10  # for one address
_GIB = 1 << 30
_HOWTO = "docs/how-to/connect-your-first-real-feed.md"
_LIBRARIES = {
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}


@dataclass(frozen=True)
class Finding:
    """What one check found, and what to do about it."""

    check: str
    state: State
    what: str
    next_step: str = ""


def examine() -> Iterator[Finding]:
    """Every check, in the order in which their subjects are needed."""
    alone: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("Python", _python), ("libraries", _libraries), ("fonts", _fonts), ("folders", _folders),
        ("secrets", _secrets), ("catalogue", _catalogue),
    ]  # fmt: skip
    with_database: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("database", _database), ("versions", _versions), ("clock", _clock), ("leftovers", _leftovers),
        ("Airflow", _airflow), ("processes", _processes),
    ]  # fmt: skip
    for name, check in alone:
        yield from _told(name, check)
    try:
        with server.running():
            if not is_there(settings.database_url):
                yield Finding("database", "attention", "not set up yet", "`pantau migrate`, or `make demo`.")
                return
            for name, check in with_database:
                yield from _told(name, check)
    except (PantauError, psycopg.Error) as error:
        yield _problem("database", error)


def _told(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A check's findings; where it cannot be done, that is a problem too."""
    try:
        yield from check()
    except (PantauError, psycopg.Error, OSError) as error:
        yield _problem(name, error)


def _problem(name: str, error: Exception) -> Finding:
    if isinstance(error, PantauError):
        return Finding(name, "problem", error.what, error.next_step)
    return Finding(
        name, "problem", str(error).strip().splitlines()[0], "Read the message; then run this again."
    )


# ---------------------------------------------------------------- the machine


def _python() -> Iterator[Finding]:
    version = sys.version.split()[0]
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding(
        "Python",
        "ok" if fits else "problem",
        version,
        "" if fits else "Take Python 3.11–3.13, then `bin/setup`.",
    )


def _libraries() -> Iterator[Finding]:
    missing = []
    for library, package in _LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    if missing:
        yield Finding(
            "libraries",
            "problem",
            f"missing: {', '.join(missing)}",
            f"As root: apt-get install {' '.join(missing)}",
        )
    else:
        yield Finding("libraries", "ok", "Pango and HarfBuzz are there")


def _fonts() -> Iterator[Finding]:
    from fontTools.ttLib import TTFont, TTLibError

    folder = settings.templates / "fonts"
    names = []
    for path in sorted(folder.glob("*.ttf")):
        try:
            with TTFont(path, lazy=True) as font:
                names.append(str(font["name"].getDebugName(4)))
        except (TTLibError, KeyError) as error:
            yield Finding(
                "fonts", "problem", f"{path.name} cannot be read: {error}", "Take it from the repository."
            )
    if names:
        yield Finding("fonts", "ok", ", ".join(names))
    else:
        yield Finding("fonts", "problem", f"no font in {folder}", "Take the folder from the repository.")


def _folders() -> Iterator[Finding]:
    for folder in (settings.var, settings.out, settings.inbox):
        name = f"folder {folder.name}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"1")
        except OSError as error:
            yield Finding(
                name,
                "problem",
                f"{folder} cannot be written: {error.strerror}",
                "Give it to the user that runs Pantau.",
            )
            continue
        free = shutil.disk_usage(folder).free
        state: State = "problem" if free < _GIB else "attention" if free < 5 * _GIB else "ok"
        yield Finding(
            name, state, f"{folder}, {free / _GIB:,.0f} GiB free",
            "" if state == "ok" else "A year of deliveries and their tables needs some 5 GiB: make room.",
        )  # fmt: skip


def _secrets() -> Iterator[Finding]:
    kept = [
        settings.var / "airflow" / "keys.json", keys.admin_password_file(), settings.var / "postgres.password",
        settings.var / "simulator" / "secrets.json",
    ]  # fmt: skip
    open_ = [p for p in kept if p.exists() and stat.S_IMODE(p.stat().st_mode) & 0o077]
    for path in open_:
        yield Finding(
            "secrets", "problem", f"others may read {path}", f"chmod 600 {path}; then renew what it holds."
        )
    if not open_:
        yield Finding("secrets", "ok", "only their owner may read them")


def _catalogue() -> Iterator[Finding]:
    yield Finding("catalogue", "ok", f"{len(catalogue.load())} feeds")


# ---------------------------------------------------------------- the database


def _database() -> Iterator[Finding]:
    with connect() as connection:
        row = connection.execute(
            "select current_setting('server_version') as version, current_setting('server_version_num')::int as number,"
            " current_database() as name, has_database_privilege(current_database(), 'CREATE') as may"
        ).fetchone()
    assert row is not None
    told = f"PostgreSQL {row['version'].split()[0]}, database {row['name']}"
    if not row["may"]:
        yield Finding(
            "database", "problem", f"{told}: we may not create schemas in it",
            "Make our role its owner: docs/how-to/run-on-your-own-postgresql.md.",
        )  # fmt: skip
    elif row["number"] < 180000:
        yield Finding("database", "attention", told, "Only PostgreSQL 18 is tested.")
    else:
        yield Finding("database", "ok", told)


def _versions() -> Iterator[Finding]:
    for part in upgrade.state(_asked().get("revisions")):
        if not part.behind:
            yield Finding(part.name, "ok", f"at {part.has}")
        elif part.has:
            yield Finding(
                part.name, "problem", f"at {part.has}, this code wants {part.wants}", "`pantau migrate`"
            )
        else:
            yield Finding(part.name, "attention", "not set up yet", "`pantau migrate`")


def _is_set_up(*tables: str) -> bool:
    with connect() as connection:
        row = connection.execute(
            "select bool_and(to_regclass(t) is not null) as yes from unnest(%s::text[]) t", [list(tables)]
        ).fetchone()
    return bool(row and row["yes"])


def _clock() -> Iterator[Finding]:
    if not _is_set_up("ops.clock"):
        return
    with connect() as connection:
        now, set_ = clock.now(connection), clock.is_set(connection)
    if set_:
        yield Finding(
            "clock", "attention", f"set: it stands at {now:%Y-%m-%d %H:%M}, and what arrives is marked simulated",
            "Right for the demo. For real data begin another database.",
        )  # fmt: skip
    else:
        yield Finding("clock", "ok", f"the machine's, {now:%Y-%m-%d %H:%M} in Jakarta")


def _leftovers() -> Iterator[Finding]:
    if not _is_set_up("ops.delivery", "ops.release"):
        return
    with connect() as connection:
        unread = connection.execute(
            "select d.id, d.feed, d.part, d.period from (select distinct on (feed, part, period) * from ops.delivery"
            " where id not in (select ops.rejected(%s)) order by feed, part, period, ledger_no desc) d"
            " where not exists (select from ops.reading r where r.delivery_id = d.id) order by d.id",
            [ledger.head(connection)],
        ).fetchall()
        unchecked = connection.execute(
            "select count(*) as n from ops.reading r where not exists"
            " (select from ops.check_run c where c.reading_id = r.id)"
        ).fetchone()
        unfinished = connection.execute(
            "select count(*) as n from ops.build b where purpose <> 'rebuild' and not exists"
            " (select from ops.build_outcome o where o.build_id = b.id) and not exists (select from ops.build n"
            " where n.id > b.id and n.first_period = b.first_period and n.last_period = b.last_period)"
        ).fetchone()
        waiting = connection.execute(
            "select period from ops.release where not superseded"
            " and id not in (select release_id from ops.publication) order by period"
        ).fetchall()
    assert unchecked is not None
    assert unfinished is not None
    spools = [p for p in settings.landing.glob("incoming-*") if time.time() - p.stat().st_mtime > 3600]
    for row in unread[:5]:
        what = " ".join(filter(None, (row["feed"], row["part"], row["period"])))
        yield Finding(
            "leftovers", "attention", f"delivery {row['id']} of {what} is not read",
            f"`pantau pull {row['feed']}` reads it or says why not; docs/runbooks/feed.md.",
        )  # fmt: skip
    if len(unread) > 5:
        yield Finding(
            "leftovers", "attention", f"{len(unread) - 5} more deliveries are not read", "`pantau pull`"
        )
    if unchecked["n"]:
        yield Finding(
            "leftovers", "attention", f"{unchecked['n']} reading(s) are not checked", "`pantau pull`"
        )
    if unfinished["n"]:
        yield Finding("leftovers", "attention", f"{unfinished['n']} build(s) were cut off", "`pantau close`")
    if spools:
        yield Finding(
            "leftovers", "attention", f"{len(spools)} folder(s) of killed pulls in {settings.landing}",
            "The next `pantau pull` deletes them.",
        )  # fmt: skip
    if waiting:
        span = ", ".join(row["period"] for row in waiting[:6]) + (" …" if len(waiting) > 6 else "")
        yield Finding(
            "leftovers", "attention", f"{len(waiting)} candidate(s) wait for approval: {span}",
            "`pantau approve PERIOD`, or *Required Actions* in Airflow.",
        )  # fmt: skip
    if not (unread or unchecked["n"] or unfinished["n"] or spools or waiting):
        yield Finding("leftovers", "ok", "nothing is unread, unchecked, cut off or waiting")


# ---------------------------------------------------------------- Airflow, and what it leads to


def _feeds() -> dict[str, list[str]]:
    """The feeds that each connection serves."""
    found: dict[str, list[str]] = {}
    for feed in catalogue.load().values():
        for part in feed.parts:
            if name := feed.connection_id(part):
                found.setdefault(name, []).append(f"{feed.name} {part}".rstrip())
    return dict(sorted(found.items()))


@cache
def _asked() -> dict[str, Any]:
    """All that Airflow is asked, at once: its start is what takes time. Nothing where it has no database yet."""
    if not is_there(airflow_url()):
        return {}
    return processes.ask_airflow(
        revisions={}, import_errors={}, connections={"names": [*_feeds(), mail.CONNECTION]}
    )


def _airflow() -> Iterator[Finding]:
    answers = _asked()
    if not answers:
        return
    for file, error in answers["import_errors"].items():
        yield Finding(
            "DAGs",
            "problem",
            f"{file} cannot be loaded: {error.strip().splitlines()[-1][:200]}",
            "Mend the file.",
        )
    if not answers["import_errors"]:
        yield Finding("DAGs", "ok", "all files load")
    known: dict[str, str | None] = answers["connections"]
    simulated, unknown = _simulator_connections(), []
    for name, users in _feeds().items():
        if uri := known[name]:
            yield _reached(name, uri, ", ".join(users))
        elif name in simulated:
            yield _reached(name, simulated[name], f"{', '.join(users)}, by the simulator")
        else:
            unknown.append(name)
    real = any(known[name] for name in _feeds())
    if unknown:
        yield Finding(
            "connections", "problem" if real else "attention", f"not known: {', '.join(unknown)}",
            f"Add them ({_HOWTO}); for the demo, `make up` leads them to the simulator.",
        )  # fmt: skip
    yield _mail(known[mail.CONNECTION])


def _simulator_connections() -> dict[str, str]:
    """The connections that lead to the simulator, by id; empty where it does not run."""
    try:
        at = processes.endpoints(0)
    except PantauError:
        return {}
    return {name.removeprefix("AIRFLOW_CONN_").lower(): uri for name, uri in demo.connections(at).items()}


def _mail(uri: str | None) -> Finding:
    if not settings.engineer_mail:
        return Finding(
            "mail",
            "attention",
            "PANTAU_ENGINEER_MAIL is not set: nobody is told of late feeds",
            "docs/reference/cli.md",
        )
    if not uri:
        return Finding(
            "mail", "attention", f"the connection {mail.CONNECTION} is not known: no mail goes out",
            "docs/runbooks/late-feed.md",
        )  # fmt: skip
    return _reached(mail.CONNECTION, uri, f"mails to {settings.engineer_mail}")


def _reached(name: str, uri: str, users: str) -> Finding:
    """Whether the other side answers: a TCP connection, TLS where it is spoken, the SSH host key. Logs in nowhere."""
    parts = urlsplit(uri)
    kind, host = parts.scheme, parts.hostname or ""
    port = parts.port or {"https": 443, "sftp": 22, "smtp": 25}.get(kind, 80)
    check, place = f"connection {name}", f"{kind}://{host}:{port}"
    try:
        if kind == "sftp":
            return _host_key(check, host, port, parse_qs(parts.query).get("host_key", [""])[0], users)
        with socket.create_connection((host, port), timeout=_SECONDS) as plain:
            if kind == "https":
                with ssl.create_default_context().wrap_socket(plain, server_hostname=host):
                    pass
    except ssl.SSLCertVerificationError as error:
        return Finding(
            check, "problem", f"{place}: its certificate does not hold ({error.verify_message})",
            "Compare it with the owner; never switch the check off.",
        )  # fmt: skip
    except OSError as error:
        return Finding(
            check,
            "problem",
            f"{place} cannot be reached: {error}",
            "Network, firewall, address: ask its owner.",
        )
    return Finding(check, "ok", f"{place} answers ({users})")


def _host_key(check: str, host: str, port: int, pinned: str, users: str) -> Finding:
    import asyncssh

    place = f"sftp://{host}:{port}"
    if not pinned:
        return Finding(
            check, "problem", f"{place}: the connection pins no host key",
            "Add host_key, as `ssh-keyscan` prints it, after comparing it with the owner's.",
        )  # fmt: skip

    async def shown(algorithm: str) -> Any:
        return await asyncio.wait_for(
            asyncssh.get_server_host_key(host, port, server_host_key_algs=[algorithm], config=None), _SECONDS
        )

    try:
        wanted = asyncssh.import_public_key(pinned)
        found = asyncio.run(shown(wanted.get_algorithm()))
    except (ValueError, asyncssh.KeyImportError):
        return Finding(
            check, "problem", f"{place}: host_key is no public key", "Write it as `ssh-keyscan` prints it."
        )
    except (OSError, asyncssh.Error, TimeoutError) as error:
        return Finding(
            check, "problem", f"{place} cannot be reached: {error or 'no answer'}", "Ask its owner."
        )
    if found is None or found.export_public_key() != wanted.export_public_key():
        return Finding(
            check, "problem", f"{place} shows another host key than the one pinned",
            "Pull nothing; compare the key with the owner by another way.",
        )  # fmt: skip
    return Finding(check, "ok", f"{place} answers with the pinned key ({users})")


def _processes() -> Iterator[Finding]:
    for name, job in (
        ("scheduler", "SchedulerJob"), ("dag-processor", "DagProcessorJob"), ("triggerer", "TriggererJob"),
    ):  # fmt: skip
        age = runner.heartbeat_age_s(job)
        if age is None:
            yield Finding(name, "ok", "does not run on this database")
        elif age <= runner.SLOW_S:
            yield Finding(name, "ok", f"runs, last heartbeat {age:.0f} s ago")
        else:
            yield Finding(
                name, "attention", f"last heartbeat {age:,.0f} s ago, without an orderly end",
                "If it should run: its log; then start it again.",
            )  # fmt: skip
