"""The frozen context of a release, with the questions that several parts of a page ask of it.

Promise: every number that a page shows comes from here, as the release froze it. Only sums, differences and
shares of such numbers are computed, exactly, in Decimal.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any
from urllib.parse import quote

from pantau import periods
from pantau.release.outlook import likely_missed
from pantau.report.scale import Point
from pantau.report.svg import Chart
from pantau.report.wording import NOTHING, Words

COVERED, LEFT = "K1", "K2"  # the two indicators that the answer and the map speak of
SITES, BUDGET, OBLIGATIONS, CLAIMS = "K3", "K12", "K15", "R1"
TILES = (COVERED, LEFT, SITES, BUDGET, OBLIGATIONS)  # of page one, in its order
VERDICTS = ("sepakat_ya", "operator_saja", "komdigi_saja", "sepakat_tidak")  # of R1
CARRIED = "\u00a0◇"  # beside every number that stands on a delivery of an earlier month

Indicator = Mapping[str, Any]
Forecast = Mapping[str, Any]


def figure_parts(figure: str) -> tuple[str, str, str, str]:
    """`K12.00:APBN@2026-10/v1` as indicator, place, breakdown and the rest (`2026-10/v1`)."""
    head, _, when = figure.partition("@")
    head, _, breakdown = head.partition(":")
    indicator, _, place = head.partition(".")
    return indicator, place, breakdown, when


_FIGURE = re.compile(
    r"(?P<indicator>[A-Z]\d+)\.(?P<tail>[^@]+)(@(?P<period>\d{4}-\d{2})(/v(?P<version>\d+))?)?"
)


def short(figure: str) -> str:
    """A figure's id without its month, for places whose note says the month."""
    return figure.partition("@")[0]


def reached(indicator: Indicator) -> bool:
    """Whether the value is at the target or better. Needs both."""
    value, target = Decimal(indicator["value"]), Decimal(indicator["target"]["value"])
    return value >= target if indicator["direction"] == "up" else value <= target


def series(indicator: Indicator) -> list[Point]:
    """Every month from the history's first to its last; one that it lacks is a Point without value."""
    known = {h["period"]: h for h in indicator["history"] if h["value"] is not None}
    months = list(periods.span(indicator["history"][0]["period"], indicator["history"][-1]["period"]))
    return [
        Point(i, Decimal(known[m]["value"]), bool(known[m]["restated"]), bool(known[m].get("carried")))
        if m in known
        else Point(i, None)
        for i, m in enumerate(months)
    ]


def distance(first: str, last: str) -> int:
    """Months from `first` to `last`."""
    return (int(last[:4]) - int(first[:4])) * 12 + int(last[5:7]) - int(first[5:7])


