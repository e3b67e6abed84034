"""The way of one figure: its value → definition → SQL → rows → readings → deliveries → files and their hashes."""

from typing import Any

from pantau.audit import figure as figures
from pantau.audit import rows
from pantau.database import Connection, Role, connect
from pantau.errors import PantauError
from pantau.landing import found_at, path_of
from pantau.rounding import edge
from pantau.settings import settings
from pantau.visible import visible
from pantau.warehouse import deletion_of

_MOST = 12  # ranges of rows that are shown


def find(connection: Connection, figure: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The frozen figure and its release: the published one, or the version that the id names."""
    asked = figures.parse(figure)
    release = connection.execute(
        "select r.*, p.release_id is not null as published, b.cutoff, b.code_version from ops.release r"
        " join ops.build b on b.id = r.build_id left join ops.published p on p.release_id = r.id"
        " where r.period = %(period)s and not r.superseded"
        " and case when %(version)s = '' then p.release_id is not null else r.version::text = %(version)s end",
        asked,
    ).fetchone()
    if not release:
        raise PantauError(
            f"{asked['period']} has no published release"
            + (f" v{asked['version']}." if asked["version"] else "."),
            where={"figure": figure},
            next_step=f"`pantau close {asked['period']}`, or name another version.",
        )
    found = connection.execute(
        "select * from ops.figure where release_id = %s and indicator_id = %s and place = %s and breakdown = %s",
        [release["id"], asked["indicator"], asked["place"], asked["breakdown"]],
    ).fetchone()
    if not found:
        near = connection.execute(
            "select distinct indicator_id || '.' || place || case breakdown when '' then '' else ':' || breakdown end"
            " as id from ops.figure where release_id = %s and indicator_id = %s and place in (%s, '00') limit 8",
            [release["id"], asked["indicator"], asked["place"]],
        ).fetchall()
        raise PantauError(
            "The release has no such figure: the indicator does not exist at that place and breakdown.",
            where={"figure": figure},
            next_step=f"It has: {', '.join(sorted(r['id'] for r in near)) or 'nothing of this indicator'}.",
        )
    return found, release


def trace(figure: str, *, all_rows: bool = False) -> str:
    """The way of a figure as text, each step with what is needed to check it by hand.

    Of the rows behind it the first ranges, or with `all_rows` every one.
    """
    with connect(Role.AUDITOR) as connection:
        found, release = find(connection, figure)
        registers = registers_of(connection, release["build_id"])
        definition = next(
            d
            for d in registers["indicator_register"]
            if (d["indicator_id"], d["version"]) == (found["indicator_id"], found["indicator_version"])
        )
        page = figures.page(release["period"], release["version"], found["indicator_id"])
        lines = [
            f"{figure}  =  {_value(definition, found)} {definition['unit_en']}",
            f"  numerator    {_plain(found['numerator'])}",
            f"  denominator  {_plain(found['denominator'])}",
            f"  release      {release['period']} v{release['version']}"
            f"{'' if release['published'] else ' (not the published one)'}, hash {release['release_hash']}",
            f"  definition   {definition['indicator_id']} v{definition['version']}: {definition['formula_en']}",
            f"  source       {definition['source']}",
            f"  SQL          {_model(definition['indicator_id'])}, rolled up by models/marts/rpt_figure.sql"
            f" (code {release['code_version']})",
            f"  build        {release['build_id']}, cut-off at ledger entry {release['cutoff']}",
            f"  page         {settings.out.name}/audit/{page}#{figures.anchor(found['place'], found['breakdown'])}",
            "",
        ]
        if gone := deletion_of(connection, release["build_id"]):
            lines.insert(
                -1,
                f"  facts        deleted by {gone['what']['by']} on {gone['product_at']:%Y-%m-%d} (entry"
                f" {gone['no']}): {gone['what']['why']}",
            )
        behind = _behind(connection, release, registers, found)
        for feed in definition["needs_feeds"].split(";"):
            lines += _feed(connection, release, feed, behind, None if all_rows else _MOST)
        return "\n".join(lines)


def registers_of(connection: Connection, build: int) -> dict[str, list[dict[str, Any]]]:
    """The rows of each register, in the versions that the build names."""
    found = connection.execute(
        "select v.name, v.rows from ops.build b join ops.register_version v on v.id = any(b.register_version_ids)"
        " where b.id = %s",
        [build],
    ).fetchall()
    return {row["name"]: row["rows"] for row in found}


def _behind(
    connection: Connection,
    release: dict[str, Any],
    registers: dict[str, list[dict[str, Any]]],
    found: dict[str, Any],
) -> dict[int, list[int]]:
    """The source rows of the facts that the figure counts, by reading."""
    fact = rows.fact_of(found["indicator_id"])
    if fact is None:
        return {}
    grains = figures.grains_of(registers, found["indicator_id"], found["indicator_version"], found["place"])
    behind = rows.Behind(connection, release["build_id"], release["period"], fact)
    return behind.numbers(figures.conditions(grains, found["place"], found["breakdown"]))


def _plain(value: Any) -> str:
    return "-" if value is None else format(value.normalize() if value else value, ",f")


def _value(definition: dict[str, Any], found: dict[str, Any]) -> str:
    """The value; of a share, "all" and "nothing" only where it is that."""
    if found["value"] is None or definition["kind"] != "ratio_pct":
        return _plain(found["value"])
    sign, amount = edge(found["value"], found["numerator"], found["denominator"], definition["decimals"])
    return sign + _plain(amount)


def _model(indicator: str) -> str:
    folder = settings.dbt_project / "models" / "indicators"
    return next(
        (f"models/indicators/{p.name}" for p in folder.glob(f"ind_{indicator.lower()}_*.sql")), "no model"
    )


def _feed(
    connection: Connection, release: dict[str, Any], feed: str, behind: dict[int, list[int]], most: int | None
) -> list[str]:
    found = connection.execute(
        "select i.part, i.how, i.source_period, r.*, d.id as delivery, d.known_at, d.content_hash, d.sender,"
        " d.simulated from ops.build_input i join ops.reading r on r.id = i.reading_id"
        " join ops.delivery d on d.id = r.delivery_id"
        " where i.build_id = %s and i.feed = %s and i.period = %s order by i.part",
        [release["build_id"], feed, release["period"]],
    ).fetchall()
    if not found:
        return [f"{feed}: not in this build", ""]
    return [line for row in found for line in _part(connection, feed, row, behind.get(row["id"]), most)]


def _part(
    connection: Connection, feed: str, row: dict[str, Any], numbers: list[int] | None, most: int | None
) -> list[str]:
    lines = [
        f"{' '.join([feed, row['part']]).rstrip()}  ({row['how']}, period {row['source_period']}"
        f"{', SIMULATED' if row['simulated'] else ''})",
        f"  delivery     {row['delivery']}, known {row['known_at']:%Y-%m-%d}, from {visible(row['sender'])}",
        f"  reading      {row['id']}: {row['rows']:,} rows = {row['accepted']:,} accepted + {row['refused']:,}"
        f" refused + {row['set_aside']:,} set aside; contract {row['contract_version']}",
    ]
    for place in rows.places_of(connection, row["id"]):
        shift = place.first_file_row - place.first
        sheet = f" sheet {visible(place.sheet)}," if place.sheet else ""
        lines += [
            f"  file         {visible(place.name)}, {place.bytes:,} bytes,{sheet} rows {place.first_file_row:,}.."
            f"{place.last + shift:,}",
            f"  sha256       {place.sha256}",
            f"  kept at      {path_of(place.sha256).relative_to(settings.var.parent)}{_damage(place.sha256)}",
        ]
        if numbers is not None:
            mine = [number + shift for number in numbers if place.first <= number <= place.last]
            lines.append(f"  rows of it   {len(mine):,} rows stand behind this figure: {_ranges(mine, most)}")
    return [*lines, ""]


def _damage(digest: str) -> str:
    found = found_at(digest)
    return (
        ""
        if found == digest
        else f"  NOT THESE BYTES: {f'SHA-256 {found}' if found else 'no file'}; see docs/runbooks/tampering.md"
    )


def _ranges(numbers: list[int], most: int | None) -> str:
    """Rows as ranges, `2..40, 44, 51..60`; the first `most` of them."""
    spans = rows.ranges(numbers)
    told = ", ".join(f"{a:,}" if a == b else f"{a:,}..{b:,}" for a, b in spans[:most])
    return told + (f", and {len(spans) - most:,} more (--all-rows)" if most and len(spans) > most else "")
