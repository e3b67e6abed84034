"""What a page shows beside its own figures, frozen with the release: history, targets, lateness, quality.

Only what is known at the build's cut-off, and nothing that would change if the same month were closed again:
no ids of the database, no machine's clock.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from babel.dates import format_date

from pantau import catalogue, checks, periods
from pantau.catalogue import Feed
from pantau.database import Connection
from pantau.landing import late_days

_MONTHS_OF_HISTORY = 12
Figures = dict[tuple[str, str, str], dict[str, Any]]  # (indicator, place, breakdown) → figure


def figure_id(indicator: str, place: str, breakdown: str, period: str, version: int | None = None) -> str:
    """The id under which a figure is found again, such as `K2.00:3T@2026-10/v1`."""
    parts = f"{indicator}.{place}" + (f":{breakdown}" if breakdown else "")
    return f"{parts}@{period}" + (f"/v{version}" if version else "")


def _number(value: Decimal | None) -> str | None:
    return None if value is None else format(value.normalize() if value else Decimal(0), "f")


def _rounded(value: Decimal | None, decimals: int) -> str | None:
    """A frozen value with the register's decimals (it was rounded once, in SQL)."""
    return None if value is None else format(value.quantize(Decimal(1).scaleb(-decimals)), "f")


def context(
    connection: Connection,
    build: dict[str, Any],
    period: str,
    version: int,
    reason: str,
    explanation: dict[str, str],
    published: dict[str, Any] | None,
    figures: list[dict[str, Any]],
    gate: checks.Gate,
) -> dict[str, Any]:
    """The frozen context of one release, as JSON: numbers are decimal strings. Opening history has no page."""
    opened = connection.execute(
        "select product_at from ops.ledger where no = %s", [build["ledger_no"]]
    ).fetchone()
    assert opened is not None
    base = {
        "period": period,
        "version": version,
        "reason": reason,
        "explanation": explanation,
        "cutoff_at": opened["product_at"].astimezone(periods.JAKARTA).isoformat(),
        "simulated": build["simulated"],
    }
    if reason == "opening":
        return base
    here = _keyed(figures)
    before = _published(connection, periods.shift(period, -1), build["cutoff"])
    registers = _registers(connection, build["register_version_ids"])
    definitions = [
        d
        for d in registers["indicator_register"]
        if d["valid_from"] <= period and not (d["valid_to"] and d["valid_to"] <= period)
    ]
    definitions.sort(key=lambda d: int(d["indicator_id"][1:]))
    feeds = _feeds(connection, build, period, definitions)
    how = {f["feed"]: f for f in feeds}
    indicators = [_indicator(connection, build, period, d, here, before, how) for d in definitions]
    used = {i["id"]: i["target"]["target_id"] for i in indicators if i["target"]}
    return {
        **base,
        "indicators": indicators,
        "provinces": _provinces(connection, build["id"], period, here, before, definitions),
        "restatements": _restatements(connection, build, period, version, explanation, published, here),
        "feeds": feeds,
        "findings": [_finding(f) for f in (*gate.critical, *gate.warnings, *gate.infos)],
        "checks": {"rules": gate.rules, "passed": gate.passed},
        "definitions": [
            {
                "id": d["indicator_id"],
                "version": d["version"],
                "formula": {"id": d["formula_id"], "en": d["formula_en"]},
                "source": d["source"],
            }
            for d in definitions
        ],
        "targets_used": [
            {"indicator": t["indicator_id"], "document": t["document"], "source": t["source"]}
            for t in registers["target_register"]
            if used.get(t["indicator_id"]) == t["target_id"]
        ],
    }


