"""Missing at close, in a real close of a small programme: what is waited for, carried forward, left out; and what
becomes of a late part when it comes."""

import re

import pypdfium2

from pantau import lateness, warehouse
from pantau.close import plan, waiting
from pantau.report.files import write
from tests.administrator import connect
from tests.integration.conftest import ANGGARAN, DESA_3T, DESA_4G, Stage, begin_with
from tests.integration.test_bridge import close
from tests.integration.test_gate import pantau

BTS, CAKUPAN, KEWAJIBAN = "bakti__bts", "operator__cakupan", "komdigi__kewajiban"
PARTS = ("telkomsel", "indosat", "xlsmart")
PERIOD = "2026-09"


def inputs(build: int, feed: str) -> dict[str, tuple[str, str]]:
    """part → how it stands in a build's manifest, and of which period."""
    with connect() as connection:
        found = warehouse.inputs_of(connection, build)
    return {i.part: (i.how, i.source_period) for i in found if i.feed == feed and i.period == PERIOD}


def printed(release: int) -> dict[str, str]:
    """language → the text of a release's report."""
    found = {}
    for path in write([release]):
        with pypdfium2.PdfDocument(path) as document:
            pages = " ".join(page.get_textpage().get_text_range() for page in document)
        found[path.suffixes[-2][1:]] = " ".join(pages.split())
    return found


def test_a_month_waits_carries_and_omits_and_a_late_part_restates_it(stage: Stage) -> None:
    begin_with(PERIOD)
    stage.at("2026-10-15")  # the last day of grace
    stage.deliver(DESA_3T, "2026-01")
    for part in PARTS:
        stage.deliver(CAKUPAN, "2026-08", part)
    stage.deliver(CAKUPAN, PERIOD, "xlsmart")
    assert stage.pull(CAKUPAN, PERIOD, "indosat") is None
    assert waits() == {
        (DESA_4G, ""): "no delivery; late since 2026-10-10",
        **{
            place: f"no delivery; late since 2026-10-{day}; closes without it from 2026-10-16 on"
            for place, day in {
                (CAKUPAN, "telkomsel"): 10,
                (CAKUPAN, "indosat"): 10,
                (BTS, ""): 10,
                (KEWAJIBAN, ""): 10,
                (ANGGARAN, ""): "05",
            }.items()
        },
    }

    # wait: whatever the others do, the month stays open without the ministry's list
    stage.at("2026-10-18")
    stage.deliver(CAKUPAN, PERIOD, "indosat")
    assert plan() is None
    assert waits() == {(DESA_4G, ""): "no delivery; late since 2026-10-10"}
    told = pantau("close").stdout
    assert "Nothing is due." in told
    assert f"{PERIOD} waits for {DESA_4G}: no delivery; late since 2026-10-10" in told
    with connect() as connection:
        late = {(each.feed, each.part): each for each in lateness.late(connection) if each.period == PERIOD}

    # carry_forward and omit: with the list there, it closes without the rest
    stage.deliver(DESA_4G, PERIOD)
    due = plan()
    assert due is not None
    assert due["first"] == PERIOD
    first = close(PERIOD)
    assert inputs(first["build_id"], CAKUPAN) == {
        "indosat": ("own", PERIOD), "xlsmart": ("own", PERIOD), "telkomsel": ("carried", "2026-08"),
    }  # fmt: skip
    assert inputs(first["build_id"], BTS) == {}  # nothing ever came: there is nothing to carry
    assert inputs(first["build_id"], KEWAJIBAN) == {}
    # as the mails would have said
    assert (late[CAKUPAN, "telkomsel"].outcome, late[CAKUPAN, "telkomsel"].source_period) == (
        "carried",
        "2026-08",
    )
    assert {late[place, ""].outcome for place in (BTS, KEWAJIBAN, ANGGARAN)} == {"omitted"}

    page = first["context"]
    indicators = {i["id"]: i for i in page["indicators"]}
    assert {i: each["missing"] for i, each in indicators.items()} == {
        "K1": [], "K2": [], "R1": [], "K3": [BTS], "K12": [ANGGARAN], "K15": [KEWAJIBAN],
    }  # fmt: skip
    assert all(indicators[i]["value"] is None for i in ("K3", "K12", "K15"))
    assert {i for i, each in indicators.items() if each["carried"]} == {"R1"}
    assert {(o["part"], o["how"], o["source_period"]) for o in page["operators"]} == {
        ("indosat", "own", PERIOD), ("xlsmart", "own", PERIOD), ("telkomsel", "carried", "2026-08"),
    }  # fmt: skip
    text = printed(first["id"])
    assert re.search(r"Telkomsel.{1,60}◇ \w+ Agu\w* 2026", text["id"])
    assert re.search(r"Telkomsel.{1,60}◇ \w+ Aug\w* 2026", text["en"])

    # it comes: a restatement that says who, when and what changed
    stage.at("2026-10-19")
    assert plan() is None
    stage.deliver(CAKUPAN, PERIOD, "telkomsel")
    again = plan()
    assert again is not None
    assert again["first"] == PERIOD
    second = close(PERIOD)
    assert (second["version"], second["reason"]) == (2, "restatement")
    assert inputs(second["build_id"], CAKUPAN)["telkomsel"] == ("own", PERIOD)
    for language, words in {
        "id": ("Telkomsel", "19 Oktober 2026", "Agustus 2026"),
        "en": ("Telkomsel", "19 October 2026", "August 2026"),
    }.items():
        assert all(word in second["explanation"][language] for word in words)
        assert "Indosat" not in second["explanation"][language]
    restated = next(r for r in second["context"]["restatements"] if r["period"] == PERIOD)
    assert (restated["code"], restated["version"], restated["was"]) == ("R1", 2, 1)
    changes = {change["figure"]: change for change in restated["changes"]}
    assert changes
    assert all(figure.startswith("R1.00:") for figure in changes)
    assert all(int(c["old"]) + int(c["difference"]) == int(c["new"]) for c in changes.values())
    assert (
        sum(int(c["difference"]) for c in changes.values()) == 0
    )  # the verdicts share one number of villages
    assert not any(i["carried"] for i in second["context"]["indicators"])
    assert plan() is None


def waits() -> dict[tuple[str, str], str]:
    """(feed, part) → what the month waits for."""
    return {
        (wait.feed, wait.part): str(wait).partition(": ")[2] for wait in waiting() if wait.period == PERIOD
    }