@dataclass
class Source:
    """A release's context and the words to tell it with. Collects the charts that the page asks for."""

    context: Mapping[str, Any]
    words: Words
    layout: Mapping[str, Mapping[str, Any]]
    charts: list[Chart] = field(default_factory=list)

    @property
    def period(self) -> str:
        """The month that the release closes."""
        return str(self.context["period"])

    @property
    def month(self) -> str:
        """Its name, with the year."""
        return self.words.month(self.period)

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

    def known(self, name: str) -> Indicator | None:
        """The indicator where this release has a value of it, else None."""
        found = self.indicator(name)
        return found if found and found["value"] is not None else None

    def breakdowns(self, name: str) -> dict[str, Mapping[str, Any]]:
        """The national figures of an indicator by breakdown, as far as they have a value."""
        found = self.indicator(name)
        rows = found["breakdowns"] if found else []
        return {b["breakdown"]: b for b in rows if b["value"] is not None}

    def forecast(self, name: str) -> Forecast | None:
        """The frozen forecast of an indicator, or None where this release made none."""
        found = self.context.get("forecast") or []
        return next((f for f in found if f["indicator"] == name), None)

    def is_missed(self, name: str) -> bool:
        """Whether the indicator is forecast to miss its target; False where no forecast is made."""
        return name in likely_missed(self.context)

    def mark(self, name: str) -> str:
        """` ◇` where the indicator stands on a delivery of an earlier month, else nothing."""
        found = self.indicator(name)
        return CARRIED if found and found["carried"] else ""

    def carried(self, name: str) -> list[str]:
        """A sentence for each delivery of an earlier month on which the indicator stands."""
        found = self.indicator(name)
        return [
            self.words.say(
                "carried.note",
                feed=self.feed_title(c["feed"], c.get("part", "")),
                month=self.words.month(c["from"], short=True),
            )
            for c in (found["carried"] if found else [])
        ]

    def absent(self, name: str) -> str:
        """Why the indicator is not there: the deliveries that it waits for, or that this release lacks it."""
        found = self.indicator(name)
        called = self.words["short"].get(name, name)
        if found is None:
            return self.words.say("absent.indicator", name=called)
        if found["missing"]:
            return self.words.say("absent.feeds", name=called, feeds=self.feed_titles(found["missing"]))
        return self.words.say("absent.plain", name=called, month=self.month)

    def owners(self, name: str) -> str:
        """Who delivers, month by month, what the indicator stands on."""
        feeds = [f for f in self.context["feeds"] if name in f["needed_by"] and f["due_on"]]
        return self.words.listing(dict.fromkeys(f["owner"] for f in feeds)) or NOTHING

    def decimals(self, figure: str) -> int:
        """The digits after the separator that the register gives the indicator of `figure`."""
        found = self.indicator(figure_parts(figure)[0])
        return int(found["decimals"]) if found else 0

    def feed_title(self, feed: str, part: str = "") -> str:
        """`Klaim cakupan 4G operator (Telkomsel)`; the feed's id where the context does not carry it."""
        lines = [f for f in self.context["feeds"] if f["feed"] == feed]
        found = next((f for f in lines if f["part"] == part), lines[0] if lines else None)
        if found is None:
            return feed
        of = found.get("part_title") or part
        return f"{self.words.pick(found['title'])} ({of})" if part else self.words.pick(found["title"])

    @property
    def audit_pages(self) -> str:
        """Where the audit pages begin, without a slash at the end; empty where the release froze no address."""
        return str(self.context.get("audit_url") or "").rstrip("/")

    def address(self, figure: str) -> str:
        """Where the audit pages tell of a figure: of this month without more, of another with its release. Empty for
        what leads nowhere."""
        named = _FIGURE.fullmatch(figure)
        if not self.audit_pages or not named:
            return ""
        period = named["period"] or self.period
        version = named["version"] or (self.context["version"] if period == self.period else None)
        if version is None:
            return ""
        tail = quote(named["tail"], safe=":.")
        return f"{self.audit_pages}/{period}/v{version}/{named['indicator']}.html#{tail}"

    def named(self, feed: Mapping[str, Any]) -> str:
        """The title of one of the context's feeds, with a word where this month's delivery came and was rejected."""
        title = self.feed_title(feed["feed"], feed["part"])
        return self.words.say("feeds.named_rejected", feed=title) if feed.get("rejected") else title

    def on_time(self) -> str:
        """How many of the deliveries that were due came on time; empty where nothing is known of any of them."""
        feeds, closed = self.context["feeds"], self.context["cutoff_at"][:10]
        came = [f["late_days"] for f in feeds if f["lateness"] == "observed" and f["late_days"] is not None]
        owed = [
            f for f in feeds if f["how"] in ("missing", "carried") and f["due_on"] and f["due_on"] < closed
        ]
        if total := len(came) + len(owed):
            return self.words.say("foot.on_time", count=sum(days <= 0 for days in came), total=total)
        return "" if any(f["how"] == "missing" for f in feeds) else self.words["foot"]["nothing_due"]

    def feed_titles(self, feeds: list[str]) -> str:
        """`Layanan 4G per desa dan Daftar desa 3T`, of feeds that have no delivery."""
        lines = {f["feed"]: f for f in self.context["feeds"] if not f["part"]}
        return self.words.listing(self.named(lines[f]) if f in lines else self.feed_title(f) for f in feeds)

    def name(self, indicator: Indicator) -> str:
        """Its name in the page's language."""
        return self.words.pick(indicator["name"])

    def value(self, indicator: Indicator, number: str | Decimal | None) -> str:
        """A number of the indicator as the page writes it, without its unit."""
        return self.words.number(number, indicator["decimals"])

    def amount(self, indicator: Indicator, number: str | Decimal | None) -> str:
        """As `value`, with `%` where that is the unit."""
        return self.value(indicator, number) + self.unit_sign(indicator)

    def figure(self, indicator: Indicator, cell: Mapping[str, Any]) -> str:
        """The value of a figure (the indicator itself, a breakdown, a province, a month), without its unit. A share
        says "all" and "nothing" of nothing else."""
        if indicator["kind"] != "ratio_pct":
            return self.value(indicator, cell["value"])
        parts = (cell.get("numerator"), cell.get("denominator"))
        return self.words.per_cent(cell["value"], *parts, indicator["decimals"])

    def figure_amount(self, indicator: Indicator, cell: Mapping[str, Any]) -> str:
        """As `figure`, with `%` where that is the unit."""
        return self.figure(indicator, cell) + self.unit_sign(indicator)

    def old_and_new(self, change: Mapping[str, Any]) -> dict[str, str]:
        """What a restated figure was and is; a release may restate an indicator that this one does not have."""
        indicator = self.indicator(figure_parts(change["figure"])[0])
        if indicator is None:
            return {key: self.words.number(change[key]) for key in ("old", "new")}
        return {
            key: self.figure(indicator, {"value": change[key], **change.get(f"{key}_parts", {})})
            for key in ("old", "new")
        }

    def change(self, indicator: Indicator, number: str | None) -> str:
        """A difference of two values, with its sign."""
        return self.words.change(number, indicator["decimals"])

    def target(self, indicator: Indicator, number: str | None) -> str:
        """A target or baseline: a given number, so without zeros that nobody set (`100`, not `100,0`)."""
        if number is None:
            return NOTHING
        amount = Decimal(number)
        decimals = 0 if amount == amount.to_integral_value() else indicator["decimals"]
        return self.words.number(amount, decimals) + self.unit_sign(indicator)

    def interval(self, indicator: Indicator, point: Mapping[str, Any]) -> str:
        """A forecast's 80% interval, `2.915–3.137`."""
        return f"{self.value(indicator, point['low80'])}–{self.value(indicator, point['high80'])}"

    def unit(self, indicator: Indicator) -> str:
        """The unit of a difference: points for a share, else the indicator's own."""
        share_of = indicator["kind"] == "ratio_pct"
        return self.words["tile"]["point"] if share_of else self.words.pick(indicator["unit"])

    def unit_sign(self, indicator: Indicator) -> str:
        """`%` where the unit is written onto the number, else nothing."""
        return "%" if indicator["kind"] == "ratio_pct" else ""

    def months_left(self, deadline: str) -> int:
        """How many month ends lie after this period and not after `deadline`; below 1: none."""
        day = date.fromisoformat(deadline)
        month = f"{day:%Y-%m}"
        full = day == periods.last_day(month)
        return distance(self.period, month) - (0 if full else 1)

    def pace(self, indicator: Indicator) -> Decimal | None:
        """Change a month that reaches the target in time, without sign, rounded up; None: no need, or no time."""
        target = indicator["target"]
        if indicator["value"] is None or not target or reached(indicator):
            return None
        months = self.months_left(target["deadline"])
        if months < 1:
            return None
        gap = abs(Decimal(target["value"]) - Decimal(indicator["value"]))
        return (gap / months).quantize(Decimal(1).scaleb(-indicator["decimals"]), ROUND_CEILING)
