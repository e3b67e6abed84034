"""Roles: each may do what it is for and is refused the rest; the run-time login may do nothing; four eyes."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pantau import ledger, release, roles, setup, upgrade, verify
from pantau.database import Role, airflow_url, connect
from pantau.errors import PantauError
from pantau.landing import decide
from pantau.release import asking
from pantau.settings import settings
from pantau.tables import altered
from tests.administrator import connect as administrator
from tests.integration import standin
from tests.integration.conftest import DESA_3T, DESA_4G, WILAYAH
from tests.integration.standin import Marts, at, deliver

pytestmark = pytest.mark.usefixtures("database")

REFUSED = (psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException)
KINDS = {
    Role.OWNER: {"objects", "register"},
    Role.LOADER: {"clock", "delivery", "reading", "check", "lateness"},
    Role.TRANSFORMER: {"build", "views", "deletion"},
    Role.PUBLISHER: {
        "check", "build_outcome", "candidate", "superseded", "publication", "report", "pages", "verification",
    },
    Role.APPROVER: {
        "approval", "approval_withdrawn", "approval_refused", "rejection", "reinstatement", "acceptance",
    },
    Role.READER: set(), Role.AUDITOR: set(),
}  # fmt: skip
# The one role (besides none) that may insert into a table; everything else of `ops` and `raw` nobody may.
WRITES = {
    Role.LOADER: {
        "ops.ledger", "ops.clock_setting", "ops.delivery", "ops.delivery_file", "ops.poll", "ops.reading",
        "ops.reading_file", "ops.quarantine", "ops.set_aside", "ops.control_total", "ops.rule_text", "ops.check_run",
        "ops.check_result", "ops.finding", "ops.finding_row", "raw.",
    },
    Role.TRANSFORMER: {"ops.ledger", "ops.build", "ops.build_input", "ops.build_sql"},
    Role.PUBLISHER: {
        "ops.ledger", "ops.rule_text", "ops.check_run", "ops.check_result", "ops.finding", "ops.finding_row",
        "ops.build_end", "ops.candidate", "ops.supersession", "ops.figure", "ops.publication", "ops.report",
    },
    Role.APPROVER: {"ops.ledger", "ops.approval", "ops.withdrawal"},
    Role.READER: set(), Role.AUDITOR: set(),
}  # fmt: skip


def refused(role: Role | None, statement: str, *values: Any) -> str:
    """What the database says to a role (or to the login without one) that may not do this."""
    way = connect(role) if role else psycopg.connect(settings.database_url)
    try:
        with way as connection:
            connection.execute(statement, values)
    except REFUSED as error:
        return str(error)
    raise AssertionError(f"{role}: {statement}")


def tables() -> list[str]:
    """Every table and view of ops, raw and public, by schema and name."""
    with administrator() as connection:
        found = connection.execute(
            "select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname in ('ops', 'raw', 'public') and c.relkind in ('r', 'v') order by 1"
        ).fetchall()
    return [row["name"] for row in found]


def test_every_role_writes_its_own_tables_and_nobody_changes_a_row() -> None:
    assert len(tables()) > 35
    for role in set(Role) - {Role.OWNER}:
        for table in tables():
            with administrator() as connection:
                found = connection.execute(
                    "select what from unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'SELECT']) what"
                    " where has_table_privilege(%s, %s, what)",
                    [role, table],
                ).fetchall()
            wanted = set()
            if table in WRITES[role] or table.split(".")[0] + "." in WRITES[role]:
                wanted.add("INSERT")
            if table == "ops.poll" and role == Role.LOADER:
                wanted.add("UPDATE")
            if role != Role.READER or table in ("public.published_release", "public.published_figure"):
                wanted.add("SELECT")
            assert {row["what"] for row in found} == wanted, (role, table)


def test_the_login_may_do_nothing_without_a_role() -> None:
    for statement in (
        "select from ops.ledger",
        "select from raw.komdigi__desa_4g",
        "create table public.mine ()",
    ):
        assert "permission denied" in refused(None, statement)
    with administrator() as connection:
        (row,) = connection.execute(
            "select rolsuper, rolcreaterole, rolcreatedb, rolinherit, rolbypassrls from pg_roles where rolname = %s",
            [urlsplit(settings.database_url).username],
        ).fetchall()
        assert set(row.values()) == {False}
        owned = connection.execute(
            "select c.oid::regclass::text as name from pg_class c where pg_get_userbyid(relowner) = %s",
            [urlsplit(settings.database_url).username],
        ).fetchall()
    assert owned == []


def test_a_role_is_not_left_for_another_by_what_runs_in_it() -> None:
    with connect(Role.READER) as connection:
        connection.execute("reset role")
        row = connection.execute("select current_user as who").fetchone()
        assert row == {"who": "pantau_reader"}


@pytest.mark.parametrize("role", sorted(KINDS))
def test_the_ledger_takes_of_each_role_its_own_kinds_alone(role: Role) -> None:
    everything = set().union(*KINDS.values()) | {"nonsense"}
    for kind in sorted(everything - KINDS[role]):
        refused(
            role,
            "insert into ops.ledger values ((select max(no) + 1 from ops.ledger), %s, %s, now(), now(), '', '')",
            kind, Jsonb({"border": "raw"}),
        )  # fmt: skip
    for kind in sorted(KINDS[role]):
        border = "raw" if role == Role.LOADER else "marts"
        with connect(role) as connection:
            ledger.append(connection, kind, {"border": border})
            connection.rollback()


def test_who_checks_what_was_read_says_nothing_of_builds_nor_the_other_way_round() -> None:
    for role, border in ((Role.LOADER, "marts"), (Role.PUBLISHER, "raw")):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="writes no check"),
            connect(role) as connection,
        ):
            ledger.append(connection, "check", {"border": border})


@pytest.mark.parametrize("role", [each for each in Role if each != Role.OWNER])
def test_no_role_takes_a_trigger_a_function_or_a_grant_away(role: Role) -> None:
    for statement in (
        "alter table ops.ledger disable trigger all",
        "drop trigger append_only on ops.figure",
        "create or replace function ops.refuse_entry() returns trigger language plpgsql as 'begin return new; end'",
        "alter table ops.figure owner to pantau_reader",
        "create table ops.mine ()",
        "alter role pantau_reader createrole",
        "drop view public.published_release",
        "set role pantau_owner",
    ):
        refused(role, statement)
    with suppress(psycopg.errors.InsufficientPrivilege), connect(role) as connection:
        connection.execute("grant insert on ops.figure to public")  # only a warning, and without effect
    with connect(Role.AUDITOR) as connection:
        assert altered(connection) == {}


def test_what_the_owners_functions_do_is_bound() -> None:
    deliver(DESA_4G, "2026-06")
    for role in (Role.LOADER, Role.PUBLISHER, Role.APPROVER, Role.AUDITOR, Role.READER):
        refused(role, "select ops.drop_rebuild(1)")
    for role in (Role.TRANSFORMER, Role.PUBLISHER, Role.APPROVER, Role.AUDITOR, Role.READER):
        refused(role, "select ops.refresh('komdigi__desa_4g')")
    with connect(Role.LOADER) as connection:
        connection.execute(
            "select ops.refresh(%s)", ['x"; drop table ops.ledger; --']
        )  # no such feed: nothing
        connection.execute("select ops.refresh('komdigi__desa_4g')")


@pytest.fixture
def months(monkeypatch: pytest.MonkeyPatch) -> Marts:
    """What a month rests on, and stand-ins for builds and pages."""
    at("2026-10-20")
    for feed, period in ((WILAYAH, "2025-01"), (DESA_3T, "2026-01"), (DESA_4G, "2026-08")):
        deliver(feed, period)
    return Marts(monkeypatch)


def candidate(months: Marts) -> list[dict[str, Any]]:
    """The month's candidate, as a person is shown it."""
    months.close("2026-08")
    with connect(Role.AUDITOR) as connection:
        return release.candidates(connection, "2026-08", "2026-08")


