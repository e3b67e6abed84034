"""The smallest SVG writer that charts need. Built as a tree, so whatever is put in comes out escaped.

Lengths are points. Text is real text in the report's fonts: it can be read, searched and copied from the PDF.
"""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

INK, NOTES, AXIS, ALARM = "#16202B", "#45515D", "#5E6A76", "#A3203A"
RULE, RULE_DARK, WASH, PAPER = "#D3D9DF", "#9AA4AE", "#E9EDF0", "#FFFFFF"
WIDE, NARROW = "#DDE2E7", "#B4BEC8"  # a forecast's 95% and 80% intervals


@dataclass(frozen=True)
class Chart:
    """A finished picture: name inside the report, SVG bytes, alternative text, size in points."""

    name: str
    svg: bytes
    alt: str
    width: float
    height: float


def n(value: float) -> str:
    """A coordinate with two decimals at most: the same bytes on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Drawing:
    """A canvas of `width` × `height` points."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.root = ET.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {n(width)} {n(height)}",
                "width": n(width),
                "height": n(height),
                "font-family": "Inter",
            },
        )

    def _add(self, tag: str, **attributes: object) -> ET.Element:
        written = {
            key.replace("_", "-"): n(value) if isinstance(value, int | float) else str(value)
            for key, value in attributes.items()
            if value is not None
        }
        return ET.SubElement(self.root, tag, written)

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str = INK,
        stroke: str | None = None,
        stroke_width: float = 0.5,
    ) -> None:
        """A rectangle; nothing where it has no area."""
        if width > 0 and height > 0:
            line = {"stroke": stroke, "stroke_width": stroke_width} if stroke else {}
            self._add("rect", x=x, y=y, width=width, height=height, fill=fill, **line)

    def hatch(self, x: float, y: float, width: float, height: float, ink: str = INK) -> None:
        """An outlined rectangle under diagonal strokes: told from a solid one without its colour."""
        if width <= 0 or height <= 0:
            return
        self.rect(x, y, width, height, PAPER, ink, 0.6)
        strokes, at = [], 2.4
        while at < width + height:
            left, right = max(0.0, at - height), min(width, at)
            strokes.append(f"M{n(x + left)} {n(y + at - left)}L{n(x + right)} {n(y + at - right)}")
            at += 2.4
        self._add("path", d="".join(strokes), stroke=ink, stroke_width=0.6, fill="none")

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        stroke: str = INK,
        width: float = 0.75,
        dash: str | None = None,
    ) -> None:
        """A straight line."""
        self._add(
            "line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, stroke_width=width, stroke_dasharray=dash
        )

    def path(
        self,
        points: list[tuple[float, float]],
        stroke: str = INK,
        width: float = 1.0,
        dash: str | None = None,
    ) -> None:
        """An open line through `points`; nothing for fewer than two."""
        if len(points) > 1:
            d = "M" + "L".join(f"{n(x)} {n(y)}" for x, y in points)
            self._add(
                "path",
                d=d,
                fill="none",
                stroke=stroke,
                stroke_width=width,
                stroke_dasharray=dash,
                stroke_linejoin="round",
            )

    def shape(self, points: list[tuple[float, float]], fill: str, stroke: str | None = None) -> None:
        """A closed, filled shape."""
        d = "M" + "L".join(f"{n(x)} {n(y)}" for x, y in points) + "Z"
        self._add("path", d=d, fill=fill, stroke=stroke, stroke_width=0.75 if stroke else None)

    def dot(self, x: float, y: float, radius: float, fill: str = INK, stroke: str | None = None) -> None:
        """A circle."""
        self._add(
            "circle", cx=x, cy=y, r=radius, fill=fill, stroke=stroke, stroke_width=0.9 if stroke else None
        )

    def mark(self, x: float, y: float, radius: float, *, ring: bool, diamond: bool) -> None:
        """A month's mark on a line: a diamond where it was carried forward, a ring where it was restated."""
        if diamond:
            r = radius * 1.35
            self.shape([(x - r, y), (x, y - r), (x + r, y), (x, y + r)], PAPER, INK)
        elif ring:
            self.dot(x, y, radius, PAPER, INK)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float,
        fill: str = INK,
        *,
        bold: bool = False,
        anchor: str = "start",
    ) -> None:
        """One line of text with its baseline at `y`; anchor start, middle or end."""
        element = self._add(
            "text",
            x=x,
            y=y,
            font_size=size,
            fill=fill,
            font_weight=600 if bold else 400,
            text_anchor=None if anchor == "start" else anchor,
        )
        element.text = words

    def chart(self, name: str, alt: str) -> Chart:
        """The finished picture."""
        return Chart(name, ET.tostring(self.root, encoding="utf-8"), alt, self.width, self.height)


def width_of(words: str, size: float) -> float:
    """About how wide `words` are in Inter, in points: good enough to choose a line break."""
    narrow, wide = set("ijl.,:;'|!tfrI ()-"), set("mwMW@%")
    return size * sum(
        0.32 if c in narrow else 0.88 if c in wide else 0.66 if c.isupper() else 0.58 for c in words
    )


def fit(words: str, size: float, room: float) -> str:
    """`words`, cut with an ellipsis where they would be wider than `room` points."""
    if width_of(words, size) <= room:
        return words
    while words and width_of(words + "…", size) > room:
        words = words[:-1]
    return words.rstrip() + "…"


def lines_of(words: str, size: float, room: float) -> list[str]:
    """`words` broken at spaces into lines of about `room` points."""
    lines: list[str] = []
    for word in words.split():
        if lines and width_of(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
