"""The feed's contract, for whole columns at once: text cells become typed values, or the row is refused.

A rule that one row alone decides lives here and in the feed's YAML; what it refuses goes to quarantine.
"""

import json
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from pantau.catalogue import Column, Control, Feed, Format
from pantau.read import months
from pantau.read.regions import Resolver
from pantau.read.table import NUL, Table

_REFUSALS = {
    "source_row": pl.Int64, "column": pl.String, "value": pl.String, "rule": pl.String,
    "message": pl.String, "suggestion": pl.String, "raw": pl.String,
}  # fmt: skip
# What says that a cell of the key is no key. A name that is not its code's is: the code can be read.
_UNREADABLE = ["required", "allowed", "pattern", "type", "region_unknown", "region_ambiguous", "region_level"]


@dataclass(frozen=True)
class Result:
    """What came of a delivery's rows.

    Attributes:
        accepted: source_row and the typed columns.
        refusals: one line per row, column and broken rule, as `ops.quarantine` keeps them; `cells` is the row
            as JSON by column where its key can be read, for the rules that ask which key was refused.
        set_aside: source_row, name, raw.
        controls: source_row, name, delivered, computed.
    """

    accepted: pl.DataFrame
    refusals: pl.DataFrame
    set_aside: pl.DataFrame
    controls: pl.DataFrame

    @property
    def refused_rows(self) -> int:
        """Rows in quarantine; one row may break several rules."""
        return self.refusals["source_row"].n_unique()


class _Refusals:
    def __init__(self, table: Table) -> None:
        self._raw, self._frames = table.raw, [pl.DataFrame(schema=_REFUSALS)]

    def add(self, rows: pl.DataFrame, column: str = "", rule: str = "", message: str = "") -> None:
        """Refuse `rows` (source_row, value and perhaps column, rule, message, suggestion)."""
        if rows.is_empty():
            return
        literal = {"column": column, "rule": rule, "message": message, "suggestion": None}
        self._frames.append(
            rows.with_columns(
                pl.lit(v, pl.String).alias(k) for k, v in literal.items() if k not in rows.columns
            )
            .with_columns(raw=pl.Series([self._raw[n] for n in rows["source_row"]], dtype=pl.String))
            .select(pl.col(name).cast(kind) for name, kind in _REFUSALS.items())
            .with_columns(pl.col("value").str.replace_all("\0", NUL, literal=True))
        )

    def frame(self) -> pl.DataFrame:
        return (
            pl.concat(self._frames).unique(["source_row", "column", "rule"], keep="first").sort("source_row")
        )

    def rows(self) -> pl.Series:
        return pl.concat([f["source_row"] for f in self._frames]).unique()


def apply(feed: Feed, table: Table, resolver: Resolver | None) -> Result:
    """Apply the contract to a delivery's rows. `resolver` is needed where a column is a region."""
    refusals = _Refusals(table)
    aside, data = _set_aside(feed, table)
    broken = table.broken.join(data.select("source_row"), on="source_row", how="semi")
    refusals.add(broken)
    rows, data = data, data.join(broken, on="source_row", how="anti", maintain_order="left")
    typed = data.select("source_row")
    for column in feed.columns:
        if column.region is None:
            typed = typed.with_columns(_typed(data, column, feed.format, refusals).alias(column.name))
    for column in feed.columns:
        if column.at_most:
            over = typed.filter(pl.col(column.name) > pl.col(column.at_most)).select(
                "source_row", value=pl.col(column.name).cast(pl.String)
            )
            refusals.add(over, column.name, "at_most", f"is more than {column.at_most}")
        if column.region is not None:
            assert resolver is not None
            typed = typed.with_columns(_resolve(typed, column, resolver, refusals).alias(column.name))
    good = typed.filter(~pl.col("source_row").is_in(refusals.rows().implode()))
    _unique(feed, good, refusals)
    good = good.filter(~pl.col("source_row").is_in(refusals.rows().implode()))
    accepted = good.select("source_row", *(column.name for column in feed.columns))
    return Result(
        accepted,
        refusals.frame().join(_cells(feed, rows, broken, refusals.frame()), on="source_row", how="left"),
        pl.DataFrame(
            [(n, name, table.raw[n]) for name, frame in aside for n in frame["source_row"]],
            schema={"source_row": pl.Int64, "name": pl.String, "raw": pl.String},
            orient="row",
        ),
        _controls(feed, aside, accepted, rows),
    )


