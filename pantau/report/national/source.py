"""The frozen context of a release, with the questions that several parts of a page ask of it.

Promise: every number that a page shows comes from here, as the release froze it. Only sums, differences and
shares of such numbers are computed, exactly, in Decimal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any

from pantau import periods
from pantau.report.svg import Chart
from pantau.report.wording import Words


@dataclass(frozen=True)
class Room:
    """How much of each list the two pages show; what is left out is counted in a sentence."""

    provinces: int  # named in page one's list
    trend: float  # height of page one's chart, in points
    restatements: int
    changes: int  # figures of each restatement
    feeds: int
    findings: int


# Tried in turn until the report keeps to two pages: an ordinary month takes the first.
ROOMS = (
    Room(provinces=8, trend=162, restatements=3, changes=6, feeds=12, findings=6),
    Room(provinces=7, trend=146, restatements=3, changes=6, feeds=12, findings=6),
    Room(provinces=6, trend=130, restatements=2, changes=4, feeds=8, findings=5),
    Room(provinces=5, trend=116, restatements=2, changes=3, feeds=6, findings=3),
    Room(provinces=5, trend=116, restatements=1, changes=3, feeds=3, findings=2),
)

Indicator = Mapping[str, Any]
COVERED, LEFT = "K1", "K2"  # the two indicators that the answer and the map speak of


def share(part: Decimal, whole: Decimal, decimals: int = 1) -> Decimal:
    """`part` of `whole` in per cent; 0 where the whole is 0."""
    if not whole:
        return Decimal(0)
    return (part * 100 / whole).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def figure_parts(figure: str) -> tuple[str, str, str, str]:
    """`K12.00:APBN@2026-10/v1` as indicator, place, breakdown and the rest (`2026-10/v1`)."""
    head, _, when = figure.partition("@")
    head, _, breakdown = head.partition(":")
    indicator, _, place = head.partition(".")
    return indicator, place, breakdown, when


def reached(indicator: Indicator) -> bool:
    """Whether the value is at the target or better. Needs both."""
    value, target = Decimal(indicator["value"]), Decimal(indicator["target"]["value"])
    return value >= target if indicator["direction"] == "up" else value <= target


@dataclass
class Source:
    """A release's context and the words to tell it with. Collects the charts that the page asks for."""

    context: Mapping[str, Any]
    words: Words
    layout: Mapping[str, Mapping[str, Any]]
    room: Room = ROOMS[0]
    charts: list[Chart] = field(default_factory=list)

    @property
    def period(self) -> str:
        """The month that the release closes."""
        return str(self.context["period"])

    @property
    def provinces(self) -> list[Mapping[str, Any]]:
        """The provinces for which both indicators of the map have a value, in the register's order."""
        return [
            p
            for p in self.context["provinces"]
            if all(p.get(name) and p[name]["value"] is not None for name in (COVERED, LEFT))
        ]

    @property
    def restatements(self) -> list[Mapping[str, Any]]:
        """What was published anew, this release's own first, then the newest."""
        return list(reversed(self.context["restatements"]))

    def picture(self, chart: Chart) -> Chart:
        """Keep `chart` among the report's assets."""
        self.charts.append(chart)
        return chart

    def indicator(self, name: str) -> Indicator | None:
        """The indicator, or None where this release does not have it."""
        return next((i for i in self.context["indicators"] if i["id"] == name), None)

    def decimals(self, figure: str) -> int:
        """The digits after the separator that the register gives the indicator of `figure`."""
        known = self.indicator(figure_parts(figure)[0])
        return int(known["decimals"]) if known else 0

    def feed_title(self, feed: str) -> str:
        """The feed's title in the page's language; its id where the context does not carry it."""
        known = next((f for f in self.context["feeds"] if f["feed"] == feed), None)
        return self.words.pick(known["title"]) if known else feed

    def feed_titles(self, feeds: list[str]) -> str:
        """`Layanan 4G per desa dan Daftar desa 3T`."""
        return self.words.listing(self.feed_title(f) for f in feeds)

    def value(self, indicator: Indicator, number: str | Decimal | None) -> str:
        """A number of the indicator as the page writes it, without its unit."""
        return self.words.number(number, indicator["decimals"])

    def target(self, indicator: Indicator, number: str) -> str:
        """A target or baseline: a given number, so without zeros that nobody set (`100`, not `100,0`)."""
        amount = Decimal(number)
        decimals = 0 if amount == amount.to_integral_value() else indicator["decimals"]
        return self.words.number(amount, decimals) + self.unit_sign(indicator)

    def unit_sign(self, indicator: Indicator) -> str:
        """`%` where the unit is written onto the number, else nothing."""
        return "%" if indicator["kind"] == "ratio_pct" else ""

    def months_left(self, deadline: str) -> int:
        """How many month ends lie after this period and not after `deadline`; below 1: none."""
        day = date.fromisoformat(deadline)
        month = f"{day:%Y-%m}"
        full = day == periods.last_day(month)
        return distance(self.period, month) - (0 if full else 1)

    def pace(self, indicator: Indicator) -> tuple[int, int] | None:
        """Change a month that reaches the target in time, rounded up, and the months left; None: no need."""
        target = indicator["target"]
        if indicator["value"] is None or not target or reached(indicator):
            return None
        months = self.months_left(target["deadline"])
        if months < 1:
            return None
        gap = abs(Decimal(target["value"]) - Decimal(indicator["value"]))
        return int((gap / months).to_integral_value(ROUND_CEILING)), months


def distance(first: str, last: str) -> int:
    """Months from `first` to `last`."""
    return (int(last[:4]) - int(first[:4])) * 12 + int(last[5:7]) - int(first[5:7])
