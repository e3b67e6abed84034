"""Told of what is late: once, to the owner and the engineer, whether or not anything ever ran."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from pantau import catalogue, landing, lateness, setup, warehouse
from pantau.catalogue import Feed
from pantau.errors import PantauError, TransientError
from pantau.lateness import anything_to_tell, tell
from pantau.runner import Runner
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.conftest import ANGGARAN, DESA_3T, DESA_4G
from tests.integration.postbox import PASSWORD, Postbox, postbox
from tests.integration.standin import at, deliver

CAKUPAN = "operator__cakupan"
OWNER, ENGINEER, TELKOMSEL = "komdigi@owner.example", "engineer@pantau.example", "telkomsel@owner.example"


@pytest.fixture
def box(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postbox]:
    """A mail server, and an engineer's address; nothing has ever arrived or run."""
    monkeypatch.setattr(settings, "engineer_mail", ENGINEER)
    with postbox() as box:
        yield box


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> dict[str, Feed]:
    """A catalogue of few feeds; with an owner's address where the test needs one."""
    feeds: dict[str, Feed] = {}
    monkeypatch.setattr(catalogue, "load", lambda: feeds)
    return feeds


ALL = dict(catalogue.load())


def feed(name: str, **update: object) -> Feed:
    """A feed of the real catalogue, with an owner's address."""
    return ALL[name].model_copy(update={"starts": "2026-10", "contact": OWNER, **update})


def entries() -> list[dict[str, object]]:
    """What the ledger says was told."""
    with connect() as connection:
        rows = connection.execute(
            "select what from ops.ledger where kind = 'lateness' order by no"
        ).fetchall()
    return [row["what"] for row in rows]


def text(box: Postbox, address: str) -> str:
    """The newest mail to an address: its text."""
    content: str = box.to(address)[-1].get_content()
    return content.replace("\r\n", "\n")


def test_told_once_to_both_though_nothing_ever_came(box: Postbox, only: dict[str, Feed]) -> None:
    only[DESA_4G] = feed(DESA_4G)
    at("2026-11-10")  # the due day itself
    assert not anything_to_tell()
    assert tell("smtp://nobody.is.asked") == 0
    at("2026-11-12")
    assert anything_to_tell()
    assert tell(box.uri()) == 2
    assert not anything_to_tell()
    assert tell(box.uri()) == 0
    at("2026-11-20")
    assert tell(box.uri()) == 0
    assert sorted(to for to, _ in box.mails) == [ENGINEER, OWNER]
    assert entries() == [
        {
            "feed": DESA_4G, "part": "", "period": "2026-10", "due_on": "2026-11-10", "cause": "missing",
            "delivery": None, "told": told, "address": address,
        }
        for told, address in (("owner", OWNER), ("engineer", ENGINEER))
    ]  # fmt: skip


def test_what_the_mails_say(box: Postbox, only: dict[str, Feed]) -> None:
    only[DESA_4G] = feed(DESA_4G)
    at("2026-11-12")
    tell(box.uri())
    owner = box.to(OWNER)[0]
    assert owner["Subject"] == "[SIMULASI] Terlambat: Cakupan 4G per desa, Oktober 2026"
    assert owner["Reply-To"] == ENGINEER
    for line in (
        "SIMULASI: jam produk disetel ke 12 November 2026; tidak ada kiriman sungguhan yang terlambat.",
        "Yth. Kementerian Komunikasi dan Digital,",
        "jatuh tempo: 10 November 2026, lewat 2 hari (penentu tenggat: SIMULASI)",
        "keadaan: belum ada yang kami terima",
        "tanpa kiriman ini: bulan ini tidak ditutup sampai kiriman ini ada",
    ):
        assert line in text(box, OWNER)
    assert box.to(ENGINEER)[0]["Subject"] == "[SIMULATED] Late: 4G coverage by village, October 2026"
    for line in (
        f"{DESA_4G} (ckan)",
        f"Kementerian Komunikasi dan Digital, contact {OWNER}",
        "due: 10 November 2026; days late: 2 (who says so: SIMULASI)",
        "state: no delivery has come",
        "without it: the month is not closed until it is there",
        "docs/runbooks/late-feed.md",
    ):
        assert line in text(box, ENGINEER)


