"""Deliveries, readings, checks and builds made by the product's own functions, without owners and without dbt: for
tests that need many of them in a second. What they leave in the ledger is what the real ones leave.
"""

import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from psycopg.types.json import Jsonb

from pantau import catalogue, clock, landing, ledger, release, warehouse
from pantau import database as product
from pantau.checks.rules import digest
from pantau.database import Connection
from pantau.fetch import Fetched, File
from pantau.periods import JAKARTA
from pantau.read import _seal as seal_reading
from pantau.read import contract
from pantau.read.table import FileRows, join
from pantau.release import freeze
from tests.administrator import connect

SENTENCE = {"id": "Harus benar", "en": "It must hold | <b>truly</b>"}
_KINDS = {
    "text": pl.String, "region": pl.String, "integer": pl.Int64, "boolean": pl.Boolean, "date": pl.Date,
    "decimal": pl.Decimal(24, 2),
}  # fmt: skip


def at(day: str) -> None:
    """Set the product's clock."""
    with product.connect(product.Role.LOADER) as connection:
        clock.set_to(connection, datetime.fromisoformat(day + "T09:00").replace(tzinfo=JAKARTA))


def deliver(
    feed: str, period: str, *, part: str = "", read: bool = True, content: str = ""
) -> tuple[int, int]:
    """A delivery, and its sealed reading without a row: ids (0 where it is not read). Its content is its own, unless
    it is given."""
    with tempfile.TemporaryDirectory() as folder:
        with connect() as connection:
            text = content or f"content {ledger.head(connection)}"
        (path := Path(folder) / "file.csv").write_text(text)
        delivery, _ = landing.land(
            catalogue.feed(feed), part, period, Fetched("test", [File(path.name, path)])
        )
    assert delivery is not None
    return delivery, reading(delivery) if read else 0


def reading(delivery: int, contract_version: str = "x", register: int | None = None) -> int:
    """A sealed reading of a delivery, without a row."""
    with connect() as connection:
        row = connection.execute("select * from ops.delivery where id = %s", [delivery]).fetchone()
        assert row is not None
        feed = catalogue.feed(row["feed"])
        known = connection.execute(
            "select id from ops.reading where delivery_id = %s and contract_version = %s"
            " and register_reading_id is not distinct from %s",
            [delivery, contract_version, register],
        ).fetchone()
        if known:
            return int(known["id"])
        empty = FileRows(pl.DataFrame(), [], 2, [], lambda _: "")
        accepted = {"source_row": pl.Int64, **{column.name: _KINDS[column.type] for column in feed.columns}}
        aside = {"source_row": pl.Int64, "name": pl.String, "raw": pl.String}
        amount = pl.Decimal(38, 2)
        controls = {"source_row": pl.Int64, "name": pl.String, "delivered": amount, "computed": amount}
        result = contract.Result(
            pl.DataFrame(schema=accepted), pl.DataFrame(schema=contract._REFUSALS), pl.DataFrame(schema=aside),
            pl.DataFrame(schema=controls),
        )  # fmt: skip
        key = [delivery, contract_version, register, None]
        return seal_reading(connection, feed, row, key, join([("file.csv", empty)]), result)


def end_build(connection: Connection, build: int, outcome: str = "candidate") -> None:
    """Write down that a build has ended."""
    freeze._end(connection, build, outcome, {})


