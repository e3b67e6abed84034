"""The catalogue of feeds: what each owner delivers, one YAML per feed in `feeds/`.

The YAML is the only home of a column's name, type, unit and meaning; tables, dbt sources, contract checks
and DAGs are made from it.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pantau import periods
from pantau.errors import PantauError
from pantau.mail import is_address
from pantau.settings import settings


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bilingual(_Strict):
    """A text in Bahasa Indonesia and in English."""

    id: str
    en: str


class Ckan(_Strict):
    """A resource of a CKAN package; its name holds the period."""

    kind: Literal["ckan"]
    connection: str
    package: str
    resource: str


class Http(_Strict):
    """A file at an address below the connection's."""

    kind: Literal["http"]
    connection: str
    path: str


class CkanDatastore(_Strict):
    """The rows of a CKAN resource, page by page, through `datastore_search`."""

    kind: Literal["ckan_datastore"]
    connection: str
    package: str
    resource: str
    page_rows: int = 1000


class PagedApi(_Strict):
    """A list of items behind OAuth2 client credentials, page by page, each page naming the next by a cursor."""

    kind: Literal["paged_api"]
    connection: str
    path: str
    parameters: dict[str, str]
    token_path: str
    total: str  # the answer's key that states how many items all pages have
    next: str  # the answer's key that holds the next page's cursor; null at the end
    cursor: str  # the parameter that takes it


class Sftp(_Strict):
    """A file on an SFTP server; the connection pins the host key."""

    kind: Literal["sftp"]
    connection: str
    path: str


class Inbox(_Strict):
    """Files that people put into `inbox/<feed>/<period>/`: together, one delivery."""

    kind: Literal["inbox"]
    connection: Literal[""] = ""


Transport = Annotated[Ckan | CkanDatastore | Http | PagedApi | Sftp | Inbox, Field(discriminator="kind")]


class _Numbers(_Strict):
    """How numbers are written, where they are text."""

    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ","] = ""


class Csv(_Numbers):
    """Delimited text with a header."""

    kind: Literal["csv"]
    delimiter: str = ","
    encoding: str = "utf-8-sig"  # UTF-8, with or without a byte order mark


class Json(_Numbers):
    """Pages of JSON; each item is a row, each of its keys a column. A key that an item lacks is null."""

    kind: Literal["json"]
    items: str  # where the items stand, such as `data` or `result.records`
    ignore: list[str] = []  # keys of an item that are the server's own and no content


class Xlsx(_Numbers):
    """One sheet of a spreadsheet. A column's header is what its header rows say, from top to bottom, joined by
    " / "; a merged cell speaks for all columns below it. A row of units is the last header row."""

    kind: Literal["xlsx"]
    sheet: str
    header_row: int = 1  # as the spreadsheet counts
    header_rows: int = 1


Format = Annotated[Csv | Json | Xlsx, Field(discriminator="kind")]


class RegionRef(_Strict):
    """Which columns of the row name a region, and at which levels it may stand.

    `path`: columns with the names from the province down to the region itself, for rows without a code.
    """

    code: str
    name: str = ""
    path: list[str] = []
    levels: list[Literal["provinsi", "kabupaten", "kecamatan", "desa"]]