def test_on_the_machines_clock_nothing_is_marked_as_simulated(box: Postbox, only: dict[str, Feed]) -> None:
    only[DESA_4G] = feed(DESA_4G, starts="2025-01")
    assert tell(box.uri()) == 2
    for address in (OWNER, ENGINEER):
        assert "SIMUL" not in str(box.to(address)[0]["Subject"])
        assert "SIMULATED:" not in text(box, address)
    # all months that never came, in one mail
    assert "Januari 2025" in text(box, OWNER)
    assert str(box.to(OWNER)[0]["Subject"]).endswith(f"Cakupan 4G per desa: {len(entries()) // 2} kiriman")


def test_what_the_close_does_without_it(box: Postbox, only: dict[str, Feed]) -> None:
    only.update(
        {
            ANGGARAN: feed(ANGGARAN),
            DESA_3T: feed(DESA_3T, starts="2025-10", due_day=10),
            CAKUPAN: feed(CAKUPAN, starts="2026-09"),
        }
    )
    deliver(DESA_3T, "2025-10")
    for part in ("telkomsel", "indosat"):
        deliver(CAKUPAN, "2026-09", part=part)
    deliver(CAKUPAN, "2026-10", part="telkomsel")
    at("2026-11-13")
    tell(box.uri())
    told = {str(mail["Subject"]): mail.get_content().replace("\r\n", "\n") for mail in box.to(ENGINEER)}
    omitted = told["[SIMULATED] Late: ICT budget and realisation, October 2026"]
    ends = "without it: from 16 November 2026 on the month closes "
    assert f"{ends}without it; without a figure: K12 ICT budget absorption" in omitted
    listed = next(body for subject, body in told.items() if "3T" in subject)
    assert "without it: the list of October 2025 goes on standing" in listed
    parts = told["[SIMULATED] Late: Operators' 4G coverage claims: 3 deliveries"]
    indosat = parts.partition("(Indosat Ooredoo Hutchison), October 2026")[2].split("\n\n")[0]
    assert f"{ends}with the delivery of September 2026 in its place, marked on the page" in indosat
    assert "(Telkomsel)" not in parts
    # nothing to carry: September of a part that never came
    assert "(XLSmart), September 2026" in parts
    assert "from 16 October 2026 on the month closes without it; " in parts


def test_a_close_goes_on_from_the_day_that_was_told(box: Postbox, only: dict[str, Feed]) -> None:
    only[ANGGARAN] = feed(ANGGARAN)
    at("2026-11-15")
    deliver(ANGGARAN, "2025-12")  # the ledger begins
    with connect() as connection:
        [late] = lateness.late(connection)
    assert late.goes_on == date(2026, 11, 16)

    def ready() -> list[bool]:
        with connect() as connection:
            cutoff = lateness.ledger.head(connection)
            return [m.ready for m in warehouse.manifest(connection, "2026-10", "2026-10", cutoff=cutoff)[1]]

    assert ready() == [False]
    at("2026-11-16")
    deliver(ANGGARAN, "2025-12")
    assert ready() == [True]


def test_a_mail_server_that_is_down_leaves_no_record_and_the_next_run_tells(
    box: Postbox, only: dict[str, Feed]
) -> None:
    only[DESA_4G] = feed(DESA_4G)
    at("2026-11-12")
    with postbox() as gone:
        uri = gone.uri()
    with pytest.raises(TransientError):
        tell(uri)
    assert entries() == []
    assert tell(box.uri()) == 2