def checked(
    build: int | None = None, reading: int | None = None, warning: str = "", severity: str = "warning"
) -> None:
    """A check run at each border of a build, or of a reading; at the marts with a finding, where one is given."""
    rule = {
        "id": warning, "version": 1, "severity": severity, "sentence": SENTENCE, "fixer": "owner", "reference": "-",
    }  # fmt: skip
    kept, evidence = digest(rule), sha256(b"").hexdigest()  # of no rows
    with connect() as connection:
        for border in ["raw"] if reading else ["across", "marts"]:
            run, names = (
                ledger.new_id(connection, "check_run"),
                [warning] if warning and border == "marts" else [],
            )
            number = ledger.append(connection, "check", {
                "run": run, "border": border, "feed": None, "reading": reading, "build": build, "known": 0,
                "previous": None, "replaced": None, "rules": {f"{name}/1": kept for name in names}, "rules_hash": "x",
                "skipped": [], "not_applicable": [],
                "failed": [{"rule": name, "version": 1, "severity": severity, "rows": 3, "evidence_sha256": evidence}
                           for name in names],
            })  # fmt: skip
            connection.execute(
                "insert into ops.check_run (id, border, reading_id, build_id, rules, rules_hash, ledger_no)"
                " overriding system value values (%s, %s, %s, %s, %s, 'x', %s)",
                [run, border, reading, build, len(names), number],
            )
            for name in names:
                connection.execute(
                    "insert into ops.rule_text values (%s, %s) on conflict do nothing", [kept, Jsonb(rule)]
                )
                connection.execute(
                    "insert into ops.check_result values (%s, %s, 1, %s, false, 3, true, %s)",
                    [run, name, severity, kept],
                )
                connection.execute(
                    "insert into ops.finding (check_run_id, rule_id, rule, rows) values (%s, %s, %s, 3)",
                    [run, name, Jsonb(rule)],
                )


@dataclass
class Marts:
    """Stands in for dbt: a build's figures are the sum of the readings behind its month. And for the page: it says this
    month's figure and those of the months before, as published at the cut-off."""

    monkeypatch: pytest.MonkeyPatch
    warnings: dict[str, str] = field(default_factory=dict)  # by period

    def __post_init__(self) -> None:
        self.monkeypatch.setattr(release.freeze.page, "context", self._context)
        with connect("-c role=pantau_transformer") as connection:
            connection.execute(
                "create table if not exists marts.rpt_figure (build_id bigint,"
                " period text, indicator_id text, indicator_version integer, place text, breakdown text,"
                " numerator numeric, denominator numeric, value numeric)"
            )

    def close(self, period: str, last: str = "") -> list[int]:
        """Close a month (or opening history) as far as candidates: the ids of those that stand."""
        build = warehouse.open_build(period, last or period, "opening" if last else "close")
        if warehouse.outcome(build) is None:
            self._fill(build)
        for each in warehouse_readings(build):
            checked(reading=each)
        checked(build=build, warning=self.warnings.get(period, ""))
        return release.make_candidates(build)

    def _fill(self, build: int) -> None:
        with connect() as connection:
            connection.execute(
                "lock table marts.rpt_figure in exclusive mode"
            )  # dbt, too, runs one at a time
            connection.execute("delete from marts.rpt_figure where build_id = %s", [build])
            connection.execute(
                "insert into marts.rpt_figure select i.build_id, i.period, 'K2', 1, '00', '', sum(r.delivery_id), 1,"
                " sum(r.delivery_id) from ops.build_input i join ops.build b on b.id = i.build_id"
                " join ops.reading r on r.id = i.reading_id"
                " where b.id = %s and i.period between b.first_period and b.last_period group by 1, 2",
                [build],
            )

    @staticmethod
    def _context(closing: Any, reason: str, explanation: Any, *_: Any) -> dict[str, Any]:
        rows = closing.connection.execute(
            "select distinct on (c.period) c.period, f.value::text as value from ops.publication p"
            " join ops.candidate c on c.id = p.release_id join ops.figure f on f.release_id = c.id"
            " where p.ledger_no <= %s and c.period < %s order by c.period, p.ledger_no desc",
            [closing.cutoff, closing.period],
        ).fetchall()
        (figure,) = closing.figures.values()
        indicator = {
            "id": "K2", "name": {"id": "Sisa", "en": "Left"}, "unit": {"id": "desa", "en": "villages"},
            "kind": "count", "decimals": 0, "value": str(figure["value"]), "change": {"value": "-24"}, "target": None,
        }  # fmt: skip
        return {
            "period": closing.period, "reason": reason, "explanation": explanation,
            "simulated": closing.build["simulated"], "indicators": [indicator],
            "quotes": {row["period"]: row["value"] for row in rows},
        }  # fmt: skip


def warehouse_readings(build: int) -> list[int]:
    """The readings of a build's manifest that have not been checked."""
    with connect() as connection:
        rows = connection.execute(
            "select distinct reading_id from ops.build_input i where build_id = %s and not exists"
            " (select from ops.check_run c where c.reading_id = i.reading_id)",
            [build],
        ).fetchall()
    return [row["reading_id"] for row in rows]