def explanation(
    connection: Connection, build: dict[str, Any], period: str, reason: str, published: dict[str, Any] | None
) -> dict[str, str]:
    """Why this release is made, in both languages; of a restatement, which inputs are not what they were."""
    if reason == "opening":
        return {"id": "Sejarah pembuka", "en": "Opening history"}
    if not published:
        return {"id": "Rilis pertama", "en": "First release"}
    changed = connection.execute(
        "select coalesce(n.feed, o.feed) as feed, n.reading_id is null as gone, d.known_at,"
        " o.reading_id is null as new from"
        " (select * from ops.build_input where build_id = %(new)s and period = %(period)s) n full join"
        " (select * from ops.build_input where build_id = %(old)s and period = %(period)s) o using (feed, part)"
        " left join ops.reading r on r.id = n.reading_id left join ops.delivery d on d.id = r.delivery_id"
        " where n.reading_id is distinct from o.reading_id order by 1",
        {"new": build["id"], "old": published["build_id"], "period": period},
    ).fetchall()
    told = {"id": [], "en": []}  # type: dict[str, list[str]]
    for row in changed:
        title = catalogue.feed(row["feed"]).title
        day = {
            language: row["known_at"]
            and format_date(row["known_at"].astimezone(periods.JAKARTA), "long", locale)
            for language, locale in (("id", "id_ID"), ("en", "en_GB"))
        }
        if row["gone"]:
            told["id"].append(f"{title.id}: kiriman ditarik")
            told["en"].append(f"{title.en}: delivery withdrawn")
        elif row["new"]:
            told["id"].append(f"{title.id}: kiriman terlambat, diterima {day['id']}")
            told["en"].append(f"{title.en}: late delivery, received {day['en']}")
        else:
            told["id"].append(f"{title.id}: kiriman dinyatakan ulang, diterima {day['id']}")
            told["en"].append(f"{title.en}: restated delivery, received {day['en']}")
    if not changed:
        return {
            "id": "Definisi, register, atau cara hitung berubah",
            "en": "A definition, a register or the method changed",
        }
    return {language: "; ".join(lines) for language, lines in told.items()}


def _keyed(figures: list[dict[str, Any]]) -> Figures:
    return {(f["indicator_id"], f["place"], f["breakdown"]): f for f in figures}


def _published(connection: Connection, period: str, cutoff: int) -> tuple[int, bool, Figures]:
    """Version, whether it restates, and figures of the release that was published at entry `cutoff`."""
    row = connection.execute(
        "select r.id, r.version from ops.release r join ops.publication p on p.release_id = r.id"
        " where r.period = %s and p.ledger_no <= %s order by p.ledger_no desc limit 1",
        [period, cutoff],
    ).fetchone()
    if not row:
        return 0, False, {}
    figures = connection.execute("select * from ops.figure where release_id = %s", [row["id"]]).fetchall()
    return row["version"], row["version"] > 1, _keyed(figures)


def _registers(connection: Connection, ids: list[int]) -> dict[str, list[dict[str, Any]]]:
    rows = connection.execute(
        "select name, rows from ops.register_version where id = any(%s)", [ids]
    ).fetchall()
    return {row["name"]: row["rows"] for row in rows}


