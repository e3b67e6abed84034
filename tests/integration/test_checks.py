"""The checks in a real PostgreSQL: every rule of the project on small hand-made tables, once where it fires
and once where it just does not; what a finding keeps; what stops as our error; the gate."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from pantau import catalogue, checks, landing, ledger
from pantau.checks import CheckOutcome, engine
from pantau.database import Connection
from pantau.errors import PantauError, TransientError
from pantau.fetch import Fetched, File
from pantau.read import read
from pantau.settings import settings
from simulator import faults
from simulator.deliveries import Deliveries
from simulator.money import Budget
from simulator.programme import Programme
from tests.administrator import connect

DESA_4G, DESA_3T = "komdigi__desa_4g", "komdigi__desa_3t"
ANGGARAN, WILAYAH = "kemenkeu__anggaran_tik", "kemendagri__wilayah"
BTS, KEWAJIBAN, CAKUPAN = "bakti__bts", "komdigi__kewajiban", "operator__cakupan"
Rows = list[dict[str, Any]]

MARTS = """
set local role pantau_transformer;
create table if not exists marts.rpt_figure (build_id bigint, indicator_id text, indicator_version integer,
  period text, place text, breakdown text, numerator numeric, denominator numeric, value numeric);
create table if not exists marts.rpt_status (build_id bigint, indicator_id text, period text, place text,
  breakdown text, value numeric, target_id text, target_value numeric, deadline date, document text,
  baseline_value numeric, baseline_date date, expected_value numeric, on_track boolean);
"""


class World:
    """A programme of two provinces, written straight into the tables that the checks read."""

    def __init__(self) -> None:
        with connect() as connection:
            connection.execute(MARTS)
        self.contents = 0

    def _row(self, connection: Connection, statement: str, values: list[Any]) -> dict[str, Any]:
        row = connection.execute(statement, values).fetchone()
        assert row is not None
        return row

    def _insert(self, connection: Connection, table: sql.Identifier, rows: Rows, **constant: Any) -> None:
        rows = [{**constant, **row} for row in rows]
        if rows:
            names = list(rows[0])
            statement = sql.SQL("insert into {} ({}) values ({})").format(
                table,
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.SQL(", ").join([sql.Placeholder()] * len(names)),
            )
            with connection.cursor() as cursor:
                cursor.executemany(statement, [[row[name] for name in names] for row in rows])

    def read(
        self,
        feed: str,
        period: str,
        rows: Rows,
        *,
        part: str = "",
        content: str = "",
        refused: int = 0,
        quarantine: Rows | None = None,
        totals: Rows | None = None,
    ) -> int:
        """A sealed reading of a delivery of its own. `quarantine`: the refused rows' cells; `refused`: how many more
        there are, of which nothing is known."""
        self.contents += 1
        with connect() as connection:
            number = ledger.append(connection, "delivery", {"feed": feed, "part": part, "period": period})
            delivery = self._row(
                connection,
                "insert into ops.delivery (feed, part, period, content_hash, sender, received_at, known_at,"
                " simulated, ledger_no) values (%s, %s, %s, %s, 'test', now(), now(), true, %s) returning id",
                [feed, part, period, content or f"content {self.contents}", number],
            )["id"]
            told = quarantine or []
            reading = self._seal(connection, feed, delivery, rows, refused + len(told), totals or [])
            for n, cells in enumerate(told, 1):
                kept = {k: v for k, v in cells.items() if k != "rule"}
                connection.execute(
                    'insert into ops.quarantine (reading_id, source_row, "column", rule, message, raw, cells)'
                    " values (%s, %s, 'x', %s, 'x', 'x', %s)",
                    [reading, 10000 + n, cells.get("rule", "type"), Jsonb(kept) if kept else None],
                )
            return reading

    def _seal(
        self, connection: Connection, feed: str, delivery: int, rows: Rows, refused: int, totals: Rows
    ) -> int:
        number = ledger.append(connection, "reading", {"feed": feed})
        reading: int = self._row(
            connection,
            "insert into ops.reading (delivery_id, contract_version, rows, accepted, refused, set_aside,"
            " ledger_no) values (%s, %s, %s, %s, %s, %s, %s) returning id",
            [
                delivery,
                f"v{number}",
                len(rows) + refused + len(totals),
                len(rows),
                refused,
                len(totals),
                number,
            ],
        )["id"]
        numbered = [{"source_row": n, **row} for n, row in enumerate(rows, 1)]
        self._insert(connection, sql.Identifier("raw", feed), numbered, reading_id=reading)
        for n, total in enumerate(totals, len(rows) + 1):
            self._insert(
                connection, sql.Identifier("ops", "control_total"), [total], reading_id=reading, source_row=n
            )
        return reading

    def register(self, name: str, rows: Rows) -> int:
        """A version of a register, as the set-up keeps it."""
        with connect() as connection:
            number = ledger.append(connection, "register", {"name": name})
            version: int = self._row(
                connection,
                "insert into ops.register_version (name, sha256, rows, ledger_no) values (%s, %s, %s, %s)"
                " returning id",
                [name, f"{number}", Jsonb(rows), number],
            )["id"]
            return version

    def decide(self, kind: str, reading: int) -> None:
        """Reject or reinstate the delivery of a reading."""
        with connect() as connection:
            row = self._row(
                connection,
                "select d.id as delivery, d.feed, d.part, d.period from ops.delivery d"
                " join ops.reading r on r.delivery_id = d.id where r.id = %s",
                [reading],
            )
            ledger.append(connection, kind, row)

    def build(
        self,
        inputs: list[tuple[str, str, int]],
        *,
        first: str = "2026-10",
        last: str = "2026-10",
        simulated: bool = True,
    ) -> int:
        """A build whose manifest holds (feed, period stood for, reading)."""
        indicators = self.register("indicator_register", [
            {"indicator_id": "K1", "version": 1, "kind": "ratio_pct", "decimals": 1},
            {"indicator_id": "K2", "version": 1, "kind": "count", "decimals": 0},
            {"indicator_id": "K3", "version": 1, "kind": "count", "decimals": 0},
            {"indicator_id": "K12", "version": 1, "kind": "ratio_pct", "decimals": 1},
            {"indicator_id": "R1", "version": 1, "kind": "count", "decimals": 0},
        ])  # fmt: skip
        with connect() as connection:
            number = ledger.append(connection, "build", {})
            build: int = self._row(
                connection,
                "insert into ops.build (purpose, first_period, last_period, cutoff, register_version_ids,"
                " code_version, simulated, ledger_no) values ('close', %s, %s, %s, %s, 'x', %s, %s)"
                " returning id",
                [first, last, number, [indicators], simulated, number],
            )["id"]
            for feed, period, reading in inputs:
                connection.execute(
                    "insert into ops.build_input"
                    " (build_id, feed, part, period, reading_id, source_period, how)"
                    " select %s, %s, d.part, %s, r.id, d.period,"
                    " case when d.period = %s then 'own' else 'effective' end"
                    " from ops.reading r join ops.delivery d on d.id = r.delivery_id where r.id = %s",
                    [build, feed, period, period, reading],
                )
            return build

    def figures(self, build: int, rows: Rows) -> None:
        """Rows of the mart, as dbt would write them."""
        with connect() as connection:
            self._insert(
                connection, sql.Identifier("marts", "rpt_figure"), rows,
                build_id=build, indicator_version=1, period="2026-10", breakdown="",
            )  # fmt: skip

    def statuses(self, build: int, rows: Rows) -> None:
        """Rows of the mart, as dbt would write them."""
        with connect() as connection:
            self._insert(
                connection, sql.Identifier("marts", "rpt_status"), rows,
                build_id=build, period="2026-10", place="00", breakdown="",
            )  # fmt: skip

    def publish(self, build: int, period: str, rows: Rows) -> None:
        """A published release with these figures."""
        with connect() as connection:
            number = ledger.append(connection, "publication", {})
            release = self._row(
                connection,
                "insert into ops.release (period, version, build_id, reason, explanation, release_hash,"
                " page_hash, context, ledger_no) values (%s, 1, %s, 'first', '{}', 'h', 'h', '{}', %s)"
                " returning id",
                [period, build, number],
            )["id"]
            self._insert(
                connection, sql.Identifier("ops", "figure"), rows,
                release_id=release, indicator_version=1, period=period, breakdown="",
            )  # fmt: skip
            connection.execute("insert into ops.publication values (%s, %s)", [release, number])


@pytest.fixture
def world(database: object) -> World:
    return World()


VILLAGES = [f"{province}.01.01.{2001 + n}" for province in ("11", "31") for n in range(200)]


def covered(count: int, villages: list[str] = VILLAGES) -> Rows:
    """Villages, of which the first `count` of each province are covered."""
    seen: dict[str, int] = {}
    rows = []
    for code in villages:
        seen[code[:2]] = seen.get(code[:2], 0) + 1
        rows.append({
            "kode_desa": code, "nama_desa": f"Desa {code}", "wilayah_kode": code,
            "terjangkau_4g": seen[code[:2]] <= count, "on_air_on": date(2024, 8, 17),
        })  # fmt: skip
    return rows


def register(villages: list[str] = VILLAGES) -> Rows:
    """A register that holds these villages and their parents."""
    codes = {code[:length] for code in villages for length in (2, 5, 8, 13)}
    return [{"kode": code, "nama": f"Wilayah {code}"} for code in sorted(codes)]


def listed(villages: list[str]) -> Rows:
    """A list of 3T villages."""
    return [{"kode_desa": v, "nama_desa": v, "wilayah_kode": v, "kategori": "3T"} for v in villages]


def accounts(**changes: Any) -> Rows:
    """Two accounts in three budget versions; `changes` hold for the first one's APBN."""
    rows = [
        {"kelompok_belanja": group, "kode_akun": account, "uraian": f"Belanja {account}",
         "versi_anggaran": version, "pagu_idr": 1000, "realisasi_kumulatif_idr": 400, "alasan_koreksi": None}
        for group, account in (("KL", "521211"), ("TKDD", "661111"))
        for version in ("APBN", "RAPBN", "PERUBAHAN")
    ]  # fmt: skip
    return [rows[0] | changes, *rows[1:]]


