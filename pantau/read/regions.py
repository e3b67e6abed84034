"""Which region a delivered code and name mean, in the register that was in force and by the laws since.

A live code is not yet the same village: between two registers numbers are given to other villages, so a
village is taken by its code AND its name. Old codes are carried by law at regency level; a village then by
the rest of its code and its name under the new regency. Everything else is refused, with suggestions.
"""

from collections.abc import Sequence
from functools import cache

import polars as pl
from rapidfuzz import fuzz, process

from pantau.database import Connection, connect

LEVELS = {"provinsi": 0, "kabupaten": 1, "kecamatan": 2, "desa": 3}


def plain(name: pl.Expr) -> pl.Expr:
    """A name without case, marks, spaces and punctuation, for comparison."""
    return name.str.normalize("NFKD").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")


def dotted(code: pl.Expr) -> pl.Expr:
    """A Kemendagri code with its dots, whether or not it was written with them."""
    digits = code.str.replace_all(".", "", literal=True)
    return (
        digits.str.replace(r"^(\d{2})(\d{2})", "$1.$2")
        .str.replace(r"^(\d{2}\.\d{2})(\d{2})", "$1.$2")
        .str.replace(r"^(\d{2}\.\d{2}\.\d{2})(\d{4})$", "$1.$2")
    )


@cache
def _register(reading: int) -> pl.DataFrame:
    """code, name and plain name of a sealed register. Sealed readings never change, so it is kept."""
    with connect() as connection:
        rows = connection.execute(
            "select kode, nama from raw.kemendagri__wilayah where reading_id = %s", [reading]
        ).fetchall()
    return pl.DataFrame(
        {"code": [r["kode"] for r in rows], "live_name": [r["nama"] for r in rows]},
        schema={"code": pl.String, "live_name": pl.String},
    ).with_columns(live_plain=plain(pl.col("live_name")))


class Resolver:
    """Resolves regions with one register and one version of the laws."""

    def __init__(self, connection: Connection, register: int, laws: int | None) -> None:
        self._register = _register(register)
        rows = connection.execute(
            "select x ->> 'old_code' as old, x ->> 'new_code' as new from ops.register_version,"
            " jsonb_array_elements(rows) x where id = %s",
            [laws],
        ).fetchall()
        self._laws = {row["old"]: row["new"] for row in rows}

    def resolve(self, rows: pl.DataFrame, levels: Sequence[str], *, named: bool) -> pl.DataFrame:
        """Resolve delivered codes (and names).

        Args:
            rows: source_row, code, name.
            levels: at which levels the region may stand.
            named: whether a village is taken by its name as well.

        Returns:
            source_row (in the order given), resolved (code in the register, or null), and where it is null:
            shown (what was delivered), rule (region_unknown, region_name, region_level), message, suggestion.
        """
        asked = rows.with_columns(
            shown=pl.col("code"), code=dotted(pl.col("code")), plain=plain(pl.col("name"))
        )
        live = self._match(asked, pl.col("code"), named)
        carried = live.filter(pl.col("resolved").is_null()).select(asked.columns)
        found = live.filter(pl.col("resolved").is_not_null()).select("source_row", "resolved")
        if carried.height:
            moved = carried.with_columns(moved=self._carry(pl.col("code")))
            by_law = self._match(moved, pl.col("moved"), named)
            found = pl.concat(
                [found, by_law.filter(pl.col("resolved").is_not_null()).select("source_row", "resolved")]
            )
        out = asked.select("source_row", "shown", "code", "name", "plain").join(
            found, on="source_row", how="left", maintain_order="left"
        )
        allowed = [LEVELS[level] for level in levels]
        wrong_level = pl.col("resolved").is_not_null() & ~pl.col("resolved").str.count_matches(
            ".", literal=True
        ).is_in(allowed)
        out = out.with_columns(
            rule=pl.when(wrong_level).then(pl.lit("region_level")),
            message=pl.when(wrong_level).then(pl.lit(f"is not at the level {' or '.join(levels)}")),
            suggestion=pl.lit(None, pl.String),
            resolved=pl.when(~wrong_level).then(pl.col("resolved")),
        )
        lost = out.filter(
            pl.col("resolved").is_null() & pl.col("rule").is_null() & pl.col("code").is_not_null()
        )
        if lost.height:
            told = pl.DataFrame(
                [self._tell(row, named) for row in lost.iter_rows(named=True)],
                schema=["source_row", "rule", "message", "suggestion"],
                orient="row",
            ).cast({"source_row": pl.Int64, "suggestion": pl.String})
            out = out.update(told, on="source_row")
        return out

    def _match(self, rows: pl.DataFrame, code: pl.Expr, named: bool) -> pl.DataFrame:
        joined = rows.with_columns(_code=code).join(
            self._register, left_on="_code", right_on="code", how="left", maintain_order="left"
        )
        same = pl.col("live_plain").is_not_null()
        if named:
            same = same & (pl.col("live_plain") == pl.col("plain"))
        return joined.with_columns(resolved=pl.when(same).then(pl.col("_code")))

    def _carry(self, code: pl.Expr) -> pl.Expr:
        """The code with its regency (and what stands under it) carried to its successor by law."""
        regency = code.str.slice(0, 5)
        return regency.replace(self._laws) + code.str.slice(5)

    def _tell(self, row: dict[str, str], named: bool) -> tuple[object, ...]:
        """Why a row's region was not found, and what it may have meant."""
        code, name = row["code"], row["name"]
        regency = self._laws.get(code[:5], code[:5])
        carried = regency + code[5:]
        live = self._register.filter(pl.col("code").is_in([code, carried]))
        near = self._register.filter(
            pl.col("code").str.starts_with(regency)
            & (pl.col("code").str.count_matches(".", literal=True) == 3)
        )
        suggestion = None
        if named and name and near.height:
            best = process.extract(
                row["plain"], near["live_plain"].to_list(), scorer=fuzz.ratio, limit=3, score_cutoff=70
            )
            suggestion = "; ".join(f"{near['code'][i]} {near['live_name'][i]}" for _, _, i in best) or None
        if live.height and named:
            other = live["live_name"][0]
            return row["source_row"], "region_name", f"is '{other}' in the register, not '{name}'", suggestion
        return row["source_row"], "region_unknown", "is no region of the register in force", suggestion
