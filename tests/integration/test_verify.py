# ruff: noqa: E501  the manipulations are SQL, a line each
"""`pantau verify` over a real programme of two provinces: what nobody but Pantau could have made is found and named,
whatever hand changed it, and nothing is found where nothing was changed.

Changes in the database are made as an owner of the tables would make them, past every trigger, and rolled back.
"""

import dataclasses
import itertools
import os
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from pantau import catalogue, ledger, release, seal, verify
from pantau.audit import releases, site
from pantau.audit.records import Records
from pantau.audit.trace import trace
from pantau.audit.tree import Tree
from pantau.database import Connection
from pantau.demo import Simulator
from pantau.errors import PantauError
from pantau.landing import path_of
from pantau.release import approvals
from pantau.report import files
from pantau.settings import settings
from pantau.verify import telling
from tests.administrator import connect
from tests.conftest import own_database
from tests.integration.conftest import (
    ANGGARAN,
    BTS,
    CAKUPAN,
    DESA_3T,
    DESA_4G,
    KEWAJIBAN,
    WILAYAH,
    Stage,
    approved,
    bring_registers,
    made,
)
from tests.integration.postbox import postbox
from tests.integration.test_gate import pantau

RANDOM_CHANGES = int(os.environ.get("PANTAU_RANDOM_CHANGES", "100"))
OPENING, PERIOD = "2026-06", "2026-07"
FEEDS = (WILAYAH, DESA_3T, DESA_4G, ANGGARAN, BTS, KEWAJIBAN, CAKUPAN)