def controls(
    versions: tuple[str, ...] = ("RAPBN", "APBN", "PERUBAHAN"), delivered: int | None = 1000
) -> Rows:
    """The control totals that the reading of the accounts keeps."""
    return [
        {"name": f"pagu_idr, {version}", "delivered": delivered, "computed": 1000} for version in versions
    ]


# --- one case per rule: (world, fires) → the outcome, and how many failing rows are expected where it fires

Case = Callable[[World, bool], tuple[CheckOutcome, int]]
CASES: dict[str, Case] = {}


def case(rule: str) -> Callable[[Case], Case]:
    def keep(function: Case) -> Case:
        CASES[rule] = function
        return function

    return keep


@case("every.no_rows")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = [] if fires else covered(1, VILLAGES[:1])
    return checks.check_reading(world.read(DESA_4G, "2026-10", rows, refused=3)), 1


@case("every.too_many_refused")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = covered(100)  # 400 rows; 0.5 % allowed
    refused = 3 if fires else 2
    return checks.check_reading(world.read(DESA_4G, "2026-10", rows, refused=refused)), 1


@case("every.unchanged")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    world.read(DESA_4G, "2026-08", covered(100), content="same")
    world.read(DESA_3T, "2026-01", listed(VILLAGES[:1]), content="other")
    content = "same" if fires else "other"  # equal content of another feed says nothing
    return checks.check_reading(world.read(DESA_4G, "2026-10", covered(100), content=content)), 1


@case("every.total_mismatch")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    totals = [*controls(("RAPBN",), 1001), *controls(("APBN",), None), *controls(("PERUBAHAN",))]
    reading = world.read(ANGGARAN, "2026-10", accounts(), totals=totals if fires else controls())
    return checks.check_reading(reading), 2


def numbered(count: int, province: str = "11") -> list[str]:
    """So many villages of one province."""
    return [f"{province}.{n // 200 + 1:02d}.01.{2001 + n % 200}" for n in range(count)]


@case("every.restated_rows_gone")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = listed(numbered(1000))
    world.read(DESA_3T, "2026-01", rows)
    return checks.check_reading(world.read(DESA_3T, "2026-01", rows[2 if fires else 1 :])), 2


@case("every.restated_values_withdrawn")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    world.read(DESA_4G, "2026-10", covered(100))
    rows = covered(100)
    for row in rows[: 3 if fires else 2]:
        row["on_air_on"] = None
    return checks.check_reading(world.read(DESA_4G, "2026-10", rows)), 3


@case("every.restated_less")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = [*obliged(), obliged()[0] | {"wilayah_kode": VILLAGES[50], "kode_desa": VILLAGES[50]}]
    world.read(KEWAJIBAN, "2026-10", rows)
    refused = [{"kode_desa": VILLAGES[50]}]  # cannot be read any more, and is not gone
    now = obliged(bukti=None if fires else "another")
    return checks.check_reading(world.read(KEWAJIBAN, "2026-10", now, quarantine=refused)), 1


@case("kemendagri__wilayah.parent_missing")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = [r for r in register() if not fires or r["kode"] not in ("11.01", "31")]
    return checks.check_reading(world.read(WILAYAH, "2025-01", rows)), 2  # 11.01.01 and 31.01


LINEAGE = {
    "old_code": "91.01",
    "new_code": "93.01",
    "level": "regency",
    "event": "recode",
    "law": "UU 14/2022",
}


def successors(world: World, fires: bool) -> CheckOutcome:
    """Province 91 and its village disappear, with or without a law."""
    world.register("wilayah_lineage", [] if fires else [LINEAGE])
    world.read(WILAYAH, "2022-11", register([*VILLAGES, "91.01.01.2001"]))
    return checks.check_reading(world.read(WILAYAH, "2025-01", register([*VILLAGES, "93.01.01.2001"])))


@case("kemendagri__wilayah.province_lost")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return successors(world, fires), 1


@case("kemendagri__wilayah.disappeared_without_lineage")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    if fires:
        return successors(world, fires), 4  # province, regency, district, village
    world.register("wilayah_lineage", [LINEAGE])
    world.read(WILAYAH, "2022-11", register([*VILLAGES, "91.01.01.2001", "91.01.01.2002"])[1:])
    rows = [*register([*VILLAGES, "93.01.01.2001"]), {"kode": "91", "nama": "Wilayah 91"}]
    return checks.check_reading(world.read(WILAYAH, "2025-01", rows)), 0


@case("kemendagri__wilayah.village_count")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    world.read(WILAYAH, "2022-11", register())
    kept = VILLAGES[3 if fires else 2 : 398]
    return checks.check_reading(
        world.read(WILAYAH, "2025-01", register(kept))
    ), 2  # the nation, and the province that lost three


@case("kemendagri__wilayah.renamed")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    world.read(WILAYAH, "2022-11", register())
    name = "Sukamaju" if fires else "WILAYAH 11.01"  # letter case is no new name
    rows = [r | {"nama": name} if r["kode"] == "11.01" else r for r in register()]
    return checks.check_reading(world.read(WILAYAH, "2025-01", rows)), 1


@case("komdigi__desa_4g.lost_villages")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    world.read(DESA_4G, "2026-09", covered(100))
    return checks.check_reading(world.read(DESA_4G, "2026-10", covered(100)[: 394 if fires else 396])), 6


@case("komdigi__desa_4g.village_count")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    world.read(DESA_4G, "2026-09", covered(100))
    # one more than 5 % of the nation, which is more than 10 % of its second province
    return checks.check_reading(world.read(DESA_4G, "2026-10", covered(100)[: 379 if fires else 380])), 2


@case("komdigi__desa_4g.mass_outage")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    world.read(DESA_4G, "2026-09", covered(100))
    rows = covered(100)
    for row in rows[: 3 if fires else 2]:
        row["terjangkau_4g"] = False
    return checks.check_reading(world.read(DESA_4G, "2026-10", rows)), 3


@case("komdigi__desa_4g.coverage_collapse")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    world.read(DESA_4G, "2026-09", covered(100))
    return checks.check_reading(world.read(DESA_4G, "2026-10", covered(89 if fires else 90))), 1


@case("komdigi__desa_4g.province_jump")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    world.read(DESA_4G, "2026-09", covered(100))
    rows = covered(110)[:200] + covered(100)[200:]
    if fires:
        rows[110]["terjangkau_4g"] = True
    return checks.check_reading(world.read(DESA_4G, "2026-10", rows)), 1


@case("komdigi__desa_4g.future_date")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = covered(100)
    rows[0]["on_air_on"] = date(2026, 11, 1) if fires else date(2026, 10, 31)
    return checks.check_reading(world.read(DESA_4G, "2026-10", rows)), 1


@case("komdigi__desa_4g.no_date")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = covered(100)
    rows[0 if fires else 100]["on_air_on"] = None  # the 101st is not covered
    return checks.check_reading(world.read(DESA_4G, "2026-10", rows)), 1


@case("komdigi__desa_3t.village_count")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    world.read(DESA_3T, "2025-01", listed(VILLAGES[:100]))
    return checks.check_reading(world.read(DESA_3T, "2026-01", listed(VILLAGES[: 102 if fires else 101]))), 1


@case("kemenkeu__anggaran_tik.versions_present")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = [r for r in accounts() if not fires or r["versi_anggaran"] != "PERUBAHAN"]
    return checks.check_reading(world.read(ANGGARAN, "2026-10", rows, totals=controls())), 1


@case("kemenkeu__anggaran_tik.groups_present")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = accounts()[: 3 if fires else 4]
    return checks.check_reading(world.read(ANGGARAN, "2026-10", rows, totals=controls())), 1


@case("kemenkeu__anggaran_tik.total_missing")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    totals = controls(("RAPBN", "PERUBAHAN")) if fires else controls()
    return checks.check_reading(world.read(ANGGARAN, "2026-10", accounts(), totals=totals)), 1


def budget(world: World, before: Rows, now: Rows, month: str = "2026-09") -> CheckOutcome:
    world.read(ANGGARAN, month, before, totals=controls())
    following = f"{month[:5]}{int(month[5:]) + 1:02d}" if month[5:] != "12" else f"{int(month[:4]) + 1}-01"
    return checks.check_reading(world.read(ANGGARAN, following, now, totals=controls()))


@case("kemenkeu__anggaran_tik.jump_tenfold")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return budget(world, accounts(), accounts(pagu_idr=10000 if fires else 9999)), 1


@case("kemenkeu__anggaran_tik.cumulative_falls")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return budget(
        world,
        accounts(),
        accounts(realisasi_kumulatif_idr=399, alasan_koreksi=None if fires else "Pengembalian"),
    ), 1


@case("kemenkeu__anggaran_tik.versions_disagree")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = accounts(realisasi_kumulatif_idr=401 if fires else 400)
    return checks.check_reading(world.read(ANGGARAN, "2026-10", rows, totals=controls())), 1


@case("kemenkeu__anggaran_tik.corrected")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    amount = 399 if fires else 400
    return budget(
        world, accounts(), accounts(realisasi_kumulatif_idr=amount, alasan_koreksi="Pengembalian")
    ), 1


@case("kemenkeu__anggaran_tik.budget_changed")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return budget(world, accounts(), accounts(pagu_idr=1001 if fires else 1000)), 1


@case("kemenkeu__anggaran_tik.account_lost")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return budget(world, accounts(), accounts()[1 if fires else 0 :]), 1


@case("kemenkeu__anggaran_tik.account_renamed")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return budget(world, accounts(), accounts(uraian="=1+1" if fires else "Belanja 521211")), 1


TOTALS = ("rows", "rows, Aceh")


