"""`pantau delivery`: what it shows of deliveries whose senders mean no good, and what it refuses to keep or to show."""

import pytest

from pantau import close, landing
from pantau.errors import PantauError
from tests.administrator import connect
from tests.integration.conftest import DESA_4G
from tests.integration.test_doctor import pantau
from tests.integration.test_manifest import at, deliver, head

EVIL = "[/x][kosong][link=https://evil.example]klik[/link]\x1b]0;judul\x07\x1b[2J\u202e"

pytestmark = pytest.mark.usefixtures("database")


def _refuse(delivery: int, reading: int, values: list[str]) -> None:
    """Refused rows of a reading, and the file they stand in."""
    with connect() as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            "update ops.delivery_file set name = %s where delivery_id = %s", [f"daftar{EVIL}.csv", delivery]
        )
        connection.execute(
            "update ops.reading_file set last_source_row = %s where reading_id = %s", [len(values), reading]
        )
        for number, value in enumerate(values, 1):
            connection.execute(
                "insert into ops.quarantine values (%s, %s, 'kode', %s, 'allowed', %s, %s, '')",
                [reading, number, value, f"{value} is none of them", value],
            )


def test_refused_rows_are_shown_whatever_they_hold() -> None:
    at("2026-08-20")
    delivery, reading = deliver(DESA_4G, "2026-06")
    _refuse(delivery, reading, [EVIL, "[kosong]", "[/x]"])
    shown = pantau("delivery", "show", str(delivery))
    assert shown.returncode == 0, shown.stderr
    for text in ("[kosong]", "[/x]", "[link=https", r"\x1b[2J", r"\u202e"):  # cells are folded
        assert text in shown.stdout
    assert not set(shown.stdout) & set("\x1b\x07\u202e")
    less = pantau("delivery", "show", str(delivery), "--limit", "2")
    assert "These are the first 2" in less.stdout


def test_what_is_not_there_is_said_and_no_empty_table_shown() -> None:
    delivery, _ = deliver(DESA_4G, "2026-06", read=False)
    unread = pantau("delivery", "show", str(delivery))
    assert f"Delivery {delivery} is not read" in unread.stdout
    for arguments, told in {
        ("show", "999"): "There is no delivery 999.",
        ("list", "--feed", "nosuch"): "There is no feed 'nosuch'.",
        ("list", "--period", "2026-99"): "'2026-99' is not a month.",
        ("list", "--limit", "-3"): "--limit",
        ("list", "--limit", "0"): "--limit",
        ("show", str(delivery), "--limit", "-1"): "--limit",
    }.items():
        ended = pantau("delivery", *arguments)
        assert ended.returncode == 1, arguments
        assert told in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("why", ["", "  ", "\t\n"])
def test_a_decision_without_a_reason_is_not_kept(why: str) -> None:
    delivery, _ = deliver(DESA_4G, "2026-06")
    known = head()
    for kind in ("rejection", "reinstatement"):
        with pytest.raises(PantauError, match="needs a reason"):
            landing.decide(delivery, kind, "tester", why)
    with pytest.raises(PantauError, match="a decision that the ledger keeps"):
        close.plan("2026-06", without=[DESA_4G], by="tester", why=why)
    with pytest.raises(PantauError, match="a decision that the ledger keeps"):
        close.plan("2026-06", without=[DESA_4G], by=why, why="it never came")
    assert head() == known
