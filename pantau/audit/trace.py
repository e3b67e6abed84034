"""The way of one figure: its value → definition → SQL → rows → readings → deliveries → files and their hashes."""

import re
from typing import Any

from pantau.database import Connection, connect
from pantau.errors import PantauError
from pantau.landing import path_of
from pantau.settings import settings

_MOST = 12  # ranges of rows that are shown
_ID = re.compile(
    r"(?P<indicator>K\d+)\.(?P<place>\d{2}(\.\d{2})?)(:(?P<breakdown>[^@/]+))?@(?P<period>\d{4}-\d{2})"
    r"(/v(?P<version>\d+))?"
)


def parse(figure: str) -> dict[str, str]:
    """The parts of a figure's id. Raises PantauError where it is none."""
    match = _ID.fullmatch(figure.strip())
    if not match:
        raise PantauError(
            f"'{figure}' is no figure id.",
            next_step="Write it as it stands on the page: K2.00@2026-10, K1.11:3T@2026-08/v1, K12.00:APBN@2026-10.",
        )
    return {name: value or "" for name, value in match.groupdict().items()}


def find(connection: Connection, figure: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The frozen figure and its release: the published one, or the version that the id names."""
    asked = parse(figure)
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
    with connect() as connection:
        found, release = find(connection, figure)
        definition = _definition(connection, release, found)
        lines = [
            f"{figure}  =  {_plain(found['value'])} {definition['unit_en']}",
            f"  numerator    {_plain(found['numerator'])}",
            f"  denominator  {_plain(found['denominator'])}",
            f"  release      {release['period']} v{release['version']}"
            f"{'' if release['published'] else ' (not the published one)'}, hash {release['release_hash']}",
            f"  definition   {definition['indicator_id']} v{definition['version']}: {definition['formula_en']}",
            f"  source       {definition['source']}",
            f"  SQL          {_model(definition['indicator_id'])}, rolled up by models/marts/rpt_figure.sql"
            f" (code {release['code_version']})",
            f"  build        {release['build_id']}, cut-off at ledger entry {release['cutoff']}",
            "",
        ]
        for feed in definition["needs_feeds"].split(";"):
            lines += _feed(connection, release, feed, found, None if all_rows else _MOST)
        return "\n".join(lines)


def _plain(value: Any) -> str:
    return "-" if value is None else format(value.normalize() if value else value, ",f")


def _definition(connection: Connection, release: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    row = connection.execute(
        "select x as entry from ops.build b join ops.register_version v on v.id = any(b.register_version_ids)"
        " cross join jsonb_array_elements(v.rows) x where b.id = %s and v.name = 'indicator_register'"
        " and x ->> 'indicator_id' = %s and (x ->> 'version')::int = %s",
        [release["build_id"], found["indicator_id"], found["indicator_version"]],
    ).fetchone()
    assert row is not None
    return row["entry"]


def _model(indicator: str) -> str:
    folder = settings.dbt_project / "models" / "indicators"
    return next(
        (f"models/indicators/{p.name}" for p in folder.glob(f"ind_{indicator.lower()}_*.sql")), "no model"
    )


def _feed(
    connection: Connection, release: dict[str, Any], feed: str, found: dict[str, Any], most: int | None
) -> list[str]:
    row = connection.execute(
        "select i.how, i.source_period, r.*, d.id as delivery, d.known_at, d.content_hash, d.sender, d.simulated"
        " from ops.build_input i join ops.reading r on r.id = i.reading_id join ops.delivery d on d.id = r.delivery_id"
        " where i.build_id = %s and i.feed = %s and i.period = %s",
        [release["build_id"], feed, release["period"]],
    ).fetchone()
    if not row:
        return [f"{feed}: not in this build", ""]
    files = connection.execute(
        "select f.*, x.first_source_row, x.last_source_row, x.first_file_row from ops.delivery_file f"
        " join ops.reading_file x on x.file_no = f.no and x.reading_id = %s where f.delivery_id = %s order by f.no",
        [row["id"], row["delivery"]],
    ).fetchall()
    rows = _contributing(connection, release, feed, found)
    lines = [
        f"{feed}  ({row['how']}, period {row['source_period']}{', SIMULATED' if row['simulated'] else ''})",
        f"  delivery     {row['delivery']}, known {row['known_at']:%Y-%m-%d}, from {row['sender']}",
        f"  reading      {row['id']}: {row['rows']:,} rows = {row['accepted']:,} accepted + {row['refused']:,}"
        f" refused + {row['set_aside']:,} set aside; contract {row['contract_version']}",
    ]
    for file in files:
        first, last = (
            file["first_file_row"],
            file["first_file_row"] + file["last_source_row"] - file["first_source_row"],
        )
        lines += [
            f"  file         {file['name']}, {file['bytes']:,} bytes, rows {first:,}..{last:,}",
            f"  sha256       {file['sha256']}",
            f"  kept at      {path_of(file['sha256']).relative_to(settings.var.parent)}",
        ]
        if rows is not None:
            shift = file["first_file_row"] - file["first_source_row"]
            mine = [r + shift for r in rows if file["first_source_row"] <= r <= file["last_source_row"]]
            lines.append(f"  rows of it   {len(mine):,} rows stand behind this figure: {_ranges(mine, most)}")
    return [*lines, ""]


def _contributing(
    connection: Connection, release: dict[str, Any], feed: str, found: dict[str, Any]
) -> list[int] | None:
    """The source rows of the feed that the figure's facts were made from; None where all of it is used."""
    place, parts = found["place"], found["breakdown"].split(":") if found["breakdown"] else []
    if feed == "komdigi__desa_4g":
        return [
            r["source_row"]
            for r in connection.execute(
                "select source_row from facts.fct_desa_4g where build_id = %s and period = %s and has_row"
                " and (%s = '00' or provinsi_kode = %s or kabupaten_kode = %s) and (%s = '' or tiga_t = %s)"
                " order by source_row",
                [release["build_id"], release["period"], place, place, place, *(parts or [""]) * 2],
            )
        ]
    if feed == "kemenkeu__anggaran_tik":
        version, group = [*parts, "", ""][:2]
        return [
            r["source_row"]
            for r in connection.execute(
                "select source_row from facts.fct_anggaran_tik where build_id = %s and period = %s"
                " and versi_anggaran = %s and (%s = '' or kelompok_belanja = %s) order by source_row",
                [release["build_id"], release["period"], version, group, group],
            )
        ]
    return None


def _ranges(rows: list[int], most: int | None) -> str:
    """Rows as ranges, `2..40, 44, 51..60`; the first `most` of them."""
    spans: list[list[int]] = []
    for row in rows:
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    told = ", ".join(f"{a:,}" if a == b else f"{a:,}..{b:,}" for a, b in spans[:most])
    return told + (f", and {len(spans) - most:,} more (--all-rows)" if most and len(spans) > most else "")