def sites(count: int = 40, on_air: int = 20, **changes: Any) -> Rows:
    """Sites in Aceh, one in each of the first villages: `on_air` on air, two handed over, the others being built;
    `changes` hold for the first one, which is handed over."""
    rows = []
    for n, village in enumerate(VILLAGES[:count]):
        handed_over = n < 2
        rows.append({
            "nomor": n + 1, "site_id": f"BTS-{n:05d}", "nama_provinsi": "Aceh", "nama_kabupaten": "Aceh Besar",
            "kode_desa": village, "nama_desa": f"Desa {village}", "wilayah_kode": village,
            "lintang_deg": 5, "bujur_deg": 95, "teknologi": "4G",
            "status": "bast" if handed_over else "on_air" if n < on_air else "bangun",
            "planned_on": date(2024, 8, 1), "on_air_on": date(2024, 8, 17) if n < on_air else None,
            "bast_on": date(2024, 12, 1) if handed_over else None,
            "bast_nomor": f"BA-{n}" if handed_over else None, "paket": "Paket 1",
        })  # fmt: skip
    return [rows[0] | changes, *rows[1:]]


def site_list(
    world: World,
    now: Rows,
    before: Rows | None = None,
    *,
    refused: Rows | None = None,
    refused_before: Rows | None = None,
    totals: tuple[str, ...] = TOTALS,
) -> CheckOutcome:
    """October's list of sites, checked; September's before it."""
    if before is not None:
        world.read(BTS, "2026-09", before, quarantine=refused_before, totals=_counted(TOTALS))
    return checks.check_reading(world.read(BTS, "2026-10", now, quarantine=refused, totals=_counted(totals)))


def _counted(names: tuple[str, ...]) -> Rows:
    return [{"name": name, "delivered": 40, "computed": 40} for name in names]


@case("bakti__bts.dates_out_of_order")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return site_list(world, sites(bast_on=date(2024, 8, 16 if fires else 17))), 1


@case("bakti__bts.future_date")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return site_list(world, sites(bast_on=date(2026, 11, 1) if fires else date(2026, 10, 31))), 1


@case("bakti__bts.status_without_date")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return site_list(world, sites(status="bast" if fires else "on_air", bast_on=None)), 1


@case("bakti__bts.handover_without_number")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return site_list(world, sites(status="bast" if fires else "on_air", bast_nomor=None)), 1


@case("bakti__bts.on_air_falls")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = sites()
    rows[5]["status"] = "off" if fires else "bast"
    return site_list(world, rows, sites()), 1


@case("bakti__bts.on_air_collapse")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return site_list(world, sites(on_air=17 if fires else 18), sites()), 1


@case("bakti__bts.site_lost")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    refused = {"site_id": "BTS-00039" if fires else "BTS-00000"}  # of another site, or its own
    return site_list(world, sites()[1:], sites(), refused=[refused]), 1


@case("bakti__bts.site_count")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return site_list(world, sites(count=37 if fires else 38), sites()), 1


@case("bakti__bts.village_twice")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return site_list(world, sites(wilayah_kode=VILLAGES[1] if fires else VILLAGES[-1])), 1


@case("bakti__bts.site_moved")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return site_list(world, sites(wilayah_kode=VILLAGES[-1] if fires else VILLAGES[0]), sites()), 1


@case("bakti__bts.handover_changed")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = sites(bast_nomor="BA-9" if fires else "BA-0")
    rows[1] |= {"status": "on_air"} if fires else {}
    rows[2] |= {
        "status": "bast",
        "bast_on": date(2026, 9, 1),
        "bast_nomor": "BA-2",
    }  # a new one is none changed
    return site_list(world, rows, sites()), 2


@case("bakti__bts.total_missing")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return site_list(world, sites(), totals=("rows, Papua",) if fires else TOTALS), 2


def obliged(**changes: Any) -> Rows:
    """Forty obligations, half of them built; `changes` hold for the first one, which is built."""
    rows: Rows = [
        {"operator": "telkomsel" if n % 2 else "xl", "kode_desa": village, "nama_desa": f"Desa {village}",
         "wilayah_kode": village, "due_on": date(2025, 12, 31), "built_on": date(2025, 6, 1) if n < 20 else None,
         "bukti": f"BA-{n}" if n < 20 else None}
        for n, village in enumerate(VILLAGES[:40])
    ]  # fmt: skip
    return [rows[0] | changes, *rows[1:]]


def obligation_list(
    world: World,
    now: Rows,
    before: Rows | None = None,
    *,
    refused: Rows | None = None,
    refused_before: Rows | None = None,
) -> CheckOutcome:
    """October's obligations, checked; September's before them."""
    if before is not None:
        world.read(KEWAJIBAN, "2026-09", before, quarantine=refused_before)
    return checks.check_reading(world.read(KEWAJIBAN, "2026-10", now, quarantine=refused))


@case("komdigi__kewajiban.built_without_evidence")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return obligation_list(world, obliged(bukti=None if fires else "BA-0")), 1


@case("komdigi__kewajiban.future_date")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return obligation_list(world, obliged(built_on=date(2026, 11, 1) if fires else date(2026, 10, 31))), 1


@case("komdigi__kewajiban.vanished")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    own = [{"kode_desa": village.replace(".", "")} for village in VILLAGES[:2]]
    return obligation_list(world, obliged()[2:], obliged(), refused=[{}, {}] if fires else own), 2


@case("komdigi__kewajiban.obligation_count")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return obligation_list(world, obliged()[3 if fires else 2 :], obliged()), 1


@case("komdigi__kewajiban.obligor_changed")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return obligation_list(world, obliged(operator="tri" if fires else "xl"), obliged()), 1


@case("komdigi__kewajiban.due_moved")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return obligation_list(
        world, obliged(due_on=date(2026, 12, 31) if fires else date(2025, 12, 31)), obliged()
    ), 1


@case("komdigi__kewajiban.built_undone")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    before = obliged()
    before[1]["bukti"] = None  # a document that comes later takes nothing back
    return obligation_list(world, obliged(built_on=None) if fires else obliged(), before), 1


def claims(villages: list[str] = VILLAGES, pct: float = 80, **changes: Any) -> Rows:
    """An operator's claims; `changes` hold for the first one."""
    rows: Rows = [
        {"kode_desa": village, "nama_desa": f"Desa {village}", "wilayah_kode": village, "teknologi": "4G",
         "terlayani_pct": pct}
        for village in villages
    ]  # fmt: skip
    return [rows[0] | changes, *rows[1:]]


def claim_list(world: World, now: Rows, before: Rows | None = None) -> CheckOutcome:
    """Indosat's October, checked; its September before it. Another operator's month before says nothing."""
    world.read(CAKUPAN, "2026-09", claims(VILLAGES[:1], pct=1), part="telkomsel")
    if before is not None:
        world.read(CAKUPAN, "2026-09", before, part="indosat")
    return checks.check_reading(world.read(CAKUPAN, "2026-10", now, part="indosat"))


@case("operator__cakupan.unit")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return claim_list(world, claims(pct=0.9 if fires else 5)), 1


@case("operator__cakupan.claim_of_nothing")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return claim_list(world, claims(terlayani_pct=0 if fires else 0.1)), 1


@case("operator__cakupan.withdrawn")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return claim_list(world, claims(VILLAGES[5 if fires else 4 :]), claims()), 5


@case("operator__cakupan.village_count")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return claim_list(world, claims(), claims(VILLAGES[: 363 if fires else 364])), 1


@case("operator__cakupan.regency_jump")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    now = [*claims(VILLAGES[:200], pct=85.1 if fires else 85), *claims(VILLAGES[200:], pct=75)]
    before = claims(VILLAGES[:-1])  # one more is no jump of those that are there
    return claim_list(world, now, before), 1


def inputs(
    world: World,
    rows: Rows,
    *,
    villages: list[str] = VILLAGES,
    tiga_t: list[str] | None = None,
    more: list[tuple[str, str, int]] | None = None,
) -> int:
    """A build of one month over a register, a month of 4G and a 3T list, and what else is given."""
    return world.build([
        (WILAYAH, "2026-10", world.read(WILAYAH, "2025-01", register(villages))),
        (DESA_4G, "2026-10", world.read(DESA_4G, "2026-10", rows)),
        (DESA_3T, "2026-10", world.read(DESA_3T, "2026-01", listed(tiga_t or VILLAGES[:10]))),
        *(more or []),
    ])  # fmt: skip


@case("across.village_without_row")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return checks.check_across(inputs(world, covered(100)[2:] if fires else covered(100))), 2


@case("across.coverage_incomplete")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    """Without a month before: a whole province, of 3% of the nation's villages."""
    villages = [f"11.01.01.{2001 + n}" for n in range(970)] + [f"31.01.01.{2001 + n}" for n in range(30)]
    kept = [village for village in villages if not fires or village.startswith("11")]
    return checks.check_across(inputs(world, covered(100, kept), villages=villages, tiga_t=villages[:10])), 1


@pytest.mark.parametrize(("left", "places"), [(951, []), (950, []), (949, ["00", "11"])])
def test_of_the_nation_and_of_a_province_a_twentieth_may_lack_a_row(
    world: World, left: int, places: list[str]
) -> None:
    villages = [f"11.01.01.{2001 + n}" for n in range(1000)]
    outcome = checks.check_across(
        inputs(world, covered(100, villages[:left]), villages=villages, tiga_t=villages[:10])
    )
    rule = "across.coverage_incomplete"
    found = evidence(outcome, rule) if rule in of(outcome) else []
    assert sorted(row["place"] for row in found) == places


@case("across.village_not_in_register")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return checks.check_across(inputs(world, covered(100), villages=VILLAGES[2:] if fires else VILLAGES)), 2


@case("across.tiga_t_not_in_register")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return checks.check_across(
        inputs(world, covered(100), tiga_t=["31.01.01.2999" if fires else VILLAGES[0]])
    ), 1


def operators(world: World, **parts: Rows) -> list[tuple[str, str, int]]:
    """The operators' claims of a month, as lines of its manifest."""
    return [
        (CAKUPAN, "2026-10", world.read(CAKUPAN, "2026-10", rows, part=part)) for part, rows in parts.items()
    ]


@case("across.operator_part_missing")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    parts = dict.fromkeys(("telkomsel", "indosat", "xlsmart"), claims())
    if fires:
        del parts["telkomsel"], parts["xlsmart"]
    return checks.check_across(inputs(world, covered(100), more=operators(world, **parts))), 2


@case("across.claim_not_in_register")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    told = claims(["31.01.01.2999" if fires else VILLAGES[0]])
    return checks.check_across(inputs(world, covered(100), more=operators(world, telkomsel=told))), 1