@pytest.fixture(scope="module")
def programme(postgres: str, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two months of two provinces, published, with their pages; nobody may change it but by `change`."""
    with own_database(postgres, tmp_path_factory.mktemp("programme")) as url:
        stage = Stage(simulator)
        stage.at("2026-08-20")
        bring_registers()
        stage.deliver(DESA_3T, "2026-01")
        for period in (OPENING, PERIOD):
            for feed in (DESA_4G, ANGGARAN, BTS, KEWAJIBAN):
                stage.deliver(feed, period)
        for part in catalogue.feed(CAKUPAN).parts:
            stage.deliver(CAKUPAN, PERIOD, part)
        close(OPENING, OPENING)
        approved(made(PERIOD))
        approvals.withdraw(PERIOD, PERIOD, "a test (no person)", "another list has come")
        stage.fault(DESA_4G, PERIOD, "lost_villages")
        stage.deliver(DESA_4G, PERIOD)
        stage.fault(DESA_4G, PERIOD, None)
        close(PERIOD)
        stage.deliver(DESA_4G, "2026-05")  # a reading that stands in no release
        site.write()
        yield url


def close(period: str, last: str = "") -> None:
    """Close a month as the DAG does, in a person's name."""
    candidates = made(period, last)
    files.write(candidates)
    approved(candidates)
    assert release.publish(candidates)


@contextmanager
def changed() -> Iterator[Connection]:
    """A connection past every trigger; what it changed is rolled back."""
    with connect() as connection:
        connection.execute("set local session_replication_role = replica")
        yield connection
        connection.rollback()


def found_in(connection: Connection) -> list[verify.Failure]:
    """What a verification of everything finds."""
    return verify.look(connection, since_last=False).failures


def what(statement: str, *values: Any) -> list[str]:
    """The names of what fails after a statement."""
    with changed() as connection:
        assert connection.execute(statement, list(values)).rowcount != 0 or statement.startswith(
            ("drop", "alter", "grant")
        )
        return [failure.what for failure in found_in(connection)]


# ---------------------------------------------------------------- nothing


def test_nothing_is_found_where_nothing_was_changed(programme: str) -> None:
    assert verify.run().failures == []
    before = head()
    told = pantau("verify")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "All holds: " in told.stdout
    assert "heads witnessed" in told.stdout
    assert head() == before  # it was known already


def test_read_anew_the_landed_bytes_come_to_what_was_read_of_them(programme: str) -> None:
    told = pantau("verify", "--deep")
    assert told.returncode == 0, told.stdout + told.stderr
    with connect() as connection:
        (row,) = connection.execute("select count(*) as readings from ops.reading").fetchall()
    assert f"{row['readings']} reading(s) were read anew from their landed bytes." in told.stdout


@pytest.mark.parametrize("name", ["accepted", "files", "seals"])
def test_an_entry_that_says_other_than_the_landed_bytes_is_found_by_reading_them_anew(
    programme: str, name: str
) -> None:
    """Whoever rebuilt rows, entry, chain and witness alike has still these bytes against him."""
    with changed() as connection:
        entry = connection.execute(
            "select * from ops.ledger where kind = 'reading' and what ->> 'feed' = %s order by no desc limit 1",
            [DESA_4G],
        ).fetchone()
        assert entry is not None
        forged = dict(entry["what"])
        forged[name] = {
            "accepted": forged["accepted"] + 1,
            "files": [[place[0], place[1], place[2] + 1, place[3]] for place in forged["files"]],
            "seals": {each: {**sealed, "sha256": "0" * 64} for each, sealed in forged["seals"].items()},
        }[name]
        connection.execute("update ops.ledger set what = %s where no = %s", [Jsonb(forged), entry["no"]])
        found = verify.look(connection, since_last=False, deep=True).failures
        (failure,) = [f for f in found if f.what.endswith("read anew")]
    assert failure.what == f"reading {forged['reading']}, read anew"
    assert failure.told == f"the landed bytes come to other {name} than were read of them"


def test_what_another_contract_read_is_told_as_such_and_not_as_tampered(
    programme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = catalogue.load()
    monkeypatch.setattr(catalogue, "load", lambda: {n: feed for n, feed in known.items() if n != DESA_4G})
    with connect() as connection:
        found = verify.look(connection, since_last=False, deep=True)
    assert found.failures == []
    assert found.of_other_contracts == 4


def test_pages_and_trace_say_who_approved_alone_and_who_let_the_facts_go(
    programme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with changed() as connection:
        connection.execute(
            "update ops.ledger set what = what || %s where kind = 'approval' and what ->> 'period' = %s",
            [Jsonb({"alone": "nobody <b>else</b> is there"}), PERIOD],
        )
        (row,) = connection.execute(
            "select c.build_id, c.version from ops.candidate c join ops.publication p on p.release_id = c.id"
            " where c.period = %s",
            [PERIOD],
        ).fetchall()
        told = {"build": row["build_id"], "rows": {}, "by": "sri", "why": "the disk is full"}
        number = ledger.append(connection, "deletion", told)
        records, paper = Records(connection, ledger.entries(connection)), site._paper()
        paper.moment = records.now
        (this,) = [r for r in records.releases.values() if r["period"] == PERIOD and not r["superseded"]]
        with Tree(tmp_path / "audit") as tree:
            releases.write(tree, paper, records, this)
        monkeypatch.setattr("pantau.audit.trace.connect", lambda _: nullcontext(connection))
        way = trace(f"K2.00@{PERIOD}/v{row['version']}")
    assert re.search(rf"facts +deleted by sri on .* \(entry {number}\): the disk is full", way)
    text = (tmp_path / "audit" / PERIOD / f"v{row['version']}" / "index.html").read_text()
    assert "sendirian: nobody &lt;b&gt;else&lt;/b&gt; is there" in text
    assert "dihapus oleh sri" in text
    assert f"#{number}" in text
    assert "the disk is full" in text


def head() -> int:
    """The ledger's newest entry."""
    with connect() as connection:
        return ledger.head(connection)


# ---------------------------------------------------------------- forty manipulations

RAW, FACT = f'raw."{DESA_4G}"', "facts.fct_desa_4g"
FORGED = (
    f"update {RAW} set terjangkau_4g = true where not terjangkau_4g",
    f"update {FACT} set terjangkau_4g = true where not terjangkau_4g",
    "update ops.figure set numerator = numerator + 1 where indicator_id in ('K1', 'K2')",
    "update ops.candidate c set release_hash = repeat('a', 64)",
    "update ops.approval_given set release_hash = repeat('a', 64)",
)
MANIPULATIONS: dict[str, tuple[str, str]] = {
    "rows of a reading": (FORGED[0], f"raw.{DESA_4G}/reading "),
    "a column that no figure needs": (
        f"update {RAW} set on_air_on = on_air_on + 1 where on_air_on is not null",
        f"raw.{DESA_4G}/reading ",
    ),
    "rows taken out of a reading": (f"delete from {RAW} where source_row = 5", f"raw.{DESA_4G}/reading "),
    "rows put into a reading": (f"insert into {RAW} select * from {RAW} where source_row < 5", f"raw.{DESA_4G}/reading "),
    "all rows of a feed": (f"delete from {RAW}", f"raw.{DESA_4G}/reading "),
    "rows of no reading": (
        f"insert into {RAW} (reading_id, source_row) values (999999, 1)", f"raw.{DESA_4G}/reading 999999",
    ),
    "the quarantine": ("delete from ops.quarantine", "ops.quarantine/reading "),
    "a control total": ("update ops.control_total set delivered = delivered + 1", "ops.control_total/reading "),
    "what was set aside": ("delete from ops.set_aside", "ops.set_aside/reading "),
    "the place of a row": ("update ops.reading_file set first_file_row = first_file_row + 1", "ops.reading_file/entry "),
    "counts of a reading": (
        "update ops.reading set refused = 0, accepted = accepted + refused where refused > 0", "ops.reading/entry ",
    ),
    "when something came": ("update ops.delivery set known_at = known_at - interval '9 days'", "ops.delivery/entry "),
    "simulated or not": ("update ops.delivery set simulated = false", "ops.delivery/entry "),
    "which bytes came": ("update ops.delivery_file set sha256 = repeat('0', 64)", "ops.delivery_file/entry "),
    "a figure": (FORGED[2], "ops.figure/"),
    "a figure put in": (
        "insert into ops.figure select release_id, indicator_id, indicator_version, period, '99', breakdown, 1, 1, 1"
        " from ops.figure where place = '00' limit 1",
        "ops.figure/",
    ),
    "a release's hash": (FORGED[3], "ops.candidate/entry "),
    "a page": (
        "update ops.candidate set context = jsonb_set(context, '{simulated}', 'false')", "ops.candidate/",
    ),
    "why it was released": ("update ops.candidate set explanation = '{}'", "ops.candidate/"),
    "a candidate superseded": ("insert into ops.supersession select id, 1 from ops.candidate limit 1", "ops.supersession/entry 1"),
    "the pointer": ("delete from ops.publication where release_id = (select max(release_id) from ops.publication)", "ops.publication/entry "),
    "the pointer's view": (
        "create or replace view ops.published as select c.period, min(c.id) as release_id from ops.candidate c group by 1",
        "view ops.published",
    ),
    "who approved": ("update ops.approval_given set approver = 'Menteri'", "ops.approval_given/entry "),
    "an approval by nobody": (
        "insert into ops.approval_given select max(id) + 1, '', '', 'Menteri', '[]', 1 from ops.candidate", "ops.approval_given/entry 1",
    ),
    "the manifest": ("update ops.build_input set how = 'carried' where how = 'own'", "ops.build_input/build "),
    "the cut-off": ("update ops.build set cutoff = cutoff - 1", "ops.build/entry "),
    "the SQL that ran": ("update ops.build_sql set sql = 'select 0'", "ops.build_sql/build "),
    "facts": (FORGED[1], f"{FACT}/build "),
    "an indicator's parts": ("update indicators.ind_k2_sisa_desa set numerator = numerator + 1", "indicators.ind_k2_sisa_desa/build "),
    "a mart": ("update marts.rpt_status set on_track = not on_track", "marts.rpt_status/build "),
    "facts of no build": (
        f"update {FACT} set build_id = 999999 where kode = (select min(kode) from {FACT})",
        f"{FACT}/build 999999",
    ),
    "a target": (
        "update ops.register_version set rows = jsonb_set(rows, '{0,value}', '4000') where name = 'target_register'",
        "ops.register_version/target_register ",
    ),
    "a finding": ("delete from ops.finding", "ops.finding/entry "),
    "a verdict": ("update ops.check_result set passed = true where not passed", "ops.check_result/entry "),
    "a rule that judged": ("update ops.rule_text set record = record || '{\"select\": \"select 1\"}'", "ops.rule_text/"),
    "how bad a finding is": ("update ops.check_result set severity = 'info' where not passed", "ops.check_result/"),
    "what a finding says": ("update ops.finding set rule = rule || '{\"fixer\": \"nobody\"}'", "ops.check_result/"),
    "what was compared": ("update ops.check_run set previous_reading_id = null where previous_reading_id is not null", "ops.check_run/entry "),
    "evidence": ("update ops.finding_row set evidence = '{}'", "ops.finding_row/"),
    "which rules ran": ("update ops.check_run set rules_hash = 'x'", "ops.check_run/entry "),
    "how a build ended": ("update ops.build_end set outcome = 'unchanged'", "ops.build_end/entry "),
    "a report's hash": ("update ops.report set sha256 = repeat('0', 64)", "ops.report/entry "),
    "the clock": ("insert into ops.clock_setting select max(no), '2031-01-01' from ops.ledger", "ops.clock_setting/entry "),
    "a function": (
        "create or replace function ops.rejected(n bigint) returns setof bigint language sql stable as"
        " $$ select 0::bigint where false $$",
        "function ops.rejected(bigint)",
    ),
    "a reader's view": (
        "create or replace view public.published_figure as select r.period as release_period, r.version, f.release_id,"
        " f.indicator_id, f.indicator_version, f.period, f.place, f.breakdown, f.numerator, f.denominator,"
        " f.value / 10 as value from ops.published p join ops.candidate r on r.id = p.release_id"
        " join ops.figure f on f.release_id = r.id",
        "view public.published_figure",
    ),
    "a trigger": (f"drop trigger append_only on {RAW}", f'trigger append_only on raw.{DESA_4G}'),
    "a trigger put to sleep": ("alter table ops.figure disable trigger append_only", "trigger append_only on ops.figure"),
    "grants": ("grant all on ops.ledger to pantau_auditor", "grants on ops.ledger"),
    "an entry": ("update ops.ledger set what = what || '{\"approver\": \"nobody\"}' where kind = 'approval'", "ops.ledger/chain"),
    "an entry taken out": ("delete from ops.ledger where no = 20", "ops.ledger/chain"),
    "two entries exchanged": (
        "update ops.ledger l set kind = o.kind, what = o.what from ops.ledger o where (l.no, o.no) in ((20, 21), (21, 20))",
        "ops.ledger/chain",
    ),
    "a pointer of an entry to come": (
        "insert into ops.publication values (999999, 1000000000000)", "ops.publication/entry 1000000000000",
    ),
    "a clock of an entry to come": (
        "insert into ops.clock_setting values (1000000000000, '2031-01-01')", "ops.clock_setting/entry 1000000000000",
    ),
    "a rule's text that nobody ran": (
        "insert into ops.rule_text values (repeat('0', 64), '{}')", "ops.rule_text/0000",
    ),
    "figures of no release": ("update ops.figure set release_id = 999999 where release_id = (select min(release_id) from ops.figure)", "ops.figure/candidate 999999"),
    "evidence of no finding": (
        "insert into ops.finding_row select 999999, no, evidence from ops.finding_row limit 1", "ops.finding_row/finding 999999",
    ),
    "a manifest of no build": (
        "insert into ops.build_input select 999999, feed, part, period, reading_id, source_period, how"
        " from ops.build_input limit 1",
        "ops.build_input/build 999999",
    ),
    "a key dropped": (
        "alter table ops.publication drop constraint publication_ledger_no_fkey",
        "constraint publication_ledger_no_fkey on ops.publication",
    ),
    "a grant on a column": ("grant update (value) on ops.figure to pantau_loader", "grants on columns of ops.figure"),
    "the owner's rights": ("grant pantau_owner to pantau", "members of role pantau_owner"),
    "a role that may all": ("alter role pantau_reader bypassrls", "role pantau_reader"),
    "the version of the tables": ("update public.alembic_version set version_num = 'x'", "public.alembic_version"),
    "the tail cut": ("delete from ops.ledger where no > (select max(no) - 5 from ops.ledger)", "witness"),
}  # fmt: skip


@pytest.mark.parametrize("name", MANIPULATIONS)
def test_a_manipulation_is_found_and_named(programme: str, name: str) -> None:
    statement, expected = MANIPULATIONS[name]
    found = what(statement)
    assert any(each.startswith(expected) for each in found), found


def test_a_forgery_that_agrees_with_itself_is_found(programme: str) -> None:
    with changed() as connection:
        for statement in FORGED:
            connection.execute(statement)
        found = {failure.what.split("/")[0] for failure in found_in(connection)}
    assert {f"raw.{DESA_4G}", FACT, "ops.figure", "ops.candidate", "ops.approval_given"} <= found


@pytest.mark.parametrize("first", [False, True])
def test_a_chain_that_was_built_anew_is_found_by_its_witness(programme: str, first: bool) -> None:
    with changed() as connection:
        connection.execute(
            "update ops.ledger set what = what || '{\"approver\": \"nobody\"}' where kind = 'approval'"
        )
        if first:  # then it is another ledger by its name
            connection.execute("update ops.ledger set db_at = db_at + interval '1 microsecond' where no = 1")
        before = ledger._GENESIS
        for row in connection.execute("select * from ops.ledger order by no").fetchall():
            entry = ledger.content(row["no"], row["kind"], row["what"], row["db_at"], row["product_at"])
            digest = ledger.entry_hash(before, entry)
            connection.execute(
                "update ops.ledger set prev_hash = %s, hash = %s where no = %s", [before, digest, row["no"]]
            )
            before = digest
        found = {failure.what: failure for failure in found_in(connection)}
    assert "ops.ledger/chain" not in found
    told = "no head of this ledger; it holds heads of 1 other(s)" if first else "its chain was made anew"
    assert told in found["witness"].told


def test_an_emptied_ledger_and_a_lost_witness_are_found(programme: str) -> None:
    with changed() as connection:
        connection.execute("delete from ops.ledger")
        found = {failure.what: failure.told for failure in found_in(connection)}
    assert "the ledger is empty" in found["witness"]
    assert any(name.startswith("ops.publication/entry ") for name in found)
    with spoilt(settings.witness_file, CHANGES["gone"]), connect() as connection:
        (failure,) = found_in(connection)
    assert failure.what == "witness"
    assert "the witness was lost" in failure.told


def test_it_last_held_when_all_was_looked_at(programme: str) -> None:
    """A verification since the last one took the rows for verified: it does not say that they still held."""
    whole = verify.run()
    with changed() as connection:
        connection.execute(FORGED[0])
        part = verify.look(connection, since_last=True)
        assert part.failures == []
        verify.note(connection, dataclasses.replace(part, is_known=False))
        found = verify.look(connection, since_last=False)
        (newest,) = connection.execute(
            "select no, what from ops.ledger where kind = 'verification' order by no desc limit 1"
        ).fetchall()
    assert newest["what"]["since"] > 0
    assert found.failures
    assert found.last_held is not None
    assert found.last_held["no"] < newest["no"]
    assert f"up to entry {found.last_held['what']['through']}" in found.held_before()
    assert whole.failures == []


def test_an_entry_that_was_appended_by_hand_is_found(programme: str) -> None:
    with changed() as connection:
        ledger.append(connection, "approval", {"release": 1, "approver": "Menteri"})
        found = [failure.what for failure in found_in(connection)]
    assert any(each.startswith("ops.approval_given/entry ") for each in found), found


@pytest.mark.parametrize(
    "statement",
    [
        f"truncate {RAW}", "truncate ops.figure", "update ops.candidate set context = '{}'",
        "delete from ops.finding_row", "update ops.build_input set how = 'own'", "delete from ops.build_input",
        "delete from ops.build", "truncate ops.build_input",
        "update ops.clock_setting set set_to = now()", "delete from ops.publication", "delete from ops.check_run",
        "update ops.release set page_hash = ''", "delete from ops.build_end",
    ],
)  # fmt: skip
def test_what_is_kept_refuses_to_be_changed(programme: str, statement: str) -> None:
    with connect() as connection, pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute(statement)


# ---------------------------------------------------------------- files


@contextmanager
def spoilt(path: Path, change: Callable[[bytes], bytes | None]) -> Iterator[None]:
    """A file changed in place (or taken away), and put back."""
    content, mode = path.read_bytes(), path.stat().st_mode
    new = change(content)
    path.unlink()
    if new is not None:
        path.write_bytes(new)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(mode)


CHANGES: dict[str, Callable[[bytes], bytes | None]] = {
    "flipped": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "cut": lambda content: content[: len(content) // 2],
    "appended": lambda content: content + b" ",
    "gone": lambda content: None,
}


def kept_files() -> dict[str, Path]:
    """One of each kind of file that the ledger vouches for, by the name of its failure."""
    with connect() as connection:
        file = connection.execute("select sha256 from ops.delivery_file order by sha256 limit 1").fetchone()
        report = connection.execute("select path from ops.report order by path limit 1").fetchone()
    assert file is not None
    assert report is not None
    return {
        f"landed/{file['sha256']}": path_of(file["sha256"]),
        f"report/{report['path']}": settings.out / report["path"],
        "audit/index.html": site.folder() / "index.html",
        f"audit/{PERIOD}/v1/K2.html": site.folder() / PERIOD / "v1" / "K2.html",
        "audit/hashes.txt": site.folder() / "hashes.txt",
    }


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_was_changed_is_found_and_nothing_else(programme: str, change: str) -> None:
    for name, path in kept_files().items():
        with spoilt(path, CHANGES[change]), connect() as connection:
            assert [failure.what for failure in found_in(connection)] == [name]
    with connect() as connection:
        assert found_in(connection) == []


def test_a_file_that_somebody_put_among_the_pages_is_found(programme: str) -> None:
    stranger = site.folder() / "2026-07" / "extra.html"
    stranger.write_text("<p>")
    with connect() as connection:
        assert [failure.what for failure in found_in(connection)] == ["audit/2026-07/extra.html"]
    stranger.unlink()


def test_forged_pages_and_lost_bytes_do_not_survive_the_next_writing(programme: str) -> None:
    landed = next(path for name, path in kept_files().items() if name.startswith("landed/"))
    forged = site.folder() / PERIOD / "v1" / "K2.html"
    with spoilt(landed, CHANGES["flipped"]), spoilt(forged, lambda content: content.replace(b"a", b"b")):
        told = pantau("audit")
        assert told.returncode == 1, told.stdout
        assert "2 thing(s) do not hold" in told.stdout
        assert "verifikasi gagal" in (site.folder() / "index.html").read_text()
    assert pantau("audit").returncode == 0
    assert verify.run().failures == []


# ---------------------------------------------------------------- what a person is told, and may accept


def test_a_person_is_told_what_where_and_when_it_last_held(programme: str) -> None:
    landed = next(path for name, path in kept_files().items() if name.startswith("landed/"))
    with spoilt(landed, CHANGES["cut"]):
        told = pantau("verify")
    assert told.returncode == 1
    for word in (
        "landed/",
        "feed",
        "file",
        "ledger entry",
        "tampering.md",
        "1 thing(s) do not hold; last held on 2026-08-20",
    ):
        assert word in told.stdout, told.stdout
    assert "Traceback" not in told.stdout + told.stderr


def test_what_a_person_accepts_is_told_ever_after_and_speaks_for_nothing_else(programme: str) -> None:
    path = site.folder() / "index.html"
    with spoilt(path, CHANGES["appended"]):
        with pytest.raises(PantauError, match="Accepting is a decision"):
            verify.accept("audit/index.html", "sri", " ")
        with pytest.raises(PantauError, match="Nothing that fails is named 'x'"):
            verify.accept("x", "sri", "why")
        verify.accept("audit/index.html", "sri", "a note of ours was added")
        told = pantau("verify")
        assert told.returncode == 0, told.stdout
        assert "accepted by sri" in told.stdout
        assert "a note of ours was added" in told.stdout
    with spoilt(path, CHANGES["flipped"]), connect() as connection:
        assert [failure.what for failure in found_in(connection)] == ["audit/index.html"]
    site.write()


def test_what_fails_is_mailed_to_the_data_engineer_and_fails_the_run(
    programme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed = next(path for name, path in kept_files().items() if name.startswith("landed/"))
    with spoilt(landed, CHANGES["cut"]):
        told = [str(failure.error("")) for failure in verify.run().failures]
    with postbox() as box:
        with pytest.raises(PantauError, match="Name an address: PANTAU_ENGINEER_MAIL"):
            telling.tell(told, box.uri())
        monkeypatch.setattr(settings, "engineer_mail", "data@office.example")
        with pytest.raises(PantauError, match="1 thing"):
            telling.tell(told, box.uri())
        ((address, mail),) = box.mails
    assert address == "data@office.example"
    assert mail["Subject"] == "Pantau: verification fails (1)"
    assert f"landed/{landed.name}" in mail.get_content()


def test_a_hash_of_an_unknown_scheme_is_refused_by_its_name(programme: str) -> None:
    with changed() as connection:
        connection.execute(
            "update ops.ledger set what = jsonb_set(what, '{schemes}', '[\"figures/9\", \"page/1\"]') where kind = 'candidate'"
        )
        told = [f.told for f in found_in(connection) if f.what.startswith("candidate/")]
    assert "figures/9" in told[0]


# ---------------------------------------------------------------- single changes, drawn by chance

# What nothing can promise, and why.
UNPROMISED = {
    ("ops", "prepared", None): "a note of the last set-up, made again where it is wrong",
    (
        "ops",
        "poll",
        None,
    ): "when an owner was last asked: it changes with every poll, and no figure hangs on it",
    (
        "ops",
        "finding",
        "id",
    ): "a number of ours by which pages name a finding; its rows move with it or are found",
}


def tables(connection: Connection) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Schema, name and columns with types of every table that is vouched for and has rows."""
    found = []
    for row in connection.execute(
        "select schemaname as schema, tablename as name from pg_tables"
        " where schemaname in ('ops', 'raw', 'facts', 'indicators', 'marts') order by 1, 2"
    ).fetchall():
        schema, name = row["schema"], row["name"]
        rows = connection.execute(sql.SQL("select from {} limit 1").format(sql.Identifier(schema, name)))
        if (schema, name, None) not in UNPROMISED and rows.fetchone() is not None:
            kinds = seal.columns_of(connection, (schema, name))
            columns = [each for each in kinds.items() if (schema, name, each[0]) not in UNPROMISED]
            found.append((schema, name, columns))
    return found


OTHER = {
    "text": "coalesce({0}, '') || 'x'", "bigint": "coalesce({0}, 0) + 1", "integer": "coalesce({0}, 0) + 1",
    "smallint": "coalesce({0}, 0) + 1", "numeric": "coalesce({0}, 0) + 1", "boolean": "not coalesce({0}, false)",
    "date": "coalesce({0}, date '2020-01-01') + 1", "timestamp with time zone": "coalesce({0}, now()) + interval '1 second'",
    "jsonb": "jsonb_build_object('x', {0})", "text[]": "{0} || 'x'::text", "integer[]": "{0} || 1",
    "bigint[]": "{0} || 1::bigint",
}  # fmt: skip


def one_change(connection: Connection, chance: random.Random) -> str:
    """One cell made different, one row deleted or doubled; what was done, in words."""
    schema, name, columns = chance.choice(tables(connection))
    table = sql.Identifier(schema, name)
    row = connection.execute(
        sql.SQL("select ctid::text as place from {} offset %s limit 1").format(table),
        [chance.randrange(_count(connection, table))],
    ).fetchone()
    assert row is not None
    kind = chance.choice(["cell", "cell", "delete", "insert"])
    if kind == "delete":
        connection.execute(sql.SQL("delete from {} where ctid = %s::tid").format(table), [row["place"]])
        return f"{schema}.{name}: row deleted"
    column, type_ = chance.choice(columns)
    if kind == "insert":
        # A whole row again; where a key forbids that, with another value there.
        try:
            with connection.transaction():
                connection.execute(
                    sql.SQL(
                        "insert into {0} overriding system value select * from {0} where ctid = %s::tid"
                    ).format(table),
                    [row["place"]],
                )
            return f"{schema}.{name}: row doubled"
        except psycopg.errors.UniqueViolation:
            pass
    other = sql.SQL(OTHER[type_]).format(sql.Identifier(column))
    statement = sql.SQL("update {} set {} = {} where ctid = %s::tid")
    connection.execute(statement.format(table, sql.Identifier(column), other), [row["place"]])
    return f"{schema}.{name}.{column}: changed"


def _count(connection: Connection, table: sql.Identifier) -> int:
    row = connection.execute(sql.SQL("select count(*) as n from {}").format(table)).fetchone()
    assert row is not None
    return int(row["n"])


def one_file(chance: random.Random) -> tuple[Path, Callable[[bytes], bytes | None], str]:
    """A landed file, a PDF or an audit page, a change of a byte or more of it, and that in words."""
    with connect() as connection:
        landed = [
            path_of(r["sha256"]) for r in connection.execute("select distinct sha256 from ops.delivery_file")
        ]
        reports = [settings.out / row["path"] for row in connection.execute("select path from ops.report")]
    pages = [path for path in site.folder().rglob("*") if path.is_file()]
    path = chance.choice(sorted(chance.choice([landed, reports, pages])))
    size = path.stat().st_size
    at, bit = chance.randrange(size), 1 << chance.randrange(8)
    changes: dict[str, Callable[[bytes], bytes | None]] = {
        f"byte {at} flipped": lambda content: content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :],
        f"cut at byte {at}": lambda content: content[:at],
        "appended to": lambda content: content + bytes([bit]),
        "gone": lambda content: None,
    }
    told = chance.choice(list(changes))
    return path, changes[told], f"{path}: {told}"


def test_every_single_change_is_found(programme: str) -> None:
    missed, made_so_far = [], 0
    for seed in itertools.count():
        chance = random.Random(seed)
        if seed % 5 == 0:
            path, change, done = one_file(chance)
            with spoilt(path, change), connect() as connection:
                found = found_in(connection)
        else:
            with changed() as connection:
                try:
                    done = one_change(connection, chance)
                except (
                    psycopg.errors.UniqueViolation,
                    psycopg.errors.CheckViolation,
                    psycopg.errors.GeneratedAlways,
                    psycopg.errors.NotNullViolation,
                ):
                    connection.rollback()  # the database refuses it: another is drawn
                    continue
                found = found_in(connection)
        if not found:
            missed.append(f"seed {seed}: {done}")
        if (made_so_far := made_so_far + 1) == RANDOM_CHANGES:
            break
    assert missed == []


def test_every_table_that_is_vouched_for_has_rows_to_change(programme: str) -> None:
    """What is drawn from is not empty where a promise is made."""
    with connect() as connection:
        drawn = {f"{schema}.{name}" for schema, name, _ in tables(connection)}
        every = connection.execute(
            "select schemaname || '.' || tablename as name from pg_tables"
            " where schemaname in ('ops', 'raw', 'facts', 'indicators', 'marts')"
        ).fetchall()
    idle = {f"raw.{name}" for name in catalogue.load() if name not in FEEDS}  # no indicator needs them yet
    assert {row["name"] for row in every} - drawn - idle == {"ops.prepared", "ops.poll"}