def test_who_could_not_be_told_is_told_by_the_next_run_and_nobody_else_again(
    box: Postbox, only: dict[str, Feed]
) -> None:
    only.update({DESA_4G: feed(DESA_4G), ANGGARAN: feed(ANGGARAN, contact="kemenkeu@owner.example")})
    at("2026-11-12")
    box.refuses[OWNER] = "450 greylisted"
    with pytest.raises(TransientError, match="greylisted"):
        tell(box.uri())
    assert [to for to, _ in box.mails] == [ENGINEER, "kemenkeu@owner.example", ENGINEER]
    box.refuses[OWNER] = "550 no such user"
    with pytest.raises(PantauError, match="no such user") as refused:
        tell(box.uri())
    assert not isinstance(refused.value, TransientError)
    box.refuses.clear()
    assert tell(box.uri()) == 1
    assert len(box.to(OWNER)) == 1
    assert len(box.mails) == 4


def test_a_rejected_delivery_is_told_anew_with_the_reason(box: Postbox, only: dict[str, Feed]) -> None:
    only[DESA_4G] = feed(DESA_4G)
    at("2026-11-12")
    assert tell(box.uri()) == 2
    at("2026-11-13")
    delivery, _ = deliver(DESA_4G, "2026-10")
    assert tell(box.uri()) == 0  # it has come: no mail about that
    landing.decide(delivery, "rejection", "tester", "it is\nSeptember's")
    assert tell(box.uri()) == 2
    assert "keadaan: kiriman tanggal 13 November 2026 ditolak: it is September's" in text(box, OWNER)
    assert f"state: delivery {delivery} of 13 November 2026 was rejected: it is September's" in text(
        box, ENGINEER
    )
    assert tell(box.uri()) == 0
    landing.decide(delivery, "reinstatement", "tester", "it was right")
    assert tell(box.uri()) == 0


def test_two_that_tell_at_once_tell_once(box: Postbox, only: dict[str, Feed]) -> None:
    only[DESA_4G] = feed(DESA_4G)
    at("2026-11-12")
    with ThreadPoolExecutor(4) as several:
        sent = list(several.map(tell, [box.uri()] * 4))
    assert sorted(sent) == [0, 0, 0, 2]
    assert len(box.mails) == 2


def test_an_older_delivery_that_stands_again_is_not_late(box: Postbox, only: dict[str, Feed]) -> None:
    only[DESA_4G] = feed(DESA_4G)
    at("2026-11-12")
    deliver(DESA_4G, "2026-10")
    landing.decide(deliver(DESA_4G, "2026-10")[0], "rejection", "tester", "wrong")
    assert tell(box.uri()) == 0


def test_what_came_and_cannot_be_read_is_late_from_the_next_day(box: Postbox, only: dict[str, Feed]) -> None:
    only[DESA_4G] = feed(DESA_4G)
    at("2026-11-12")
    deliver(DESA_4G, "2026-10")
    delivery, _ = deliver(DESA_4G, "2026-10", read=False)
    assert tell(box.uri()) == 0  # it may be read at this moment
    at("2026-11-13")
    assert tell(box.uri()) == 2
    assert f"state: delivery {delivery} of 12 November 2026 came but cannot be read" in text(box, ENGINEER)
    assert "kiriman tanggal 12 November 2026 kami terima tetapi tidak dapat dibaca" in text(box, OWNER)


def test_each_part_has_a_contact_of_its_own(box: Postbox, only: dict[str, Feed]) -> None:
    only[CAKUPAN] = feed(CAKUPAN, contact={"telkomsel": TELKOMSEL})
    at("2026-11-12")
    assert tell(box.uri()) == 2  # its contact, and the engineer for all three
    assert "(Telkomsel)" in text(box, TELKOMSEL)
    assert "Indosat" not in text(box, TELKOMSEL)
    assert {entry["part"] for entry in entries() if entry["told"] == "engineer"} == {
        "telkomsel",
        "indosat",
        "xlsmart",
    }


