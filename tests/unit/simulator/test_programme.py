"""The numbers of the programme, and that the truth says of every file what is in it."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from running import ANGGARAN, DESA_3T, DESA_4G, ROOT, Simulator

Truth = list[dict[str, Any]]
PERIODS = [f"{year}-{month:02d}" for year in (2025, 2026) for month in range(1, 13)]


def of(truth: Truth, kind: str, **fields: Any) -> Truth:
    return [e for e in truth if e["kind"] == kind and all(e[key] == value for key, value in fields.items())]


def covered(truth: Truth, until: str) -> dict[str, bool]:
    status = {village["kode"]: village["baseline_covered"] for village in of(truth, "village")}
    for event in of(truth, "coverage"):
        if event["period"] <= until:
            status[event["kode"]] = event["covered"]
    return status


def amount(text: str) -> Decimal:
    return Decimal(text.replace(".", "").replace(",", "."))


def rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


def test_baseline_is_the_published_one(truth: Truth) -> None:
    villages = of(truth, "village")
    without = [village for village in villages if not village["baseline_covered"]]
    assert len(villages) == 83_762
    assert sum(village["in_3t_2025"] for village in villages) == 20_341
    assert len(without) == 12_548
    assert sum(village["in_3t_2025"] for village in without) == 9_113
    assert 20 < sum(village["in_3t_2025"] != village["in_3t_2026"] for village in villages) < 100


def test_backlog_lies_in_the_east_and_falls_behind_the_line(truth: Truth) -> None:
    before, october = covered(truth, "2024-12"), covered(truth, "2026-10")
    left = Counter(kode[:2] for kode, yes in october.items() if not yes)
    begun = Counter(kode[:2] for kode, yes in before.items() if not yes)
    assert 3_000 <= left.total() <= 4_500
    assert left.total() > 12_548 * 2 / 24 * 1.5
    papua = sum(left[code] for code in ("91", "92", "93", "94", "95", "96"))
    java = sum(left[code] for code in ("31", "32", "33", "34", "35", "36"))
    assert papua > left.total() / 2
    assert java < left.total() / 20
    assert left["95"] == max(left.values())
    assert left["95"] / begun["95"] > 0.5 > 0.1 > left["35"] / begun["35"]


def test_some_villages_go_dark_again(truth: Truth) -> None:
    lost = Counter(event["period"] for event in of(truth, "coverage", covered=False))
    assert sum(count > 0 for count in lost.values()) >= 15
    assert max(lost.values()) < 100
    assert min(Counter(e["period"] for e in of(truth, "coverage", covered=True)).values()) > 100


def test_restatement_of_august(truth: Truth) -> None:
    changes = Counter(e["covered"] for e in of(truth, "restated", period="2026-08", delivery="B"))
    assert changes == {False: 96, True: 23}
    august, september = covered(truth, "2026-08"), covered(truth, "2026-09")
    for event in of(truth, "restated", period="2026-08"):
        assert august[event["kode"]] is not event["covered"]
        assert september[event["kode"]] is True


def test_at_least_five_months_in_a_row_are_clean(truth: Truth) -> None:
    messy = {event["period"] for event in of(truth, "mess", feed=DESA_4G)}
    clean = "".join("x" if period in messy else "." for period in PERIODS[: PERIODS.index("2026-07") + 1])
    assert "....." in clean
    assert len(messy) >= 12


@pytest.mark.parametrize(
    ("day", "period", "letter"),
    [
        ("2026-11-16", "2025-09", "A"),
        ("2026-11-16", "2025-01", "A"),
        ("2026-11-16", "2026-04", "A"),
        ("2026-09-10", "2026-08", "A"),
        ("2026-11-16", "2026-08", "B"),
        ("2026-10-08", "2026-09", "B"),
        ("2026-11-16", "2026-09", "A"),
        ("2026-11-16", "2026-10", "A"),
    ],
)
def test_the_truth_tells_every_row_of_a_month(
    simulator: Simulator, truth: Truth, day: str, period: str, letter: str
) -> None:
    simulator.clock(day)
    header, *data = rows(simulator.get(DESA_4G, period))
    status = covered(truth, period)
    for event in of(truth, "restated", period=period, delivery=letter):
        status[event["kode"]] = event["covered"]
    mess = {e["row"]: e for e in of(truth, "mess", feed=DESA_4G, period=period, delivery=letter)}
    told: list[str] = []
    for number, cells in enumerate(data, start=1):
        if number in mess:
            assert cells == mess[number]["written"]
            told.append(mess[number]["kode"])
        else:
            assert cells[2] == ("Ya" if status[cells[0]] else "Tidak")
            assert (cells[3] == "-") is (cells[2] == "Tidak")
            told.append(cells[0])
    assert header == ["kode_desa", "nama_desa", "status_4g", "tanggal_on_air"]
    assert set(told) == set(status)
    assert len(told) == len(status) + sum(e["problem"] == "duplicate_key" for e in mess.values()) // 2


def test_mess_is_what_it_is_called(truth: Truth) -> None:
    def register(year: int) -> dict[str, str]:
        with gzip.open(ROOT / f"register/wilayah_{year}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            return dict(csv.reader(file))

    def plain(name: str) -> str:
        return "".join(letter for letter in name.casefold() if letter.isalnum())

    before, now = register(2022), register(2025)
    with open(ROOT / "dbt_project/seeds/wilayah_lineage.csv", encoding="utf-8", newline="") as file:
        lineage = {row["old_code"]: row["new_code"] for row in csv.DictReader(file)}
    seen = set()
    for event in of(truth, "mess"):
        code, name = event["written"][:2]
        problem = event["problem"]
        seen.add(problem)
        if problem.startswith("old_code"):
            assert code not in now
            assert lineage[code[:5]] + code[5:] == event["kode"]
            assert (plain(name) == plain(now[event["kode"]])) is (not event["refused"])
            assert problem == "old_code_2020" or before[code] == name
        elif problem == "unknown_region":
            assert code not in now
            assert code not in before
        elif problem == "wrong_name":
            assert plain(name) != plain(now[code])
        elif problem == "wrong_status":
            assert event["written"][2] not in ("Ya", "Tidak")
        assert event["refused"] is (problem not in ("old_code_2022", "old_code_2020"))
    assert len(seen) == 7


def test_3t_lists_are_the_truths(simulator: Simulator, truth: Truth) -> None:
    for year in (2025, 2026):
        _, *data = rows(simulator.get(DESA_3T, f"{year}-01"))
        mess = {e["row"]: e["kode"] for e in of(truth, "mess", feed=DESA_3T, period=f"{year}-01")}
        listed = {mess.get(number, cells[0]) for number, cells in enumerate(data, start=1)}
        assert {cells[2] for cells in data} == {"3T"}
        assert len(data) == len(listed)
        assert listed == {v["kode"] for v in of(truth, "village") if v[f"in_3t_{year}"]}


def test_budget_file_is_the_truths(simulator: Simulator, truth: Truth) -> None:
    data = simulator.get(ANGGARAN, "2026-10")
    assert data.endswith(b"\r\n")
    assert "–" in data.decode("cp1252")
    header, *lines = csv.reader(io.StringIO(data.decode("cp1252"), newline=""), delimiter=";")
    assert ";".join(header) == (
        "Kelompok;Kode Akun;Uraian;Versi;Pagu (Rp);Realisasi s.d. bulan ini (Rp);Alasan koreksi"
    )
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    expected = {(e["version"], e["account"]): e for e in of(truth, "budget", period="2026-10")}
    for group, account, _, version, pagu, realised, reason in lines:
        assert reason == "-"
        if group == "JUMLAH":
            assert [amount(pagu), amount(realised)] == sums[version]
            continue
        event = expected.pop((version, account))
        assert (group, amount(pagu), amount(realised)) == (
            event["group"], Decimal(event["pagu"]), Decimal(event["realised"])
        )  # fmt: skip
        sums[version][0] += amount(pagu)
        sums[version][1] += amount(realised)
    assert not expected
    assert {v: int(s[0]) for v, s in sums.items()} == {
        "RAPBN": 30_500_000_000_000, "APBN": 29_600_000_000_000, "PERUBAHAN": 26_900_000_000_000,
    }  # fmt: skip
    assert len({s[1] for s in sums.values()}) == 1
    assert Decimal("0.70") < sums["PERUBAHAN"][1] / sums["PERUBAHAN"][0] < Decimal("0.80")


def test_budget_runs_through_the_year(truth: Truth) -> None:
    fell = set()
    for version in ("RAPBN", "APBN", "PERUBAHAN"):
        for account in {e["account"] for e in of(truth, "budget")}:
            events = of(truth, "budget", version=version, account=account)
            assert [event["period"] for event in events] == PERIODS
            for before, after in pairwise(events):
                assert 0 < Decimal(after["realised"]) <= Decimal(after["pagu"])
                if before["period"][:4] == after["period"][:4]:
                    assert before["pagu"] == after["pagu"]
                    if Decimal(after["realised"]) < Decimal(before["realised"]):
                        fell.add((after["period"], account))
    assert fell == {("2026-05", "522191")}


def test_the_correction_has_its_reason(simulator: Simulator) -> None:
    text = simulator.get(ANGGARAN, "2026-05").decode("cp1252")
    reasons = {line.split(";")[6] for line in text.splitlines() if ";522191;" in line}
    assert len(reasons) == 1
    assert reasons.pop().startswith("Koreksi")


def test_two_provinces_are_a_part_of_the_whole(simulator: Simulator, small_simulator: Simulator) -> None:
    whole = [row for row in rows(simulator.get(DESA_4G, "2025-10")) if row[0][:2] in ("91", "96")]
    assert rows(small_simulator.get(DESA_4G, "2025-10"))[1:] == whole
    assert len(whole) == 2_012
