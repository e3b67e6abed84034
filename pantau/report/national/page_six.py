"""The last pages of the national report: how the deliveries were, what is open, and what the words mean.

Promise: every delivery and every open finding is told, however many there are.
"""

from collections.abc import Mapping
from typing import Any

from pantau.report.national.source import Source
from pantau.report.wording import NOTHING

_ORDER = {"critical": 0, "warning": 1, "info": 2}


def _timeliness(source: Source, feed: Mapping[str, Any]) -> tuple[str, str]:
    """Word with its shape, and its kind for the colour."""
    words = source.words["feeds"]
    if feed["how"] == "missing":
        return words["rejected" if feed.get("rejected") else "absent"], "alarm"
    if feed["how"] == "carried":
        month = source.words.month(feed["source_period"], short=True)
        key = "feeds.carried_rejected" if feed.get("rejected") else "feeds.carried"
        return source.words.say(key, month=month), "amber"
    if feed["lateness"] == "observed" and feed["late_days"] is not None:
        if feed["late_days"] > 0:
            return source.words.say("feeds.days_late", days=feed["late_days"]), "amber"
        return words["on_time"], ""
    if feed["how"] == "effective":
        return words["effective"], ""
    return words["not_observed" if feed["lateness"] != "none" else "none"], ""


def _concern(feed: Mapping[str, Any]) -> int:
    """0 for what is missing, 1 carried, 2 late or with refused rows, 3 for the rest."""
    if feed["how"] in ("missing", "carried"):
        return ("missing", "carried").index(feed["how"])
    return 2 if (feed["late_days"] or 0) > 0 or feed["refused"] else 3


def _about(source: Source, feed: Mapping[str, Any]) -> str:
    """Owner, transport and id of a feed, its use, and the proof of what was delivered."""
    words = source.words
    said = [feed["owner"], words["transport"].get(feed["transport"], feed["transport"]), feed["feed"]]
    if feed["needed_by"]:
        said.append(words.say("feeds.used", indicators=", ".join(feed["needed_by"])))
    if feed["simulated"]:
        said.append(words["feeds"]["simulated"])
    if len(feed["files"]) == 1:
        said.append(feed["files"][0]["name"])
    elif feed["files"]:
        said.append(words.say("feeds.files", count=len(feed["files"])))
    if feed["content_hash"]:
        said.append(words.say("feeds.content", hash=feed["content_hash"][:16]))
    return " · ".join(said)


def feeds(source: Source) -> dict[str, Any]:
    """Every delivery behind the release: when it came, how much of it was good, the hash of its content."""
    words, rows = source.words, []
    every = sorted(source.context["feeds"], key=_concern)
    for feed in every:
        late, late_kind = _timeliness(source, feed)
        counts = {key: words.number(feed[key]) for key in ("rows", "accepted", "refused", "set_aside")}
        rows.append(
            {
                "title": source.feed_title(feed["feed"], feed["part"]),
                "data": words.month(feed["source_period"], short=True) if feed["source_period"] else NOTHING,
                "due": words.day(feed["due_on"], short=True),
                "known": words.day(feed["known_at"], short=True),
                "late": late,
                "late_kind": late_kind,
                **counts,
                "about": _about(source, feed),
            }
        )
    sums = {key: words.number(sum(f[key] or 0 for f in every)) for key in ("rows", "accepted", "refused")}
    title = words.say("feeds.title", **sums) if rows else words["feeds"]["title_none"]
    return {"title": title, "rows": rows}


def findings(source: Source) -> dict[str, Any]:
    """Every open finding, critical first."""
    words = source.words
    every = sorted(source.context["findings"], key=lambda f: _ORDER[f["severity"]])
    rows = [
        {
            "severity": words["findings"][f["severity"]],
            "kind": {"critical": "alarm", "warning": "amber"}.get(f["severity"], ""),
            "sentence": words.pick(f["sentence"]),
            "rule": f["rule"] + (f" ({f['part']})" if f.get("part") else ""),
            "fixer": f["fixer"],
            "rows": words.number(f["rows"]),
        }
        for f in every
    ]
    counts = {kind: sum(f["severity"] == kind for f in every) for kind in _ORDER}
    title = words.say("findings.title", **counts) if every else words["findings"]["title_none"]
    checks = source.context["checks"]
    told = [words.say("findings.rules", passed=checks["passed"], rules=checks["rules"])]
    if checks["not_applicable"]:
        told.append(words.say("findings.not_applicable", count=checks["not_applicable"]))
    return {"title": title, "rows": rows, "rules": " ".join(told)}


def title(source: Source) -> str:
    """The page's claim: what came late, what was carried or is missing, and what is open."""
    words, every = source.words, source.context["feeds"]
    counts = {
        "late": sum((f["late_days"] or 0) > 0 for f in every),
        "carried": sum(f["how"] == "carried" for f in every),
        "missing": sum(f["how"] == "missing" and not f.get("rejected") for f in every),
        "rejected": sum(f["how"] == "missing" and f.get("rejected", False) for f in every),
    }
    serious = sum(f["severity"] in ("critical", "warning") for f in source.context["findings"])
    told = [words.say(f"quality.{name}", count=count) for name, count in counts.items() if count]
    key = "quality.title" if told else "quality.title_clean"
    said = {"on_time": source.on_time(), "all": len(every), "told": words.listing(told)}
    return words.say(key, findings=serious, **said).strip()


def view(source: Source) -> dict[str, Any]:
    """Everything that the last pages show."""
    words = source.words
    return {
        "title": title(source),
        "feeds": feeds(source),
        "findings": findings(source),
        "glossary": [
            {"term": term, "meaning": words["glossary"][key]} for key, term in words["term"].items()
        ],
        "code": source.context["code_version"],
    }
