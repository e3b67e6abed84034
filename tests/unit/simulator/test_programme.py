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
from running import ANGGARAN, BTS, CAKUPAN, DESA_3T, DESA_4G, KEWAJIBAN, PARTS, ROOT, Simulator, sheet

from simulator.deliveries import Deliveries
from simulator.money import Budget
from simulator.programme import Programme

Events = list[dict[str, Any]]
Truth = dict[str, Events]  # kind -> events
PERIODS = [f"{year}-{month:02d}" for year in (2025, 2026) for month in range(1, 13)]


def of(truth: Truth, kind: str, **fields: Any) -> Events:
    return [e for e in truth[kind] if all(e[key] == value for key, value in fields.items())]


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


@pytest.mark.parametrize(
    ("period", "letter", "changes"),
    [("2026-08", "B", {False: 96, True: 23}), ("2026-09", "C", {False: 41, True: 12})],
)
def test_restatements(truth: Truth, period: str, letter: str, changes: dict[bool, int]) -> None:
    events = of(truth, "restated", period=period, delivery=letter)
    assert Counter(event["covered"] for event in events) == changes
    month, following = covered(truth, period), covered(truth, PERIODS[PERIODS.index(period) + 1])
    for event in events:
        assert month[event["kode"]] is not event["covered"]
        assert following[event["kode"]] is True


def test_a_month_is_not_withdrawn_from_two_sides(truth: Truth) -> None:
    august, september = (
        {e["kode"] for e in of(truth, "restated", period=period, delivery=letter)}
        for period, letter in (("2026-08", "B"), ("2026-09", "C"))
    )
    assert not august & september


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
        ("2026-10-19", "2026-09", "A"),
        ("2026-11-16", "2026-09", "C"),
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
        if event["feed"] not in (DESA_4G, DESA_3T):
            continue
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


# -- operators' claims -------------------------------------------------------------------------------------


def claimed(truth: Truth, part: str, period: str, letter: str = "A") -> set[str]:
    """Where an operator's delivery, rightly read, says that it serves."""
    villages: set[str] = set()
    for event in of(truth, "claims", part=part):
        if event["period"] <= period:
            villages = villages - set(event["ended"]) | set(event["begun"])
    for event in of(truth, "claims_restated", part=part, period=period, delivery=letter):
        villages = villages - set(event["withdrawn"]) | set(event["added"])
    mess = of(truth, "mess", feed=CAKUPAN, part=part, period=period, delivery=letter)
    return villages - {e["kode"] for e in mess if e["problem"] != "duplicate_key"}


def plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


