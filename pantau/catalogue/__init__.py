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


class Sftp(_Strict):
    """A file on an SFTP server; the connection pins the host key."""

    kind: Literal["sftp"]
    connection: str
    path: str


class Inbox(_Strict):
    """Files that people put into `inbox/<feed>/<period>/`: together, one delivery."""

    kind: Literal["inbox"]
    connection: Literal[""] = ""


Transport = Annotated[Ckan | Http | Sftp | Inbox, Field(discriminator="kind")]


class Csv(_Strict):
    """How the delivered text is written."""

    kind: Literal["csv"]
    delimiter: str = ","
    encoding: str = "utf-8-sig"  # UTF-8, with or without a byte order mark
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ","] = ""


class RegionRef(_Strict):
    """Which columns of the row name a region, and at which levels it may stand."""

    code: str
    name: str = ""
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
    date_format: str = "%Y-%m-%d"
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
    the pattern.
    """

    columns: list[str]
    by: list[str] = []
    where: dict[str, str] = {}


class SetAside(_Strict):
    """Rows that are no data (totals, footers): a column of the file that holds a given text."""

    name: str
    column: str
    equals: str
    controls: list[Control] = []


class Feed(_Strict):
    """One feed of the catalogue."""

    name: str
    title: Bilingual
    description: str
    owner: str
    contact: str = ""
    license: str
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
    format: Csv
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
            if column.region and not {column.region.code, column.region.name or column.region.code} <= names:
                raise ValueError(f"column {column.name}: region names no column")
        if (self.due_day is None) != (self.cadence == "irregular"):
            raise ValueError("a cadence has a due_day; an irregular feed has none")
        periods.check(self.starts)
        return self

    @property
    def contract_version(self) -> str:
        """Short hash of what decides how a row is read: format, columns, key, set-aside rows."""
        contract = self.model_dump_json(include={"format", "columns", "key", "set_aside"})
        return sha256(contract.encode()).hexdigest()[:12]

    @property
    def parts(self) -> list[str]:
        """The parts in which the feed comes (one per operator, say); one unnamed part for most."""
        return [""]

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
