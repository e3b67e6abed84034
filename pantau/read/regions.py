"""Which region a delivered code and name mean, in the register that was in force and by the laws since.

A live code is not yet the same village: between two registers numbers are given to other villages, so a
village is taken by its code AND its name. Old codes are carried by law at regency level; a village then by
the rest of its code and its name under the new regency. A row without a code is resolved by its names alone,
from the province down, where each of them means exactly one region of the register in force. Everything else
is refused, with suggestions.
"""

from collections.abc import Container, Iterable, Sequence
from functools import cache
from typing import Any

import polars as pl
from rapidfuzz import fuzz, process

from pantau.database import Connection, Role, connect
from pantau.errors import PantauError

LEVELS = {"provinsi": 0, "kabupaten": 1, "kecamatan": 2, "desa": 3}
_TITLES = ["provinsi", "kabupaten or kota", "kecamatan", "desa or kelurahan"]
# Before a regency's name: which kind it is. A Kabupaten and a Kota of one name are two regions.
_KIND = r"^\s*(kab|kota)(?:upaten)?\b[\s.]*(?:(?:administrasi|adm)\b[\s.]*)?"
_WORD = {0: r"^\s*(?:provinsi|prov)\b[\s.]*", 2: r"^\s*(?:kecamatan|kec|distrik)\b[\s.]*"}
_PROVINCES = {  # as people write two of them
    "dkijakarta": "daerahkhususibukotajakarta",
    "daerahkhususjakarta": "daerahkhususibukotajakarta",
    "diyogyakarta": "daerahistimewayogyakarta",
}
_LIKE = 70  # per cent of likeness from which a name may have been meant


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


def _named(name: pl.Expr, level: int) -> list[pl.Expr]:
    """A name of a level as it is compared: its kind (of a regency, where it is said), and the name itself."""
    if level == LEVELS["kabupaten"]:
        text = name.str.to_lowercase()
        return [
            text.str.extract(_KIND).fill_null("").alias("kind"),
            plain(text.str.replace(_KIND, "")).alias("plain"),
        ]
    bare = plain(name.str.to_lowercase().str.replace(_WORD[level], "") if level in _WORD else name)
    if level == LEVELS["provinsi"]:
        bare = bare.replace(_PROVINCES)
    return [pl.lit("").alias("kind"), bare.alias("plain")]


class Register:
    """The regions of one register, as they are looked up.

    Args:
        regions: code, live_name.
    """

    def __init__(self, regions: pl.DataFrame) -> None:
        self.regions = regions.with_columns(live_plain=plain(pl.col("live_name")))
        self._places: dict[int, pl.DataFrame] = {}
        self._under: dict[int, dict[str, pl.DataFrame]] = {}

    def places(self, level: int) -> pl.DataFrame:
        """The regions of a level: code, live_name, parent (code), kind, plain."""
        if level not in self._places:
            self._places[level] = self.regions.filter(
                pl.col("code").str.count_matches(".", literal=True) == level
            ).select(
                "code",
                "live_name",
                *_named(pl.col("live_name"), level),
                parent=pl.col("code").str.replace(r"\.?[^.]*$", ""),
            )
        return self._places[level]

    def under(self, parent: str, level: int) -> pl.DataFrame:
        """Those of a level that stand under the region with the code `parent`."""
        if level not in self._under:
            parts = self.places(level).partition_by("parent", as_dict=True)
            self._under[level] = {str(code): part for (code,), part in parts.items()}
        return self._under[level].get(parent, self.places(level).clear())

    def name(self, code: str) -> str:
        """The name of a region; empty where there is none."""
        return next(iter(self.regions.filter(pl.col("code") == code)["live_name"]), "")


@cache
def _sealed(reading: int) -> Register:
    """The register of a sealed reading. Sealed readings never change, so it is kept."""
    with connect(Role.AUDITOR) as connection:
        rows = connection.execute(
            "select kode, nama from raw.kemendagri__wilayah where reading_id = %s", [reading]
        ).fetchall()
    return Register(
        pl.DataFrame(
            {"code": [r["kode"] for r in rows], "live_name": [r["nama"] for r in rows]},
            schema={"code": pl.String, "live_name": pl.String},
        )
    )


def _like(name: str, names: pl.Series, regions: pl.DataFrame) -> str | None:
    """The regions whose names are most like `name`."""
    best = process.extract(name, names.to_list(), scorer=fuzz.ratio, limit=3, score_cutoff=_LIKE)
    return "; ".join(f"{regions['code'][i]} {regions['live_name'][i]}" for _, _, i in best) or None


def successors(laws: Iterable[tuple[str, str, str]], live: Container[str]) -> dict[str, str]:
    """The code to which the laws lead from each old one, step by step: 2012 to a second code, 2022 to a third.

    A step follows on another by a law of a later day (one without a day follows on any), for a number that is given up
    may be given again. Where a code was given up twice, the newest law is meant. Of the codes on the way the last one
    counts that the register has, or the last of all: a register may be older than the newest law.

    Args:
        laws: old code, new code, day (`2022-07-25`, or empty).
        live: the codes that the register has.

    Raises:
        PantauError: laws without a day lead in a circle.
    """
    by_old: dict[str, list[tuple[str, str]]] = {}
    for old, new, day in sorted(laws, key=lambda law: law[2]):
        by_old.setdefault(old, []).append((day, new))
    found = {}
    for old, given in by_old.items():
        (day, new), way = given[-1], [old]
        while True:
            way.append(new)
            later = [(d, n) for d, n in by_old.get(new, []) if not d or not day or d > day]
            if not later:
                break
            if later[0][1] in way and not later[0][0]:
                raise PantauError(
                    f"The laws lead in a circle: {' → '.join([*way, later[0][1]])}.",
                    where={"register": "wilayah_lineage", "old_code": old},
                    next_step="Give each law its effective_date in dbt_project/seeds/wilayah_lineage.csv.",
                )
            day, new = later[0][0] or day, later[0][1]
        found[old] = next((code for code in reversed(way[1:]) if code in live), way[-1])
    return found