def _set_aside(feed: Feed, table: Table) -> tuple[list[tuple[str, pl.DataFrame]], pl.DataFrame]:
    data, aside = table.rows, []
    for rule in feed.set_aside:
        cell = pl.col(rule.column).str.strip_chars()
        total = (
            cell.str.contains(f"^(?:{rule.matches})").fill_null(False)
            if rule.matches
            else cell.eq_missing(rule.equals)
        )
        aside.append((rule.name, data.filter(total)))
        data = data.filter(~total)
    return aside, data


def number(text: pl.Expr, form: Format, decimals: int) -> pl.Expr:
    """Text as a decimal number with `decimals` places, exactly; null where it is not written as agreed."""
    t, d = (f"\\{x}" if x else "" for x in (form.thousands, form.decimal))
    grouped = rf"\d{{1,3}}({t}\d{{3}})+|" if t else ""
    fraction = rf"({d}\d{{1,{decimals}}})?" if decimals else ""
    plain = text.str.replace_all(form.thousands, "", literal=True) if form.thousands else text
    return (
        pl.when(text.str.contains(rf"^-?({grouped}\d{{1,20}}){fraction}$"))
        .then(plain.str.replace(form.decimal, ".", literal=True))
        .cast(pl.Decimal(38, decimals))
    )


def _typed(data: pl.DataFrame, column: Column, form: Format, refusals: _Refusals) -> pl.Series:
    """The column's cells as typed values; refuses what is missing, malformed or out of bounds."""
    cells = data.select("source_row", value=pl.col(column.header))
    text = pl.col("value").str.strip_chars()
    cells = cells.with_columns(text=pl.when(~text.is_in(column.null)).then(text))
    if column.required:
        refusals.add(cells.filter(pl.col("text").is_null()), column.name, "required", "is empty")
    if column.mapping:
        known = pl.col("text").replace_strict(column.mapping, default=None, return_dtype=pl.String)
        words = " or ".join(f"'{w}'" for w in column.mapping)
        cells = _checked(cells, known, column, "allowed", f"is not {words}", refusals)
    if column.allowed:
        known = pl.when(pl.col("text").is_in(column.allowed)).then(pl.col("text"))
        words = " or ".join(f"'{w}'" for w in column.allowed)
        cells = _checked(cells, known, column, "allowed", f"is not {words}", refusals)
    if column.pattern:
        known = pl.when(pl.col("text").str.contains(f"^({column.pattern})$")).then(pl.col("text"))
        cells = _checked(cells, known, column, "pattern", f"is not written as {column.pattern}", refusals)
    as_type, message = {
        "text": (
            pl.when(~pl.col("text").str.contains("\0", literal=True)).then(pl.col("text")),
            "holds the character NUL, which no text may",
        ),
        "integer": (number(pl.col("text"), form, 0).cast(pl.Int64, strict=False), "is not a whole number"),
        "decimal": (number(pl.col("text"), form, column.decimals), "is not an amount as agreed"),
        "boolean": (pl.col("text").replace_strict({"true": True, "false": False}, default=None), ""),
        "date": (months.to_date(pl.col("text"), column.date_format), "is not a date as agreed"),
    }[column.type]
    cells = _checked(cells, as_type, column, "type", message, refusals)
    for rule, bad, words in (
        ("minimum", column.minimum is not None and pl.col("text") < column.minimum, "is less than"),
        ("maximum", column.maximum is not None and pl.col("text") > column.maximum, "is more than"),
    ):
        if bad is not False:
            refusals.add(cells.filter(bad), column.name, rule, f"{words} {getattr(column, rule)}")
    return cells["text"]