def test_without_any_address_the_error_says_what_to_set(
    box: Postbox, only: dict[str, Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "engineer_mail", "")
    only[DESA_4G] = feed(DESA_4G, contact="")
    at("2026-11-12")
    for step in (anything_to_tell, lambda: tell(box.uri())):
        with pytest.raises(PantauError, match="nobody can be told") as caught:
            step()
        assert "PANTAU_ENGINEER_MAIL" in str(caught.value)
        assert "contact" in str(caught.value)
    monkeypatch.setattr(settings, "engineer_mail", ENGINEER)
    assert tell(box.uri()) == 1
    assert f"whom nobody tells: feeds/{DESA_4G}.yml has no `contact`" in text(box, ENGINEER)


def test_one_without_an_address_keeps_nobody_else_from_being_told(
    box: Postbox, only: dict[str, Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "engineer_mail", "")
    only.update(
        {ANGGARAN: feed(ANGGARAN, contact=""), DESA_4G: feed(DESA_4G), CAKUPAN: feed(CAKUPAN, contact="")}
    )
    at("2026-11-12")
    assert anything_to_tell()
    with pytest.raises(
        PantauError, match=f"nobody can be told of it: {ANGGARAN}, {CAKUPAN} indosat"
    ) as caught:
        tell(box.uri())
    assert DESA_4G not in str(caught.value)
    assert len(box.to(OWNER)) == len(box.mails) == 1
    assert {entry["feed"] for entry in entries()} == {DESA_4G}
    with pytest.raises(PantauError, match="nobody can be told"):  # told each day, until it is mended
        anything_to_tell()


def test_no_name_or_reason_adds_a_header(box: Postbox, only: dict[str, Feed]) -> None:
    evil = "x\r\nBcc: thief@evil.example\r\n\r\n"
    only[DESA_4G] = feed(DESA_4G, owner=evil, title=catalogue.Bilingual(id=evil, en=evil), due_source=evil)
    at("2026-11-12")
    landing.decide(deliver(DESA_4G, "2026-10")[0], "rejection", "tester", evil)
    assert tell(box.uri()) == 2
    assert {to for to, _ in box.mails} == {OWNER, ENGINEER}
    for _, mail in box.mails:
        assert mail["Bcc"] is None
        assert "Bcc: thief@evil.example" in str(mail["Subject"])


@pytest.mark.parametrize("contact", ["nobody", "a@b.id\nBcc: c@d.id", "A <a@b.id>", {"unknown": "a@b.id"}])
def test_a_contact_is_one_mail_address(contact: object) -> None:
    record = {**ALL[CAKUPAN].model_dump(), "contact": contact}
    with pytest.raises(ValueError, match="contact"):
        Feed.model_validate(record)


def test_the_dag_tells_though_no_feed_ran_and_the_command_line_shows_it(
    box: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real catalogue, DAG file and runner."""
    setup.prepare()
    at("2025-02-12")
    lines: list[str] = []
    environment = {"AIRFLOW_CONN_PANTAU_SMTP": box.uri(), "PANTAU_ENGINEER_MAIL": ENGINEER}
    with Runner(lines.append, **environment) as runner:
        runner.run("watch_lateness")
        runner.run("watch_lateness")
    due = {name for name, each in ALL.items() if each.due_day and each.starts == "2025-01"}
    assert {entry["feed"] for entry in entries()} == due
    assert len(box.to(ENGINEER)) == len(due) == len(box.mails)
    assert not any(PASSWORD in line or ENGINEER in line for line in lines)
    shown = subprocess.run(
        [sys.executable, "-m", "pantau.cli", "lateness"],
        capture_output=True, text=True, check=True, cwd=settings.root,
    ).stdout  # fmt: skip
    for word in (
        DESA_4G,
        "2025-02-10",
        "no delivery has come",
        "not closed until",
        "engineer",
        "simulated clock",
    ):
        assert word in shown, shown
    assert json.dumps(entries()).count(ENGINEER) == len(entries())