@pytest.fixture(scope="session")
def register() -> dict[str, str]:
    with gzip.open(ROOT / "register/wilayah_2025.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return dict(csv.reader(file))


@pytest.fixture(scope="session")
def named(register: dict[str, str]) -> dict[tuple[str, ...], list[str]]:
    """Plain names from province to village -> the villages so named."""
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for kode in register:
        if len(kode) == 13:
            found[tuple(plain(register[kode[:n]]) for n in (2, 5, 8, 13))].append(kode)
    return found


@pytest.mark.parametrize(
    ("part", "day", "period", "letter"),
    [
        ("telkomsel", "2026-10-19", "2026-08", "A"),
        ("telkomsel", "2026-10-20", "2026-08", "B"),
        ("indosat", "2026-10-18", "2026-09", "A"),
        ("xlsmart", "2026-11-16", "2026-09", "A"),
        ("xlsmart", "2026-11-16", "2026-10", "A"),
    ],
)
def test_the_truth_tells_every_claim(
    simulator: Simulator, truth: Truth, named: dict[tuple[str, ...], list[str]],
    part: str, day: str, period: str, letter: str,
) -> None:  # fmt: skip
    simulator.clock(day)
    items = simulator.claims(part, period)
    mess = {e["row"]: e for e in of(truth, "mess", feed=CAKUPAN, part=part, period=period, delivery=letter)}
    assert mess
    told: list[str] = []
    for row, item in enumerate(items, start=1):
        assert item["teknologi"] == "4G"
        if row in mess:
            assert list(item.values()) == mess[row]["written"]
        if row in mess and mess[row]["problem"] != "duplicate_key":
            continue
        if part == "xlsmart":
            assert list(item) == [
                "provinsi", "kabupaten", "kecamatan", "nama_desa", "teknologi", "terlayani_pct"
            ]  # fmt: skip
            kind, _, rest = item["kabupaten"].replace(".", "").partition(" ")
            regency = {"kab": "Kabupaten", "kota": "Kota"}[kind.casefold()] + rest
            names = item["provinsi"], regency, item["kecamatan"], item["nama_desa"]
            (kode,) = named[tuple(map(plain, names))]
            share = Decimal(item["terlayani_pct"].replace(",", "."))
        else:
            assert list(item) == ["kode_desa", "nama_desa", "teknologi", "terlayani_pct"]
            kode, share = item["kode_desa"], Decimal(str(item["terlayani_pct"]))
            assert ("." in kode) is (part == "indosat")
            kode = kode if part == "indosat" else f"{kode[:2]}.{kode[2:4]}.{kode[4:6]}.{kode[6:]}"
        assert 0 < share <= 100
        told.append(kode)
    assert set(told) == claimed(truth, part, period, letter)
    assert len(told) - len(set(told)) == sum(e["problem"] == "duplicate_key" for e in mess.values()) // 2


def test_names_that_lead_nowhere_are_the_mess(
    truth: Truth, register: dict[str, str], named: dict[tuple[str, ...], list[str]]
) -> None:
    seen = Counter()
    for event in of(truth, "mess", feed=CAKUPAN):
        problem, written, village = event["problem"], event["written"], register[event["kode"]]
        seen[problem] += 1
        assert event["refused"] is True
        if problem == "wrong_name":
            assert plain(written[-3]) != plain(village)
        elif problem == "unknown_region":
            digits = written[0].replace(".", "")
            assert f"{digits[:2]}.{digits[2:4]}.{digits[4:6]}.{digits[6:]}" not in register
        elif problem == "pct_above_100":
            assert Decimal(str(written[-1]).replace(",", ".")) > 100
        elif problem == "ambiguous_name":
            assert len(named[tuple(plain(register[event["kode"][:n]]) for n in (2, 5, 8, 13))]) > 1
        elif problem == "no_district":
            assert written[2] == ""
            regency = event["kode"][:5]
            same = [
                k
                for k in register
                if k[:5] == regency and len(k) == 13 and plain(register[k]) == plain(village)
            ]
            assert len(same) > 1
    assert len(seen) == 6
    assert min(seen.values()) >= 4


def test_operators_and_ministry_disagree_both_ways(truth: Truth) -> None:
    status = covered(truth, "2026-10")
    ministry = {kode for kode, yes in status.items() if yes}
    parts = {part: claimed(truth, part, "2026-10") for part in PARTS}
    operators = set().union(*parts.values())
    assert 700 < len(operators - ministry) < 1_100
    assert 1_400 < len(ministry - operators) < 1_900
    for part, share in (("telkomsel", 0.85), ("indosat", 0.45), ("xlsmart", 0.40)):
        assert abs(len(parts[part]) / len(ministry) - share) < 0.015
    for part in PARTS:
        assert [e["period"] for e in of(truth, "claims", part=part)] == PERIODS[18:]
        assert all(e["begun"] for e in of(truth, "claims", part=part))


def test_telkomsels_august_is_restated(truth: Truth) -> None:
    (event,) = of(truth, "claims_restated")
    assert (event["part"], event["period"], event["delivery"]) == ("telkomsel", "2026-08", "B")
    assert (len(event["withdrawn"]), len(event["added"])) == (60, 20)
    september = claimed(truth, "telkomsel", "2026-09")
    assert len({*event["withdrawn"], *event["added"]} - september) < 5  # but for September's mess


# -- sites and obligations ---------------------------------------------------------------------------------


def states(truth: Truth, period: str) -> dict[str, str]:
    """Each site's state at a month's end."""
    found = {}
    for event in of(truth, "site_status"):
        if event["period"] <= period:
            found[event["site"]] = event["status"]
    return found


def test_sites_go_on_air_and_fall_once(truth: Truth) -> None:
    lit = {}
    for period in ("2024-12", *PERIODS):
        lit[period] = {site for site, status in states(truth, period).items() if status in ("on_air", "bast")}
    assert len(of(truth, "site")) == 5_618
    assert len(lit["2024-12"]) == 4_990
    assert 5_430 < len(lit["2026-10"]) < 5_470
    fell = {now for before, now in pairwise(lit) if lit[before] - lit[now]}
    assert fell == {"2026-09"}
    assert len(lit["2026-08"] - lit["2026-09"]) == 60
    assert 0 < len(lit["2026-08"] - lit["2026-10"]) < 20
    in_3t = {v["kode"] for v in of(truth, "village") if v["in_3t_2025"]}
    assert {e["kode"] for e in of(truth, "site")} <= in_3t


@pytest.mark.parametrize("period", ["2025-01", "2026-09", "2026-10"])
def test_the_workbook_is_the_truths(simulator: Simulator, truth: Truth, period: str) -> None:
    header, *rows = sheet(simulator.get(BTS, period))
    assert header == [
        "No", "ID site", "Lokasi / Provinsi", "Lokasi / Kabupaten", "Lokasi / Kode desa", "Lokasi / Desa",
        "Koordinat / Lintang / derajat", "Koordinat / Bujur / derajat", "Teknologi", "Status",
        "Tanggal / Rencana", "Tanggal / On air", "Tanggal / BAST", "Nomor BAST", "Paket",
    ]  # fmt: skip
    mess = {e["row"]: e for e in of(truth, "mess", feed=BTS, period=period)}
    wanted = states(truth, period)
    words = {"rencana": "Rencana", "bangun": "Pembangunan", "on_air": "On Air", "bast": "BAST", "off": "Off"}
    place = {e["site"]: e["kode"] for e in of(truth, "site")}
    told, counted = Counter(), Counter()
    kinds = set()
    for number, row in enumerate(rows, start=1):
        if isinstance(row[0], str):
            if row[0] == "Subtotal":
                assert row[1] == counted[row[2]] > 0
            elif row[0] == "JUMLAH":
                assert row[1] == counted.total()
            else:
                assert row[0].split()[0] in ("Catatan:", "Sumber:")
            continue
        counted[row[2]] += 1
        told[row[1]] += 1
        kinds |= {(column, type(row[column])) for column in (4, 6, 10)}
        assert row[9] == words[wanted[row[1]]]
        if number in mess:
            assert row[1] == mess[number]["site"]
            assert (row[4], row[5]) == tuple(mess[number]["written"][4:6])
        else:
            kode = row[4] if isinstance(row[4], str) else f"{row[4]:.0f}"
            assert kode.replace(".", "") == place[row[1]].replace(".", "")
        assert (row[11] == "-") is (wanted[row[1]] in ("rencana", "bangun"))
        assert (row[12] == "-") is (wanted[row[1]] != "bast")
    assert {kind.__name__ for column, kind in kinds if column == 4} == {"str", "float"}
    assert {kind.__name__ for column, kind in kinds if column == 6} == {"str", "float"}
    assert {kind.__name__ for column, kind in kinds if column == 10} == {"str", "date"}
    assert set(told) == set(wanted)
    twice = {e["site"] for e in mess.values() if e["problem"] == "duplicate_key"}
    assert {site for site, count in told.items() if count > 1} == twice
    assert bool(mess) is (period != "2025-01")


def test_the_obligations_are_the_truths(simulator: Simulator, truth: Truth) -> None:
    events = {e["kode"]: e for e in of(truth, "obligation")}
    assert Counter(e["operator"] for e in events.values()) == {
        "Telkomsel": 1_491, "XL Axiata": 861, "Indosat": 645, "Tri": 378, "Smartfren": 50, "STI": 10,
    }  # fmt: skip
    without = {v["kode"] for v in of(truth, "village") if not v["baseline_covered"] and not v["in_3t_2025"]}
    assert set(events) == without
    assert {e["due"][5:] for e in events.values()} == {"03-31", "06-30", "09-30", "12-31"}
    assert {min(e["due"] for e in events.values()), max(e["due"] for e in events.values())} == {
        "2025-06-30", "2026-12-31"
    }  # fmt: skip
    for period in ("2025-01", "2026-09", "2026-10"):
        rows = simulator.search(period, limit=5_000).json()["result"]["records"]
        mess = {e["row"]: e for e in of(truth, "mess", feed=KEWAJIBAN, period=period)}
        assert len(rows) == 3_435
        for row in rows:
            number = row.pop("_id")
            if number in mess:
                assert list(row.values()) == mess[number]["written"]
                continue
            event = events[row["kode_desa"]]
            built = "-" if not event["built"] or event["built"][:7] > period else event["built"]
            assert row["operator"] == event["operator"]
            assert "-".join(reversed(row["tenggat"].split("/"))) == event["due"]
            assert (row["tanggal_bangun"] == "-") is (built == "-")
            assert built == "-" or "-".join(reversed(row["tanggal_bangun"].split("/"))) == built
            assert (row["bukti"] != "-") is (event["proved"] <= period)
    status = covered(truth, "2026-10")
    for kode, event in events.items():
        if status[kode]:
            assert event["built"]
    assert any(e["built"] and e["proved"] == "9999-12" for e in events.values())


def test_small_lists_are_a_part_of_the_whole(simulator: Simulator, small_simulator: Simulator) -> None:
    def mine(rows: list[list[Any]]) -> list[list[Any]]:
        return [row[1:] for row in rows if str(row[1]).startswith("BTS-") and "Papua" in row[2]]

    both = [mine(sheet(one.get(BTS, "2025-10"))) for one in (simulator, small_simulator)]
    names = ("Papua", "Papua Barat Daya")
    assert [row for row in both[0] if row[1] in names] == both[1]
    for period in ("2026-11", "2026-12"):
        simulator.clock("2027-01-20"), small_simulator.clock("2027-01-20")
        # no row of indosat's November is wrong; in December only the small one's share of the mess differs
        lists = [one.claims("indosat", period) for one in (simulator, small_simulator)]
        lists = [[i["kode_desa"] for i in items if i["kode_desa"][:2] in ("91", "96")] for items in lists]
        assert lists[0] == lists[1]
        assert len(lists[0]) > 100
    known = [{row["kode_desa"] for row in one.search("2025-10", limit=5_000).json()["result"]["records"]}
             for one in (simulator, small_simulator)]  # fmt: skip
    assert {kode for kode in known[0] if kode[:2] in ("91", "96")} == known[1]


@pytest.mark.parametrize(("province", "sites", "obligations"), [("31", 0, 0), ("34", 0, 4)])
def test_a_programme_without_sites_or_obligations(province: str, sites: int, obligations: int) -> None:
    programme = Programme(7, ROOT / "register/wilayah_2025.csv.gz", [province])
    deliveries = Deliveries(
        programme, Budget(7), ROOT / "register/wilayah_2022.csv.gz",
        ROOT / "dbt_project/seeds/wilayah_lineage.csv",
    )  # fmt: skip
    _, *rows = sheet(deliveries.content(BTS, "", "2026-09", "A"))
    assert [row[0] for row in rows if row[0] != "Subtotal"][-3] == "JUMLAH"
    assert len([row for row in rows if isinstance(row[0], float)]) == sites
    assert len(deliveries.content(KEWAJIBAN, "", "2026-09", "A").splitlines()) == obligations
    assert deliveries.content(CAKUPAN, "xlsmart", "2026-09", "A")