@case("across.site_not_in_register")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = sites(wilayah_kode="31.01.01.2999" if fires else VILLAGES[-1])
    more = [(BTS, "2026-10", world.read(BTS, "2026-10", rows))]
    return checks.check_across(inputs(world, covered(100), more=more)), 1


@case("across.site_outside_3t")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    more = [(BTS, "2026-10", world.read(BTS, "2026-10", sites()))]
    tiga_t = VILLAGES[1 if fires else 0 : 40]
    return checks.check_across(inputs(world, covered(100), tiga_t=tiga_t, more=more)), 1


@case("across.obligations_not_3435")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    split = {"telkomsel": 1491, "xl": 861, "indosat": 645, "tri": 378, "smartfren": 50, "sti": 10}
    split |= {"xl": 860, "sti": 9}  # two rows less, of which one or both are refused
    provinces = [f"{province}.01.01.{2001 + n}" for province in range(11, 49) for n in range(91)]
    names = [operator for operator, count in split.items() for _ in range(count)]
    rows = [
        obliged()[0] | {"operator": operator, "wilayah_kode": village}
        for operator, village in zip(names, provinces, strict=False)
    ]
    told = [
        {"operator": "xl", "kode_desa": "11.01.01.2999"},
        {"operator": "sti", "kode_desa": "11.01.01.2998"},
    ]
    if fires:  # a doubled row of another obligation
        told[1] |= {"kode_desa": provinces[0], "rule": "key_repeated"}
    reading = world.read(KEWAJIBAN, "2026-10", rows, quarantine=told)
    build = inputs(world, covered(100), villages=provinces, more=[(KEWAJIBAN, "2026-10", reading)])
    return checks.check_across(build), 1


@case("across.obligation_not_covered")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    more = [(KEWAJIBAN, "2026-10", world.read(KEWAJIBAN, "2026-10", obliged()))]
    return checks.check_across(inputs(world, covered(19 if fires else 20), more=more)), 1


@case("across.obligation_not_claimed")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    rows = obliged(operator="tri")  # of whom indosat is the successor; xl's are claimed by xlsmart
    more = [(KEWAJIBAN, "2026-10", world.read(KEWAJIBAN, "2026-10", rows))]
    told = claims(VILLAGES[1:20], pct=80)
    own = claims(VILLAGES[:1], pct=0 if fires else 80)
    more += operators(world, telkomsel=told, xlsmart=told, indosat=own)
    return checks.check_across(inputs(world, covered(100), more=more)), 1


@case("across.claims_contradict")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    # the ministry has the first 100 of each province; of Aceh's, the operators lack 5 and have 5 or 6 others
    told = claims([*VILLAGES[5 : 106 if fires else 105], *VILLAGES[200:300]])
    return checks.check_across(inputs(world, covered(100), more=operators(world, telkomsel=told))), 1


