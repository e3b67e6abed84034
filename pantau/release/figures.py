"""The figures of a release and what all parts of its page ask of them: their ids, how they are written, and what
earlier months had published.

Promise: of other releases only what was published at the build's cut-off.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from pantau import catalogue, periods
from pantau.database import Connection
from pantau.release.forecast import CHANGES
from pantau.rounding import difference_text, exact, half_up

NATION = "00"
Figures = dict[tuple[str, str, str], dict[str, Any]]  # (indicator, place, breakdown) → figure


def figure_id(indicator: str, place: str, breakdown: str, period: str, version: int | None = None) -> str:
    """The id under which a figure is found again, such as `K2.00:3T@2026-10/v1`."""
    parts = f"{indicator}.{place}" + (f":{breakdown}" if breakdown else "")
    return f"{parts}@{period}" + (f"/v{version}" if version else "")


def number(value: Decimal | None) -> str | None:
    """An amount without trailing zeros."""
    return None if value is None else format(value.normalize() if value else Decimal(0), "f")


def rounded(value: Decimal | None, decimals: int) -> str | None:
    """A value with the register's decimals; a frozen one was rounded to them once, in SQL."""
    return None if value is None else format(half_up(value, decimals), "f")


def parts(figure: dict[str, Any] | None) -> dict[str, str | None]:
    """What a figure's value is made of, for whoever writes it beside or in place of the value."""
    return {name: number(figure[name]) if figure else None for name in ("numerator", "denominator")}


def exact_difference(
    definition: dict[str, Any], figure: dict[str, Any] | None, earlier: dict[str, Any] | None
) -> Fraction | None:
    """`figure` less `earlier`, from their parts and so before either was rounded; None where one has no value, or they
    are of two definitions.

    Args:
        definition: the indicator's row of the register.
    """
    if not figure or not earlier or figure["value"] is None or earlier["value"] is None:
        return None
    if figure["indicator_version"] != earlier["indicator_version"]:
        return None
    now, was = (exact(definition["kind"], f["numerator"], f["denominator"]) for f in (figure, earlier))
    return None if now is None or was is None else now - was


def difference(
    definition: dict[str, Any], figure: dict[str, Any] | None, earlier: dict[str, Any] | None
) -> str | None:
    """As `exact_difference`, rounded once to the register's decimals."""
    found = exact_difference(definition, figure, earlier)
    return None if found is None else difference_text(found, definition["decimals"])


def keyed(figures: list[dict[str, Any]]) -> Figures:
    """Figures by indicator, place and breakdown."""
    return {(f["indicator_id"], f["place"], f["breakdown"]): f for f in figures}


@dataclass(frozen=True)
class Published:
    """A month as it was published at the cut-off; version 0 and no figures where it was not."""

    version: int
    build_id: int | None
    figures: Figures


@dataclass(frozen=True)
class Closing:
    """The release that is being frozen."""

    connection: Connection
    build: dict[str, Any]
    period: str
    version: int
    figures: Figures

    @property
    def cutoff(self) -> int:
        """The entry of the ledger up to which things are known."""
        return int(self.build["cutoff"])

    @cached_property
    def closed_at(self) -> str:
        """When the build was opened, by the product's clock in Jakarta."""
        row = self.connection.execute(
            "select product_at from ops.ledger where no = %s", [self.build["ledger_no"]]
        ).fetchone()
        assert row is not None
        return str(row["product_at"].astimezone(periods.JAKARTA).isoformat())

    @cached_property
    def registers(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of each register, in the versions that the build names."""
        rows = self.connection.execute(
            "select name, rows from ops.register_version where id = any(%s)",
            [self.build["register_version_ids"]],
        ).fetchall()
        return {row["name"]: row["rows"] for row in rows}

    @cached_property
    def definitions(self) -> list[dict[str, Any]]:
        """The definitions of indicators in force in the period: K before R, then by number."""
        found = [
            d
            for d in self.registers["indicator_register"]
            if d["valid_from"] <= self.period and not (d["valid_to"] and d["valid_to"] <= self.period)
        ]
        return sorted(found, key=lambda d: (d["indicator_id"][0], int(d["indicator_id"][1:])))

    @cached_property
    def before(self) -> Published:
        """The month before."""
        return published_at(self.connection, periods.shift(self.period, -1), self.cutoff)

    @cached_property
    def year_before(self) -> Published:
        """The month from which the mean pace is reckoned."""
        return published_at(self.connection, periods.shift(self.period, -CHANGES), self.cutoff)

    def history(self, indicator: str, breakdown: str, feeds: list[str]) -> list[dict[str, Any]]:
        """The nation's figures of all earlier months as published: period, version, indicator_version, value with its
        parts, whether it was restated, and whether one of `feeds` was carried forward into it. Oldest first; months
        without a value are left out.
        """
        return self.connection.execute(
            "select * from (select distinct on (r.period) r.period, r.version, f.indicator_version, f.value,"
            "   f.numerator, f.denominator,"
            "   exists (select from ops.publication q join ops.candidate o on o.id = q.release_id"
            "     where o.period = r.period and o.version <= r.version and o.reason = 'restatement') as restated,"
            "   exists (select from ops.build_input i where i.build_id = r.build_id and i.period = r.period"
            "     and i.how = 'carried' and i.feed = any(%s)) as carried"
            "   from ops.release r join ops.publication p on p.release_id = r.id"
            "   left join ops.figure f on f.release_id = r.id and f.indicator_id = %s and f.place = %s"
            "   and f.breakdown = %s"
            "   where p.ledger_no <= %s and r.period < %s order by r.period, p.ledger_no desc) newest"
            " where value is not null order by period",
            [feeds, indicator, NATION, breakdown, self.cutoff, self.period],
        ).fetchall()


def published_at(connection: Connection, period: str, cutoff: int) -> Published:
    """The release of a period that was published at entry `cutoff` of the ledger."""
    row = connection.execute(
        "select r.id, r.version, r.build_id from ops.release r join ops.publication p on p.release_id = r.id"
        " where r.period = %s and p.ledger_no <= %s order by p.ledger_no desc limit 1",
        [period, cutoff],
    ).fetchone()
    if not row:
        return Published(0, None, {})
    return Published(row["version"], row["build_id"], figures_of(connection, row["id"]))


def figures_of(connection: Connection, release: int) -> Figures:
    """The frozen figures of a release."""
    return keyed(connection.execute("select * from ops.figure where release_id = %s", [release]).fetchall())


def starts_anew(definition: dict[str, Any]) -> bool:
    """Whether the indicator begins at zero each January: it counts amounts since then."""
    known = catalogue.load()
    return any(known[f].takes == "year_to_date" for f in definition["needs_feeds"].split(";") if f in known)
