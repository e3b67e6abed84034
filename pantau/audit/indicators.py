"""The page of one indicator in one release: every figure of it, and the way of each to the bytes.

Promise: figures, definition, SQL and rows are the frozen ones; what is compared on the page (sums, the SQL run again)
is compared while it is written, and a difference is shown as such.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from markupsafe import Markup, escape
from psycopg import sql

from pantau import catalogue, checks
from pantau.audit import figure as figures
from pantau.audit import rowpages
from pantau.audit import rows as rows_of
from pantau.audit.overview import ENTRIES_A_PAGE, headlines, state_of
from pantau.audit.paper import Paper, entry_link
from pantau.audit.records import SEVERITIES, Records, Row
from pantau.audit.rows import Fact
from pantau.read import REGISTER
from pantau.release.figures import NATION, exact_difference, keyed

_Figures = dict[tuple[str, str], Row]  # (place, breakdown) → figure


def write(
    records: Records, paper: Paper, this: Row, build: Row, versions: list[Row]
) -> Iterator[tuple[str, str]]:
    """The pages of a release's indicators, each as its path and what stands on it."""
    own = keyed(records.figures(this["id"]))
    before = next((r for r in versions if r["version"] == this["version"] - 1), None)
    old = keyed(records.figures(before["id"])) if before else {}
    registers, texts = records.registers(build), records.sql(build["id"])
    shown = headlines(records, this)
    for headline in shown:
        definition = headline["definition"]
        indicator = definition["indicator_id"]
        fact = rows_of.fact_of(indicator)
        grid = Grid(
            definition,
            headline["figure"],
            {(k[1], k[2]): f for k, f in own.items() if k[0] == indicator},
            {(k[1], k[2]): f for k, f in old.items() if k[0] == indicator},
            list(paper.words["breakdown"]),
            records.names(build, this["period"]),
            paper.number,
            paper.value,
        )
        deliveries = _deliveries(records, definition, fact, build, this["period"])
        path = figures.page(this["period"], this["version"], indicator)
        yield path, paper.render(
            "indicator.html.j2", path,
            this=this, state=state_of(this), build=build, versions=versions, before=before,
            after=next((r for r in versions if r["version"] > this["version"]), None),
            definition=definition, grid=grid, siblings=[h["definition"] for h in shown],
            history=[d for d in registers["indicator_register"] if d["indicator_id"] == indicator],
            targets=[
                t for t in registers["target_register"]
                if t["indicator_id"] == indicator and (build["simulated"] or t["document"] != "SIMULASI")
            ],
            sql=_sql(records, texts, registers, this, build, headline),
            made_by=[(fact.table, texts[fact.table])] if fact and fact.table in texts else [],
            fact=fact,
            pages=records.counts(build, this["period"], fact) if fact else {},
            page_of=lambda place, breakdown, fact=fact: fact and rowpages.page_of(fact, place, breakdown),
            deliveries=deliveries,
            totals={n: sum(d["reading"][n] for d in deliveries) for n in ("rows", "accepted", "refused", "set_aside")},
            results=_results(records, definition, fact, build, this["period"]),
            values=[(r, _value(records, r, headline["figure"])) for r in versions if r["version"] <= this["version"]],
            entries=_entries(records, deliveries, this, build),
            link_to=lambda number: entry_link(number, ENTRIES_A_PAGE),
            at=records.entry,
            simulated=build["simulated"],
        )  # fmt: skip


# ---------------------------------------------------------------- figures


@dataclass(frozen=True)
class Cell:
    """A figure as it is written: its id's tail, value, numerator, denominator, and what is left to the denominator."""

    id: str
    value: str
    numerator: str
    denominator: str
    rest: str