def result() -> Rows:
    """Figures as the build of the two provinces gives them: half of the villages covered."""
    figures = []
    for place, villages in (("00", 400), ("11", 200), ("31", 200), ("11.01", 200), ("31.01", 200)):
        for indicator, value in (("K1", 50), ("K2", villages // 2)):
            figures.append({
                "indicator_id": indicator, "place": place, "numerator": villages // 2,
                "denominator": villages, "value": value,
            })  # fmt: skip
    return figures


def marts(
    world: World,
    change: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda row: row,
    more: Rows | None = None,
) -> CheckOutcome:
    build = inputs(world, covered(100))
    world.figures(build, [*(new for row in result() if (new := change(row))), *(more or [])])
    return checks.check_marts(build)


def at(indicator: str, place: str, **values: Any) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    """Change one figure, or leave it out."""

    def change(row: dict[str, Any]) -> dict[str, Any] | None:
        if (row["indicator_id"], row["place"]) != (indicator, place):
            return row
        return row | values if values else None

    return change


@case("rpt_figure.villages_not_register")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return marts(world, at("K2", "31", denominator=199 if fires else 200)), 1


@case("rpt_figure.province_missing")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return marts(world, at("K1", "31") if fires else lambda row: row), 1


def jumped(
    world: World, indicator: str, place: str, before: float, now: float, breakdown: str = "", **more: Any
) -> CheckOutcome:
    """A figure that was published for September, and October's; of `of` villages, sites or obligations."""
    of = more.get("of", 100)
    figure = {
        "indicator_id": indicator,
        "place": place,
        "breakdown": breakdown,
        "numerator": 1,
        "denominator": of,
    }
    world.publish(world.build([], first="2026-09", last="2026-09"), "2026-09", [figure | {"value": before}])
    build = world.build([])
    world.figures(build, [figure | {"value": now}])
    return checks.check_marts(build)


@case("rpt_figure.jump")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    return jumped(world, "K1", "11", 44.9 if fires else 45, 50), 1


@case("rpt_status.simulated_target")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    build = world.build([], simulated=not fires)
    world.statuses(build, [{"indicator_id": "K1", "target_id": "K1-SIMULASI", "document": "SIMULASI"}])
    return checks.check_marts(build), 1


@case("rpt_status.no_target")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    build = inputs(world, covered(100))
    world.figures(build, result())
    aimed = ["K1"] if fires else ["K1", "K2"]
    world.statuses(build, [{"indicator_id": k, "target_id": k, "document": "SIMULASI"} for k in aimed])
    return checks.check_marts(build), 1


@case("rpt_status.more_sites_than_planned")
def _(world: World, fires: bool) -> tuple[CheckOutcome, int]:
    build = inputs(world, covered(100))
    goal = {"indicator_id": "K3", "target_id": "K3", "document": "SIMULASI", "target_value": 40}
    world.statuses(build, [goal | {"value": 41 if fires else 40}])
    return checks.check_marts(build), 1


def test_every_rule_has_its_pair() -> None:
    assert set(CASES) == {rule.id for rule in checks.load_rules()}


@pytest.mark.parametrize("fires", [True, False], ids=["fires", "holds"])
@pytest.mark.parametrize("rule", CASES)
def test_rule(world: World, rule: str, fires: bool) -> None:
    outcome, rows = CASES[rule](world, fires)
    assert rule not in outcome.skipped
    with connect() as connection:
        judged = connection.execute(
            "select passed, failing_rows from ops.check_result where check_run_id = %s and rule_id = %s",
            [outcome.check_run_id, rule],
        ).fetchone()
    assert judged == {"passed": not fires, "failing_rows": rows if fires else 0}
    assert [f.rows for f in outcome.findings if f.rule == rule] == ([rows] if fires else [])


# --- more of single rules


def of(outcome: CheckOutcome) -> dict[str, int]:
    return {finding.rule: finding.rows for finding in outcome.findings}


TWO = [*numbered(1000), *numbered(200, "31")]  # a province whose share is lost in the nation's


def without(count: int) -> list[str]:
    """The villages, less so many of the small province, and as many new ones in the large one."""
    return [*numbered(1000 + count), *numbered(200, "31")[count:]]


def fell(count: int) -> Rows:
    rows = covered(100, TWO)
    for row in rows[1000 : 1000 + count]:
        row["terjangkau_4g"] = False
    for row in rows[200 : 200 + count]:
        row["terjangkau_4g"] = True
    return rows


def swapped(gained: int, lost: int) -> Rows:
    rows = covered(100)
    for row in [*rows[:lost], *rows[100 : 100 + gained]]:
        row["terjangkau_4g"] = not row["terjangkau_4g"]
    return rows


def renamed(rows: Rows, column: str, count: int) -> Rows:
    """As many rows, of which so many are others."""
    return [row | {column: f"{row[column]}9"} if n < count else row for n, row in enumerate(rows)]


def moved(points: int) -> Rows:
    """Claims of a regency, half of them up, half of them down."""
    return [c | {"terlayani_pct": 50 + (points if n % 2 else -points)} for n, c in enumerate(claims())]


# What is lost is not made up for by what is gained, and a province is not lost in the nation.
APART: list[tuple[str, str, str, Rows, Rows, int, Rows]] = [
    (DESA_4G, "mass_outage", "", covered(100, TWO), fell(3), 3, fell(2)),
    (DESA_4G, "lost_villages", "", covered(9, TWO), covered(9, without(6)), 6, covered(9, without(5))),
    (DESA_4G, "village_count", "", covered(9, TWO), covered(9, without(21)), 1, covered(9, without(20))),
    (DESA_4G, "province_jump", "", covered(100), swapped(11, 10), 1, swapped(10, 10)),
    (DESA_4G, "province_jump", "", covered(100), swapped(10, 11), 1, swapped(10, 10)),
    (DESA_3T, "village_count", "", listed(TWO), listed(without(6)), 1, listed(without(5))),
    (CAKUPAN, "withdrawn", "indosat", claims(TWO), claims(without(6)), 6, claims(without(5))),
    (CAKUPAN, "regency_jump", "indosat", claims(pct=50), moved(11), 2, moved(10)),
    (BTS, "on_air_collapse", "", sites(), sites(on_air=23)[3:], 1, sites(on_air=22)[2:]),
    (BTS, "site_count", "", sites(), renamed(sites(), "site_id", 3), 1, renamed(sites(), "site_id", 2)),
    (KEWAJIBAN, "obligation_count", "", obliged(), renamed(obliged(), "wilayah_kode", 3), 1,
     renamed(obliged(), "wilayah_kode", 2)),
]  # fmt: skip


@pytest.mark.parametrize(("feed", "rule", "part", "before", "over", "rows", "under"), APART)
def test_losses_and_gains_are_judged_apart_and_by_province(
    world: World, feed: str, rule: str, part: str, before: Rows, over: Rows, rows: int, under: Rows
) -> None:
    months = ("2025-01", "2026-01", "2026-01") if feed == DESA_3T else ("2026-09", "2026-10", "2026-10")
    world.read(feed, months[0], before, part=part)
    over_it, under_it = (world.read(feed, month, now, part=part)
                         for month, now in zip(months[1:], (over, under), strict=True))  # fmt: skip
    assert of(checks.check_reading(over_it)).get(f"{feed}.{rule}") == rows
    assert f"{feed}.{rule}" not in of(checks.check_reading(under_it))


def test_a_province_that_a_law_split_is_not_one_that_lost_its_villages(world: World) -> None:
    world.register("wilayah_lineage", [LINEAGE])
    papua, south = numbered(300, "91"), numbered(100, "93")
    world.read(WILAYAH, "2022-11", register([*VILLAGES, *papua]))
    split = register([*VILLAGES, *papua[100:], *south])
    counts = evidence_or_none(checks.check_reading(world.read(WILAYAH, "2025-01", split)), "village_count")
    assert counts == []
    short = register([*VILLAGES[3:], *papua[100:], *south])
    counts = evidence_or_none(checks.check_reading(world.read(WILAYAH, "2025-01", short)), "village_count")
    assert [row["place"] for row in counts] == ["11"]


def evidence_or_none(outcome: CheckOutcome, rule: str) -> list[dict[str, Any]]:
    name = f"{WILAYAH}.{rule}"
    return evidence(outcome, name) if name in of(outcome) else []


@pytest.mark.parametrize(
    ("figure", "before", "now", "fires"),
    [
        (("K1", "11"), 50, 55, False),
        (("K1", "11"), 50, 55.1, True),
        (("K1", "11.01"), 50, 90, False),
        (("K3", "11"), 100, 106, True),
        (("K3", "11"), 100, 105, False),
        (("K3", "11"), 120, 114, False),  # 5 %
        (("K3", "11"), 119, 113, True),
        (("K3", "11"), 10, 15, False),  # five sites
        (("K3", "00"), 5000, 4749, True),
        (("K12", "00", "APBN"), 50, 70, False),
        (("K12", "00", "APBN"), 50, 70.1, True),
        (("K12", "00", "APBN"), 50, 45, False),
        (("K12", "00", "APBN"), 50, 44.9, True),
        (("K12", "00", "APBN:KL"), 50, 90, False),
        (("K15", "00"), 50, 60, False),
        (("K15", "00"), 50, 60.1, True),
        (("K15", "00", "tri"), 50, 39.9, True),
        (("R1", "11", "komdigi_saja"), 20, 25, False),
        (("R1", "11", "komdigi_saja"), 20, 26, True),
        (("R1", "11", "komdigi_saja"), 20, 14, True),
    ],
)
def test_each_figure_may_move_by_its_own_limit(
    world: World, figure: tuple[str, ...], before: float, now: float, fires: bool
) -> None:
    outcome = jumped(world, figure[0], figure[1], before, now, figure[2] if len(figure) == 3 else "")
    assert ("rpt_figure.jump" in of(outcome)) is fires


def test_few_obligations_and_a_new_budget_year_may_leap(world: World) -> None:
    assert "rpt_figure.jump" not in of(jumped(world, "K15", "00", 20, 90, "sti", of=99))
    build = world.build([], first="2026-12", last="2027-01")
    nation = {"indicator_id": "K12", "place": "00", "breakdown": "APBN", "denominator": 100}
    months = (("2026-12", 90), ("2027-01", 2))
    world.figures(build, [nation | {"period": p, "numerator": v, "value": v} for p, v in months])
    assert "rpt_figure.jump" not in of(checks.check_marts(build))


# --- what a refused row excuses


def test_a_doubled_row_excuses_no_missing_site(world: World) -> None:
    doubled = [{"site_id": "BTS-00000", "rule": rule} for rule in ("key_repeated", "key_contradicted")]
    assert of(site_list(world, sites()[1:], sites(), refused=doubled))["bakti__bts.site_lost"] == 1


def test_a_row_whose_key_cannot_be_read_excuses_nothing(world: World) -> None:
    assert of(site_list(world, sites()[1:], sites(), refused=[{}, {}]))["bakti__bts.site_lost"] == 1


def test_one_refused_row_excuses_one_site(world: World) -> None:
    own = [{"site_id": "BTS-00000"}] * 3
    outcome = site_list(world, sites()[2:], sites(), refused=own)
    assert [row["site_id"] for row in evidence(outcome, "bakti__bts.site_lost")] == ["BTS-00001"]


def test_what_was_refused_the_month_before_is_looked_for_too(world: World) -> None:
    refused = [{"site_id": "BTS-00000", "nama_desa": "X"}]
    told = {"refused": refused, "refused_before": refused}
    assert "bakti__bts.site_lost" not in of(site_list(world, sites()[1:], sites()[1:], **told))
    outcome = site_list(world, sites()[1:], sites()[1:], refused_before=refused)
    assert [row["refused_before"] for row in evidence(outcome, "bakti__bts.site_lost")] == [True]
    villages = [{"kode_desa": VILLAGES[0], "nama_desa": "X"}]
    before = obligation_list(world, obliged(), obliged()[1:], refused_before=villages)
    assert "komdigi__kewajiban.vanished" not in of(before)
    outcome = obligation_list(world, obliged()[1:], obliged()[1:], refused_before=villages)
    assert of(outcome)["komdigi__kewajiban.vanished"] == 1


def test_a_doubled_row_excuses_no_missing_obligation(world: World) -> None:
    doubled = [{"kode_desa": VILLAGES[0], "rule": "key_repeated"}]
    assert (
        of(obligation_list(world, obliged()[1:], obliged(), refused=doubled))["komdigi__kewajiban.vanished"]
        == 1
    )


@pytest.mark.parametrize(
    ("refused", "listed_too"),
    [
        (
            [
                {"operator": "xl", "kode_desa": "11.01.01.2999"},
                {"operator": "XL Tbk", "kode_desa": "11.01.01.2998"},
            ],
            None,
        ),
        ([{"operator": "xl", "kode_desa": "11.01.01.2999"}] * 2, {"xl"}),  # the same village twice
        ([{"operator": "tri", "kode_desa": "11.01.01.2999"}, {"operator": "tri", "kode_desa": "1"}], {"xl"}),
        ([{}, {}], {"xl"}),
    ],
)
def test_an_operator_s_obligations_are_short_by_its_own_refused_villages_alone(
    world: World, refused: Rows, listed_too: set[str] | None
) -> None:
    split = {"telkomsel": 1491, "xl": 859, "indosat": 645, "tri": 378, "smartfren": 50, "sti": 10}
    provinces = [f"{province}.01.01.{2001 + n}" for province in range(11, 49) for n in range(91)]
    names = [operator for operator, count in split.items() for _ in range(count)]
    rows = [
        obliged()[0] | {"operator": operator, "wilayah_kode": village, "kode_desa": village}
        for operator, village in zip(names, provinces, strict=False)
    ]
    reading = world.read(KEWAJIBAN, "2026-10", rows, quarantine=refused)
    build = inputs(world, covered(1), villages=provinces, more=[(KEWAJIBAN, "2026-10", reading)])
    outcome = checks.check_across(build)
    found = evidence(outcome, RULE_3435) if RULE_3435 in of(outcome) else []
    assert ({row["operator"] for row in found} or None) == listed_too


RULE_3435 = "across.obligations_not_3435"


# --- a delivery that replaces another; a month before that changes


def test_a_restated_delivery_is_held_against_the_one_that_stood_before_it(world: World) -> None:
    world.read(DESA_4G, "2026-10", covered(100), content="other")
    mistaken = world.read(DESA_4G, "2026-10", covered(100)[:200])
    world.decide("rejection", mistaken)
    world.read(DESA_4G, "2026-10", covered(100)[:399])
    world.read(DESA_4G, "2026-09", covered(100))
    newest = world.read(DESA_4G, "2026-10", covered(100)[:398])
    outcome = checks.check_reading(newest)
    assert [row["key"] for row in evidence(outcome, "every.restated_less")] == [VILLAGES[398]]
    with connect() as connection:
        run = connection.execute(
            "select r.*, l.what from ops.check_run r join ops.ledger l on l.no = r.ledger_no order by r.id desc"
        ).fetchone()
    assert run is not None
    assert run["replaced_reading_id"] == run["what"]["replaced"] == newest - 2
    assert run["previous_reading_id"] == run["what"]["previous"] == newest - 1


def test_every_feed_s_key_can_be_held_against_what_it_replaces(world: World) -> None:
    world.read(ANGGARAN, "2026-10", accounts(), totals=controls())
    now = [row | {"uraian": "x"} for row in accounts()[1:]]
    refused = [{"kode_akun": "521211", "versi_anggaran": "RAPBN"}]
    outcome = checks.check_reading(
        world.read(ANGGARAN, "2026-10", now, quarantine=refused, totals=controls())
    )
    assert [row["key"] for row in evidence(outcome, "every.restated_less")] == ["521211, APBN"]


def test_a_month_is_compared_anew_when_the_month_before_is_another(world: World) -> None:
    def runs() -> list[tuple[int, int | None]]:
        checks.check_feed(DESA_4G)
        with connect() as connection:
            found = connection.execute("select * from ops.check_run order by id").fetchall()
        return [(run["reading_id"], run["previous_reading_id"]) for run in found]

    september = world.read(DESA_4G, "2026-09", covered(100))
    october = world.read(DESA_4G, "2026-10", covered(100))
    first = [(september, None), (october, september)]
    assert runs() == runs() == first
    restated = world.read(DESA_4G, "2026-09", covered(120))
    second = [*first, (restated, None), (october, restated)]
    assert runs() == runs() == second
    with connect() as connection:
        newest = connection.execute(
            "select rule_id from ops.finding where check_run_id = (select max(id) from ops.check_run)"
        ).fetchall()
    assert "komdigi__desa_4g.mass_outage" in {row["rule_id"] for row in newest}
    world.decide("rejection", restated)  # back to what it was: judged again, for the newest run counts
    assert runs() == runs() == [*second, (october, september)]


def test_changed_rules_judge_what_no_published_release_rests_on(world: World, tmp_path: Path) -> None:
    published = world.read(DESA_4G, "2026-09", covered(1))
    standing = world.read(DESA_4G, "2026-10", covered(1))
    build = world.build([(DESA_4G, "2026-09", published)], first="2026-09", last="2026-09")
    world.publish(build, "2026-09", [])
    with rules(tmp_path / "a", text("one")):
        checks.check_feed(DESA_4G)
    with rules(tmp_path / "b", text("one", severity="info", version=2)):
        again = checks.check_feed(DESA_4G)
    assert [finding.reading_id for outcome in again for finding in outcome.findings] == [standing]


# --- what there is nothing to compare with


def test_without_a_month_before_a_comparison_is_not_applicable(world: World) -> None:
    first = checks.check_reading(world.read(DESA_4G, "2026-09", covered(100)))
    assert {"komdigi__desa_4g.mass_outage", "every.restated_less"} <= set(first.not_applicable)
    assert "komdigi__desa_4g.no_date" not in first.not_applicable
    second = world.read(DESA_4G, "2026-10", covered(100))
    outcome = checks.check_reading(second)
    assert {rule.partition(".")[0] for rule in outcome.not_applicable} == {"every"}  # nothing is replaced
    assert checks.check_reading(second).not_applicable == outcome.not_applicable
    assert outcome.rules == outcome.passed == first.rules + 5
    with connect() as connection:
        stated = connection.execute(
            "select applicable, passed, failing_rows from ops.check_result"
            " where rule_id = 'komdigi__desa_4g.mass_outage' order by check_run_id"
        ).fetchall()
        entry = connection.execute("select what from ops.ledger where kind = 'check' order by no").fetchone()
    assert [(row["applicable"], row["passed"]) for row in stated] == [(False, True), (True, True)]
    assert entry is not None
    assert entry["what"]["not_applicable"] == first.not_applicable


def test_the_gate_counts_what_is_applicable(world: World) -> None:
    build = inputs(world, covered(100))
    with connect() as connection:
        readings = connection.execute("select reading_id from ops.build_input where build_id = %s", [build])
        outcomes = [checks.check_reading(row["reading_id"]) for row in readings.fetchall()]
    world.figures(build, result())
    outcomes += [checks.check_across(build), checks.check_marts(build)]
    assert "rpt_figure.jump" in outcomes[-1].not_applicable
    with connect() as connection:
        gate = checks.gate(connection, build)
    assert gate.rules == sum(outcome.rules for outcome in outcomes)
    assert gate.passed == sum(outcome.passed for outcome in outcomes)
    assert gate.not_applicable == sum(len(outcome.not_applicable) for outcome in outcomes) > 0


def test_a_first_month_has_no_findings(world: World) -> None:
    assert of(checks.check_reading(world.read(WILAYAH, "2025-01", register()))) == {}
    assert of(checks.check_reading(world.read(DESA_4G, "2025-01", covered(100)))) == {}
    assert of(checks.check_reading(world.read(DESA_3T, "2025-01", listed(VILLAGES[:9])))) == {}
    assert of(checks.check_reading(world.read(ANGGARAN, "2025-01", accounts(), totals=controls()))) == {}
    build = inputs(world, covered(100))
    assert of(checks.check_across(build)) == {}
    assert of(checks.check_marts(build)) == {}  # nothing measured is nothing wrong


def test_a_new_budget_year_begins_anew(world: World) -> None:
    changes = {"pagu_idr": 2000, "realisasi_kumulatif_idr": 1}
    gone = accounts()[0] | {"kode_akun": "999999"}
    outcome = budget(world, [*accounts(), gone], [row | changes for row in accounts()], month="2025-12")
    assert of(outcome) == {}


def test_units_jump_in_january_too(world: World) -> None:
    outcome = budget(world, accounts(), accounts(pagu_idr=10000), month="2025-12")
    assert of(outcome) == {"kemenkeu__anggaran_tik.jump_tenfold": 1}


@pytest.mark.parametrize(
    ("before", "now", "fires"), [(9, 90, False), (10, 100, True), (400, 40, True), (0, 40, False)]
)
def test_realised_amounts_jump_only_from_what_is_more_than_a_beginning(
    world: World, before: int, now: int, fires: bool
) -> None:
    outcome = budget(
        world,
        accounts(realisasi_kumulatif_idr=before),
        accounts(realisasi_kumulatif_idr=now, alasan_koreksi="x"),
    )
    assert ("kemenkeu__anggaran_tik.jump_tenfold" in of(outcome)) is fires


def previous(reading: int, known: int) -> int | None:
    with connect(options=f"-c pantau.reading={reading} -c pantau.known={known}") as connection:
        row = connection.execute("select reading_id from checks.reading__previous").fetchone()
    return row["reading_id"] if row else None


def head() -> int:
    with connect() as connection:
        return ledger.head(connection)


def test_the_month_before_is_the_one_that_stood_when_the_check_began(world: World) -> None:
    reading = world.read(DESA_4G, "2026-10", covered(100))
    world.read(DESA_4G, "2026-08", covered(100))  # not the month before
    known: list[int] = [head()]
    expected: list[int | None] = [None]
    stands = world.read(DESA_4G, "2026-09", covered(100))  # read after the month that is compared with it
    known, expected = [*known, head()], [*expected, stands]
    mistaken = world.read(DESA_4G, "2026-09", covered(200))
    known, expected = [*known, head()], [*expected, mistaken]
    world.decide("rejection", mistaken)
    known, expected = [*known, head()], [*expected, stands]
    assert of(checks.check_reading(reading)) == {}
    world.decide("reinstatement", mistaken)
    known, expected = [*known, head()], [*expected, mistaken]
    assert [previous(reading, number) for number in known] == expected


def test_a_feed_is_checked_where_a_reading_stands_for_its_period_and_once(world: World) -> None:
    def checked() -> list[int]:
        checks.check_feed(DESA_4G)
        with connect() as connection:
            runs = connection.execute("select reading_id from ops.check_run order by id").fetchall()
        return [run["reading_id"] for run in runs]

    october = world.read(DESA_4G, "2026-10", covered(3))
    older, newer = (world.read(DESA_4G, "2026-09", covered(n)) for n in (1, 2))
    assert checked() == [newer, october]
    world.decide("rejection", newer)
    assert checked() == [newer, october, older, october]  # October is compared with another September
    assert checked() == [newer, october, older, october]


def test_a_monthly_feed_is_not_compared_over_a_gap(world: World) -> None:
    world.read(DESA_4G, "2026-08", covered(200))
    assert of(checks.check_reading(world.read(DESA_4G, "2026-10", covered(0)))) == {}


def test_figures_of_one_build_are_compared_with_each_other(world: World) -> None:
    build = world.build([], first="2026-09", last="2026-10")
    nation = {"indicator_id": "K1", "place": "00", "denominator": 100}
    months = (("2026-09", 50), ("2026-10", 60))
    world.figures(build, [nation | {"period": p, "numerator": v, "value": v} for p, v in months])
    assert of(checks.check_marts(build))["rpt_figure.jump"] == 1


def test_a_rule_is_skipped_where_the_manifest_lacks_its_feed(world: World) -> None:
    reading = world.read(WILAYAH, "2025-01", register())
    build = world.build([(WILAYAH, "2026-10", reading)])
    outcome = checks.check_across(build)
    assert outcome.rules == 0
    assert set(outcome.skipped) == {r.id for r in checks.load_rules() if r.border == "across"}
    assert checks.check_across(build).skipped == outcome.skipped


def test_an_opening_build_is_judged_month_by_month(world: World) -> None:
    old, new = VILLAGES[:399], VILLAGES
    wilayah = [(WILAYAH, "2026-08", world.read(WILAYAH, "2022-11", register(old))),
               (WILAYAH, "2026-09", world.read(WILAYAH, "2025-01", register(new)))]  # fmt: skip
    rows = covered(100)
    months = [(DESA_4G, f"2026-{m}", world.read(DESA_4G, f"2026-{m}", rows[:400])) for m in ("08", "09")]
    before = (DESA_4G, "2026-07", world.read(DESA_4G, "2026-07", rows[:1]))  # no month of the build's own
    build = world.build([*wilayah, *months, before], first="2026-08", last="2026-09")
    outcome = checks.check_across(build)
    assert of(outcome) == {"across.village_not_in_register": 1}
    assert evidence(outcome, "across.village_not_in_register")[0]["period"] == "2026-08"


# --- the simulator's faults

CAUGHT = {
    ("unchanged", DESA_4G): "every.unchanged",
    ("unchanged", DESA_3T): "every.unchanged",
    ("unchanged", ANGGARAN): "every.unchanged",
    ("unchanged", BTS): "every.unchanged",
    ("unchanged", KEWAJIBAN): "every.unchanged",
    ("unchanged", CAKUPAN): "every.unchanged",
    ("too_many_refused", DESA_4G): "every.too_many_refused",
    ("too_many_refused", DESA_3T): "every.too_many_refused",
    ("too_many_refused", ANGGARAN): "every.too_many_refused",
    ("too_many_refused", BTS): "every.too_many_refused",
    ("too_many_refused", KEWAJIBAN): "every.too_many_refused",
    ("too_many_refused", CAKUPAN): "every.too_many_refused",
    ("lost_villages", DESA_4G): "komdigi__desa_4g.lost_villages",
    ("lost_claims", CAKUPAN): "operator__cakupan.village_count",
    ("mass_outage", DESA_4G): "komdigi__desa_4g.mass_outage",
    ("future_date", DESA_4G): "komdigi__desa_4g.future_date",
    ("no_date", DESA_4G): "komdigi__desa_4g.no_date",
    ("national_total", DESA_3T): "komdigi__desa_3t.village_count",
    ("national_total", ANGGARAN): "kemenkeu__anggaran_tik.budget_changed",
    ("total_mismatch", ANGGARAN): "every.total_mismatch",
    ("total_mismatch", BTS): "every.total_mismatch",
    ("jump_tenfold", ANGGARAN): "kemenkeu__anggaran_tik.jump_tenfold",
    ("cumulative_falls", ANGGARAN): "kemenkeu__anggaran_tik.cumulative_falls",
    ("versions_disagree", ANGGARAN): "kemenkeu__anggaran_tik.versions_disagree",
    ("wrong_encoding", ANGGARAN): "kemenkeu__anggaran_tik.account_renamed",
    ("formula_cell", ANGGARAN): "kemenkeu__anggaran_tik.account_renamed",
    ("script_cell", ANGGARAN): "kemenkeu__anggaran_tik.account_renamed",
}
# The month before and the month in which a feed is faulty.
MONTHS = {
    DESA_4G: ("2026-06", "2026-07"),
    ANGGARAN: ("2026-06", "2026-07"),
    DESA_3T: ("2025-01", "2026-01"),
    BTS: ("2026-06", "2026-07"),
    KEWAJIBAN: ("2026-06", "2026-07"),
    CAKUPAN: ("2026-07", "2026-08"),
}
# What two provinces may say without any fault: their lists are short, and documents always lag.
ALWAYS = {
    DESA_3T: {"every.unchanged"},
    KEWAJIBAN: {"every.unchanged", "komdigi__kewajiban.built_without_evidence"},
}


def faulty(simulated: Deliveries, fault: str, feed: str, part: str) -> bytes:
    """A delivery with a fault in it, as the simulator would send it."""
    before, period = MONTHS[feed]
    if fault == "unchanged":
        return simulated.content(feed, part, before, "A")
    if cut := faults.FAULTS[fault].cut:
        return cut(simulated.content(feed, part, period, "A"))
    now, earlier = (simulated.table(feed, part, month, "A") for month in (period, before))
    work = faults.apply(fault, feed, now, earlier, random.Random(simulated.programme.seed))
    return simulated.written(feed, period, work.table, work.sheet)


def test_each_fault_of_the_simulator_is_caught_by_the_rule_that_names_it(
    database: object, tmp_path: Path
) -> None:
    register = settings.root / "register"
    programme = Programme(random.randrange(10**6), register / "wilayah_2025.csv.gz", ("31", "92"))
    lineage = settings.dbt_project / "seeds" / "wilayah_lineage.csv"
    simulated = Deliveries(programme, Budget(programme.seed), register / "wilayah_2022.csv.gz", lineage)

    def deliver(feed: str, part: str, period: str, content: bytes, name: str = "data") -> dict[str, int]:
        form = catalogue.feed(feed).format
        if isinstance(form, catalogue.Json):  # the items, one a line: put into the envelope of a page
            page: Any = [json.loads(line) for line in content.splitlines()]
            for key in reversed(form.items.split(".")):
                page = {key: page}
            content = json.dumps(page).encode()
        (tmp_path / name).write_bytes(content)
        got = Fetched("test", [File(name, tmp_path / name)])
        delivery, _ = landing.land(catalogue.feed(feed), part, period, got)
        reading = read(delivery)
        assert reading is not None
        return of(checks.check_reading(reading))

    whole = (register / "wilayah_2025.csv.gz").read_bytes()
    assert deliver(WILAYAH, "", "2025-01", whole, "wilayah.csv.gz") == {}
    parts = {CAKUPAN: "xlsmart"}
    for feed, periods in MONTHS.items():
        part = parts.get(feed, "")
        for period in periods:
            found = deliver(feed, part, period, simulated.content(feed, part, period, "A"))
            assert found.keys() <= ALWAYS.get(feed, set()), f"seed {programme.seed}, {feed} {period}: {found}"
    for (fault, feed), rule in CAUGHT.items():
        part = parts.get(feed, "")
        found = deliver(feed, part, MONTHS[feed][1], faulty(simulated, fault, feed, part))
        assert rule in found, f"seed {programme.seed}, {fault} on {feed}: {found}"


# --- findings, evidence, idempotence


def evidence(outcome: CheckOutcome, rule: str) -> list[dict[str, Any]]:
    finding = next(f for f in outcome.findings if f.rule == rule)
    with connect() as connection:
        rows = connection.execute(
            "select evidence from ops.finding_row where finding_id = %s order by no", [finding.finding_id]
        )
        return [row["evidence"] for row in rows]


def test_a_finding_keeps_all_its_rows_even_five_thousand(world: World) -> None:
    many = [f"11.{n // 1000 + 1:02d}.01.{2000 + n % 1000}" for n in range(6000)]
    world.read(DESA_4G, "2026-09", covered(6000, many))
    outcome = checks.check_reading(world.read(DESA_4G, "2026-10", covered(1000, many)))
    lost = evidence(outcome, "komdigi__desa_4g.mass_outage")
    assert len(lost) == of(outcome)["komdigi__desa_4g.mass_outage"] == 5000
    assert {row["wilayah_kode"] for row in lost} == set(many[1000:])


def test_hostile_values_are_kept_as_data(world: World) -> None:
    hostile = [
        "<script>alert(1)</script>",
        "=cmd|'/c calc'!A1",
        "'; drop table ops.ledger; --",
        "{batch}",
        "%s :x $1",
    ]
    world.read(WILAYAH, "2022-11", register())
    rows = register()
    for row, value in zip(rows, hostile, strict=False):
        row["nama"] = value
    outcome = checks.check_reading(world.read(WILAYAH, "2025-01", rows))
    assert sorted(r["name"] for r in evidence(outcome, "kemendagri__wilayah.renamed")) == sorted(hostile)


def test_a_library_s_expectation_keeps_what_it_observed(world: World) -> None:
    outcome, _ = CASES["kemenkeu__anggaran_tik.versions_present"](world, True)
    assert evidence(outcome, "kemenkeu__anggaran_tik.versions_present") == [
        {"observed_value": None, "missing_count": 1, "partial_missing_list": ["PERUBAHAN"]}
    ]


def test_the_ledger_holds_the_run_and_the_hash_of_its_evidence(world: World) -> None:
    outcome, _ = CASES["komdigi__desa_4g.mass_outage"](world, True)
    with connect() as connection:
        entry = connection.execute(
            "select l.kind, l.what, r.rules_hash from ops.check_run r join ops.ledger l on l.no = r.ledger_no"
            " where r.id = %s", [outcome.check_run_id],
        ).fetchone()  # fmt: skip
        rows = connection.execute("select evidence::text as t from ops.finding_row order by no").fetchall()
        finding = connection.execute("select rule from ops.finding").fetchone()
    assert entry is not None
    assert finding is not None
    assert entry["kind"] == "check"
    assert entry["what"]["rules_hash"] == entry["rules_hash"]
    failed = entry["what"]["failed"]
    assert [(f["rule"], f["severity"], f["rows"]) for f in failed] == [
        ("komdigi__desa_4g.mass_outage", "warning", 3)
    ]
    assert failed[0]["evidence_sha256"] == digest("\n".join(row["t"] for row in rows))
    assert finding["rule"]["select"].startswith("with b as (select * from {batch})")
    assert {"sentence", "fixer", "reference", "version", "severity"} <= finding["rule"].keys()


def digest(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()


def counted() -> dict[str, int]:
    """Rows of what a check writes; the views that it makes are told of once, and are no part of it."""
    tables = [
        "ledger where kind not in ('objects', 'views')",
        "check_run",
        "check_result",
        "finding",
        "finding_row",
    ]
    with connect() as connection:
        return {
            table: connection.execute(f"select count(*) as n from ops.{table}").fetchone()["n"]  # type: ignore[index]
            for table in tables
        }


def test_a_second_call_returns_what_is_recorded(world: World) -> None:
    outcome, _ = CASES["komdigi__desa_4g.mass_outage"](world, True)
    before = counted()
    with connect() as connection:
        row = connection.execute("select reading_id from ops.check_run").fetchone()
    assert row is not None
    again = checks.check_reading(row["reading_id"])
    assert again.recorded
    assert (again.check_run_id, again.findings, again.rules) == (
        outcome.check_run_id,
        outcome.findings,
        outcome.rules,
    )
    assert counted() == before


@pytest.mark.parametrize("check", [checks.check_reading, checks.check_across, checks.check_marts])
def test_what_does_not_exist_is_named(database: object, check: Callable[[int], CheckOutcome]) -> None:
    with pytest.raises(PantauError, match=r"There is no \w+ 999"):
        check(999)


# --- rules of the test's own

RULE = """
- id: {subject}.{name}
  version: {version}
  severity: {severity}
  sentence: {{id: Kalimat., en: Sentence.}}
  fixer: Kementerian
  reference: uji
  select: "{select}"
"""


@contextmanager
def rules(folder: Path, *texts: str, place: str = "raw/komdigi__desa_4g.yml") -> Iterator[None]:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(texts))
    before, settings.expectations = settings.expectations, folder
    try:
        yield
    finally:
        settings.expectations = before


def text(
    name: str,
    severity: str = "warning",
    select: str = "select * from {batch}",
    *,
    version: int = 1,
    more: str = "",
) -> str:
    """A rule of the 4G feed. `more`: another line of the record."""
    record = RULE.format(subject=DESA_4G, name=name, severity=severity, select=select, version=version)
    return record + (f"  {more}\n" if more else "")


def test_another_set_of_rules_is_another_run(world: World, tmp_path: Path) -> None:
    reading = world.read(DESA_4G, "2026-10", covered(1))
    with rules(tmp_path / "a", text("one")):
        first = checks.check_reading(reading)
    with rules(tmp_path / "b", text("one", version=2)):
        second = checks.check_reading(reading)
        assert checks.check_reading(reading).recorded
    with rules(tmp_path / "a", text("one")):  # the newest run counts at the gate, so the first is made again
        third = checks.check_reading(reading)
    assert first.check_run_id < second.check_run_id < third.check_run_id
    assert not second.recorded
    assert not third.recorded


def kept_texts() -> list[dict[str, Any]]:
    with connect() as connection:
        return connection.execute(
            "select t.sha256, t.record, r.passed, l.what from ops.check_result r"
            " join ops.rule_text t on t.sha256 = r.rule_sha256 join ops.check_run c on c.id = r.check_run_id"
            " join ops.ledger l on l.no = c.ledger_no order by c.id, r.rule_id"
        ).fetchall()


def test_the_text_of_every_rule_is_kept_whether_it_holds_or_not(world: World, tmp_path: Path) -> None:
    holds = text("holds", select="select * from {batch} where false")
    with rules(tmp_path, holds, text("fails")):
        checks.check_reading(world.read(DESA_4G, "2026-09", covered(1)))
        checks.check_reading(world.read(DESA_4G, "2026-10", covered(1)))
    kept = kept_texts()
    assert [(row["record"]["id"], row["passed"]) for row in kept] == [
        (f"{DESA_4G}.fails", False),
        (f"{DESA_4G}.holds", True),
    ] * 2
    assert kept[1]["record"]["select"] == "select * from {batch} where false"
    assert kept[0]["what"]["rules"] == {f"{row['record']['id']}/1": row["sha256"] for row in kept[:2]}
    for row in kept:
        assert digest(json.dumps(row["record"], sort_keys=True, ensure_ascii=False)) == row["sha256"]
    with connect() as connection, pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute("update ops.rule_text set record = '{}'")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (text("one", select="select * from {batch} where false"), "another select"),
        (text("one", severity="info"), "another severity"),
        (
            text(
                "one",
                select="",
                more="expectation: {type: expect_table_row_count_to_equal, arguments: {value: 1}}",
            ),
            "another expectation and select",
        ),
        (text("one", more="batch: reading"), "another batch"),
    ],
)
def test_a_rule_that_decides_otherwise_needs_the_next_version(
    world: World, tmp_path: Path, changed: str, said: str
) -> None:
    reading, later = (world.read(DESA_4G, month, covered(1)) for month in ("2026-09", "2026-10"))
    with rules(tmp_path / "a", text("one")):
        checks.check_reading(reading)
    before = counted()
    for checked in (reading, later):
        with rules(tmp_path / "b", changed), pytest.raises(PantauError) as caught:
            checks.check_reading(checked)
        assert said in caught.value.what
        assert caught.value.where == {
            "file": f"expectations/raw/{DESA_4G}.yml",
            "rule": f"{DESA_4G}.one",
            "version": 1,
        }
        assert "next version (2)" in caught.value.next_step
    assert counted() == before
    with rules(tmp_path / "c", changed.replace("version: 1", "version: 2")):
        assert not checks.check_reading(reading).recorded