def _checked(
    cells: pl.DataFrame, known: pl.Expr, column: Column, rule: str, message: str, refusals: _Refusals
) -> pl.DataFrame:
    """Replace `text` by `known`; refuse the rows in which it had a text and has none now."""
    cells = cells.with_columns(known=known)
    refusals.add(
        cells.filter(pl.col("text").is_not_null() & pl.col("known").is_null()), column.name, rule, message
    )
    return cells.drop("text").rename({"known": "text"})


def _resolve(typed: pl.DataFrame, column: Column, resolver: Resolver, refusals: _Refusals) -> pl.Series:
    """The rows' regions: by code (and name), or by names alone where a row without a code has those."""
    ref = column.region
    assert ref is not None
    coded, named = typed, typed.clear()
    if ref.path:  # a code that was refused already is none that is missing
        missing = pl.col(ref.code).is_null() & ~pl.col("source_row").is_in(refusals.rows().implode())
        coded, named = typed.filter(~missing), typed.filter(missing)
    by_code = resolver.resolve(
        coded.select(
            "source_row",
            code=pl.col(ref.code),
            name=pl.col(ref.name) if ref.name else pl.lit(None, pl.String),
        ),
        ref.levels,
        named=bool(ref.name),
    ).with_columns(column=pl.lit(ref.code))
    found = [by_code]
    if named.height:
        found.append(resolver.by_names(named.select("source_row", *ref.path)))
    regions = pl.concat([f.select("source_row", "resolved") for f in found])
    for each in found:
        refusals.add(
            each.filter(pl.col("rule").is_not_null()).select(
                "source_row", "column", "rule", "message", "suggestion", value=pl.col("shown")
            )
        )
    resolved = typed.select("source_row").join(regions, on="source_row", how="left", maintain_order="left")
    if column.required:
        lost = pl.col("resolved").is_null() & ~pl.col("source_row").is_in(refusals.rows().implode())
        nowhere = resolved.filter(lost).select("source_row", value=pl.lit(None, pl.String))
        refusals.add(nowhere, ref.code, "required", "names no region")
    return resolved["resolved"]


def _unique(feed: Feed, good: pl.DataFrame, refusals: _Refusals) -> None:
    """A key stands once. Equal rows: the first stands. Rows that contradict each other: none does."""
    values = [c.name for c in feed.columns]
    repeated = good.filter(pl.struct(feed.key).is_duplicated())
    if repeated.is_empty():
        return
    later = ~pl.struct(values).is_first_distinct()
    shown = pl.concat_str([pl.col(k).cast(pl.String) for k in feed.key], separator=", ")
    versions = pl.struct(values).n_unique().over(feed.key)
    name = ", ".join(feed.key)
    equal = repeated.filter((versions == 1) & later).select("source_row", value=shown)
    refusals.add(equal, name, "key_repeated", "stands in an earlier row, which was kept")
    refusals.add(
        repeated.filter(versions > 1).select("source_row", value=shown),
        name,
        "key_contradicted",
        "stands in several rows that contradict each other; none was kept",
    )