def test_a_build_that_is_no_rebuild_is_not_let_go(months: Marts) -> None:
    (row,) = candidate(months)
    assert "append-only" in refused(Role.TRANSFORMER, "select ops.drop_rebuild(%s)", row["build_id"])


def test_who_decided_what_a_month_rests_on_does_not_approve_it(months: Marts) -> None:
    first, _ = deliver(DESA_4G, "2026-08")
    decide(first, "rejection", "Siti", "their [second](http://x) file is the wrong one")
    shown = candidate(months)
    with pytest.raises(PantauError, match="siti has decided what this release rests on") as caught:
        release.approve(shown, "siti", [])
    assert f"rejection of delivery {first}" in str(caught.value)
    assert "--alone --why" in str(caught.value)
    (asked,) = asking.questions([shown[0]["id"]], ask=True)
    told = asking.question(asked["conf"]["releases"], asked["conf"]["warnings"])
    assert told is not None
    assert f"- **siti** does not approve this: it rests on the rejection of delivery {first}" in told["body"]
    assert r"their \[second\]\(http://x\) file" in told["body"]  # no link but our own
    assert release.approve(shown, "budi", []) == ["budi"]
    assert release.publish([shown[0]["id"]])


def test_alone_is_said_kept_and_counts(months: Marts) -> None:
    first, _ = deliver(DESA_4G, "2026-08")
    decide(first, "rejection", "siti", "wrong")
    shown = candidate(months)
    release.approve(shown, "siti", [], alone="the other one is ill")
    assert release.publish([shown[0]["id"]])
    with connect(Role.AUDITOR) as connection:
        (entry,) = connection.execute("select what from ops.ledger where kind = 'approval'").fetchall()
        (decision,) = connection.execute("select no from ops.ledger where kind = 'rejection'").fetchall()
        assert verify.look(connection, since_last=False).failures == []
    assert entry["what"]["alone"] == "the other one is ill"
    assert entry["what"]["decided"] == [decision["no"]]


