"""The pages that tell how things stand now: all months, one month, the rules, the ledger. Written anew each time,
but for the full pages of the ledger.
"""

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

from pantau import catalogue, checks, periods
from pantau.audit import axis, punctuality
from pantau.audit.paper import Paper, entry_link, period_page, stamp
from pantau.audit.records import SEVERITIES, Records, Row
from pantau.audit.tree import Tree
from pantau.periods import JAKARTA
from pantau.verify import Failure

ENTRIES_A_PAGE = 500
_COLOURS = {"critical": axis.ALARM, "warning": axis.AMBER, "info": axis.INK}


def state_of(release: Row) -> str:
    """candidate, approved, published or replaced."""
    if release["published"]:
        return "published"
    if release["publication_no"]:
        return "replaced"
    return "approved" if release["approval_no"] else "candidate"


def headlines(records: Records, release: Row) -> list[dict[str, Any]]:
    """The nation's figure of each indicator of a release under its headline breakdown, K before R, with its row of
    the register."""
    found: dict[str, dict[str, Row]] = defaultdict(dict)
    for figure in records.nation.get(release["id"], []):
        found[figure["indicator_id"]][figure["breakdown"]] = figure
    register = records.registers(records.builds[release["build_id"]])["indicator_register"]
    definitions = {(d["indicator_id"], d["version"]): d for d in register}
    shown = []
    for indicator, its in found.items():
        definition = definitions[indicator, next(iter(its.values()))["indicator_version"]]
        wanted = (definition["headline_breakdown"] or "").split(";")
        shown += [{"definition": definition, "figure": its[b]} for b in (*wanted, "") if b in its][:1]
    return sorted(
        shown, key=lambda x: (x["definition"]["indicator_id"][0], int(x["definition"]["indicator_id"][1:]))
    )


# ---------------------------------------------------------------- all months


def write_index(tree: Tree, paper: Paper, records: Records, failures: list[Failure]) -> None:
    """All months with their releases, and what a verification found."""
    months = [_month(records, period) for period in reversed(records.periods)]
    names = {i: h["definition"] for m in months for i, h in m["figures"].items()}
    order = sorted(names, key=lambda i: (i[0], int(i[1:])))
    tree.write(
        "index.html",
        paper.render(
            "index.html.j2", "index.html",
            months=months, indicators=[names[i] for i in order], failures=failures,
            published=sum(1 for r in records.releases.values() if r["publication_no"]),
            deliveries=len(records.deliveries), findings=len(records.findings),
            **_chain(records), simulated=records.is_simulated,
        ),
    )  # fmt: skip


def _month(records: Records, period: str) -> dict[str, Any]:
    releases = records.versions.get(period, [])
    standing = next(
        (r for r in reversed(releases) if r["publication_no"]), releases[-1] if releases else None
    )
    build = records.standing_build(period)
    failed = [r for r in records.results(build, period) if not r["passed"]] if build else []
    shown = headlines(records, standing) if standing else []
    return {
        "period": period,
        "year": period[:4],
        "releases": [{"release": r, "state": state_of(r)} for r in releases],
        "standing": standing,
        "figures": {h["definition"]["indicator_id"]: h for h in shown},
        "failed": Counter(r["severity"] for r in failed),
        "blocked": _blocked(records, period) is not None,
    }


def _chain(records: Records) -> dict[str, Any]:
    broken = [e for e in records.numbered if not e["holds"]]
    return {
        "entry_count": len(records.entries),
        "broken": broken,
        "head": records.entries[-1] if records.entries else None,
    }


def _blocked(records: Records, period: str) -> Row | None:
    """The newest build of a month, where the gate has refused it."""
    build = records.last_build(period)
    return build if build and build["outcome"] == "blocked" else None


# ---------------------------------------------------------------- one month