def _indicator(
    connection: Connection,
    build: dict[str, Any],
    period: str,
    d: dict[str, Any],
    here: Figures,
    before: tuple[int, bool, Figures],
    how: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    name, decimals = d["indicator_id"], d["decimals"]
    mine = {b: f for (i, place, b), f in here.items() if i == name and place == "00"}
    preferred = (d["headline_breakdown"] or "").split(";")
    headline = next((b for b in preferred if b in mine), preferred[0])
    figure = mine.get(headline)
    needs = d["needs_feeds"].split(";")
    resets = any(catalogue.feed(f).takes == "year_to_date" for f in needs if f in catalogue.load())
    comparable = (0, False, {}) if resets and period.endswith("-01") else before

    def change(breakdown: str, value: Decimal | None) -> str | None:
        earlier = comparable[2].get((name, "00", breakdown))
        if value is None or earlier is None or earlier["value"] is None:
            return None
        return _rounded(value - earlier["value"], decimals)

    value = figure["value"] if figure else None
    moved = change(headline, value)
    return {
        "id": name,
        "version": d["version"],
        "figure": figure_id(name, "00", headline, period),
        "name": {"id": d["name_id"], "en": d["name_en"]},
        "unit": {"id": d["unit_id"], "en": d["unit_en"]},
        "decimals": decimals,
        "kind": d["kind"],
        "direction": d["direction"],
        "value": _rounded(value, decimals),
        "numerator": _number(figure["numerator"]) if figure else None,
        "denominator": _number(figure["denominator"]) if figure else None,
        "missing": [] if figure else [f for f in needs if f not in how or how[f]["how"] == "missing"],
        "carried": [
            {"feed": f, "from": how[f]["source_period"]}
            for f in needs
            if f in how and how[f]["how"] == "carried"
        ],
        "change": None
        if moved is None
        else {
            "value": moved,
            "from": figure_id(name, "00", headline, periods.shift(period, -1), comparable[0]),
        },
        "target": _target(connection, build["id"], period, name, headline, decimals),
        "history": _history(connection, build["cutoff"], period, name, headline, decimals, value),
        "breakdowns": [
            {
                "breakdown": b,
                "figure": figure_id(name, "00", b, period),
                "value": _rounded(f["value"], decimals),
                "numerator": _number(f["numerator"]),
                "denominator": _number(f["denominator"]),
                "change": change(b, f["value"]),
            }
            for b, f in sorted(mine.items())
            if b
        ],
    }


def _target(
    connection: Connection, build: int, period: str, indicator: str, breakdown: str, decimals: int
) -> dict[str, Any] | None:
    row = connection.execute(
        "select * from marts.rpt_status where build_id = %s and period = %s and indicator_id = %s"
        " and place = '00' and breakdown = %s",
        [build, period, indicator, breakdown],
    ).fetchone()
    return row and {
        "target_id": row["target_id"],
        "value": _number(row["target_value"]),
        "deadline": row["deadline"].isoformat(),
        "document": row["document"],
        "baseline_value": _rounded(row["baseline_value"], decimals),
        "baseline_date": row["baseline_date"].isoformat(),
        "expected": _rounded(row["expected_value"], decimals),
        "on_track": row["on_track"],
    }


def _history(
    connection: Connection,
    cutoff: int,
    period: str,
    indicator: str,
    breakdown: str,
    decimals: int,
    value: Decimal | None,
) -> list[dict[str, Any]]:
    """The figures of the last months as they were published at the cut-off, and this one."""
    rows = connection.execute(
        "select distinct on (r.period) r.period, r.version, f.value from ops.release r"
        " join ops.publication p on p.release_id = r.id"
        " left join ops.figure f on f.release_id = r.id and f.indicator_id = %s and f.place = '00'"
        " and f.breakdown = %s"
        " where p.ledger_no <= %s and r.period >= %s and r.period < %s order by r.period, p.ledger_no desc",
        [indicator, breakdown, cutoff, periods.shift(period, 1 - _MONTHS_OF_HISTORY), period],
    ).fetchall()
    line = [
        {
            "period": row["period"],
            "figure": figure_id(indicator, "00", breakdown, row["period"], row["version"]),
            "value": _rounded(row["value"], decimals),
            "version": row["version"],
            "restated": row["version"] > 1,
        }
        for row in rows
        if row["value"] is not None
    ]
    if value is not None:
        line.append(
            {
                "period": period,
                "figure": figure_id(indicator, "00", breakdown, period),
                "value": _rounded(value, decimals),
                "version": 0,  # this release's own, whose version stands above
                "restated": False,
            }
        )
    return line


def _provinces(
    connection: Connection,
    build: int,
    period: str,
    here: Figures,
    before: tuple[int, bool, Figures],
    definitions: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    names = connection.execute(
        "select kode, nama from facts.dim_wilayah where build_id = %s and level = 'provinsi'"
        " and valid_from <= %s and (valid_to is null or valid_to > %s) order by kode",
        [build, period, period],
    ).fetchall()
    shown = [d for d in definitions if any(i == d["indicator_id"] and p != "00" for i, p, _ in here)]

    def cell(d: dict[str, Any], place: str) -> dict[str, Any] | None:
        key = (d["indicator_id"], place, "")
        figure, earlier = here.get(key), before[2].get(key)
        if figure is None:
            return None
        known = earlier and earlier["value"] is not None and figure["value"] is not None
        return {
            "figure": figure_id(*key, period),
            "value": _rounded(figure["value"], d["decimals"]),
            "numerator": _number(figure["numerator"]),
            "denominator": _number(figure["denominator"]),
            "change": _rounded(figure["value"] - earlier["value"], d["decimals"])
            if known and earlier
            else None,
        }

    lines = []
    for row in names:
        cells = {d["indicator_id"]: c for d in shown if (c := cell(d, row["kode"]))}
        if cells:
            lines.append({"code": row["kode"], "name": row["nama"], **cells})
    return lines


def _restatements(
    connection: Connection,
    build: dict[str, Any],
    period: str,
    version: int,
    explanation: dict[str, str],
    published: dict[str, Any] | None,
    here: Figures,
) -> list[dict[str, Any]]:
    """What was published anew since the previous period's first release, and this release where it is one."""
    names = {
        d["indicator_id"]: d
        for d in _registers(connection, build["register_version_ids"])["indicator_register"]
    }
    rows = connection.execute(
        "select r.* from ops.release r join ops.publication p on p.release_id = r.id where r.version > 1"
        " and p.ledger_no <= %(cutoff)s and p.ledger_no > coalesce((select max(q.ledger_no) from ops.release f"
        " join ops.publication q on q.release_id = f.id where f.version = 1 and f.period = %(before)s), 0)"
        " order by p.ledger_no",
        {"cutoff": build["cutoff"], "before": periods.shift(period, -1)},
    ).fetchall()
    found = []
    for row in rows:
        old = connection.execute(
            "select f.* from ops.figure f join ops.release r on r.id = f.release_id where r.period = %s"
            " and r.version = %s and not r.superseded",
            [row["period"], row["version"] - 1],
        ).fetchall()
        new = connection.execute("select * from ops.figure where release_id = %s", [row["id"]]).fetchall()
        found.append(
            _restatement(
                row["period"],
                row["version"],
                row["context"]["cutoff_at"],
                row["explanation"],
                _keyed(old),
                _keyed(new),
                names,
            )
        )
    if published:
        old = connection.execute(
            "select * from ops.figure where release_id = %s", [published["id"]]
        ).fetchall()
        opened = connection.execute(
            "select product_at from ops.ledger where no = %s", [build["ledger_no"]]
        ).fetchone()
        assert opened is not None
        moment = opened["product_at"].astimezone(periods.JAKARTA).isoformat()
        found.append(_restatement(period, version, moment, explanation, _keyed(old), here, names))
    return found


def _restatement(
    period: str,
    version: int,
    moment: str,
    explanation: dict[str, str],
    old: Figures,
    new: Figures,
    names: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    keys = [k for k in sorted({*old, *new}) if old.get(k, {}).get("value") != new.get(k, {}).get("value")]
    changes = []
    for indicator, place, breakdown in (k for k in keys if k[1] == "00"):
        d = names[indicator]
        was, now = (x.get((indicator, place, breakdown), {}).get("value") for x in (old, new))
        changes.append(
            {
                "figure": figure_id(indicator, place, breakdown, period),
                "name": {"id": d["name_id"], "en": d["name_en"]},
                "old": _rounded(was, d["decimals"]),
                "new": _rounded(now, d["decimals"]),
                "difference": None if was is None or now is None else _rounded(now - was, d["decimals"]),
            }
        )
    return {
        "period": period,
        "version": version,
        "was": version - 1,
        "known_at": datetime.fromisoformat(moment).date().isoformat(),
        "explanation": explanation,
        "changes": changes,
        "figures_changed": len(keys),
    }


def _feeds(
    connection: Connection, build: dict[str, Any], period: str, definitions: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    lines = []
    for feed in catalogue.load().values():
        needed = [d["indicator_id"] for d in definitions if feed.name in d["needs_feeds"].split(";")]
        for part in feed.parts:
            standing = connection.execute(
                "select i.how, i.source_period, d.id as delivery_id, d.content_hash, d.known_at, d.simulated,"
                " r.rows, r.accepted, r.refused, r.set_aside from ops.build_input i"
                " join ops.reading r on r.id = i.reading_id join ops.delivery d on d.id = r.delivery_id"
                " where i.build_id = %s and i.feed = %s and i.part = %s and i.period = %s",
                [build["id"], feed.name, part, period],
            ).fetchone()
            if standing or needed:
                lines.append(_feed(connection, build, period, feed, part, needed, standing))
    return lines


def _feed(
    connection: Connection,
    build: dict[str, Any],
    period: str,
    feed: Feed,
    part: str,
    needed: list[str],
    standing: dict[str, Any] | None,
) -> dict[str, Any]:
    first = connection.execute(
        "select min(known_at) as known_at, count(*) as deliveries from ops.delivery"
        " where feed = %s and part = %s and period = %s and ledger_no <= %s",
        [feed.name, part, standing["source_period"] if standing else period, build["cutoff"]],
    ).fetchone()
    assert first is not None
    due = (
        periods.due(period, feed.due_day) if feed.due_day is not None and feed.cadence == "monthly" else None
    )
    observed = due is not None and standing is not None and standing["source_period"] == period
    files = connection.execute(
        "select name, sha256, bytes from ops.delivery_file where delivery_id = %s order by no",
        [standing and standing["delivery_id"]],
    ).fetchall()
    counts = ("rows", "accepted", "refused", "set_aside")
    return {
        "feed": feed.name,
        "part": part,
        "title": feed.title.model_dump(),
        "owner": feed.owner,
        "transport": {"ckan": "CKAN", "http": "HTTP", "sftp": "SFTP", "inbox": "inbox"}[feed.transport.kind],
        "how": standing["how"] if standing else "missing",
        "source_period": standing and standing["source_period"],
        "due_on": due and due.isoformat(),
        "known_at": standing and standing["known_at"].astimezone(periods.JAKARTA).isoformat(),
        "late_days": late_days(feed, period, first["known_at"]) if observed else None,
        "lateness": "observed" if observed else "none",
        "deliveries": first["deliveries"],
        **{name: standing[name] if standing else 0 for name in counts},
        "content_hash": standing and standing["content_hash"],
        "files": files,
        "simulated": bool(standing and standing["simulated"]),
        "needed_by": needed,
    }


def _finding(finding: checks.Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "sentence": finding.sentence,
        "fixer": finding.fixer,
        "feed": finding.feed,
        "rows": finding.rows,
    }