def test_the_words_of_a_rule_may_be_mended(world: World, tmp_path: Path) -> None:
    reading, later = (world.read(DESA_4G, month, covered(1)) for month in ("2026-09", "2026-10"))
    with rules(tmp_path / "a", text("one")):
        checks.check_reading(reading)
    with rules(tmp_path / "b", text("one").replace("Sentence.", "A better sentence.")):
        assert checks.check_reading(reading).recorded
        checks.check_reading(later)
    assert [row["record"]["sentence"]["en"] for row in kept_texts()] == ["Sentence.", "A better sentence."]


@pytest.mark.parametrize("error", [
    psycopg.OperationalError("server closed the connection unexpectedly"),
    psycopg.errors.DeadlockDetected("deadlock detected"),
    psycopg.errors.QueryCanceled("canceling statement due to user request"),
    psycopg.errors.DiskFull("no space left on device"),
])  # fmt: skip
def test_what_is_no_fault_of_the_rule_is_passed_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: psycopg.Error
) -> None:
    reading = world.read(DESA_4G, "2026-10", covered(1))
    execute = psycopg.Connection.execute

    def broken(self: Connection, query: Any, *more: Any, **keywords: Any) -> Any:
        if isinstance(query, sql.Composed) and "insert into evidence" in query.as_string(self):
            raise error
        return execute(self, query, *more, **keywords)

    monkeypatch.setattr(psycopg.Connection, "execute", broken)
    with rules(tmp_path, text("one")), pytest.raises(type(error)):
        checks.check_reading(reading)