def test_an_approval_that_does_not_say_alone_does_not_count(months: Marts) -> None:
    """Written past the product, by somebody who may write approvals."""
    first, _ = deliver(DESA_4G, "2026-08")
    decide(first, "rejection", "siti", "wrong")
    (shown,) = candidate(months)
    with connect(Role.APPROVER) as connection:
        what = {
            "release": shown["id"], "period": "2026-08", "version": 1, "release_hash": shown["release_hash"],
            "page_hash": shown["page_hash"], "approver": "siti", "acknowledged": [],
        }  # fmt: skip
        number = ledger.append(connection, "approval", what)
        connection.execute(
            "insert into ops.approval values (%s, %s, %s, 'siti', '[]', %s)",
            [shown["id"], shown["release_hash"], shown["page_hash"], number],
        )
    with pytest.raises(PantauError, match="does not approve it too"):
        release.publish([shown["id"]])


@pytest.mark.parametrize("case", ["undone", "in vain", "before"])
def test_a_decision_without_effect_excludes_nobody(months: Marts, case: str) -> None:
    if case == "undone":
        first, _ = deliver(DESA_4G, "2026-08")
        decide(first, "rejection", "siti", "wrong")
        decide(first, "reinstatement", "siti", "it was right")
    elif case == "in vain":  # a newer one stands in any case
        first, _ = deliver(DESA_4G, "2026-08")
        deliver(DESA_4G, "2026-08")
        decide(first, "rejection", "siti", "wrong")
    else:  # it was published with it, and approved by another
        first, _ = deliver(DESA_4G, "2026-08")
        decide(first, "rejection", "siti", "wrong")
        shown = candidate(months)
        release.approve(shown, "budi", [])
        release.publish([shown[0]["id"]])
        deliver(DESA_4G, "2026-08")
    shown = candidate(months)
    assert release.approve(shown, "siti", []) == ["siti"]
    assert release.publish([shown[0]["id"]])


