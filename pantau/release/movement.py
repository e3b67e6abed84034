"""What happened to the villages between two months, counted in the village-level facts of their two builds.

Promise: a village is the same where code and name are, or where the law carried its regency, as at reading.
"""

from dataclasses import dataclass

import polars as pl

from pantau import periods
from pantau.database import Connection
from pantau.read import REGISTER
from pantau.read.regions import Resolver
from pantau.release.figures import Closing


@dataclass(frozen=True)
class Movement:
    """What happened to the villages between two months; a village without an accepted row counts as not covered."""

    gained: dict[str, int]  # province → villages covered now, reported as not covered before
    lost: dict[str, int]  # province → villages covered before, reported as not covered now
    unreported: dict[str, int]  # province → villages covered before, without an accepted row now
    reported: dict[str, int]  # province → villages covered now, without an accepted row before
    joined: int = 0  # uncovered villages of this register that the register before did not have
    left: int = 0  # uncovered villages of the register before that this one does not have

    @property
    def boundary(self) -> int:
        """What a change of the register adds to the backlog."""
        return self.joined - self.left

    @property
    def real(self) -> int:
        """What happened on the ground: villages lost less villages gained."""
        return sum(self.lost.values()) - sum(self.gained.values())


def movement(before: pl.DataFrame, now: pl.DataFrame) -> Movement:
    """Compare two months village by village.

    Args:
        before: kode (of the village in the register of now, null where that does not have it), covered, has_row.
        now: kode, province, covered, has_row. Codes are unique in both.
    """
    both = now.join(before, on="kode", suffix="_before")
    came = both.filter(pl.col("covered") & ~pl.col("covered_before"))
    went = both.filter(~pl.col("covered") & pl.col("covered_before"))
    new = now.join(before, on="kode", how="anti")
    gone = before.join(now, on="kode", how="anti")
    return Movement(
        gained=_by_province(came.filter("has_row_before")),
        lost=_by_province(went.filter("has_row")),
        unreported=_by_province(went.filter(~pl.col("has_row"))),
        reported=_by_province(came.filter(~pl.col("has_row_before"))),
        joined=new.filter(~pl.col("covered")).height,
        left=gone.filter(~pl.col("covered")).height,
    )


def _by_province(villages: pl.DataFrame) -> dict[str, int]:
    return dict(villages.group_by("province").len().sort("province").iter_rows())


def villages(connection: Connection, build: int, period: str) -> pl.DataFrame:
    """A build's villages of one month: kode, province, covered, has_row. No rows where its facts are no longer kept."""
    rows = connection.execute(
        "select kode, provinsi_kode, terjangkau_4g, has_row from facts.fct_desa_4g"
        " where build_id = %s and period = %s",
        [build, period],
    ).fetchall()
    schema = {"kode": pl.String, "province": pl.String, "covered": pl.Boolean, "has_row": pl.Boolean}
    return pl.DataFrame([tuple(row.values()) for row in rows], schema=schema, orient="row")


def as_named_now(closing: Closing, build_before: int, before: pl.DataFrame) -> pl.DataFrame:
    """The villages of the month before under the codes that they have in this month's register: by code and
    name, or carried by law.

    Args:
        before: kode, covered, has_row.

    Returns:
        kode (null for those that the register does not have), covered, has_row.
    """
    period = periods.shift(closing.period, -1)
    register = _register(closing.connection, closing.build["id"], closing.period)
    if register == _register(closing.connection, build_before, period):
        return before.select("kode", "covered", "has_row")
    names = closing.connection.execute(
        "select kode, nama from facts.dim_wilayah where build_id = %s and level = 'desa'"
        " and valid_from <= %s and (valid_to is null or valid_to > %s)",
        [build_before, period, period],
    ).fetchall()
    laws = closing.connection.execute(
        "select id from ops.register_version where id = any(%s) and name = 'wilayah_lineage'",
        [closing.build["register_version_ids"]],
    ).fetchone()
    named = {row["kode"]: row["nama"] for row in names}
    asked = before.with_row_index("source_row").select(
        pl.col("source_row").cast(pl.Int64),
        code=pl.col("kode"),
        name=pl.col("kode").replace_strict(named, return_dtype=pl.String),
    )
    assert laws is not None, "the set-up loads the laws"
    found = Resolver(closing.connection, register, laws["id"]).resolve(asked, ["desa"], named=True)
    return once(before.select("covered", "has_row", kode=found["resolved"], was="kode"))


def once(villages: pl.DataFrame) -> pl.DataFrame:
    """Of villages that have become one, the one that kept its code goes on; the others have left.

    Args:
        villages: kode (now; null where there is none), was (the code before), covered, has_row.
    """
    return (
        villages.sort((pl.col("kode") != pl.col("was")).fill_null(True), "was")
        .with_columns(kode=pl.when(pl.col("kode").is_first_distinct()).then("kode"))
        .select("kode", "covered", "has_row")
    )


def _register(connection: Connection, build: int, period: str) -> int:
    row = connection.execute(
        "select reading_id from ops.build_input where build_id = %s and feed = %s and period = %s",
        [build, REGISTER, period],
    ).fetchone()
    assert row is not None, "villages have been counted, so a register stands"
    return int(row["reading_id"])
