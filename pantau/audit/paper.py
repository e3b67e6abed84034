"""What all audit pages share: their templates and texts, and how numbers, times, hashes and links are written.

Promise: whatever was delivered is text on a page and nothing else: escaped, without control characters, in no
attribute that a browser would follow or run.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import rfc8785
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from pantau import ledger
from pantau.landing import path_of
from pantau.periods import JAKARTA
from pantau.release.figures import exact_difference
from pantau.report.wording import NOTHING, Words
from pantau.rounding import ALL
from pantau.settings import settings

HERE = Path(__file__).parent
FOLDER = HERE / "pages"
LANGUAGE = "id"
ROWS_A_PAGE = 1000
ASSETS = ("audit.css", "audit.js")
FONTS = (
    "Inter-Regular.ttf", "Inter-SemiBold.ttf", "Inter-LICENSE.txt", "NotoSerif-SemiBold.ttf", "NotoSerif-LICENSE.txt",
)  # fmt: skip
# What browsers show as text or hand over to another program; anything else gets an ending that they only save.
_INERT = {".csv", ".tsv", ".txt", ".json", ".xlsx", ".ods", ".gz", ".zip"}
_TOKEN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@cache
def version() -> str:
    """Short hash of what turns records into pages: code, templates, texts. Style and script lie beside the pages."""
    digest = sha256()
    for path in sorted([*HERE.glob("*.py"), *(p for p in FOLDER.iterdir() if p.name not in ASSETS)]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def stamp(*parts: object) -> str:
    """What pages depend on, as one short text; the code and the templates are always part of it."""
    return sha256(repr((version(), *parts)).encode()).hexdigest()


def safe_name(name: str) -> str:
    """A file's name for a link: no path, no hidden file, nothing that a browser would run."""
    kept = "".join(c if c in _TOKEN else "_" for c in name.replace("\\", "/").rsplit("/", 1)[-1])[
        -120:
    ].lstrip(".")
    return kept if Path(kept).suffix.lower() in _INERT else (kept or "berkas") + ".bin"


def bytes_path(digest: str, name: str) -> str:
    """Where delivered bytes lie, from the root of the pages."""
    return f"files/{digest}/{safe_name(name)}"


def landed(digest: str) -> Path:
    """The delivered bytes themselves."""
    return path_of(digest)


def period_page(period: str) -> str:
    """The page of a month."""
    return f"{period}/index.html"


def release_page(period: str, version: int) -> str:
    """The page of a release; a report's QR code leads here."""
    return f"{period}/v{version}/index.html"


def delivery_page(delivery: int, number: int = 1) -> str:
    """The page of a delivery, or one of those that follow it."""
    return f"deliveries/{delivery}{f'-{number}' if number > 1 else ''}.html"


def finding_page(finding: int, number: int = 1) -> str:
    """The page of a finding, or one of those that follow it."""
    return f"findings/{finding}{f'-{number}' if number > 1 else ''}.html"


