"""land and its promises: bytes unchanged and mended, the same again no event, reversals new, rejections respected."""

import hashlib
import os
import subprocess
import sys
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pantau import catalogue, cli, clock, landing, ledger
from pantau.errors import PantauError
from pantau.fetch import Fetched, File, Order
from pantau.periods import JAKARTA
from pantau.read import read
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.conftest import CAKUPAN, Stage

FEED = "kemendagri__wilayah"


def bring(
    tmp_path: Path,
    text: str,
    period: str = "2025-01",
    name: str = "a.csv",
    content: str = "",
    validator: str = "",
) -> tuple[int | None, bool]:
    """Land a file with this text."""
    path = tmp_path / name
    path.write_text(text)
    got = Fetched("test", [File(name, path)], content_hash=content, validator=validator)
    return landing.land(catalogue.feed(FEED), "", period, got)


def kinds() -> list[str]:
    """The ledger's kinds in order, without those of the set-up."""
    with connect() as connection:
        rows = connection.execute(
            "select kind from ops.ledger where kind not in ('register', 'objects', 'views', 'clock') order by no"
        )
        return [row["kind"] for row in rows]


def polls() -> list[tuple[str, str, int, int]]:
    """Part, period, delivery and times of what was asked for."""
    with connect() as connection:
        rows = connection.execute("select * from ops.poll order by part, period").fetchall()
        return [(row["part"], row["period"], row["delivery_id"], row["times"]) for row in rows]


@pytest.mark.usefixtures("database")
def test_bytes_are_kept_unchanged_under_their_hash(tmp_path: Path) -> None:
    bring(tmp_path, "kode,nama\r\n11,Aceh\r\n")
    with connect() as connection:
        file = connection.execute("select * from ops.delivery_file").fetchone()
    assert file is not None
    assert landing.path_of(file["sha256"]).read_bytes() == b"kode,nama\r\n11,Aceh\r\n"
    assert landing.path_of(file["sha256"]).stat().st_mode & 0o222 == 0


@pytest.mark.usefixtures("database")
def test_the_same_again_is_no_event_but_noted_even_under_another_name(tmp_path: Path) -> None:
    first = bring(tmp_path, "x")
    assert bring(tmp_path, "x", name="b.csv") == (first[0], True)
    assert kinds() == ["delivery"]
    assert polls() == [("", "2025-01", first[0], 1)]


@pytest.mark.usefixtures("database")
def test_an_untouched_inbox_leaves_the_ledger_alone(tmp_path: Path) -> None:
    folder = settings.inbox / FEED / "2025-01"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("kode,nama\n11,Aceh\n")
    first = landing.pull(FEED, "2025-01")
    with connect() as connection:
        clock.set_to(connection, datetime(2026, 8, 20, 9, tzinfo=JAKARTA))
        head = ledger.head(connection)
    for _ in range(24):
        for due in landing.due_periods(FEED):
            assert landing.pull(FEED, **due) == first
    with connect() as connection:
        assert ledger.head(connection) == head
        (asked,) = connection.execute("select asked_at from ops.poll").fetchall()
    assert asked["asked_at"] == datetime(2026, 8, 20, 9, tzinfo=JAKARTA)
    assert polls() == [("", "2025-01", first, 24)]


@pytest.mark.usefixtures("database")
def test_what_is_noted_begins_anew_with_other_content(tmp_path: Path) -> None:
    for text in ("a", "a", "a"):
        first, _ = bring(tmp_path, text)
    assert polls() == [("", "2025-01", first, 2)]
    second, _ = bring(tmp_path, "b")
    assert polls() == [("", "2025-01", second, 0)]
    bring(tmp_path, "b", period="2025-02")
    assert len(polls()) == 2


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("damage", ["other", "short", "empty", "missing"])
def test_damaged_bytes_are_not_read_and_the_same_content_heals_them(tmp_path: Path, damage: str) -> None:
    text = "kode,nama\n11,Aceh\n"
    delivery, _ = bring(tmp_path, text)
    path = landing.path_of(hashlib.sha256(text.encode()).hexdigest())
    path.chmod(0o644)
    path.write_text(
        {"other": "kode,nama\n12,Aceh\n", "short": "kode,nama\n11", "empty": ""}.get(damage, text)
    )
    if damage == "missing":
        path.unlink()
    with pytest.raises(PantauError, match="not those that were delivered") as error:
        read(delivery)
    for told in (f"delivery {delivery}", FEED, "a.csv", path.name, "--everything"):
        assert told in str(error.value)
    assert bring(tmp_path, text) == (delivery, True)
    assert path.read_text() == text
    assert path.stat().st_mode & 0o777 == 0o400
    assert read(delivery)