def write_period(tree: Tree, paper: Paper, records: Records, period: str) -> None:
    """Who has to act, what arrived, what the checks say, what was released."""
    releases = records.versions.get(period, [])
    build = records.standing_build(period)
    lines = punctuality.lines(records, period)
    rules = _rules(records, period, build)
    entries = _entries(records, period)
    path = period_page(period)
    tree.write(
        path,
        paper.render(
            "period.html.j2", path,
            period=period,
            before=periods.shift(period, -1) if periods.shift(period, -1) in records.periods else None,
            after=periods.shift(period, 1) if periods.shift(period, 1) in records.periods else None,
            releases=[{"release": r, "state": state_of(r), "headlines": headlines(records, r)} for r in releases],
            is_opening=bool(releases) and releases[0]["reason"] == "opening",
            blocked=_blocked(records, period),
            acts=_acts(records, period, lines),
            axis=_axis(paper, records, period),
            lines=lines,
            kinds=Counter(_kind(line) for line in lines),
            totals={
                name: sum(line["reading"][name] for line in lines if line["reading"])
                for name in ("rows", "accepted", "refused", "set_aside")
            },
            months=[periods.shift(period, n) for n in range(1 - punctuality.MONTHS, 1)],
            rules=rules,
            failed=Counter(rule["severity"] for rule in rules if rule["now"]),
            entries=entries,
            link_to=lambda number: entry_link(number, ENTRIES_A_PAGE),
            **_chain(records),
            simulated=any(line["delivery"]["simulated"] for line in lines if line["delivery"]),
        ),
    )  # fmt: skip


def _kind(line: dict[str, Any]) -> str:
    return line["now"].kind


