"""Page two of the national report: what was restated, how the deliveries were, what is open, and sources.

Promise: long lists are cut with a sentence that says how much was left out, never silently.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pantau.report.source import COVERED, LEFT, Source, figure_parts

CHANGES, FINDINGS, FILES, RESTATEMENTS = 6, 6, 2, 4  # rows shown of each list
_ORDER = {"critical": 0, "warning": 1, "info": 2}


def restatements(source: Source) -> dict[str, Any]:
    """Each release that replaced an earlier one: reason, and old → new of its first figures."""
    words, all_of_them = source.words, source.context["restatements"]
    shown = []
    for restatement in all_of_them[:RESTATEMENTS]:
        changes = [
            {
                "figure": c["figure"],
                "name": words.pick(c["name"]),
                "old": words.number(c["old"], source.decimals(c["figure"])),
                "new": words.number(c["new"], source.decimals(c["figure"])),
                "difference": words.number(c["difference"], source.decimals(c["figure"]), signed=True),
            }
            for c in restatement["changes"][:CHANGES]
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
                "known": words.say(
                    "restatements.known",
                    day=words.day(restatement["known_at"]),
                    count=words.number(restatement["figures_changed"]),
                ),
                "why": words.pick(restatement["explanation"]),
                "changes": changes,
                "more": words.say("restatements.more", count=words.number(left_out)) if left_out > 0 else "",
            }
        )
    title = words["restatements"]["title_none"]
    if shown:
        title = words.say("restatements.title", count=len(all_of_them))
    hidden = len(all_of_them) - len(shown)
    return {
        "title": title,
        "rows": shown,
        "more": words.say("restatements.more_releases", count=hidden) if hidden > 0 else "",
    }


def _timeliness(source: Source, feed: Mapping[str, Any]) -> tuple[str, str]:
    """Word with its shape, and its kind for the colour."""
    words = source.words
    if feed["how"] == "missing":
        return words["feeds"]["absent"], "alarm"
    if feed["lateness"] == "observed" and feed["late_days"] is not None:
        if feed["late_days"] > 0:
            return words.say("feeds.days_late", days=feed["late_days"]), "amber"
        return words["feeds"]["on_time"], ""
    return words["feeds"]["not_observed" if feed["lateness"] != "none" else "none"], ""


def feeds(source: Source) -> dict[str, Any]:
    """Every delivery behind the release: when it came, how much of it was good, the hashes of its content."""
    words, rows = source.words, []
    for feed in source.context["feeds"]:
        late, late_kind = _timeliness(source, feed)
        data = words.month(feed["source_period"], short=True) if feed["source_period"] else "–"
        if how := words["feeds"][feed["how"]] if feed["how"] in ("carried", "effective") else "":
            data = f"{data} ({how})"
        deliveries = str(feed["deliveries"])
        if feed.get("duplicates"):
            deliveries = words.say(
                "feeds.duplicates", deliveries=feed["deliveries"], duplicates=feed["duplicates"]
            )
        proof = [words.say("feeds.hash", hash=feed["content_hash"][:16])] if feed["content_hash"] else []
        proof += [
            words.say("feeds.file", name=f["name"], size=_size(source, f["bytes"]), hash=f["sha256"][:16])
            for f in feed["files"][:FILES]
        ]
        if len(feed["files"]) > FILES:
            proof.append(words.say("feeds.more_files", count=len(feed["files"]) - FILES))
        used = words.say("feeds.used", indicators=", ".join(feed["needed_by"])) if feed["needed_by"] else ""
        rows.append(
            {
                "title": " · ".join(filter(None, (words.pick(feed["title"]), feed["part"]))),
                "owner": f"{feed['owner']}, {feed['transport']}",
                "id": feed["feed"],
                "simulated": feed["simulated"],
                "data": data,
                "due": words.day(feed["due_on"], short=True),
                "known": words.day(feed["known_at"], short=True),
                "late": late,
                "late_kind": late_kind,
                "deliveries": deliveries,
                "rows": words.number(feed["rows"]),
                "accepted": words.number(feed["accepted"]),
                "refused": words.number(feed["refused"]),
                "set_aside": words.number(feed["set_aside"]),
                "used": used,
                "proof": " · ".join(proof),
            }
        )
    sums = {
        key: words.number(sum(f[key] or 0 for f in source.context["feeds"]))
        for key in ("rows", "accepted", "refused")
    }
    return {"title": words.say("feeds.title", **sums) if rows else words["feeds"]["title_none"], "rows": rows}


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
            "place": " · ".join(filter(None, (source.feed_title(f["feed"]) if f["feed"] else "", f["rule"]))),
            "fixer": f["fixer"],
            "rows": words.number(f["rows"]),
        }
        for f in every[:FINDINGS]
    ]
    title = words["findings"]["title_none"]
    if every:
        counts = {kind: severities.count(kind) for kind in ("critical", "warning")}
        title = words.say("findings.title", **counts)
    return {
        "title": title,
        "rows": rows,
        "rules": words.say("findings.rules", **source.context["checks"]),
        "more": words.say("findings.more", count=len(every) - len(rows)) if len(every) > len(rows) else "",
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
            "name": p["name"],
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
    versions = list(dict.fromkeys(name.partition(":")[0] for name in known))
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


def method(source: Source) -> dict[str, Any]:
    """Definitions and targets in force, with their documents."""
    words = source.words
    targets = []
    for used in source.context["targets_used"]:
        indicator = source.indicator(used["indicator"])
        target = indicator["target"] if indicator else None
        common = {k: used[k] for k in ("indicator", "document", "source")}
        if indicator is None or not target:
            targets.append(words.say("method.target_plain", **common))
            continue
        targets.append(
            words.say(
                "method.target",
                target=source.target(indicator, target["value"]),
                deadline=words.day(target["deadline"]),
                baseline=source.target(indicator, target["baseline_value"]),
                baseline_day=words.day(target["baseline_date"]),
                **common,
            )
        )
    return {
        "definitions": [
            words.say(
                "method.definition",
                indicator=d["id"],
                version=d["version"],
                formula=words.pick(d["formula"]),
                source=d["source"],
            )
            for d in source.context["definitions"]
        ],
        "targets": targets or [words["method"]["no_targets"]],
    }


def page_two(source: Source) -> dict[str, Any]:
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