@pytest.mark.usefixtures("database")
def test_an_owner_is_asked_in_full_where_our_bytes_are_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would answer "unchanged", and never heal them."""
    orders: list[Order] = []

    def fetch(order: Order) -> Fetched:
        orders.append(order)
        if order.held.validator:
            return Fetched("test", [], unchanged=True)
        (order.spool / "a.csv").write_text("x")
        return Fetched("test", [File("a.csv", order.spool / "a.csv")], validator='"a"')

    monkeypatch.setattr(landing, "fetch", fetch)
    first = landing.pull(FEED, "2025-01")
    path = landing.path_of(hashlib.sha256(b"x").hexdigest())
    path.chmod(0o644)
    path.write_text("y")  # of the same size
    for _ in range(2):
        assert landing.pull(FEED, "2025-01") == first
        assert path.read_text() == "x"
    assert [bool(order.held.sha256 and order.held.validator) for order in orders] == [False, False, True]


def test_the_folder_of_a_pull_that_lives_is_not_swept(tmp_path: Path, database: str) -> None:
    """Of whatever process; that of a killed one is."""
    held = "import sys, time\nfrom pantau.landing import _spool\n" + (
        "with _spool() as spool:\n print(spool, flush=True)\n time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", held], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PANTAU_VAR": str(settings.var)},
    ) as other:  # fmt: skip
        assert other.stdout is not None
        spool = Path(other.stdout.readline().strip())
        assert spool.parent == settings.landing
        landing.sweep()
        assert spool.is_dir()
        other.kill()
    landing.sweep()
    assert not spool.exists()


@pytest.mark.usefixtures("database")
def test_a_reversal_is_a_new_delivery(tmp_path: Path) -> None:
    a = bring(tmp_path, "a")[0]
    b = bring(tmp_path, "b")[0]
    again, duplicate = bring(tmp_path, "a")
    assert len({a, b, again}) == 3
    assert not duplicate


@pytest.mark.usefixtures("database")
def test_a_rejected_delivery_that_its_source_still_serves_does_not_come_back(tmp_path: Path) -> None:
    good = bring(tmp_path, "good")[0]
    bad = bring(tmp_path, "bad")[0]
    assert bad is not None
    landing.decide(bad, "rejection", "tester", "wrong month")
    assert bring(tmp_path, "bad") == (good, True)
    with connect() as connection:
        newest = landing.newest_delivery(connection, FEED, "", "2025-01")
        assert newest is not None
        assert newest["id"] == good
    landing.decide(bad, "reinstatement", "tester", "it was right")
    with connect() as connection:
        newest = landing.newest_delivery(connection, FEED, "", "2025-01")
        assert newest is not None
        assert newest["id"] == bad


@pytest.mark.usefixtures("database")
def test_a_decision_says_what_it_did_and_only_a_rejection_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery, _ = bring(tmp_path, "x")
    monkeypatch.setattr("pantau.cli.delivery.ready", nullcontext)

    def pantau(*arguments: str) -> str:
        ended = CliRunner().invoke(cli.app, ["delivery", *arguments, str(delivery), "--why", "x"])
        return ended.output + str(ended.exception or "")

    assert f"Delivery {delivery} is not rejected" in pantau("reinstate")
    assert f"Delivery {delivery} is rejected" in pantau("reject")
    assert f"Delivery {delivery} is reinstated" in pantau("reinstate")
    assert f"Delivery {delivery} is not rejected" in pantau("reinstate")
    assert kinds() == ["delivery", "rejection", "reinstatement"]


@pytest.mark.usefixtures("database")
def test_the_ledger_refuses_change(tmp_path: Path) -> None:
    bring(tmp_path, "x")
    for statement in (
        "update ops.ledger set kind = 'x'",
        "delete from ops.ledger",
        "truncate ops.ledger cascade",
    ):
        with pytest.raises(Exception, match="append-only"), connect() as connection:
            connection.execute(statement)


@pytest.mark.usefixtures("database")
def test_content_is_what_the_transport_says_it_is(tmp_path: Path) -> None:
    first, _ = bring(tmp_path, '{"page": 1}', content="items")
    assert bring(tmp_path, '{"page": 2}', content="items") == (first, True)
    assert bring(tmp_path, '{"page": 2}', content="other")[0] != first
    with connect() as connection:
        hashes = connection.execute("select content_hash from ops.delivery order by id").fetchall()
    assert [row["content_hash"] for row in hashes] == ["items", "other"]


@pytest.mark.usefixtures("database")
def test_the_owner_is_asked_by_the_newest_delivery_that_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[Order] = []

    def fetch(order: Order) -> Fetched:
        orders.append(order)
        return Fetched("test", [], unchanged=True)

    monkeypatch.setattr(landing, "fetch", fetch)
    first, _ = bring(tmp_path, "a", validator='"a"')
    second, _ = bring(tmp_path, "b", validator='"b"')
    assert first is not None
    assert second is not None
    assert landing.pull(FEED, "2025-01") == second
    landing.decide(second, "rejection", "tester", "wrong month")
    assert landing.pull(FEED, "2025-01") == first
    landing.decide(first, "rejection", "tester", "wrong too")
    assert (
        landing.pull(FEED, "2025-01") is None
    )  # told "unchanged" though it was asked by nothing: no delivery
    assert [order.held.validator for order in orders] == ['"b"', '"a"', ""]
    assert kinds() == ["delivery", "delivery", "rejection", "rejection"]


def test_each_part_comes_is_read_and_heals_alone(stage: Stage) -> None:
    stage.at("2026-12-20")
    stage.deliver(CAKUPAN, "2026-07", "indosat")
    due = landing.due_periods(CAKUPAN)
    assert {d["part"] for d in due if d["period"] == "2026-11"} == {"telkomsel", "indosat", "xlsmart"}
    assert {d["part"] for d in due if d["period"] == "2026-07"} == {"telkomsel", "xlsmart"}
    again = stage.pull(CAKUPAN, "2026-07", "indosat")
    with connect() as connection:
        found = connection.execute(
            "select id, part, validator from ops.delivery where feed = %s", [CAKUPAN]
        ).fetchall()
    assert [(row["id"], row["part"]) for row in found] == [(again, "indosat")]
    assert found[0]["validator"]
    assert polls()[-1] == ("indosat", "2026-07", again, 1)