def test_a_connection_that_the_library_loses_may_be_tried_again(world: World, tmp_path: Path) -> None:
    reading = world.read(DESA_4G, "2026-10", covered(1))
    # a rule that lasts as long as the library's own statement about it is cancelled
    with connect() as connection:
        connection.execute(
            "create function checks.cancelled() returns boolean language plpgsql as $$ begin"
            " if current_setting('application_name') <> 'ours' and current_setting('transaction_read_only') = 'on'"
            " and current_setting('default_transaction_read_only') = 'on'"
            " then raise query_canceled using message = 'canceling statement'; end if; return false; end $$"
        )
    select = "select * from {batch} where (select checks.cancelled())"
    with rules(tmp_path, text("one", select=select)), pytest.raises(TransientError, match="did not answer"):
        checks.check_reading(reading)


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("select nothing from {batch}", "nothing"),
        ("select 1 / 0 from {batch}", "division by zero"),
        ("selec from {batch}", None),
        (
            "with b as (select * from {batch}), x as (delete from ops.prepared returning 1) select * from x",
            "data-modifying",
        ),
    ],
)
def test_a_rule_that_cannot_run_is_our_error_and_leaves_nothing(
    world: World, tmp_path: Path, select: str, said: str | None
) -> None:
    reading = world.read(DESA_4G, "2026-10", covered(1))
    before = counted()
    good = text("good", select="select * from {batch} where false")
    with rules(tmp_path, good, text("broken", select=select)), pytest.raises(PantauError) as caught:
        checks.check_reading(reading)
    if said is not None:
        assert isinstance(caught.value, checks.BrokenRuleError)
        assert "komdigi__desa_4g.broken" in str(caught.value)
        assert "expectations/raw/komdigi__desa_4g.yml" in str(caught.value)
        assert said in str(caught.value)
    assert counted() == before