class Column(_Strict):
    """One column of the feed: where it stands in the file, what it means, what a row must hold there."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    header: str = ""  # as written in the file; absent for a resolved region
    type: Literal["text", "integer", "decimal", "boolean", "date", "region"]
    meaning: str
    unit: str = ""
    required: bool = True
    null: list[str] = [""]
    pattern: str = ""
    allowed: list[str] = []
    mapping: dict[str, str] = {}  # as written → as kept
    minimum: int | None = None
    maximum: int | None = None
    at_most: str = ""  # another column that this one may not exceed
    date_format: str = "%Y-%m-%d"  # month names (%B) are Indonesian
    decimals: int = 2
    region: RegionRef | None = None

    @property
    def sql_type(self) -> str:
        """The PostgreSQL type of the column in `raw.<feed>`."""
        return {
            "text": "text",
            "integer": "bigint",
            "decimal": f"numeric(24,{self.decimals})",
            "boolean": "boolean",
            "date": "date",
            "region": "text",
        }[self.type]


class Control(_Strict):
    """Totals that a set-aside row states: its columns equal the sums over the accepted rows.

    `by`: only rows that hold the same value there as the total row; `where`: only rows whose column matches
    the pattern; `count`: the header under which it states the number of rows (accepted and refused).
    """

    columns: list[str] = []
    count: str = ""
    by: list[str] = []
    where: dict[str, str] = {}


class SetAside(_Strict):
    """Rows that are no data (totals, footers): a column of the file that holds a given text."""

    name: str
    column: str
    equals: str = ""
    matches: str = ""  # or: a text that matches this pattern from its beginning
    controls: list[Control] = []


class Feed(_Strict):
    """One feed of the catalogue."""

    name: str
    title: Bilingual
    description: str
    owner: str
    contact: str | dict[str, str] = ""  # mail address of the owner, or of each part's; told what is late
    license: str = ""  # empty: none is published
    parts: dict[str, str] = {"": ""}  # the parts in which it comes (one per operator, say) and their titles
    transport: Transport
    cadence: Literal["monthly", "yearly", "irregular"]
    starts: str
    due_day: int | None = None  # of the month after the period; None: nothing is due
    due_source: str = ""  # who says so; "SIMULASI" where nobody has
    grace_days: int = 0
    restates_for_months: int = 0
    takes: Literal["own_month", "newest_effective", "year_to_date"]
    without: Literal["wait", "carry_forward", "omit"]
    max_refused_pct: float
    on_failure: str
    format: Format
    key: list[str]
    columns: list[Column]
    set_aside: list[SetAside] = []

    @model_validator(mode="after")
    def _consistent(self) -> "Feed":
        names = {column.name for column in self.columns}
        if unknown := set(self.key) - names:
            raise ValueError(f"key names no column: {sorted(unknown)}")
        for column in self.columns:
            if (column.type == "region") != (column.region is not None):
                raise ValueError(f"column {column.name}: a region column, and only that, has `region`")
            if column.type != "region" and not column.header:
                raise ValueError(f"column {column.name}: which header of the file?")
            if column.at_most and column.at_most not in names:
                raise ValueError(f"column {column.name}: at_most names no column")
            if column.region and not {
                column.region.code, column.region.name or column.region.code, *column.region.path,
            } <= names:  # fmt: skip
                raise ValueError(f"column {column.name}: region names no column")
            if column.region and column.region.path:
                level = ("provinsi", "kabupaten", "kecamatan", "desa")[len(column.region.path[:4]) - 1]
                if column.region.levels != [level] or len(column.region.path) > 4:
                    raise ValueError(f"column {column.name}: the path leads to another level than `levels`")
        if (self.due_day is None) != (self.cadence == "irregular"):
            raise ValueError("a cadence has a due_day; an irregular feed has none")
        for rows in self.set_aside:
            if bool(rows.equals) == bool(rows.matches):
                raise ValueError(f"set_aside {rows.name}: give `equals` or `matches`")
            written = {rows.column, *(control.count or rows.column for control in rows.controls)}
            if unknown := written - {column.header for column in self.columns if column.header}:
                raise ValueError(f"set_aside {rows.name}: no column has the header {sorted(unknown)}")
        if (self.transport.kind in ("ckan_datastore", "paged_api")) != (self.format.kind == "json"):
            raise ValueError("an API that hands out pages, and only that, has the format json")
        if ("" in self.parts) != ("{part}" not in self.transport.connection):
            raise ValueError("a feed in parts has one connection per part: write {part} into its name")
        contacts = self.contact if isinstance(self.contact, dict) else {"": self.contact}
        if unknown := set(contacts) - {"", *self.parts}:
            raise ValueError(f"contact names no part: {sorted(unknown)}")
        if wrong := [text for text in contacts.values() if text and not is_address(text)]:
            raise ValueError(f"contact: no mail address: {wrong}")
        try:
            periods.check(self.starts)
        except PantauError as error:
            raise ValueError(f"starts: {error.what}") from error
        return self

    @property
    def contract_version(self) -> str:
        """Short hash of what decides how a row is read: format, columns, key, set-aside rows."""
        contract = self.model_dump_json(include={"format", "columns", "key", "set_aside"})
        return sha256(contract.encode()).hexdigest()[:12]

    def connection_id(self, part: str) -> str:
        """The name of the Airflow connection that leads to the owner (of that part); empty where none is needed."""
        return self.transport.connection.format(part=part)

    def title_of(self, part: str) -> Bilingual:
        """The title, of a feed in parts with the part's."""
        if not part:
            return self.title
        return Bilingual(
            id=f"{self.title.id} ({self.parts[part]})", en=f"{self.title.en} ({self.parts[part]})"
        )

    def contact_of(self, part: str) -> str:
        """The mail address of the owner (of that part); empty where none is known."""
        return self.contact if isinstance(self.contact, str) else self.contact.get(part, "")

    def periods_until(self, last: str) -> list[str]:
        """The periods that the feed has from its start to `last`; none are known of an irregular feed."""
        step = {"monthly": 1, "yearly": 12, "irregular": 0}[self.cadence]
        return [p for p in periods.span(self.starts, last) if self._months(p) % step == 0] if step else []

    def _months(self, period: str) -> int:
        return (int(period[:4]) - int(self.starts[:4])) * 12 + int(period[5:]) - int(self.starts[5:])


def _load(path: Path) -> Feed:
    try:
        record: dict[str, Any] = yaml.safe_load(path.read_text())
        return Feed.model_validate({"name": path.stem, **record})
    except yaml.YAMLError as error:
        raise PantauError(f"{path.name} is not YAML: {error}", next_step="Mend the file.") from error
    except (ValidationError, TypeError) as error:
        problems = (
            "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            if isinstance(error, ValidationError)
            else str(error)
        )
        raise PantauError(
            f"The feed's description does not hold: {problems}",
            where={"file": f"feeds/{path.name}"},
            next_step="See docs/reference/feed.md for the fields of a feed.",
        ) from error


@cache
def _catalogue(folder: Path) -> dict[str, Feed]:
    return {path.stem: _load(path) for path in sorted(folder.glob("*.yml"))}


def load() -> dict[str, Feed]:
    """Every feed by name. Raises PantauError naming the file and field that do not hold."""
    return _catalogue(settings.feeds)


def feed(name: str) -> Feed:
    """One feed. Raises PantauError with the nearest names where there is none."""
    feeds = load()
    if name not in feeds:
        raise PantauError(f"There is no feed '{name}'.", next_step=f"Known: {', '.join(feeds)}.")
    return feeds[name]