def pages_for(rows: int) -> int:
    """How many pages a list of rows takes."""
    return max(1, -(-rows // ROWS_A_PAGE))


def entry_link(number: int, a_page: int) -> str:
    """An entry of the ledger on its page."""
    return f"ledger/{(number - 1) // a_page + 1}.html#{number}"


class Paper:
    """Renders templates, which it compiles once. `moment`: when the pages are written, by the product's clock."""

    moment: datetime

    def __init__(self) -> None:
        self.words = Words(FOLDER / "texts.yml", LANGUAGE)

    @cached_property
    def _templates(self) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_shown,
        )
        environment.filters |= {
            "number": self.number, "change": self.words.change, "amount": self.amount,
            "day": self.day, "moment": self.at, "month": self.month, "hash": short, "lines": lines,
            "told": self.told, "actor": self.actor, "canonical": canonical,
        }  # fmt: skip
        environment.globals |= {
            "w": self.words, "say": self.words.say, "code": version(),
            "value": self.value, "change_of": exact_difference,
            "bytes_path": bytes_path, "period_page": period_page, "release_page": release_page,
            "delivery_page": delivery_page, "finding_page": finding_page,
        }  # fmt: skip
        return environment

    def render(self, template: str, path: str, **values: Any) -> str:
        """A page that will lie at `path`; links are made with `to`, from the root."""
        root = "../" * path.count("/")
        return self._templates.get_template(template).render(
            root=root, to=lambda target: root + quote(target, safe="/#:"), written_at=self.moment, **values
        )

    @cached_property
    def number(self) -> Callable[..., str]:
        """As `Words.number`; remembered, for the same small numbers come again and again."""
        return cache(self.words.number)

    def amount(self, value: Decimal | None) -> str:
        """A number with all the digits that it has: what is compared to the sen must show the sen."""
        if value is None:
            return NOTHING
        exponent = value.normalize().as_tuple().exponent
        return self.number(value, max(0, -exponent) if isinstance(exponent, int) else 0)

    def value(self, definition: dict[str, Any], figure: Mapping[str, Any] | None) -> str:
        """A figure's value with `%` where that is its unit: of a share, "all" and "nothing" only where it is that."""
        if figure is None or figure["value"] is None:
            return NOTHING
        if definition["kind"] != "ratio_pct":
            return self.number(figure["value"], definition["decimals"])
        value, decimals = figure["value"], definition["decimals"]
        if value in (0, ALL):  # of all others the text is remembered
            return (
                self.words.per_cent(value, figure["numerator"], figure["denominator"], decimals) + "\u00a0%"
            )
        return self.number(value, decimals) + "\u00a0%"

    def month(self, period: str, short: bool = False) -> str:
        """`Oktober 2026`, `Okt 2026`."""
        return self._month(period, short)

    @cached_property
    def _month(self) -> Callable[[str, bool], str]:
        return cache(lambda period, short: self.words.month(period, short=short))

    @cached_property
    def _day(self) -> Callable[[str, bool], str]:
        return cache(lambda day, short: self.words.day(day, short=short))

    def day(self, value: date | datetime | None, short: bool = True) -> str:
        """`5 Nov 2026`, in Jakarta."""
        if isinstance(value, datetime):
            value = value.astimezone(JAKARTA).date()
        return self._day(value.isoformat(), short) if value else self.words.day(None)

    def at(self, value: datetime | None) -> str:
        """`5 Nov 2026 09.14`, in Jakarta."""
        if value is None:  # of an entry of the ledger that is not there
            return str(self.words["entry"]["no_time"])
        local = value.astimezone(JAKARTA)
        return f"{self.day(local)} {local:%H.%M}"

    def told(self, entry: dict[str, Any]) -> str:
        """An entry of the ledger in a few words."""
        text = self.words["entry"].get(entry["kind"], entry["kind"])
        return " ".join(
            text.format_map(
                defaultdict(str, {k: v for k, v in entry["what"].items() if v is not None})
            ).split()
        )

    def actor(self, entry: dict[str, Any]) -> str:
        """Who did it: the person or the sender that the entry names, else the product."""
        what = entry["what"]
        return str(
            what.get("approver") or what.get("by") or what.get("sender") or self.words["entry"]["by_system"]
        )

    def write_assets(self, copy: Callable[[str, Path], None]) -> None:
        """Style, script and fonts, each by `copy(path, source)`."""
        for name in ASSETS:
            copy(f"assets/{name}", FOLDER / name)
        for name in FONTS:
            copy(f"assets/{name}", settings.templates / "fonts" / name)


def short(digest: str) -> Markup:
    """A hash by its two ends; the whole of it is told to who points at it, and found by the search."""
    return Markup('<code title="{}">{}…{}</code>').format(digest, digest[:8], digest[-4:])


def lines(text: str) -> Markup:
    """Text of several lines, such as SQL, for `pre`."""
    return Markup("\n").join(escape(printable(line.expandtabs(4))) for line in text.splitlines())


def canonical(entry: dict[str, Any]) -> str:
    """An entry of the ledger exactly as it is hashed; nothing of one that is not there."""
    if entry["db_at"] is None:
        return ""
    try:
        return ledger.content(*(entry[k] for k in ("no", "kind", "what", "db_at", "product_at"))).decode()
    except rfc8785.CanonicalizationError:  # changed by somebody: shown as it is
        return json.dumps(entry["what"])


def plain(value: Decimal | None) -> str:
    """An amount without trailing zeros, as it is kept."""
    return "" if value is None else format(value.normalize() if value else Decimal(0), "f")


def printable(text: str, keep: str = "") -> str:
    """Text without the characters that nobody sees, some of which turn the direction of what follows."""
    if text.isprintable():
        return text
    unseen = {c for c in set(text) if not c.isprintable() and c not in keep + "\u00a0"}
    return text.translate({ord(c): " " for c in unseen}) if unseen else text


def _shown(value: Any) -> Any:
    return value if not isinstance(value, str) or isinstance(value, Markup) else printable(value)
