"""Page two of the national report: what was restated, how the deliveries were, what is open, and sources.

Promise: long lists are cut with a sentence that says how much was left out, never silently.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pantau.report.national.source import COVERED, LEFT, Source, figure_parts

FILES = 2  # named for each delivery
_ORDER = {"critical": 0, "warning": 1, "info": 2}


def restatements(source: Source) -> dict[str, Any]:
    """Each release that replaced an earlier one: reason, and old → new of its first figures."""
    words, every = source.words, source.restatements
    shown = []
    for restatement in every[: source.room.restatements]:
        changes = [
            {
                "figure": c["figure"],
                "name": words.pick(c["name"]),
                "old": words.number(c["old"], source.decimals(c["figure"])),
                "new": words.number(c["new"], source.decimals(c["figure"])),
                "difference": words.number(c["difference"], source.decimals(c["figure"]), signed=True),
            }
            for c in _foremost(restatement["changes"], source.room.changes)
        ]
        left_out = restatement["figures_changed"] - len(changes)
        shown.append(
            {
                "head": words.say(
                    "restatements.head",
                    month=words.month(restatement["period"]),
                    was=restatement["was"],
                    version=restatement["version"],
                ),
                "known": words.say("restatements.known", day=words.day(restatement["known_at"])),
                "why": words.pick(restatement["explanation"]),
                "changes": changes,
                "more": words.say("restatements.more", count=words.number(left_out)) if left_out > 0 else "",
            }
        )
    title = words["restatements"]["title_none"]
    count = words.number(sum(r["figures_changed"] for r in every))
    if len(every) == 1:
        month = words.month(every[0]["period"])
        title = words.say("restatements.title_one", month=month, count=count)
    elif every:
        title = words.say("restatements.title", releases=len(every), count=count)
    hidden = words.listing(words.month(r["period"]) for r in every[len(shown) :])
    return {
        "title": title,
        "rows": shown,
        "more": words.say("restatements.more_releases", months=hidden) if hidden else "",
    }


def _foremost(changes: list[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """At most so many, in their order; where some are left out, breakdowns go before totals do."""
    kept = sorted(changes, key=lambda c: bool(figure_parts(c["figure"])[2]))[:most]
    return [c for c in changes if c in kept]


def _timeliness(source: Source, feed: Mapping[str, Any]) -> tuple[str, str]:
    """Word with its shape, and its kind for the colour."""
    words = source.words["feeds"]
    if feed["how"] == "missing":
        return words["absent"], "alarm"
    if feed["lateness"] == "observed" and feed["late_days"] is not None:
        if feed["late_days"] > 0:
            return source.words.say("feeds.days_late", days=feed["late_days"]), "amber"
        return words["on_time"], ""
    if feed["how"] in ("carried", "effective"):
        return words[feed["how"]], "amber" if feed["how"] == "carried" else ""
    return words["not_observed" if feed["lateness"] != "none" else "none"], ""


def _concern(feed: Mapping[str, Any]) -> int:
    """0 for what is missing, 1 for what is late or refused rows, 2 for the rest."""
    if feed["how"] == "missing":
        return 0
    return 1 if (feed["late_days"] or 0) > 0 or feed["refused"] else 2


def feeds(source: Source) -> dict[str, Any]:
    """Every delivery behind the release: when it came, how much of it was good, the hashes of its content."""
    words, rows = source.words, []
    every = sorted(source.context["feeds"], key=_concern)
    for feed in every[: source.room.feeds]:
        late, late_kind = _timeliness(source, feed)
        transport = words["transport"].get(feed["transport"], feed["transport"])
        about = [f"{feed['owner']}, {transport}", feed["feed"]]
        if feed["needed_by"]:
            about.append(words.say("feeds.used", indicators=", ".join(feed["needed_by"])))
        if feed["simulated"]:
            about.append(words["feeds"]["simulated"])
        rows.append(
            {
                "title": " · ".join(filter(None, (words.pick(feed["title"]), feed["part"]))),
                "data": words.month(feed["source_period"], short=True) if feed["source_period"] else "–",
                "due": words.day(feed["due_on"], short=True),
                "known": words.day(feed["known_at"], short=True),
                "late": late,
                "late_kind": late_kind,
                "deliveries": words.number(feed["deliveries"]),
                "rows": words.number(feed["rows"]),
                "accepted": words.number(feed["accepted"]),
                "refused": words.number(feed["refused"]),
                "set_aside": words.number(feed["set_aside"]),
                "about": " · ".join([*about, *_proof(source, feed)]),
            }
        )
    sums = {key: words.number(sum(f[key] or 0 for f in every)) for key in ("rows", "accepted", "refused")}
    hidden = len(every) - len(rows)
    return {
        "title": words.say("feeds.title", **sums) if rows else words["feeds"]["title_none"],
        "rows": rows,
        "more": words.say("feeds.more", count=hidden) if hidden else "",
    }


def _proof(source: Source, feed: Mapping[str, Any]) -> list[str]:
    """The delivery's files with their hashes; first the hash of its content where that is not a file's own."""
    words, files = source.words, feed["files"]
    said = [
        words.say("feeds.file", name=f["name"], size=_size(source, f["bytes"]), hash=f["sha256"][:16])
        for f in files[:FILES]
    ]
    if feed["content_hash"] and [f["sha256"] for f in files] != [feed["content_hash"]]:
        said.insert(0, words.say("feeds.content", hash=feed["content_hash"][:16]))
    if len(files) > FILES:
        said.append(words.say("feeds.more_files", count=len(files) - FILES))
    return said


def _size(source: Source, count: int) -> str:
    for unit, size in (("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{source.words.number(Decimal(count) / size, 1)} {unit}"
    return f"{source.words.number(count)} B"


def findings(source: Source) -> dict[str, Any]:
    """Open findings, critical first."""
    words = source.words
    every = sorted(source.context["findings"], key=lambda f: _ORDER[f["severity"]])
    severities = [f["severity"] for f in every]
    rows = [
        {
            "severity": words["findings"][f["severity"]],
            "kind": {"critical": "alarm", "warning": "amber"}.get(f["severity"], ""),
            "sentence": words.pick(f["sentence"]),
            "rule": f["rule"],
            "fixer": f["fixer"],
            "rows": words.number(f["rows"]),
        }
        for f in every[: source.room.findings]
    ]
    title = words["findings"]["title_none"]
    if every:
        counts = {kind: severities.count(kind) for kind in ("critical", "warning")}
        title = words.say("findings.title", **counts)
    return {
        "title": title,
        "rows": rows,
        "rules": words.say("findings.rules", **source.context["checks"]),
        "more": words.say("findings.more", count=len(every) - len(rows), period=source.period)
        if len(every) > len(rows)
        else "",
    }


def provinces(source: Source) -> dict[str, Any] | None:
    """K1 and K2 of every province, in two tables of one shape; None without provinces."""
    words = source.words
    covered, left = source.indicator(COVERED), source.indicator(LEFT)
    every = source.provinces
    if not every or covered is None or left is None:
        return None
    rows = [
        {
            "code": p["code"],
            "name": source.layout.get(p["code"], {}).get("listed", p["name"]),
            "covered": words.number(p["K1"]["value"], covered["decimals"]),
            "covered_change": words.number(p["K1"]["change"], covered["decimals"], signed=True),
            "left": words.number(p["K2"]["value"]),
            "left_change": words.number(p["K2"]["change"], signed=True),
            "worse": p["K2"]["change"] is not None and Decimal(p["K2"]["change"]) > 0,
        }
        for p in every
    ]
    half = (len(rows) + 1) // 2
    change = left["change"]
    since = words.month(figure_parts(change["from"])[3]) if change else "–"
    return {
        "note": words.say("provinces.note", period=source.period, **{"from": since}),
        "parts": [part for part in (rows[:half], rows[half:]) if part],
    }


def budget(source: Source) -> dict[str, Any] | None:
    """K12 by budget version, with the groups as columns; None where it is missing."""
    words, k12 = source.words, source.indicator("K12")
    if k12 is None or k12["value"] is None:
        return None
    known = {b["breakdown"]: b for b in k12["breakdowns"]}
    order = list(words["breakdown"])  # as the versions of a year's budget follow one another
    versions = sorted(
        dict.fromkeys(name.partition(":")[0] for name in known),
        key=lambda v: order.index(v) if v in order else len(order),
    )
    groups = list(dict.fromkeys(name.partition(":")[2] for name in known if ":" in name))
    chosen = figure_parts(k12["figure"])[2]

    def cell(name: str) -> str:
        return words.number(known[name]["value"], k12["decimals"]) if name in known else "–"

    rows = [
        {
            "name": version,
            "chosen": version == chosen,
            "ceiling": words.compact(known.get(version, {}).get("denominator"), short=True),
            "total": cell(version),
            "groups": [cell(f"{version}:{group}") for group in groups],
        }
        for version in versions
    ]
    heads = [words["breakdown"].get(group, group) for group in groups]
    return {"note": words.say("budget.note", period=source.period), "groups": heads, "rows": rows}


def method(source: Source) -> list[dict[str, Any]]:
    """Definitions in force, each with its target and the documents behind both."""
    words, rows = source.words, []
    documents = {used["indicator"]: used for used in source.context["targets_used"]}
    for definition in source.context["definitions"]:
        name = definition["id"]
        indicator, used = source.indicator(name), documents.get(name)
        target = indicator["target"] if indicator else None
        row = {
            "id": name,
            "version": f"v{definition['version']}",
            "formula": words.pick(definition["formula"]),
            "source": definition["source"],
            "document": words.say("method.document_text", document=used["document"], source=used["source"])
            if used
            else "–",
        }
        row |= dict.fromkeys(("baseline", "target"), "–") | dict.fromkeys(("since", "deadline"), "")
        if indicator and target:
            row |= {
                "baseline": source.target(indicator, target["baseline_value"]),
                "since": words.day(target["baseline_date"], short=True),
                "target": source.target(indicator, target["value"]),
                "deadline": words.day(target["deadline"], short=True),
            }
        rows.append(row)
    return rows


def view(source: Source) -> dict[str, Any]:
    """Everything that page two shows."""
    return {
        "restatements": restatements(source),
        "feeds": feeds(source),
        "findings": findings(source),
        "provinces": provinces(source),
        "budget": budget(source),
        "budget_missing": source.words.say("budget.missing", month=source.words.month(source.period)),
        "method": method(source),
    }