@pytest.fixture
def person(database: str) -> Iterator[str]:
    """A person's login with one role; yields its URL."""
    with psycopg.connect(database) as connection:
        connection.execute("create role siti_test login password 'x' in role pantau_approver")
    yield (
        urlsplit(settings.database_url)
        ._replace(netloc="siti_test:x@" + urlsplit(settings.database_url).netloc.rpartition("@")[2])
        .geturl()
    )
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop role siti_test")
        connection.execute(f"drop database if exists {urlsplit(database).path[1:]}_airflow")


def test_the_database_knows_a_person_by_the_login(
    months: Marts, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles.ensure()  # Airflow's database too
    shown = candidate(months)
    monkeypatch.setattr(settings, "database_url", person)
    monkeypatch.setattr(settings, "owner_url", "")
    setup.prepare()  # as every command does: there is nothing to do
    with pytest.raises(PantauError, match="The database knows who decides: siti_test, not budi"):
        release.approve(shown, "budi", [])
    assert release.approve(shown, "", []) == ["siti_test"]
    with pytest.raises(PantauError, match="does not let us in") as caught:
        release.publish([shown[0]["id"]])
    assert "give-people-roles" in str(caught.value)


def test_without_roles_and_without_the_right_to_make_them_it_says_how(
    person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "database_url", person.rsplit("/", 1)[0] + "/not_there")
    monkeypatch.setattr(settings, "owner_url", "")
    with pytest.raises(PantauError, match="we may not make them") as caught:
        roles.ensure()
    assert "PANTAU_OWNER_URL" in str(caught.value)


@pytest.mark.parametrize(
    ("which", "user", "told"),
    [("owner_url", "postgres", "PANTAU_OWNER_URL"), ("database_url", "pantau", "Compare DATABASE_URL")],
)
def test_whose_password_is_another_is_told_which_address_to_look_at(
    which: str, user: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = urlsplit(getattr(settings, which))
    monkeypatch.setattr(
        settings, which, url._replace(netloc=f"{user}:x@{url.netloc.rpartition('@')[2]}").geturl()
    )
    with pytest.raises(PantauError, match="password authentication failed") as caught:
        upgrade.run()
    assert told in str(caught.value)
    assert f"user {user}" in str(caught.value)


def test_who_may_make_roles_and_databases_and_no_more_can_set_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with administrator() as connection:
        connection.execute("create role dba_test login createrole createdb password 'x'")
        for role in Role:  # made before by another: he may grant them
            connection.execute(f"grant {role} to dba_test with admin option")
    url = urlsplit(settings.owner_url)
    server = url.netloc.rpartition("@")[2]
    monkeypatch.setattr(settings, "owner_url", url._replace(netloc=f"dba_test:x@{server}").geturl())
    monkeypatch.setattr(settings, "database_url", f"postgresql://run_test:a%2Fb@{server}/made_test")
    try:
        setup.prepare()
        at("2026-10-20")
        psycopg.connect(airflow_url()).close()
        with connect(Role.AUDITOR) as looking:
            assert verify.look(looking, since_last=False).failures == []
    finally:
        monkeypatch.undo()
        with administrator(autocommit=True) as connection:
            for name in ("made_test", "made_test_airflow"):
                connection.execute(f"drop database if exists {name} with (force)")
            connection.execute("drop role run_test, run_test_airflow")
            connection.execute("drop owned by dba_test; drop role dba_test")


def test_stand_ins_write_what_the_roles_write() -> None:
    """The tests' own deliveries and readings pass for those of the product."""
    deliver(DESA_4G, "2026-06")
    standin.checked(reading=1)
    with connect(Role.AUDITOR) as connection:
        assert verify.look(connection, since_last=False).failures == []
