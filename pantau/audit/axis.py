"""A month on a time axis: what arrived when, and the life of each release; and the small bars of a rule's year.

Shapes carry the meaning, colour only repeats it. Lengths are CSS pixels.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from markupsafe import Markup

from pantau.periods import JAKARTA
from pantau.report.svg import ALARM, AXIS, INK, NOTES, PAPER, RULE, Drawing, fit, width_of

AMBER = "#8A5A00"
WIDTH, LEFT, RIGHT, LANE, TOP = 800, 92, 26, 52, 34
_APART = 15  # marks of one lane do not cover each other, though a set clock gives them one moment


def _embed(drawing: Drawing, alt: str, kind: str) -> Markup:
    svg = drawing.chart("", alt).svg.decode()
    label = Markup('<svg role="img" class="{}" aria-label="{}" ').format(kind, alt)
    return Markup(svg.replace("<svg ", label, 1))  # noqa: S704  built as a tree, so its texts are escaped


def _mark(drawing: Drawing, kind: str, x: float, y: float) -> None:
    if kind == "blocked":
        drawing.rect(x - 5, y - 5, 10, 10, fill=ALARM)
    elif kind == "late":
        drawing.shape([(x, y - 6), (x + 6, y + 5), (x - 6, y + 5)], AMBER)
    elif kind == "approved":
        drawing.shape([(x, y - 6.5), (x + 6.5, y), (x, y + 6.5), (x - 6.5, y)], PAPER, INK)
    elif kind == "candidate":
        drawing.dot(x, y, 4.8, PAPER, INK)
    else:
        drawing.dot(x, y, 4.8, INK)


def month_axis(
    arrivals: list[tuple[datetime, str, str]],
    lanes: list[dict[str, Any]],
    due: list[datetime],
    texts: dict[str, str],
    moment: Callable[[datetime], str],
    day: Callable[[datetime], str],
) -> Markup:
    """The picture of a month.

    Args:
        arrivals: when, how (came, late, again), and what.
        lanes: of each release `name`, `state`, `points` [(when, kind)], `note`.
        due: due days, drawn as dotted lines.
        moment, day: how times are written.
    """
    events = [a[0] for a in arrivals] + [when for lane in lanes for when, _ in lane["points"]]
    first, last = min(events), max([*events, *due])
    begin = datetime.combine(
        min([first, *due]).astimezone(JAKARTA).date(), datetime.min.time(), JAKARTA
    ) - timedelta(days=1)
    end = datetime.combine(last.astimezone(JAKARTA).date(), datetime.min.time(), JAKARTA) + timedelta(days=2)
    days = (end - begin).days

    def x_of(when: datetime) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((when - begin) / (end - begin))

    drawing = Drawing(WIDTH, TOP + LANE * (1 + len(lanes)))
    every = next(n for n in (1, 2, 5, 7, 14, 31, 92, 366) if days / n <= 15)
    for n in range(0, days, every):
        x = x_of(begin + timedelta(days=n))
        drawing.line(x, TOP - 8, x, drawing.height, stroke=RULE, width=1)
        label = begin + timedelta(days=n)
        drawing.text(
            x,
            14,
            day(label) if n == 0 or label.day <= every else str(label.day),
            11.5,
            AXIS,
            anchor="middle" if n else "start",
        )
    for when in sorted(set(due)):
        x = x_of(when)
        drawing.line(x, TOP - 8, x, TOP + LANE, stroke=NOTES, width=1.2, dash="2 3")
        drawing.text(x, 28, texts["due"], 11, NOTES, anchor="middle")
    _arrivals(drawing, arrivals, x_of, texts)
    for n, lane in enumerate(lanes):
        _lane(drawing, lane, TOP + LANE * (n + 1) + LANE / 2, x_of, moment)
    alt = "; ".join(
        f"{lane['name']} {lane['state']}: "
        + ", ".join(f"{texts[kind]} {moment(when)}" for when, kind in lane["points"])
        for lane in lanes
    )
    return _embed(drawing, alt or texts["arrivals"], "axis")


def _arrivals(
    drawing: Drawing,
    arrivals: list[tuple[datetime, str, str]],
    x_of: Callable[[datetime], float],
    texts: dict[str, str],
) -> None:
    y = TOP + LANE / 2
    drawing.text(0, y - 2, texts["arrivals"], 12.5, INK, bold=True)
    drawing.text(0, y + 13, texts["came"].format(count=len(arrivals)), 11.5, NOTES)
    drawing.line(LEFT, TOP + LANE, WIDTH, TOP + LANE, stroke=RULE, width=1)
    # What came at one moment is one mark of a kind, with its number and the names of what is special.
    marks = [
        (x_of(when), kind, [name for _, _, name in its])
        for (when, kind), its in groupby(sorted(arrivals), key=lambda a: (a[0], a[1]))
    ]
    placed: list[tuple[float, str, list[str]]] = []
    for x, kind, names in marks:
        placed.append((max(x, placed[-1][0] + _APART if placed else 0), kind, names))
    for no, (x, kind, names) in enumerate(placed):
        _mark(drawing, kind, x, y)
        room = (placed[no + 1][0] - 10 if no + 1 < len(placed) else WIDTH) - x - 9
        count = str(len(names)) if len(names) > 1 else ""
        told = "" if kind == "came" else ", ".join(dict.fromkeys(names))
        short = texts["again_short"] if kind == "again" else ""
        words = " ".join(t for t in (count, short, told) if t)
        if width_of(words, 11.5) > room and width_of(f"{count} {short}".strip() + " MMMM", 11.5) > room:
            words = f"{count} {short}".strip()
        drawing.text(x + 9, y + 4, fit(words, 11.5, room), 11.5, AMBER if kind == "late" else NOTES)


def _lane(
    drawing: Drawing,
    lane: dict[str, Any],
    y: float,
    x_of: Callable[[datetime], float],
    moment: Callable[[datetime], str],
) -> None:
    alarm = any(kind == "blocked" for _, kind in lane["points"])
    drawing.text(0, y - 2, lane["name"], 12.5, INK, bold=True)
    drawing.text(0, y + 13, lane["state"], 11.5, ALARM if alarm else NOTES)
    places: list[float] = []
    for when, _ in lane["points"]:
        places.append(max(x_of(when), places[-1] + _APART if places else 0))
    over = places[-1] - (WIDTH - 6)
    if over > 0:
        places = [x - over for x in places]
    drawing.line(places[0], y, places[-1], y, stroke=INK, width=1.6)
    for x, (_, kind) in zip(places, lane["points"], strict=True):
        _mark(drawing, kind, x, y)
    told = [moment(lane["points"][0][0]), lane["note"]]
    room_left = places[0] - LEFT > max(width_of(t, 11.5) for t in told) + 16
    x, anchor = (places[0] - 12, "end") if room_left else (places[-1] + 12, "start")
    drawing.text(x, y - 2, told[0], 11.5, INK, anchor=anchor)
    drawing.text(x, y + 12, told[1], 11.5, NOTES, anchor=anchor)


def bars(year: list[int | None], colour: str, alt: str) -> Markup:
    """Twelve months of failing rows as bars, the last one in `colour`; a month that was not judged has none."""
    drawing = Drawing(106, 18)
    most = max([1, *(n for n in year if n)])
    drawing.line(0, 17.5, 106, 17.5, stroke=RULE, width=1)
    for n, rows in enumerate(year):
        if rows:
            height = max(1.5, 16 * rows / most)
            last = n == len(year) - 1
            drawing.rect(n * 9, 17 - height, 7, height, fill=colour if last else "#9AA4AE")
    return _embed(drawing, alt, "bars")


def columns(
    series: list[tuple[str, int, bool]], month: Callable[[str, bool], str], number: Callable[..., str]
) -> Markup:
    """Failing rows of one rule, month by month, as columns with their numbers; the one that is spoken of is dark.

    Args:
        series: of each month its name, the rows, and whether it is that one.
        month, number: how months and numbers are written.
    """
    if len(series) < 2:
        return Markup("")
    step = min(56, 1040 / len(series))
    drawing = Drawing(step * len(series), 132)
    most = max(rows for _, rows, _ in series)
    drawing.line(0, 100.5, drawing.width, 100.5, stroke=INK, width=1)
    for n, (period, rows, this) in enumerate(series):
        x, height = n * step, max(1.5, 78 * rows / most)
        drawing.rect(x + 4, 100 - height, step - 12, height, fill=INK if this else "#9AA4AE")
        middle = x + step / 2 - 2
        drawing.text(
            middle, 95 - height, number(rows), 11.5, INK if this else NOTES, bold=this, anchor="middle"
        )
        if ".." not in period:
            name, _, year = month(period, True).partition(" ")
            drawing.text(middle, 114, name, 11, INK if this else AXIS, bold=this, anchor="middle")
            if n == 0 or period.endswith("-01"):
                drawing.text(middle, 128, year, 11, AXIS, anchor="middle")
    return _embed(drawing, "; ".join(f"{period}: {rows}" for period, rows, _ in series), "columns")