def _acts(records: Records, period: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What keeps the month from being right, and who has to do something about it: the worst first."""
    found: list[dict[str, Any]] = []
    if blocked := _blocked(records, period):
        found += [
            {
                "kind": "blocked",
                "finding": r["finding"],
                "rule": r["finding"]["rule"],
                "rows": r["failing_rows"],
            }
            for r in records.results(blocked, period)
            if not r["passed"] and r["severity"] == "critical"
        ]
    for release in records.versions.get(period, []):
        if state_of(release) in ("candidate", "approved"):
            found.append({"kind": state_of(release), "release": release})
    for line in lines:
        if not line["first"] and line["due"] and line["how"] != "own":
            found.append({"kind": "missing" if line["is_due_over"] else "waiting", "line": line})
        unread = [d for d in line["arrived"] if d["id"] not in records.readings_of and not d["rejected"]]
        found += [{"kind": "unread", "line": line, "delivery": d} for d in unread]
    build = records.standing_build(period)
    if build:
        found += [
            {
                "kind": "warning",
                "finding": r["finding"],
                "rule": r["finding"]["rule"],
                "rows": r["failing_rows"],
            }
            for r in records.results(build, period)
            if not r["passed"] and r["severity"] == "warning"
        ]
    return found


def _axis(paper: Paper, records: Records, period: str) -> Any:
    said = paper.words["axis"]
    arrivals: list[tuple[datetime, str, str]] = []
    due = set()
    for (name, part, at), arrived in records.arrived.items():
        feed = catalogue.load().get(name)
        if at != period or feed is None:
            continue
        kind = punctuality.month(records, feed, part, period).kind
        title = feed.parts[part] or feed.title.id
        for no, delivery in enumerate(arrived):
            how = "again" if no else "late" if kind == "late" else "came"
            arrivals.append((delivery["known_at"], how, title))
        if feed.due_day and kind in ("on_time", "late"):
            due.add(periods.day_end(periods.due(period, feed.due_day)))
    lanes = [_lane(paper, records, r) for r in records.releases.values() if r["period"] == period]
    if (blocked := _blocked(records, period)) and blocked["first_period"] == blocked["last_period"]:
        at = records.entry(blocked["ledger_no"])["product_at"]
        points = [(at, "blocked")] if at else []
        lanes.append({"name": said["build"], "state": said["held"], "points": points, "note": said["gate"]})
    if not arrivals and not lanes:
        return ""
    return axis.month_axis(
        arrivals,
        lanes,
        sorted(due),
        said,
        paper.at,
        lambda when: f"{when.astimezone(JAKARTA).day} {paper.month(periods.of(when), True)[:3]}",
    )


def _lane(paper: Paper, records: Records, release: Row) -> dict[str, Any]:
    points = [
        (at, kind)
        for number, kind in (
            (release["ledger_no"], "candidate"),
            (release["approval_no"], "approved"),
            (release["publication_no"], "published"),
        )
        if number and (at := records.entry(number)["product_at"])
    ]
    state = "superseded" if release["superseded"] else state_of(release)
    return {
        "name": f"v{release['version']}",
        "state": paper.words["state"][state],
        "points": points,
        "note": paper.words["reason"][release["reason"]],
    }


# ---------------------------------------------------------------- rules


def _rules(records: Records, period: str, build: Row | None) -> list[dict[str, Any]]:
    """Every rule that was judged for a month, with a year of failing rows; what fails comes first, the worst of it."""
    if build is None:
        return []
    year = [_failing(records, periods.shift(period, n)) for n in range(1 - punctuality.MONTHS, 0)]
    known = {rule.id: rule.record() for rule in checks.load_rules()}
    grouped = defaultdict(list)
    for result in records.results(build, period):
        grouped[result["rule_id"], result["severity"]].append(result)
    rules = []
    for (rule_id, severity), its in grouped.items():
        findings = [r["finding"] for r in its if r["finding"]]
        earlier = [month.get(rule_id) for month in year]
        judged = [rows for rows in earlier if rows is not None]
        now = sum(r["failing_rows"] for r in its)
        colour = _COLOURS[severity] if now else axis.INK
        rules.append(
            {
                "id": rule_id,
                "severity": severity,
                "border": its[0]["border"],
                "record": findings[0]["rule"] if findings else known.get(rule_id),
                "now": now,
                "judged": len(its),
                "findings": findings,
                "bars": axis.bars([*earlier, now], colour, _told([*earlier, now])),
                "usual": (min(judged), max(judged)) if judged else None,
                "year": [*earlier, now],
            }
        )  # fmt: skip
    return sorted(rules, key=lambda r: (not r["now"], SEVERITIES.index(r["severity"]), r["id"]))


def _told(year: list[int | None]) -> str:
    return ", ".join("–" if rows is None else str(rows) for rows in year)


def _failing(records: Records, period: str) -> dict[str, int]:
    if period not in records.failing:
        build = records.standing_build(period)
        found = Counter[str]()
        for result in records.results(build, period) if build else []:
            found[result["rule_id"]] += result["failing_rows"]
        records.failing[period] = dict(found)
    return records.failing[period]


def write_rules(tree: Tree, paper: Paper, records: Records) -> None:
    """The rules as they stand today, each with the text that decides."""
    rules = sorted(checks.load_rules(), key=lambda r: (SEVERITIES.index(r.severity), r.id))
    tree.write(
        "rules/index.html",
        paper.render(
            "rules.html.j2", "rules/index.html", rules=rules, kinds=Counter(r.severity for r in rules),
            simulated=records.is_simulated,
        ),
    )  # fmt: skip


# ---------------------------------------------------------------- ledger


def _entries(records: Records, period: str) -> list[Row]:
    """What the ledger holds of a month: of its deliveries, readings, checks, builds and releases."""
    builds = {b["id"] for b in records.builds.values() if b["first_period"] <= period <= b["last_period"]}
    readings = {
        r["id"] for r in records.readings.values() if records.deliveries[r["delivery_id"]]["period"] == period
    }

    def concerns(entry: Row) -> bool:
        what = entry["what"]
        if entry["kind"] == "build":
            return bool(what["first_period"] <= period <= what["last_period"])
        if entry["kind"] in ("check", "build_outcome"):
            return what.get("reading") in readings or what.get("build") in builds
        return bool(what.get("period") == period)

    return [entry for entry in records.entries if concerns(entry)]


def write_ledger(tree: Tree, paper: Paper, records: Records) -> None:
    """All entries, a page for each stretch of numbers; a full page is written once, unless its chain breaks. An entry
    that is not there has its line all the same."""
    pages = [records.numbered[n : n + ENTRIES_A_PAGE] for n in range(0, records.head, ENTRIES_A_PAGE)] or [[]]
    for number, entries in enumerate(pages, 1):
        path = f"ledger/{number}.html"

        def make(path: str = path, number: int = number, entries: list[Row] = entries) -> None:
            page = paper.render(
                "ledger.html.j2", path,
                shown=entries, number=number, pages=len(pages), simulated=records.is_simulated,
            )  # fmt: skip
            tree.write(path, page)

        holds = all(e["holds"] for e in entries)
        mark = (path, len(pages), holds, records.is_simulated, [(e["no"], e["hash"]) for e in entries])
        tree.once(path, stamp(*mark), make)
    tree.write(
        "ledger/index.html",
        paper.render(
            "ledger_index.html.j2", "ledger/index.html",
            pages=[_stretch(entries) for entries in pages if entries], **_chain(records),
            simulated=records.is_simulated,
        ),
    )  # fmt: skip


def _stretch(entries: list[Row]) -> dict[str, Any]:
    """What the list of pages says of one: its numbers, and the span of its days by the product's clock. That clock
    may have been set back once, before anything was delivered, so the first entry's day need not be the earliest."""
    days = [entry["product_at"] for entry in entries if entry["product_at"]] or [None]  # one may be missing
    return {"first": entries[0]["no"], "last": entries[-1]["no"], "from": min(days), "to": max(days)}