def _cells(feed: Feed, rows: pl.DataFrame, broken: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    """Of each refused row whose key can be read its cells by column: stripped, and the words that are mapped."""
    key: set[str] = set()
    for column in (c for c in feed.columns if c.name in feed.key):
        ref = column.region
        key |= {column.name} if ref is None else {ref.code, *([ref.name] if ref.name else []), *ref.path}
    lost = refused.filter(pl.col("rule").is_in(_UNREADABLE) & pl.col("column").is_in(sorted(key)))
    readable = rows.join(refused.select("source_row").unique(), on="source_row", how="semi")
    for frame in (lost, broken):
        readable = readable.join(frame, on="source_row", how="anti")
    columns = [c for c in feed.columns if c.header]
    cells = readable.select(
        "source_row",
        *(pl.col(c.header).str.strip_chars().replace(c.mapping).alias(c.name) for c in columns),
    )
    kept = []
    for row in cells.iter_rows(named=True):
        written = {c.name: row[c.name] for c in columns if row[c.name] not in (None, "", *c.null)}
        kept.append((row["source_row"], json.dumps(written, ensure_ascii=False).replace("\\u0000", NUL)))
    return pl.DataFrame(kept, schema={"source_row": pl.Int64, "cells": pl.String}, orient="row")


def _controls(
    feed: Feed, aside: list[tuple[str, pl.DataFrame]], accepted: pl.DataFrame, rows: pl.DataFrame
) -> pl.DataFrame:
    """What each total row states, beside the sum of the accepted rows, or the number of rows, that it totals.

    Args:
        rows: the file's rows that are no totals, accepted and refused, as text.
    """
    columns = {c.name: c for c in feed.columns}
    lines = []
    for (_, totals), rule in zip(aside, feed.set_aside, strict=True):
        for total in totals.iter_rows(named=True):
            for control in rule.controls:
                lines += _sums(feed, columns, control, total, accepted)
                lines += _count(feed, columns, control, total, rows)
    return pl.DataFrame(
        lines,
        schema={
            "source_row": pl.Int64,
            "name": pl.String,
            "delivered": pl.Decimal(38, 2),
            "computed": pl.Decimal(38, 2),
        },
        orient="row",
    )


def _sums(
    feed: Feed, columns: dict[str, Column], control: Control, total: dict[str, str], accepted: pl.DataFrame
) -> list[tuple[object, ...]]:
    rows = accepted.filter(
        *(pl.col(name) == value for name, value in _by(columns, control, total)),
        *(pl.col(name).str.contains(f"^({pattern})$") for name, pattern in control.where.items()),
    )
    return [
        (
            total["source_row"],
            _of(name, columns, control, total),
            _stated(feed, total[columns[name].header]),
            rows[name].cast(pl.Decimal(38, 2)).sum(),
        )
        for name in control.columns
    ]


def _count(
    feed: Feed, columns: dict[str, Column], control: Control, total: dict[str, str], rows: pl.DataFrame
) -> list[tuple[object, ...]]:
    """Counted by the cells as they are written: a row that is refused counts too."""
    if not control.count:
        return []

    def kept(name: str) -> pl.Expr:
        return pl.col(columns[name].header).str.strip_chars().replace(columns[name].mapping)

    counted = rows.filter(
        *(kept(name) == value for name, value in _by(columns, control, total)),
        *(kept(name).str.contains(f"^({pattern})$") for name, pattern in control.where.items()),
    )
    named = _of("rows", columns, control, total)
    return [(total["source_row"], named, _stated(feed, total[control.count]), Decimal(counted.height))]


def _by(columns: dict[str, Column], control: Control, total: dict[str, str]) -> list[tuple[str, str]]:
    """The columns in which a row has to hold what the total row holds, and that value as it is kept."""
    written = [(name, (total[columns[name].header] or "").strip()) for name in control.by]
    return [(name, columns[name].mapping.get(value, value)) for name, value in written]


def _of(what: str, columns: dict[str, Column], control: Control, total: dict[str, str]) -> str:
    """What a total is the total of, `pagu_idr, APBN`."""
    values = [value for _, value in _by(columns, control, total)]
    return ", ".join([what, *values, *(f"{name} ~ {pattern}" for name, pattern in control.where.items())])


def _stated(feed: Feed, cell: str) -> Decimal | None:
    frame = pl.DataFrame({"cell": [cell]}, schema={"cell": pl.String})
    found: Decimal | None = frame.select(number(pl.col("cell").str.strip_chars(), feed.format, 2)).item()
    return found
