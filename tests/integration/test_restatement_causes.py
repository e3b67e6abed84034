"""Why a release replaces another: read from two manifests and the ledger, coded by whose matter it is."""

from datetime import datetime
from typing import Any

import pytest

from pantau import ledger
from pantau.landing import decide
from pantau.periods import JAKARTA
from pantau.release.restatements import causes, code_of, explain
from tests.administrator import connect
from tests.integration.conftest import DESA_4G, WILAYAH

pytestmark = pytest.mark.usefixtures("database")

CLAIMS = "operator__cakupan"
PERIOD = "2026-09"
Input = tuple[str, str, int, str, str]  # feed, part, reading, source period, how


def deliver(feed: str, day: str, part: str = "", period: str = PERIOD) -> tuple[int, int]:
    """A delivery that became known on a day, and a reading of it: ids."""
    with connect() as connection:
        number = ledger.append(connection, "delivery", {"feed": feed})
        row = connection.execute(
            "insert into ops.delivery (feed, part, period, content_hash, sender, received_at, known_at, simulated,"
            " ledger_no) values (%s, %s, %s, %s, 'test', now(), %s, false, %s) returning id",
            [
                feed,
                part,
                period,
                str(number),
                datetime.fromisoformat(f"{day}T23:30").replace(tzinfo=JAKARTA),
                number,
            ],
        ).fetchone()
        assert row is not None
    return row["id"], read(row["id"])


def read(delivery: int, contract: str = "first", register: int | None = None) -> int:
    """A reading of a delivery."""
    with connect() as connection:
        number = ledger.append(connection, "reading", {"delivery": delivery})
        row = connection.execute(
            "insert into ops.reading (delivery_id, contract_version, register_reading_id, rows, accepted, refused,"
            " set_aside, ledger_no) values (%s, %s, %s, 0, 0, 0, 0, %s) returning id",
            [delivery, contract, register, number],
        ).fetchone()
        assert row is not None
        return row["id"]


def build(*inputs: Input, without: tuple[str, ...] = ()) -> int:
    """A build of the period with these inputs, as of now."""
    with connect() as connection:
        row: Any = connection.execute(
            "insert into ops.build (purpose, first_period, last_period, cutoff, register_version_ids, code_version,"
            " without, simulated, ledger_no) values ('close', %(p)s, %(p)s, %(n)s, '{}', 'x', %(w)s, false, %(n)s)"
            " returning id",
            {"p": PERIOD, "n": ledger.head(connection), "w": list(without)},
        ).fetchone()
        for feed, part, reading, source, how in inputs:
            connection.execute(
                "insert into ops.build_input values (%s, %s, %s, %s, %s, %s, %s)",
                [row["id"], feed, part, PERIOD, reading, source, how],
            )
        return row["id"]


def own(feed: str, reading: int, part: str = "") -> Input:
    """An input that the month has of its own."""
    return feed, part, reading, PERIOD, "own"


def told(old: int, new: int) -> tuple[str, dict[str, str]]:
    """Code and text of what differs."""
    with connect() as connection:
        found = causes(connection, old, new, PERIOD)
    return code_of(found), explain(found)


def test_a_part_that_was_late_and_one_that_was_restated_are_named_by_their_titles() -> None:
    august = deliver(CLAIMS, "2026-09-08", "indosat", "2026-08")[1]
    first, claims = deliver(DESA_4G, "2026-10-06")[1], deliver(CLAIMS, "2026-10-07", "telkomsel")[1]
    old = build(
        own(DESA_4G, first),
        own(CLAIMS, claims, "telkomsel"),
        (CLAIMS, "indosat", august, "2026-08", "carried"),
    )
    late, again = deliver(CLAIMS, "2026-10-18", "indosat")[1], deliver(CLAIMS, "2026-10-20", "telkomsel")[1]
    new = build(own(DESA_4G, first), own(CLAIMS, again, "telkomsel"), own(CLAIMS, late, "indosat"))
    assert told(old, new) == ("R1", {
        "id": "Klaim cakupan 4G operator (Indosat Ooredoo Hutchison): kiriman terlambat, diterima 18 Oktober 2026"
        " (sebelumnya memakai data Agustus 2026); Klaim cakupan 4G operator (Telkomsel): kiriman dinyatakan ulang,"
        " diterima 20 Oktober 2026",
        "en": "Operators' 4G coverage claims (Indosat Ooredoo Hutchison): late delivery, received 18 October 2026"
        " (until then data of August 2026); Operators' 4G coverage claims (Telkomsel): restated delivery,"
        " received 20 October 2026",
    })  # fmt: skip


