"""Each fault changes what it says and nothing else, and is gone when it is turned off."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from decimal import Decimal

import asyncssh
import httpx
import pytest
from running import ANGGARAN, DESA_3T, DESA_4G, Simulator

from simulator.faults import FAULTS

Rows = list[list[str]]
PERIOD = {DESA_4G: "2025-09", DESA_3T: "2026-01", ANGGARAN: "2025-09"}
SENDING = {"duplicate", "missing", "html_200", "server_error", "short_body", "slow", "wrong_host_key"}
BYTES = {"truncated", "wrong_encoding", "unchanged"}
CONTENT = [
    (name, feed) for name, fault in FAULTS.items() for feed in fault.feeds if name not in SENDING | BYTES
]


def table(data: bytes, feed: str) -> Rows:
    text = data.decode("cp1252" if feed == ANGGARAN else "utf-8")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if feed == ANGGARAN else ","))


def amount(text: str) -> Decimal:
    return Decimal(text.replace(".", "").replace(",", "."))


def differences(before: Rows, after: Rows) -> list[tuple[list[str], list[str]]]:
    return [(a, b) for a, b in zip(before, after, strict=False) if a != b]


def lines(pairs: list[tuple[list[str], list[str]]]) -> list[tuple[list[str], list[str]]]:
    """Without the totals."""
    return [(a, b) for a, b in pairs if a[0] != "JUMLAH"]


def totals_agree(rows: Rows) -> bool:
    """Whether each JUMLAH is the sum of its rows."""
    return all(
        amount(total[column]) == sum(amount(r[column]) for r in rows if r[0] != "JUMLAH" and r[3] == total[3])
        for total in rows
        if total[0] == "JUMLAH"
        for column in (4, 5)
    )


def one_cell(column: int, expected: Callable[[str, str], bool]) -> Callable[[str, Rows, Rows], bool]:
    def check(feed: str, before: Rows, after: Rows) -> bool:
        ((was, now),) = differences(before, after)
        changed = [n for n in range(len(was)) if was[n] != now[n]]
        at = 2 if feed == ANGGARAN and column == 1 else column
        return len(before) == len(after) and changed == [at] and expected(was[at], now[at])

    return check


def _header(feed: str, before: Rows, after: Rows) -> bool:
    return before[1:] == after[1:] and sum(a != b for a, b in zip(before[0], after[0], strict=True)) == 1


def _twice(feed: str, before: Rows, after: Rows) -> bool:
    return after[:-1] == before and after[-1] in before


def _many_refused(feed: str, before: Rows, after: Rows) -> bool:
    return abs(len(differences(before, after)) - len(before) / 20) < 2


def _lost(feed: str, before: Rows, after: Rows) -> bool:
    kept = {row[0] for row in after}
    return len(before) - len(after) == len(before) // 50 and [r for r in before if r[0] in kept] == after


def _outage(feed: str, before: Rows, after: Rows) -> bool:
    pairs = differences(before, after)
    lit = sum(row[2] == "Ya" for row in before)
    return len(pairs) == lit // 10 and all(a[2] == "Ya" and b[2:] == ["Tidak", "-"] for a, b in pairs)


def _negative(feed: str, before: Rows, after: Rows) -> bool:
    ((was, now),) = lines(differences(before, after))
    return now[5] == "-" + was[5] and was[:5] == now[:5] and totals_agree(after)


def _tenfold(feed: str, before: Rows, after: Rows) -> bool:
    return totals_agree(after) and all(
        amount(b[column]) == 10 * amount(a[column])
        for a, b in zip(before[1:], after[1:], strict=True) for column in (4, 5)
    )  # fmt: skip


def _falls(feed: str, before: Rows, after: Rows) -> bool:
    pairs = lines(differences(before, after))
    fell = all(amount(b[5]) < amount(a[5]) and b[6] == "-" for a, b in pairs)
    return len(pairs) == 3 and fell and totals_agree(after)


def _over(feed: str, before: Rows, after: Rows) -> bool:
    pairs = lines(differences(before, after))
    return len(pairs) == 3 and all(amount(b[5]) > amount(b[4]) for _, b in pairs) and totals_agree(after)


def _disagree(feed: str, before: Rows, after: Rows) -> bool:
    ((was, now),) = lines(differences(before, after))
    return now[3] == "APBN" and amount(was[5]) != amount(now[5]) and totals_agree(after)


def _mismatch(feed: str, before: Rows, after: Rows) -> bool:
    ((was, _),) = differences(before, after)
    return was[0] == "JUMLAH" and not totals_agree(after)


def _national(feed: str, before: Rows, after: Rows) -> bool:
    if feed == DESA_3T:
        return len(after) < len(before) and all(row in before for row in after[:50])
    return totals_agree(after) and ["JUMLAH", "", "", "APBN"] in [
        b[:4] for _, b in differences(before, after)
    ]


CHECKS: dict[str, Callable[[str, Rows, Rows], bool]] = {
    "broken_header": _header,
    "unknown_region": one_cell(0, lambda was, now: was[:9] == now[:9] and now[9] == "9"),
    "duplicate_key": _twice,
    "formula_cell": one_cell(1, lambda was, now: now == "=cmd|' /C calc'!A0"),
    "script_cell": one_cell(1, lambda was, now: now == "<script>alert(1)</script>"),
    "too_many_refused": _many_refused,
    "lost_villages": _lost,
    "mass_outage": _outage,
    "future_date": one_cell(3, lambda was, now: now.endswith("2029")),
    "no_date": one_cell(3, lambda was, now: now == "-"),
    "negative_amount": _negative,
    "jump_tenfold": _tenfold,
    "cumulative_falls": _falls,
    "over_budget": _over,
    "versions_disagree": _disagree,
    "total_mismatch": _mismatch,
    "national_total": _national,
}


def test_every_fault_is_tried_here() -> None:
    assert set(FAULTS) == set(CHECKS) | SENDING | BYTES


@pytest.mark.parametrize(("name", "feed"), CONTENT)
def test_a_fault_in_the_content(small_simulator: Simulator, name: str, feed: str) -> None:
    period = PERIOD[feed]
    clean = small_simulator.get(feed, period)
    touched = small_simulator.fault(feed, period, name)
    faulty = small_simulator.get(feed, period)
    after = table(faulty, feed)
    assert CHECKS[name](feed, table(clean, feed), after)
    assert touched
    for cell in touched:
        if "value" in cell and name != "duplicate_key":
            assert cell["value"] in after[cell["row"]]
    if feed == DESA_4G:  # CKAN states the size and hash of what it has
        assert small_simulator.resources()[f"desa-4g-{period}"]["size"] == len(faulty)
    small_simulator.fault(feed, period, None)
    assert small_simulator.get(feed, period) == clean


@pytest.mark.parametrize("feed", [DESA_4G, DESA_3T, ANGGARAN])
def test_faults_in_the_bytes(small_simulator: Simulator, feed: str) -> None:
    period = PERIOD[feed]
    clean = small_simulator.get(feed, period)
    small_simulator.fault(feed, period, "truncated")
    cut = small_simulator.get(feed, period)
    assert clean.startswith(cut)
    assert not cut.endswith(b"\n")
    small_simulator.fault(feed, period, "unchanged")
    before = small_simulator.get(feed, {DESA_3T: "2025-01"}.get(feed, "2025-08"))
    assert small_simulator.get(feed, period) == before != clean
    small_simulator.fault(feed, period, "wrong_encoding")
    wrong = small_simulator.get(feed, period)
    if feed == ANGGARAN:
        assert wrong.decode("utf-8") == clean.decode("cp1252")
    else:
        assert wrong != clean
        with pytest.raises(UnicodeDecodeError):
            wrong.decode("utf-8")


@pytest.mark.parametrize("feed", [DESA_4G, DESA_3T])
def test_faults_in_sending_over_http(small_simulator: Simulator, feed: str) -> None:
    period = PERIOD[feed]
    url = (
        small_simulator.resources()[f"desa-4g-{period}"]["url"]
        if feed == DESA_4G
        else "/unduh/desa_3t_2026.csv"
    )
    clean = small_simulator.http.get(url)
    small_simulator.fault(feed, period, "duplicate")
    again = small_simulator.http.get(url, headers={"If-None-Match": clean.headers["ETag"]})
    assert again.status_code == 200
    assert again.content == clean.content
    assert again.headers["Last-Modified"] != clean.headers["Last-Modified"]
    small_simulator.fault(feed, period, "html_200")
    page = small_simulator.http.get(url)
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.content.startswith(b"<!DOCTYPE html>")
    small_simulator.fault(feed, period, "server_error")
    assert [small_simulator.http.get(url).status_code for _ in range(3)] == [503, 200, 200]
    small_simulator.fault(feed, period, "short_body")
    with pytest.raises(httpx.RemoteProtocolError):
        small_simulator.http.get(url)
    small_simulator.fault(feed, period, "slow", seconds=0.3)
    began = time.monotonic()
    assert small_simulator.http.get(url).content == clean.content
    assert time.monotonic() - began > 0.28
    small_simulator.fault(feed, period, "missing")
    assert small_simulator.http.get(url).status_code == 404
    assert feed == DESA_3T or f"desa-4g-{period}" not in small_simulator.resources()
    small_simulator.fault(feed, period, None)
    assert small_simulator.http.get(url).headers["ETag"] == clean.headers["ETag"]


def test_faults_in_sending_over_sftp(small_simulator: Simulator, tmp_path) -> None:
    period, path = PERIOD[ANGGARAN], "/keluar/anggaran_tik_2025-09.csv"

    async def seen(client: asyncssh.SFTPClient) -> tuple[int | None, int | None]:
        attrs = await client.stat(path)
        return attrs.size, attrs.mtime

    clean, (size, mtime) = small_simulator.get(ANGGARAN, period), small_simulator.sftp(seen)
    small_simulator.fault(ANGGARAN, period, "duplicate")
    assert small_simulator.get(ANGGARAN, period) == clean
    assert small_simulator.sftp(seen)[1] > mtime
    small_simulator.fault(ANGGARAN, period, "short_body")
    assert small_simulator.sftp(seen)[0] == size
    assert len(small_simulator.get(ANGGARAN, period)) < len(clean)
    with pytest.raises(asyncssh.SFTPError):
        small_simulator.sftp(lambda client: client.get(path, tmp_path / "copy.csv"))
    small_simulator.fault(ANGGARAN, period, "server_error")
    with pytest.raises(asyncssh.SFTPFailure):
        small_simulator.get(ANGGARAN, period)
    assert small_simulator.get(ANGGARAN, period) == clean
    small_simulator.fault(ANGGARAN, period, "missing")
    with pytest.raises(asyncssh.SFTPNoSuchFile):
        small_simulator.get(ANGGARAN, period)
    small_simulator.fault(ANGGARAN, period, "wrong_host_key")
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        small_simulator.get(ANGGARAN, period)
    small_simulator.fault(ANGGARAN, period, None)
    assert small_simulator.get(ANGGARAN, period) == clean
