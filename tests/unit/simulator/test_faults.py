"""Each fault changes what it says and nothing else, and is gone when it is turned off."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from collections.abc import Callable
from decimal import Decimal
from itertools import groupby

import asyncssh
import httpx
import pytest
from running import ANGGARAN, BTS, CAKUPAN, DESA_3T, DESA_4G, FILES, KEWAJIBAN, PARTS, Simulator, sheet

from simulator.faults import FAULTS

Rows = list[list[str]]
PERIOD = {
    DESA_4G: "2025-09", DESA_3T: "2026-01", ANGGARAN: "2025-09",
    CAKUPAN: "2026-08", BTS: "2025-09", KEWAJIBAN: "2025-09",
}  # fmt: skip
PART = {CAKUPAN: {"part": PARTS[0]}}
KODE, NAMA = {CAKUPAN: 0, BTS: 4, KEWAJIBAN: 1}, {ANGGARAN: 2, BTS: 5, KEWAJIBAN: 2}
SENDING = {
    "duplicate", "missing", "html_200", "server_error", "short_body", "slow", "wrong_host_key",
    "hang", "too_many_requests", "page_error", "wrong_total", "restated_while_paging", "token_refused",
    "token_expires", "sheet_missing",
}  # fmt: skip
BYTES = {"truncated", "wrong_encoding", "unchanged"}
CONTENT = [
    (name, feed) for name, fault in FAULTS.items() for feed in fault.feeds if name not in SENDING | BYTES
]


def table(data: bytes, feed: str) -> Rows:
    """Header and rows as text; of a workbook from its header of three levels on."""
    if feed == BTS:
        return [[str(cell) for cell in row] for row in sheet(data)]
    if feed in (CAKUPAN, KEWAJIBAN):
        items = json.loads(data)
        return [list(items[0]), *([str(cell) for cell in item.values()] for item in items)]
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
        at = {0: KODE, 1: NAMA}.get(column, {}).get(feed, column)
        return len(before) == len(after) and changed == [at] and expected(was[at], now[at])

    return check


def _header(feed: str, before: Rows, after: Rows) -> bool:
    return before[1:] == after[1:] and sum(a != b for a, b in zip(before[0], after[0], strict=True)) == 1


def _no_region(was: str, now: str) -> bool:
    at = 9 if "." in was else 6
    return was[:at] == now[:at] and now[at] == "9" and was[at + 1 :] == now[at + 1 :]


def _units(feed: str, before: Rows, after: Rows) -> bool:
    changed = [(a, b) for a, b in zip(before[0], after[0], strict=True) if a != b]
    return before[1:] == after[1:] and changed == [
        ("Koordinat / Lintang / derajat", "Koordinat / Lintang / menit"),
        ("Koordinat / Bujur / derajat", "Koordinat / Bujur / menit"),
    ]


def _twice(feed: str, before: Rows, after: Rows) -> bool:
    if feed == BTS:  # the sender counts it in the subtotals
        sites = [[row for row in rows[1:] if row[1].startswith("BTS-")] for rows in (before, after)]
        return [row for row, _ in groupby(sites[1])] == sites[0] and len(sites[1]) == len(sites[0]) + 1
    return after[:-1] == before and after[-1] in before


def _many_refused(feed: str, before: Rows, after: Rows) -> bool:
    return abs(len(differences(before, after)) - len(before) / 20) < 2


def lost(share: int) -> Callable[[str, Rows, Rows], bool]:
    def check(feed: str, before: Rows, after: Rows) -> bool:
        kept = {row[0] for row in after}
        part = [row for row in before if row[0] in kept]
        return len(before) - len(after) == len(before) // share and part == after

    return check


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
    ((was, now),) = differences(before, after)
    if feed == BTS:
        return was[0] == "Subtotal" and float(now[1]) == float(was[1]) + 1
    return was[0] == "JUMLAH" and not totals_agree(after)


def _national(feed: str, before: Rows, after: Rows) -> bool:
    if feed == DESA_3T:
        return len(after) < len(before) and all(row in before for row in after[:50])
    return totals_agree(after) and ["JUMLAH", "", "", "APBN"] in [
        b[:4] for _, b in differences(before, after)
    ]


CHECKS: dict[str, Callable[[str, Rows, Rows], bool]] = {
    "broken_header": _header,
    "unit_changed": _units,
    "unknown_region": one_cell(0, _no_region),
    "duplicate_key": _twice,
    "formula_cell": one_cell(1, lambda was, now: now == "=cmd|' /C calc'!A0"),
    "script_cell": one_cell(1, lambda was, now: now == "<script>alert(1)</script>"),
    "too_many_refused": _many_refused,
    "lost_villages": lost(50),
    "lost_claims": lost(5),
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
    touched = small_simulator.fault(feed, period, name, **PART.get(feed, {}))
    faulty = small_simulator.get(feed, period)
    after = table(faulty, feed)
    assert CHECKS[name](feed, table(clean, feed), after)
    assert touched
    for cell in touched:
        if "value" in cell and name != "duplicate_key":
            assert str(cell["value"]) in [text.removesuffix(".0") for text in after[cell["row"]]]
    if feed == DESA_4G:  # CKAN states the size and hash of what it has
        assert small_simulator.resources()[f"desa-4g-{period}"]["size"] == len(faulty)
    small_simulator.fault(feed, period, None, **PART.get(feed, {}))
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


@pytest.mark.parametrize("feed", [ANGGARAN, BTS])
def test_faults_in_sending_over_sftp(small_simulator: Simulator, feed: str, tmp_path) -> None:
    period, (login, path) = PERIOD[feed], FILES[feed]
    path = path.format(period)

    async def seen(client: asyncssh.SFTPClient) -> tuple[int | None, int | None]:
        attrs = await client.stat(path)
        return attrs.size, attrs.mtime

    clean, (size, mtime) = small_simulator.get(feed, period), small_simulator.sftp(seen, login)
    small_simulator.fault(feed, period, "duplicate")
    assert small_simulator.get(feed, period) == clean
    assert small_simulator.sftp(seen, login)[1] > mtime
    small_simulator.fault(feed, period, "short_body")
    assert small_simulator.sftp(seen, login)[0] == size
    assert len(small_simulator.get(feed, period)) < len(clean)
    with pytest.raises(asyncssh.SFTPError):
        small_simulator.sftp(lambda client: client.get(path, tmp_path / "copy"), login)
    small_simulator.fault(feed, period, "server_error")
    with pytest.raises(asyncssh.SFTPFailure):
        small_simulator.get(feed, period)
    assert small_simulator.get(feed, period) == clean
    small_simulator.fault(feed, period, "missing")
    with pytest.raises(asyncssh.SFTPNoSuchFile):
        small_simulator.get(feed, period)
    small_simulator.fault(feed, period, "wrong_host_key")
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        small_simulator.get(feed, period)
    small_simulator.fault(feed, period, None)
    assert small_simulator.get(feed, period) == clean


def test_faults_in_a_workbooks_bytes(small_simulator: Simulator) -> None:
    period = PERIOD[BTS]
    clean = small_simulator.get(BTS, period)
    small_simulator.fault(BTS, period, "truncated")
    cut = small_simulator.get(BTS, period)
    assert clean.startswith(cut)
    assert not zipfile.is_zipfile(io.BytesIO(cut))
    small_simulator.fault(BTS, period, "unchanged")
    assert small_simulator.get(BTS, period) == small_simulator.get(BTS, "2025-08") != clean
    small_simulator.fault(BTS, period, "sheet_missing")
    with pytest.raises(Exception, match="BTS"):
        sheet(small_simulator.get(BTS, period))
    assert sheet(small_simulator.get(BTS, period), "Lembar1") == sheet(clean)


def test_an_unknown_village_where_no_codes_are_sent(small_simulator: Simulator) -> None:
    clean = small_simulator.claims("xlsmart", "2026-08")
    (cell,) = small_simulator.fault(CAKUPAN, "2026-08", "unknown_region", part="xlsmart")
    faulty = small_simulator.claims("xlsmart", "2026-08")
    ((was, now),) = [(a, b) for a, b in zip(clean, faulty, strict=True) if a != b]
    assert {**was, "nama_desa": now["nama_desa"]} == now == faulty[cell["row"] - 1]
    assert now["nama_desa"] == cell["value"] != cell["was"] == was["nama_desa"]
    assert small_simulator.claims("telkomsel", "2026-08")  # another operator's list is as it was


def test_faults_of_an_operators_api(small_simulator: Simulator) -> None:
    one, part, period = small_simulator, "indosat", "2026-08"
    clean, etag = one.claims(part, period), one.page(part, period).headers["ETag"]

    def ask(fault: str, **more: object) -> httpx.Response:
        one.fault(CAKUPAN, period, fault, part=part, **more)
        return one.page(part, period)

    assert ask("duplicate").headers["ETag"] != etag
    assert one.claims(part, period) == clean
    assert ask("html_200").headers["Content-Type"].startswith("text/html")
    assert [ask("server_error").status_code, one.page(part, period).status_code] == [503, 200]
    busy = ask("too_many_requests")
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "1")
    assert one.page(part, period).status_code == 429
    assert one.page(part, "2026-07").status_code == 200  # another month is as it was
    assert ask("missing").status_code == 404
    assert ask("wrong_total").json()["jumlah"] == len(clean) + 7
    with pytest.raises(httpx.RemoteProtocolError):
        ask("short_body")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        ask("truncated").json()
    with pytest.raises(UnicodeDecodeError):
        ask("wrong_encoding").content.decode()
    assert ask("unchanged").json()["jumlah"] == len(one.claims(part, "2026-07"))
    one.fault(CAKUPAN, period, "hang", part=part)
    url, token = one.endpoints["operators"][part]["url"] + "/v1/cakupan", one.token(part)
    with pytest.raises(httpx.ReadTimeout):
        one.http.get(url, params={"periode": period}, headers=token, timeout=0.3)
    last = ask("page_error")
    assert last.status_code == 200
    for _ in range(2):
        page = last
        while page.status_code == 200:
            page = one.page(part, period, page.json()["berikut"])
        assert page.status_code == 500
    one.fault(CAKUPAN, period, None, part=part)
    assert one.page(part, period).headers["ETag"] == etag
    assert one.claims(part, period) == clean


def test_a_list_restated_while_it_is_read(small_simulator: Simulator) -> None:
    one, part, period = small_simulator, "telkomsel", "2026-08"
    clean = one.claims(part, period)
    touched = one.fault(CAKUPAN, period, "restated_while_paging", part=part)
    first = one.page(part, period)
    assert first.json()["data"] == clean[: len(first.json()["data"])]
    gone = one.page(part, period, first.json()["berikut"])
    assert (gone.status_code, list(gone.json())) == (410, ["kesalahan"])
    assert one.page(part, period).headers["ETag"] != first.headers["ETag"]
    lost = {cell["row"] - 1 for cell in touched}
    assert one.claims(part, period) == [item for n, item in enumerate(clean) if n not in lost] != clean
    one.fault(CAKUPAN, period, None, part=part)
    assert one.claims(part, period) == clean


def test_tokens_that_are_refused_or_die(small_simulator: Simulator) -> None:
    one, part, period = small_simulator, "xlsmart", "2026-08"
    client = one.endpoints["operators"][part]
    one.fault(CAKUPAN, period, "token_expires", part=part)
    token, url = one.token(part), client["url"] + "/v1/cakupan"
    asked = [one.http.get(url, params={"periode": period}, headers=token).status_code for _ in range(2)]
    assert asked == [200, 401]
    assert one.claims(part, period)  # with a new one for each page
    one.fault(CAKUPAN, period, "token_refused", part=part)
    refused = one.http.post(
        client["url"] + "/oauth/token", data={"grant_type": "client_credentials"},
        auth=(client["client_id"], client["client_secret"]),
    )  # fmt: skip
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})
    assert one.token("indosat")


def test_faults_of_the_datastore(small_simulator: Simulator) -> None:
    one, period = small_simulator, PERIOD[KEWAJIBAN]
    clean = one.search(period, limit=32_000).json()["result"]

    def ask(fault: str | None, **asked: object) -> httpx.Response:
        one.fault(KEWAJIBAN, period, fault)
        return one.search(period, **asked)

    assert ask("wrong_total").json()["result"]["total"] == len(clean["records"]) + 7
    assert ask("html_200").headers["Content-Type"].startswith("text/html")
    assert [ask("server_error").status_code, one.search(period).status_code] == [503, 200]
    assert ask("too_many_requests").headers["Retry-After"] == "1"
    assert ask("page_error", limit=20).status_code == 200
    assert one.search(period, limit=20, offset=len(clean["records"]) - 5).status_code == 500
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        ask("truncated").json()
    with pytest.raises(UnicodeDecodeError):
        ask("wrong_encoding").content.decode()
    with pytest.raises(httpx.RemoteProtocolError):
        ask("short_body")
    one.fault(KEWAJIBAN, period, "missing")
    assert f"kewajiban-operator-{period}" not in one.resources("kewajiban-operator")
    assert ask(None, limit=32_000).json()["result"] == clean