def test_what_was_not_there_at_all_is_late() -> None:
    old, late = build(), deliver(DESA_4G, "2026-10-20")[1]
    code, text = told(old, build(own(DESA_4G, late)))
    assert code == "R1"
    assert text["id"].endswith(": kiriman terlambat, diterima 20 Oktober 2026")


def test_what_is_no_longer_there_was_withdrawn_or_left_out() -> None:
    old = build(own(DESA_4G, deliver(DESA_4G, "2026-10-06")[1]))
    assert told(old, build())[1]["en"].endswith(": delivery withdrawn")
    code, text = told(old, build(without=(DESA_4G,)))
    assert (code, text["en"].partition(": ")[2]) == ("R4", "left out by decision")


def test_a_rejection_after_which_nothing_stands_is_not_called_withdrawn() -> None:
    wrong, reading = deliver(DESA_4G, "2026-10-06")
    old = build(own(DESA_4G, reading))
    decide(wrong, "rejection", "tester", "a draft")
    code, text = told(old, build())
    assert code == "R4"
    assert text["id"].endswith(": kiriman 6 Oktober 2026 ditolak (a draft), tidak ada gantinya")


def test_a_rejection_after_which_an_older_delivery_stands_again_says_why() -> None:
    first, (wrong, second) = deliver(DESA_4G, "2026-10-06")[1], deliver(DESA_4G, "2026-10-08")
    old = build(own(DESA_4G, second))
    decide(wrong, "rejection", "tester", "a draft")
    code, text = told(old, build(own(DESA_4G, first)))
    assert code == "R4"  # no correction of the sender's
    assert text["id"].endswith(
        ": kiriman 8 Oktober 2026 ditolak (a draft), kiriman 6 Oktober 2026 berlaku lagi"
    )


def test_a_delivery_that_we_had_rejected_and_took_back_was_our_error() -> None:
    first, (good, second) = deliver(DESA_4G, "2026-10-06")[1], deliver(DESA_4G, "2026-10-08")
    decide(good, "rejection", "tester", "looked wrong")
    old = build(own(DESA_4G, first))
    decide(good, "reinstatement", "tester", "the ministry says it is right")
    code, text = told(old, build(own(DESA_4G, second)))
    assert code == "C"
    assert "8 October 2026, which we had rejected, reinstated: the ministry says it is right" in text["en"]


def test_a_reinstatement_that_an_earlier_build_had_seen_is_no_reason_of_this_one() -> None:
    good, first = deliver(DESA_4G, "2026-10-06")
    decide(good, "rejection", "tester", "looked wrong")
    decide(good, "reinstatement", "tester", "is right")
    wrong, second = deliver(DESA_4G, "2026-10-08")
    old = build(own(DESA_4G, second))
    decide(wrong, "rejection", "tester", "a draft")
    assert told(old, build(own(DESA_4G, first)))[0] == "R4"


@pytest.mark.parametrize(
    ("contract", "code", "words"),
    [("second", "R3", "rules of reading"), ("first", "R2", "register of regions")],
)
def test_the_same_delivery_read_again_is_no_correction_of_the_sender(
    contract: str, code: str, words: str
) -> None:
    delivery, first = deliver(DESA_4G, "2026-10-06")
    register = deliver(WILAYAH, "2026-10-07")[1]
    again = read(delivery, contract, register)
    found = told(build(own(DESA_4G, first)), build(own(DESA_4G, again)))
    assert found[0] == code
    assert words in found[1]["en"]


def test_another_register_names_the_release_though_a_delivery_was_restated_too() -> None:
    names = [deliver(WILAYAH, day, period="2025-01")[1] for day in ("2026-08-20", "2026-10-19")]
    status = [deliver(DESA_4G, day)[1] for day in ("2026-10-06", "2026-10-20")]
    old, new = (
        build((WILAYAH, "", register, "2025-01", "effective"), own(DESA_4G, reading))
        for register, reading in zip(names, status, strict=True)
    )
    code, text = told(old, new)
    assert code == "R2"
    assert "another register in force, received 19 October 2026" in text["en"]
    assert "restated delivery, received 20 October 2026" in text["en"]


def test_equal_inputs_leave_only_the_method() -> None:
    reading = deliver(DESA_4G, "2026-10-06")[1]
    code, text = told(build(own(DESA_4G, reading)), build(own(DESA_4G, reading)))
    assert (code, text["en"]) == ("R3", "A definition, a register or the method changed")
