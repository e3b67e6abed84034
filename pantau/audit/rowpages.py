"""The pages of the rows behind a release's figures: villages, sites, obligations, accounts, each with the row of every
delivery that made it.

Opening history names the rows that are in a numerator and tells the others by the numbers of their rows alone.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from itertools import groupby

from markupsafe import Markup

from pantau import catalogue
from pantau.audit import rows as rows_of
from pantau.audit.paper import ROWS_A_PAGE, Paper, bytes_path, delivery_page, printable
from pantau.audit.records import Records, Row
from pantau.audit.rows import CELL, LINE, Behind, Fact, Source
from pantau.report.wording import NOTHING

_MARK = "\x1d"  # around the number of a link, until a row is escaped
_REFUSED = '#ditolak">'


@dataclass(frozen=True)
class Column:
    """A delivery among the columns of a page of rows, under one letter."""

    letter: str
    source: Source

    @property
    def in_files(self) -> bool:
        """Whether its rows are told as file and row of it."""
        return len(self.source.places) > 1


@dataclass(frozen=True)
class Group:
    """Rows of one group (a regency, say), ready to be set; and the rows that are not named."""

    code: str
    name: str
    count: int
    body: Markup
    others: int = 0
    ranges: str = ""


def page_of(fact: Fact, place: str, breakdown: str) -> str | None:
    """The page with the rows of a figure; None where they are on several."""
    if fact.page == "provinsi_kode":
        return None if place == "00" else place[:2]
    return breakdown.partition(":")[0] or None


def write(
    records: Records, paper: Paper, this: Row, build: Row, indicators: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """The pages of a release's rows, each as its path and what stands on it."""
    shown = set(indicators)
    for fact in rows_of.FACTS:
        if counted := [i for i in fact.indicators if i in shown]:
            behind = Behind(records.connection, build["id"], this["period"], fact)
            yield from _of_fact(records, paper, this, build, behind, counted)


def _of_fact(
    records: Records, paper: Paper, this: Row, build: Row, behind: Behind, indicators: list[str]
) -> Iterator[tuple[str, str]]:
    fact, names = behind.fact, records.names(build, this["period"])
    brief = fact.brief if this["reason"] == "opening" else ""
    columns = [
        Column("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[no], source)
        for no, source in enumerate((*behind.own, *behind.lists))
    ]
    others = _others(behind) if brief else {}
    named = _named(records, paper, behind, names, brief)
    for page in sorted({*named, *others}):
        bodies, ranges = named.get(page, {}), others.get(page, {})
        groups = [
            Group(
                code,
                _name(fact, code, names, paper),
                *bodies.get(code, (0, Markup(""))),
                *ranges.get(code, (0, "")),
            )
            for code in sorted({*bodies, *ranges})
        ]
        path = f"{this['period']}/v{this['version']}/rows/{fact.table}/{page}.html"
        yield path, paper.render(
            "rows.html.j2", path,
            this=this, fact=fact, page=page, page_name=names.get(page) or paper.words["breakdown"].get(page, page),
            has_refused=any(_REFUSED in g.body for g in groups),
            indicators=indicators, columns=columns, groups=groups, count=sum(g.count for g in groups),
            others=sum(g.others for g in groups), brief=bool(brief),
            sources=[
                (c, _title(c.source), [(p, bytes_path(p.sha256, p.name)) for p in c.source.places]) for c in columns
            ],
            simulated=build["simulated"],
        )  # fmt: skip


def _named(
    records: Records, paper: Paper, behind: Behind, names: dict[str, str], brief: str
) -> dict[str, dict[str, tuple[int, Markup]]]:
    """By page and group: how many rows are named, and the rows."""
    lists = [_labels(records, source) for source in behind.lists]
    refused = _Refused(records, behind, paper.words["rows"]["refused"])
    words = paper.words["cell"] | paper.words["breakdown"]
    found: dict[str, dict[str, tuple[int, Markup]]] = {}
    for (page, group), lines in groupby(behind.lines(words, only=brief), key=lambda line: line[:2]):
        if behind.fact.region:
            texts = [
                CELL.join(
                    [key, names.get(region, ""), refused.marked(region, text)]
                    + [its.get(region, "–") for its in lists]
                )
                for _, _, key, region, text in lines
            ]
        else:
            texts = [f"{key}{CELL}{text}" for _, _, key, _, text in lines]
        # Escaped as a whole, then cut into cells: nothing that was delivered holds the two separators.
        cells = escape(printable(LINE.join(texts), keep=CELL + LINE + _MARK))
        body = refused.linked(cells.replace(CELL, "<td>").replace(LINE, "\n<tr><td>"))
        found.setdefault(page, {})[group] = (len(texts), Markup("<tr><td>" + body))  # noqa: S704
    return found


class _Refused:
    """The villages of which a row came and was refused: where a fact has no row of theirs, the cell leads to it."""

    def __init__(self, records: Records, behind: Behind, word: str) -> None:
        self._first, self._own, self._word = len(behind.fact.cells), behind.own, word
        named = (
            behind.fact.key == behind.fact.region
        )  # its rows are villages, with or without a delivered one
        self._villages = [
            rows_of.refused_villages(records.connection, s.reading_id) if named else {} for s in behind.own
        ]
        self._any = frozenset().union(*self._villages)
        self._pages: list[str] = []

    def marked(self, village: str, text: str) -> str:
        """The text of a row, with a mark in each cell that leads to a refusal."""
        if village not in self._any:
            return text
        cells = text.split(CELL)
        for n, (source, its) in enumerate(zip(self._own, self._villages, strict=True), self._first):
            if cells[n] == NOTHING and village in its:
                cells[n] += f" {_MARK}{len(self._pages)}{_MARK}"
                self._pages.append(delivery_page(source.delivery_id, its[village] // ROWS_A_PAGE + 1))
        return CELL.join(cells)

    def linked(self, cells: str) -> str:
        """Escaped rows, with a link in place of each mark; the pages lie four folders down."""

        def link(mark: re.Match[str]) -> str:
            return f'<a href="../../../../{self._pages[int(mark[1])]}{_REFUSED}{escape(self._word)}</a>'

        return re.sub(f"{_MARK}(\\d+){_MARK}", link, cells) if self._pages else cells


def _title(source: Source) -> str:
    feed = catalogue.load().get(source.feed)
    return feed.title_of(source.part).id if feed else source.feed


def _labels(records: Records, source: Source) -> dict[str, str]:
    """The row in the file for each region of a register or list; it comes as one file."""
    shift = source.places[0].first_file_row - source.places[0].first
    return records.labels(source.feed, source.reading_id, shift)


def _name(fact: Fact, code: str, names: dict[str, str], paper: Paper) -> str:
    return (
        names.get(code)
        or paper.words["breakdown"].get(code, "")
        or ("" if fact.group.endswith("_kode") else code)
    )


def _others(behind: Behind) -> dict[str, dict[str, tuple[int, str]]]:
    """By page and group: how many rows are not named, and their stretches in the file of the first delivery."""
    source = behind.own[0]
    shift = source.places[0].first_file_row - source.places[0].first
    found: dict[str, dict[str, tuple[int, str]]] = {}
    for (page, group), spans in groupby(behind.stretches(), key=lambda span: span[:2]):
        told = [(first + shift, last + shift) for _, _, first, last in spans]
        found.setdefault(page, {})[group] = (
            sum(last - first + 1 for first, last in told),
            ", ".join(f"{first}–{last}" if first < last else str(first) for first, last in told),
        )
    return found