class Resolver:
    """Resolves regions with one register and one version of the laws."""

    def __init__(self, connection: Connection, register: int, laws: int | None) -> None:
        self._register = _sealed(register)
        rows = connection.execute(
            "select x ->> 'old_code' as old, x ->> 'new_code' as new, x ->> 'effective_date' as day"
            " from ops.register_version, jsonb_array_elements(rows) x where id = %s",
            [laws],
        ).fetchall()
        self._laws = successors(
            [(row["old"], row["new"], row["day"] or "") for row in rows],
            set(self._register.places(LEVELS["kabupaten"])["code"]),
        )

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
        unfound = pl.col("resolved").is_null() & pl.col("rule").is_null() & pl.col("code").is_not_null()
        lost = out.filter(unfound & pl.col("name").is_not_null() if named else unfound)
        if lost.height:
            told = pl.DataFrame(
                [self._tell(row, named) for row in lost.iter_rows(named=True)],
                schema=["source_row", "rule", "message", "suggestion"],
                orient="row",
            ).cast({"source_row": pl.Int64, "suggestion": pl.String})
            out = out.update(told, on="source_row")
        return out

    def by_names(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Resolve rows that have names and no code.

        Args:
            rows: source_row, then the names from the province down to the region itself.

        Returns:
            source_row, resolved (code in the register, or null), and where it is null: column (of the name at
            which the way down ends), shown (the name), rule (required, region_unknown, region_ambiguous),
            message, suggestion.
        """
        lost, on = [], rows.select("source_row", resolved=pl.lit(""))
        for level, column in enumerate(rows.columns[1:]):
            names = rows.select("source_row", shown=pl.col(column))
            on = on.rename({"resolved": "parent"}).join(names, on="source_row", maintain_order="left")
            asked = on.select("parent", "shown").unique(maintain_order=True)
            on = on.join(
                self._one_of_each(asked, level), on=["parent", "shown"],
                how="left", nulls_equal=True, maintain_order="left",
            )  # fmt: skip
            lost.append(
                on.filter(pl.col("resolved").is_null()).select(
                    "source_row", "resolved", "shown", "rule", "message", "suggestion", column=pl.lit(column)
                )
            )
            on = on.filter(pl.col("resolved").is_not_null()).select("source_row", "resolved")
        return pl.concat([*lost, on], how="diagonal")

    def _one_of_each(self, asked: pl.DataFrame, level: int) -> pl.DataFrame:
        """The one region that each name means under its parent.

        Args:
            asked: parent (a code of the register), shown (the name); each pair once.

        Returns:
            parent, shown, resolved, rule, message, suggestion.
        """
        asked = asked.with_columns(_named(pl.col("shown"), level))
        candidates = (
            asked.join(self._register.places(level), on=["parent", "plain"], suffix="_live")
            .filter((pl.col("kind") == "") | (pl.col("kind") == pl.col("kind_live")))
            .group_by("parent", "shown")
            .agg(pl.col("code").sort(), pl.col("live_name").sort_by("code"))
        )
        found = asked.join(
            candidates, on=["parent", "shown"], how="left", maintain_order="left"
        ).with_columns(resolved=pl.when(pl.col("code").list.len() == 1).then(pl.col("code").list.first()))
        told = [
            self._tell_name(row, level) if row["resolved"] is None else (None, None, None)
            for row in found.iter_rows(named=True)
        ]
        reasons = pl.DataFrame(
            told, schema=dict.fromkeys(("rule", "message", "suggestion"), pl.String), orient="row"
        )
        return pl.concat([found.select("parent", "shown", "resolved"), reasons], how="horizontal")

    def _tell_name(self, row: dict[str, Any], level: int) -> tuple[str, str, str | None]:
        """Why a name does not mean one region under its parent, and which it may have meant."""
        if not row["shown"]:
            return "required", "is empty, and the row has no code", None
        if row["code"]:
            several = "; ".join(map(" ".join, zip(row["code"], row["live_name"], strict=True)))
            return "region_ambiguous", f"names {len(row['code'])} regions, and the row has no code", several
        above, near = self._register.name(row["parent"]), self._register.under(row["parent"], level)
        return (
            "region_unknown",
            f"is no {_TITLES[level]}{' of ' + above if above else ''} in the register in force",
            _like(row["plain"], near["plain"], near),
        )

    def _match(self, rows: pl.DataFrame, code: pl.Expr, named: bool) -> pl.DataFrame:
        joined = rows.with_columns(_code=code).join(
            self._register.regions, left_on="_code", right_on="code", how="left", maintain_order="left"
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
        live = self._register.regions.filter(pl.col("code").is_in([code, carried]))
        near = self._register.regions.filter(
            pl.col("code").str.starts_with(regency)
            & (pl.col("code").str.count_matches(".", literal=True) == 3)
        )
        suggestion = None
        if named and name and near.height:
            suggestion = _like(row["plain"], near["live_plain"], near)
        if live.height and named:
            other = live["live_name"][0]
            return row["source_row"], "region_name", f"is '{other}' in the register, not '{name}'", suggestion
        return row["source_row"], "region_unknown", "is no region of the register in force", suggestion