@dataclass(frozen=True)
class Grid:
    """An indicator's figures: places down, breakdowns across; or, where it knows the nation alone, breakdowns down."""

    definition: Row
    headline: Row
    figures: _Figures
    old: _Figures
    order: list[str]  # of the breakdowns
    names: dict[str, str]
    number: Callable[..., str]
    value: Callable[[Row, Row], str]  # of a definition and a figure

    @cached_property
    def breakdowns(self) -> list[str]:
        """The whole first, then in the order of the texts."""
        found = {breakdown for _, breakdown in self.figures}

        def rank(breakdown: str) -> tuple[list[int], str]:
            parts = breakdown.split(":") if breakdown else []
            return [self.order.index(p) if p in self.order else len(self.order) for p in parts], breakdown

        return sorted(found, key=rank)

    @cached_property
    def has_places(self) -> bool:
        """Whether it is known below the nation."""
        return any(place != NATION for place, _ in self.figures)

    @cached_property
    def main(self) -> str:
        """The breakdown that the bars and differences speak of."""
        return str(self.headline["breakdown"])

    @cached_property
    def provinces(self) -> list[str]:
        """Those with most in the numerator first; of a share, those that are worst."""
        found = [
            place
            for place, breakdown in self.figures
            if len(place) == 2 and place != NATION and breakdown == self.main
        ]
        return sorted(found, key=lambda place: (self._rank(self.figures[place, self.main]), place))

    def _rank(self, figure: Row) -> Decimal:
        value: Decimal = figure["value"] if figure["value"] is not None else Decimal(0)
        return (
            value
            if self.definition["kind"] == "ratio_pct" and self.definition["direction"] == "up"
            else -value
        )

    @cached_property
    def _regencies(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for place in sorted({place for place, _ in self.figures if len(place) == 5}):
            found.setdefault(place[:2], []).append(place)
        return found

    def regencies(self, province: str) -> list[str]:
        """The regencies of a province, by code."""
        return self._regencies.get(province, [])

    def at(self, place: str, breakdown: str) -> Row | None:
        """A figure; None where the release has none."""
        return self.figures.get((place, breakdown))

    def cells(self, place: str, joint: str) -> Markup:
        """A place's figures as cells of the table, one for each breakdown.

        Args:
            joint: how numerator and denominator are written together, such as `{}/{}`.
        """
        joint = str(escape(joint))
        # Thousands on a page, so they are written at once. But for the ids nothing in them was delivered.
        return Markup("".join(self._cell(place, breakdown, joint) for breakdown in self.breakdowns))  # noqa: S704

    def _cell(self, place: str, breakdown: str, joint: str) -> str:
        figure = self.figures.get((place, breakdown))
        if not figure:
            return "<td></td>"
        value, numerator, denominator, rest = self._written(figure)
        left = f' data-r="{rest}"' if rest else ""
        return (
            f'<td class="n" id="{escape(self.anchor(place, breakdown))}" data-n="{numerator}"'
            f' data-d="{denominator}" data-v="{value}"{left}>{value}<s>{joint.format(numerator, denominator)}</s></td>'
        )

    def cell(self, breakdown: str) -> Cell:
        """The nation's figure of a breakdown."""
        return Cell(self.anchor(NATION, breakdown), *self._written(self.figures[NATION, breakdown]))

    def _written(self, figure: Row) -> tuple[str, str, str, str]:
        numerator, denominator = (figure[name] for name in ("numerator", "denominator"))
        rest = self.number(denominator - numerator) if self.definition["kind"] == "count" else ""
        shown = self.value(self.definition, figure)
        return shown, self.number(numerator), self.number(denominator), rest

    def anchor(self, place: str, breakdown: str) -> str:
        """Its id's tail."""
        return figures.anchor(place, breakdown)

    def name(self, place: str) -> str:
        """The region's name in the register of the month."""
        return self.names.get(place, place)

    def change(self, place: str, breakdown: str) -> Fraction | None:
        """Difference of the value to the release before, unrounded; None where one of them has none."""
        new, old = self.figures.get((place, breakdown)), self.old.get((place, breakdown))
        return exact_difference(self.definition, new, old)

    def share(self, place: str) -> float:
        """Length of a province's bar, 0 to 1: of the longest one, or of 100 percent."""
        figure = self.figures.get((place, self.main))
        if not figure or not figure["value"]:
            return 0.0
        if self.definition["kind"] == "ratio_pct":
            return float(figure["value"]) / 100
        most = max(self.figures[p, self.main]["value"] or 0 for p in self.provinces)
        return float(figure["value"] / most) if most else 0.0

    @cached_property
    def sums(self) -> list[dict[str, Any]]:
        """What adds up, or does not: provinces to the nation, breakdowns to the whole."""
        found = []
        provinces = [p for p, b in self.figures if len(p) == 2 and p != NATION and b == self.main]
        if provinces:
            parts = [self.figures[p, self.main] for p in provinces]
            found.append(_sum("provinces", len(parts), parts, self.headline))
        whole = self.figures.get((NATION, ""))
        simple = [f for (p, b), f in self.figures.items() if p == NATION and b and ":" not in b]
        if whole and simple:
            found.append(_sum("breakdowns", len(simple), simple, whole))
        if self.is_split:
            found.append(
                {
                    "kind": "split", "count": len(simple), "sum": sum(f["numerator"] for f in simple),
                    "holds": sum(f["numerator"] for f in simple) == self.headline["denominator"],
                }
            )  # fmt: skip
        return found

    @cached_property
    def is_split(self) -> bool:
        """Whether its breakdowns share one denominator out among them, without a figure for the whole."""
        simple = [f for (p, b), f in self.figures.items() if p == NATION and b and ":" not in b]
        return (
            self.definition["kind"] == "count"
            and (NATION, "") not in self.figures
            and len({f["denominator"] for f in simple}) == 1
        )


def _sum(kind: str, count: int, parts: list[Row], whole: Row) -> dict[str, Any]:
    numerator = sum(f["numerator"] for f in parts)
    denominator = sum(f["denominator"] for f in parts)
    holds = (numerator, denominator) == (whole["numerator"], whole["denominator"])
    return {"kind": kind, "count": count, "sum": numerator, "holds": holds}


# ---------------------------------------------------------------- SQL


def _sql(
    records: Records,
    texts: dict[str, str],
    registers: dict[str, list[Row]],
    this: Row,
    build: Row,
    headline: dict[str, Any],
) -> dict[str, Any] | None:
    """The SQL of the headline figure and what it returns now; None for a build whose SQL was not kept."""
    definition, shown = headline["definition"], headline["figure"]
    indicator, version = definition["indicator_id"], definition["version"]
    component = next(
        (text for model, text in texts.items() if model.startswith(f"ind_{indicator.lower()}_")), None
    )
    if component is None:
        return None

    def grains(place: str) -> list[str]:
        return figures.grains_of(registers, indicator, version, place)

    where = figures.conditions(grains(NATION), NATION, shown["breakdown"])
    text = figures.sql_of(component, definition, this["period"], where)
    with records.connection.transaction():
        records.connection.execute("select set_config('pantau.build', %s, true)", [str(build["id"])])
        returned = records.connection.execute(sql.SQL(text)).fetchone()
    return {
        "session": figures.settings_of(build["id"]),
        "text": figures.sql_of(component, definition, this["period"], []),
        "where": where,
        "breakdowns": sorted({g for place in (NATION, "11", "11.01") for g in grains(place) if g}),
        "returned": returned,
        "same": returned == {name: shown[name] for name in ("numerator", "denominator", "value")},
    }


# ---------------------------------------------------------------- what stands behind it


def input_of(records: Records, line: Row) -> dict[str, Any]:
    """A line of a manifest with its reading, its delivery and that one's files."""
    reading = records.readings[line["reading_id"]]
    delivery = records.deliveries[reading["delivery_id"]]
    feed = catalogue.load().get(line["feed"])
    return {
        **line,
        "title": feed.title_of(line["part"]).id if feed else line["feed"],
        "owner": feed.owner if feed else "",
        "reading": reading,
        "delivery": delivery,
        "files": records.files_shown(delivery["id"]),
    }


def _feeds(definition: Row, fact: Fact | None) -> list[str]:
    needed = definition["needs_feeds"].split(";")
    return needed + [feed for feed in (fact.sources if fact else {}) if feed not in needed]


def _deliveries(
    records: Records, definition: Row, fact: Fact | None, build: Row, period: str
) -> list[dict[str, Any]]:
    """The deliveries behind an indicator; with each the ones for the same month that it replaced."""
    feeds = _feeds(definition, fact)
    found = []
    for line in records.inputs.get((build["id"], period), []):
        if line["feed"] in feeds:
            shown = input_of(records, line)
            same = records.arrived[line["feed"], line["part"], line["source_period"]]
            known = [d for d in same if d["ledger_no"] <= build["cutoff"]]
            shown["ordinal"] = 1 + next(n for n, d in enumerate(known) if d["id"] == shown["delivery"]["id"])
            shown["others"] = [d for d in known if d["id"] != shown["delivery"]["id"]]
            found.append(shown)
    return sorted(found, key=lambda x: (feeds.index(x["feed"]), x["part"]))


def _results(records: Records, definition: Row, fact: Fact | None, build: Row, period: str) -> list[Row]:
    """What the checks say of the indicator's feeds and of the results; what fails comes first."""
    feeds = set(_feeds(definition, fact))
    across = {rule.id: rule.feeds - {REGISTER} for rule in checks.load_rules() if rule.border == "across"}
    found = [
        result
        for result in records.results(build, period)
        if result["border"] == "marts"
        or (result["border"] == "raw" and result["feed"] in feeds)
        or (result["border"] == "across" and across.get(result["rule_id"], feeds) & feeds)
    ]
    return sorted(found, key=lambda r: (r["passed"], SEVERITIES.index(r["severity"]), r["rule_id"]))


def _value(records: Records, of: Row, like: Row) -> Row | None:
    key = (like["indicator_id"], like["breakdown"])
    return next(
        (f for f in records.nation.get(of["id"], []) if (f["indicator_id"], f["breakdown"]) == key), None
    )


def _entries(records: Records, deliveries: list[dict[str, Any]], this: Row, build: Row) -> list[Row]:
    """The ledger's entries on the way of the figures."""
    numbers = [build["ledger_no"], this["ledger_no"], this["approval_no"], this["publication_no"]]
    numbers += [d[what]["ledger_no"] for d in deliveries for what in ("delivery", "reading")]
    numbers += [r["ledger_no"] for r in records.reports.get(this["id"], [])]
    return [records.entry(n) for n in sorted({n for n in numbers if n})]