def test_counts_that_differ_stop_as_our_error(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = world.read(DESA_4G, "2026-10", covered(1))
    before = counted()
    monkeypatch.setattr(
        engine, "judge", lambda rules, *_: {rule.id: engine.Verdict(True, 0, {}) for rule in rules}
    )
    with rules(tmp_path, text("all")), pytest.raises(checks.BrokenRuleError, match="counts 0 failing rows"):
        checks.check_reading(reading)
    assert counted() == before


def test_evidence_has_the_same_numbers_whatever_the_plan(world: World, tmp_path: Path) -> None:
    found = []
    for version, order in ((1, "asc"), (2, "desc")):
        reading = world.read(DESA_4G, "2026-10", covered(1, VILLAGES[:50]))
        with rules(
            tmp_path / order,
            text("all", select=f"select kode_desa from {{batch}} order by 1 {order}", version=version),
        ):
            found.append(evidence(checks.check_reading(reading), "komdigi__desa_4g.all"))
    assert found[0] == found[1]


def test_a_check_says_nothing_on_its_own(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    checks.check_reading(world.read(DESA_4G, "2026-10", covered(1)))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_views_follow_the_tables(world: World) -> None:
    def change(statement: str) -> None:
        with connect() as connection:
            connection.execute(statement)

    assert checks.ensure_views()
    assert not checks.ensure_views()
    change("alter table raw.komdigi__desa_4g add column operator text")
    assert checks.ensure_views()
    change("comment on column checks.komdigi__desa_4g__build.operator is 'there'")
    change("drop table marts.rpt_figure cascade")
    assert not checks.ensure_views()  # its view went with it
    change(MARTS)
    assert checks.ensure_views()
    change("drop view checks.rpt_figure, checks.reading cascade")
    assert checks.ensure_views()
    assert not checks.ensure_views()


# --- the gate


def checked(world: World, tmp_path: Path, severities: list[str]) -> int:
    """A build with one reading, checked by rules that fail with these severities, and by one that holds."""
    build = inputs(world, covered(100))
    with connect() as connection:
        readings = connection.execute("select reading_id from ops.build_input where build_id = %s", [build])
        numbers = [row["reading_id"] for row in readings]
    holds = text("holds", "critical", "select * from {batch} where false")
    with rules(tmp_path, holds, *(text(f"r{n}", s) for n, s in enumerate(severities))):
        for reading in numbers:
            checks.check_reading(reading)
        checks.check_across(build)
        checks.check_marts(build)
    return build


@pytest.mark.parametrize(
    ("severities", "blocked", "acknowledge"),
    [
        ([], False, False),
        (["info"], False, False),
        (["warning"], False, True),
        (["critical"], True, False),
        (["info", "warning"], False, True),
        (["info", "critical"], True, False),
        (["warning", "critical"], True, True),
        (["info", "warning", "critical"], True, True),
    ],
)
def test_the_gate(
    world: World, tmp_path: Path, severities: list[str], blocked: bool, acknowledge: bool
) -> None:
    build = checked(world, tmp_path, severities)
    with connect() as connection:
        gate = checks.gate(connection, build)
    assert (gate.blocked, gate.needs_acknowledgement) == (blocked, acknowledge)
    assert [len(gate.critical), len(gate.warnings), len(gate.infos)] == [
        severities.count(s) for s in ("critical", "warning", "info")
    ]
    assert (gate.rules, gate.passed) == (len(severities) + 1, 1)
    for finding in (*gate.critical, *gate.warnings, *gate.infos):
        assert (finding.feed, finding.period, finding.rows) == (DESA_4G, "2026-10", 400)


def test_what_is_not_checked_does_not_pass(world: World) -> None:
    build = inputs(world, covered(100))
    with (
        connect() as connection,
        pytest.raises(PantauError, match="reading of the build has not been checked"),
    ):
        checks.gate(connection, build)
    with connect() as connection:
        for row in connection.execute("select reading_id from ops.build_input").fetchall():
            checks.check_reading(row["reading_id"])
    with connect() as connection, pytest.raises(PantauError, match="build has not been checked"):
        checks.gate(connection, build, ("raw", "across"))
    checks.check_across(build)
    with connect() as connection:
        assert not checks.gate(connection, build, ("raw", "across")).blocked
        with pytest.raises(PantauError, match="build has not been checked"):
            checks.gate(connection, build)


def test_the_gate_looks_at_the_build_s_own_periods_and_the_newest_run(world: World, tmp_path: Path) -> None:
    months = [
        (DESA_4G, f"2026-{m}", world.read(DESA_4G, f"2026-{m}", covered(100))) for m in ("08", "09", "10")
    ]
    build = world.build(months, first="2026-09", last="2026-10")
    always = text("always", "critical")
    with rules(tmp_path / "a", always):
        for _, _, reading in months:
            checks.check_reading(reading)
        checks.check_across(build)
        checks.check_marts(build)
    with connect() as connection:
        gate = checks.gate(connection, build)
    assert [f.period for f in gate.critical] == ["2026-09", "2026-10"]  # August is not the build's own
    with rules(tmp_path / "b", text("always", "info", version=2)):
        checks.check_reading(months[1][2])
    with connect() as connection:
        gate = checks.gate(connection, build)
    assert ([f.period for f in gate.critical], [f.period for f in gate.infos]) == (["2026-10"], ["2026-09"])
