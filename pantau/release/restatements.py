"""Why a release replaces another, by the inputs that differ between their builds, and what it changed.

Promise: every reason is read from the manifests and the ledger; the code says whose matter it is (R1 the sender's
correction or late delivery, R2 boundaries, R3 definition or method, R4 a delivery that was rejected or left out by
decision, C our own error).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from babel.dates import format_date

from pantau import catalogue, periods
from pantau.database import Connection
from pantau.read import REGISTER
from pantau.release.figures import NATION, Closing, Figures, difference, figure_id, figures_of, parts, rounded

Text = dict[str, str]  # id, en
# Of a release with several causes the first of these names it; its text tells all.
CODES = ("C", "R3", "R2", "R4", "R1")
_LOCALES = {"id": "id_ID", "en": "en_GB"}
_METHOD: Text = {
    "id": "Definisi, register, atau cara hitung berubah",
    "en": "A definition, a register or the method changed",
}


@dataclass(frozen=True)
class Cause:
    """One input that is not what it was."""

    code: str
    feed: str
    told: Text


def causes(connection: Connection, old: int, new: int, period: str) -> list[Cause]:
    """Which inputs of build `new` for `period` are not those of build `old`, by feed and part."""
    rows = connection.execute(
        "select i.feed, i.part,"
        " n.how as new_how, o.how as old_how, o.source_period as old_period,"
        " i.feed = any(b.without) as left_out,"
        " nr.contract_version <> r.contract_version as other_contract,"
        " nd.id as new_delivery, d.id as old_delivery, nd.known_at as new_at, d.known_at as old_at,"
        " nd.ledger_no < d.ledger_no as back,"
        " (select l.what ->> 'why' from ops.ledger l where l.kind = 'rejection'"
        "   and l.what ->> 'delivery' = d.id::text and l.no <= b.cutoff order by l.no desc limit 1) as rejected,"
        " (select l.what ->> 'why' from ops.ledger l where l.kind = 'reinstatement'"
        "   and l.what ->> 'delivery' = nd.id::text and l.no > p.cutoff and l.no <= b.cutoff"
        "   order by l.no desc limit 1) as reinstated"
        " from (select * from ops.build_input where build_id = %(new)s and period = %(period)s) n"
        " full join (select * from ops.build_input where build_id = %(old)s and period = %(period)s) o"
        "   using (feed, part) as i"
        " join ops.build b on b.id = %(new)s join ops.build p on p.id = %(old)s"
        " left join ops.reading nr on nr.id = n.reading_id left join ops.delivery nd on nd.id = nr.delivery_id"
        " left join ops.reading r on r.id = o.reading_id left join ops.delivery d on d.id = r.delivery_id"
        ' where n.reading_id is distinct from o.reading_id order by i.feed collate "C", i.part collate "C"',
        {"new": new, "old": old, "period": period},
    ).fetchall()
    return [_cause(row) for row in rows]


def _cause(row: dict[str, Any]) -> Cause:
    feed = catalogue.feed(row["feed"])
    part = feed.parts.get(row["part"], row["part"])
    code, told = _told(row)
    titles = {"id": feed.title.id, "en": feed.title.en}
    return Cause(
        code, feed.name, {x: titles[x] + (f" ({part})" if part else "") + f": {told[x]}" for x in _LOCALES}
    )


def _told(row: dict[str, Any]) -> tuple[str, Text]:
    new_day, old_day = _day(row["new_at"]), _day(row["old_at"])
    if row["new_delivery"] is None and row["left_out"]:
        return "R4", {"id": "menurut keputusan tidak dipakai", "en": "left out by decision"}
    if row["new_delivery"] is None and row["rejected"] is not None:
        return "R4", {
            "id": f"kiriman {old_day['id']} ditolak ({row['rejected']}), tidak ada gantinya",
            "en": f"delivery of {old_day['en']} rejected ({row['rejected']}), none in its place",
        }
    if row["new_delivery"] is None:
        return "R1", {"id": "kiriman ditarik", "en": "delivery withdrawn"}
    if row["reinstated"] is not None:
        return "C", {
            "id": f"kiriman {new_day['id']}, yang pernah kami tolak, dipulihkan: {row['reinstated']}",
            "en": f"delivery of {new_day['en']}, which we had rejected, reinstated: {row['reinstated']}",
        }
    if row["old_delivery"] == row["new_delivery"] and row["other_contract"]:
        return "R3", {
            "id": "kiriman yang sama dibaca ulang dengan aturan baca yang baru",
            "en": "the same delivery read again under changed rules of reading",
        }
    if row["old_delivery"] == row["new_delivery"]:
        return "R2", {
            "id": "kiriman yang sama dibaca ulang dengan register wilayah atau dasar hukum yang lain",
            "en": "the same delivery read again with another register of regions or other laws",
        }
    if row["feed"] == REGISTER:
        return "R2", {
            "id": f"register lain berlaku, diterima {new_day['id']}",
            "en": f"another register in force, received {new_day['en']}",
        }
    if row["back"] and row["rejected"] is not None:
        return "R4", {
            "id": f"kiriman {old_day['id']} ditolak ({row['rejected']}), kiriman {new_day['id']} berlaku lagi",
            "en": f"delivery of {old_day['en']} rejected ({row['rejected']}), that of {new_day['en']} stands again",
        }
    if row["old_delivery"] is None:
        return "R1", {
            "id": f"kiriman terlambat, diterima {new_day['id']}",
            "en": f"late delivery, received {new_day['en']}",
        }
    if row["old_how"] == "carried" and row["new_how"] == "own":
        stood = periods.last_day(row["old_period"])
        return "R1", {
            "id": f"kiriman terlambat, diterima {new_day['id']} (sebelumnya memakai data"
            f" {format_date(stood, 'MMMM y', 'id_ID')})",
            "en": f"late delivery, received {new_day['en']} (until then data of"
            f" {format_date(stood, 'MMMM y', 'en_GB')})",
        }
    return "R1", {
        "id": f"kiriman dinyatakan ulang, diterima {new_day['id']}",
        "en": f"restated delivery, received {new_day['en']}",
    }


def _day(moment: datetime | None) -> Text:
    if moment is None:
        return {}
    day = moment.astimezone(periods.JAKARTA)
    return {language: format_date(day, "long", locale) for language, locale in _LOCALES.items()}


def code_of(found: Iterable[Cause]) -> str:
    """The code of a release with these causes; without any, its definition or method is what changed."""
    codes = {cause.code for cause in found}
    return next((code for code in CODES if code in codes), "R3")


def explain(found: list[Cause]) -> Text:
    """All causes in one text."""
    return {x: "; ".join(cause.told[x] for cause in found) for x in _LOCALES} if found else dict(_METHOD)


def explanation(
    connection: Connection, build: dict[str, Any], period: str, reason: str, published: dict[str, Any] | None
) -> Text:
    """Why this release is made, in both languages; of a restatement, which inputs are not what they were."""
    if reason == "opening":
        return {"id": "Sejarah pembuka", "en": "Opening history"}
    if not published:
        return {"id": "Rilis pertama", "en": "First release"}
    return explain(causes(connection, published["build_id"], build["id"], period))


def reissued(months: list[str]) -> Text:
    """Why a page is made again though its own figures stand."""
    named = {
        language: ", ".join(format_date(periods.start(month).date(), "MMMM y", locale) for month in months)
        for language, locale in _LOCALES.items()
    }
    return {
        "id": f"Bulan sebelumnya dinyatakan ulang: {named['id']}",
        "en": f"An earlier month was restated: {named['en']}",
    }


def restatements(
    closing: Closing, explanation: Text, published: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """What was published anew since the previous period's first release, and this release where it is one."""
    rows = closing.connection.execute(
        "select r.*, o.id as old_id, o.build_id as old_build from ops.release r"
        " join ops.publication p on p.release_id = r.id"
        " join ops.release o on o.period = r.period and o.version = r.version - 1 and not o.superseded"
        " where r.reason <> 'reissue'"
        " and p.ledger_no <= %(cutoff)s and p.ledger_no > coalesce((select max(q.ledger_no) from ops.release f"
        "   join ops.publication q on q.release_id = f.id where f.version = 1 and f.period = %(before)s), 0)"
        " order by p.ledger_no",
        {"cutoff": closing.cutoff, "before": periods.shift(closing.period, -1)},
    ).fetchall()
    found = [
        _restatement(
            closing,
            row,
            code_of(causes(closing.connection, row["old_build"], row["build_id"], row["period"])),
            row["context"]["cutoff_at"],
            figures_of(closing.connection, row["old_id"]),
            figures_of(closing.connection, row["id"]),
        )
        for row in rows
    ]
    if published:
        this = {"period": closing.period, "version": closing.version, "explanation": explanation}
        why = causes(closing.connection, published["build_id"], closing.build["id"], closing.period)
        old = figures_of(closing.connection, published["id"])
        found.append(_restatement(closing, this, code_of(why), closing.closed_at, old, closing.figures))
    return found


def _restatement(
    closing: Closing, release: dict[str, Any], code: str, moment: str, old: Figures, new: Figures
) -> dict[str, Any]:
    names = {d["indicator_id"]: d for d in closing.registers["indicator_register"]}
    keys = [k for k in sorted({*old, *new}) if old.get(k, {}).get("value") != new.get(k, {}).get("value")]
    changes = []
    for indicator, place, breakdown in (k for k in keys if k[1] == NATION):
        d = names[indicator]
        was, now = (x.get((indicator, place, breakdown)) for x in (old, new))
        changes.append(
            {
                "figure": figure_id(indicator, place, breakdown, release["period"]),
                "name": {"id": d["name_id"], "en": d["name_en"]},
                "old": was and rounded(was["value"], d["decimals"]),
                "old_parts": parts(was),
                "new": now and rounded(now["value"], d["decimals"]),
                "new_parts": parts(now),
                "difference": difference(d, now, was),
            }
        )
    return {
        "period": release["period"],
        "version": release["version"],
        "was": release["version"] - 1,
        "known_at": datetime.fromisoformat(moment).date().isoformat(),
        "code": code,
        "explanation": release["explanation"],
        "changes": changes,
        "figures_changed": len(keys),
    }
