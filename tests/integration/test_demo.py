"""The demo from end to end: what the one command leaves behind, against the simulator's truth and the bytes.

Everything that is compared is worked out here or in `truth.py`, by nothing of the product.
"""

import csv
import gzip
import hashlib
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from pantau.audit.trace import trace
from pantau.settings import settings
from tests.integration.demo_run import DemoRun, finished_demo  # noqa: F401  a fixture
from tests.integration.printed import indonesian, pages_of, printed_ids
from tests.integration.recompute import kept, recomputed, stated, told_feeds
from tests.integration.truth import ANGGARAN, DESA_3T, DESA_4G, WILAYAH, Figures, release_hash

pytestmark = pytest.mark.demo

OPENING = [f"{year}-{month:02d}" for year in (2025, 2026) for month in range(1, 13)][:19]
# (period, version) → the moment at which it was closed
CLOSED = {(period, 1): "2026-08-20" for period in OPENING} | {
    ("2026-08", 1): "2026-09-16", ("2026-09", 1): "2026-10-16",
    ("2026-08", 2): "2026-10-21", ("2026-10", 1): "2026-11-16",
}  # fmt: skip
PAGES = [key for key in CLOSED if key[0] > OPENING[-1]]
RULES = {
    "unknown_region": "region_unknown", "wrong_status": "allowed", "wrong_name": "region_name",
    "old_code_other_name": "region_name", "duplicate_key": "key_repeated",
}  # fmt: skip
VILLAGES = 83_762


@pytest.fixture
def demo(finished_demo: DemoRun) -> DemoRun:  # noqa: F811
    """The finished demo; a test that fails shows the seed."""
    print(f"PANTAU_SEED={finished_demo.seed}")
    return finished_demo


@pytest.fixture
def traced(demo: DemoRun, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """`pantau trace` within this process, against the demo's database and bytes."""
    monkeypatch.setattr(settings, "database_url", demo.url)
    monkeypatch.setattr(settings, "var", demo.folder / "var")
    return trace


def closed_at(period: str, version: int) -> str:
    """The moment of a close, as the demo's clock stood."""
    return CLOSED[period, version] + "T09:00:00+07:00"


def expected(demo: DemoRun, period: str, version: int = 1) -> Figures:
    """What the truth makes a release's figures."""
    return demo.truth.figures(period, demo.truth.in_force(period, closed_at(period, version)))


def releases(demo: DemoRun) -> dict[tuple[str, int], dict[str, Any]]:
    """(period, version) → release, the superseded candidates too, if there were any."""
    found = demo.rows("select * from ops.release order by id")
    assert len(found) == len({(r["period"], r["version"]) for r in found})
    return {(r["period"], r["version"]): r for r in found}


def frozen(demo: DemoRun, release: int) -> list[dict[str, Any]]:
    """The frozen figures of a release."""
    return demo.rows("select * from ops.figure where release_id = %s", release)


def keyed(figures: list[dict[str, Any]]) -> Figures:
    """Figures by indicator, place and breakdown."""
    return {
        (f["indicator_id"], f["place"], f["breakdown"]): (f["numerator"], f["denominator"], f["value"])
        for f in figures
    }


def pdf_of(demo: DemoRun, period: str, version: int) -> Path:
    """Where a report must lie."""
    return demo.folder / "out" / period / f"v{version}" / "nasional.id.pdf"


def final_table(told: str) -> list[str]:
    """The lines at the end of a demo, without how long it took."""
    lines = told.rstrip().splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("The hashes of")) : -1]


def test_the_demo_ends_with_a_table_and_leaves_nothing_running(demo: DemoRun) -> None:
    assert demo.left == ()
    table = "\n".join(final_table(demo.told))
    made = releases(demo)
    assert f"{OPENING[0]}..{OPENING[-1]}" in table
    for period, version in PAGES:
        line = (
            rf"{period} +v{version} +{made[period, version]['release_hash'][:12]} .* out/{period}/v{version}/"
        )
        assert bool(re.search(line, table)) == ((period, version) != ("2026-08", 1)), table
        assert pdf_of(demo, period, version).exists()


def test_rows_of_every_feed_and_month(demo: DemoRun) -> None:
    deliveries = demo.rows(
        "select d.*, f.sha256, r.id as reading, r.rows, r.accepted, r.refused, r.set_aside from ops.delivery d"
        " join ops.reading r on r.delivery_id = d.id join ops.delivery_file f on f.delivery_id = d.id"
        " order by d.ledger_no"
    )
    by_month = defaultdict(list)
    stored = {
        kind: Counter({r["reading_id"]: r["n"] for r in demo.rows(
            f"select reading_id, count(distinct source_row) as n from {table} group by 1")})
        for kind, table in {
            "refused": "ops.quarantine", "set_aside": "ops.set_aside",
            **{feed: f"raw.{feed}" for feed in (WILAYAH, DESA_4G, DESA_3T, ANGGARAN)},
        }.items()
    }  # fmt: skip
    for d in deliveries:
        content = demo.landed(d["sha256"])
        assert hashlib.sha256(content).hexdigest() == d["sha256"] == d["content_hash"]
        lines = (gzip.decompress(content) if d["feed"] == WILAYAH else content).count(b"\n") - 1
        assert d["rows"] == lines == d["accepted"] + d["refused"] + d["set_aside"], d
        for kind, key in (("accepted", d["feed"]), ("refused", "refused"), ("set_aside", "set_aside")):
            assert stored[key][d["reading"]] == d[kind], d
        assert d["simulated"]
        by_month[d["feed"], d["period"]].append(d)

    arrived = demo.truth.arrivals(closed_at("2026-10", 1))
    assert set(by_month) == set(arrived) | {(WILAYAH, "2022-11"), (WILAYAH, "2025-01")}
    months = sorted({period for feed, period in arrived if feed == DESA_4G})
    assert len(months) == 22
    demo.say("month    delivery    4G rows = accepted + refused | budget rows = accepted + set aside")
    for period in months:
        letters = arrived[DESA_4G, period]
        assert len(by_month[DESA_4G, period]) == len(letters)
        contents = [d["content_hash"] for d in by_month[DESA_4G, period]]
        assert len(set(contents)) == len(set(letters))
        (budget,) = by_month[ANGGARAN, period]
        assert (budget["accepted"], budget["refused"], budget["set_aside"]) == (36, 0, 3)
        for d, letter in zip(by_month[DESA_4G, period], letters, strict=True):
            refused = demo.truth.refused(period, letter)
            twice = sum(e["problem"] == "duplicate_key" for e in refused)
            assert d["rows"] == VILLAGES + twice
            assert (d["refused"], d["set_aside"]) == (len(refused), 0)
            demo.say(
                f"{period}  {letter} {d['known_at']:%Y-%m-%d} {d['rows']:8,} = {d['accepted']:,} + {d['refused']}"
                f" | {budget['rows']} = {budget['accepted']} + {budget['set_aside']}"
            )
    for year in ("2025", "2026"):
        (listed,) = by_month[DESA_3T, f"{year}-01"]
        assert listed["accepted"] == listed["rows"] == len(demo.truth.in_3t[year])


def test_quarantined_villages_are_the_ones_that_the_truth_names(demo: DemoRun) -> None:
    readings = demo.rows(
        "select distinct on (r.period, r.version) r.period, r.version, r.build_id, i.reading_id from ops.release r"
        " join ops.build_input i on i.build_id = r.build_id and i.period = r.period and i.feed = %s",
        DESA_4G,
    )
    assert len(readings) == len(CLOSED)
    clean = 0
    for r in readings:
        period, version = r["period"], r["version"]
        truth = demo.truth.refused(period, demo.truth.in_force(period, closed_at(period, version)))
        found = demo.rows("select * from ops.quarantine where reading_id = %s", r["reading_id"])
        assert {(q["source_row"], q["rule"], *next(csv.reader([q["raw"]]))) for q in found} == {
            (e["row"], RULES[e["problem"]], *e["written"]) for e in truth
        }, period
        without_row = demo.rows(
            "select kode from facts.fct_desa_4g where build_id = %s and period = %s and not has_row",
            r["build_id"], period,
        )  # fmt: skip
        lost = {e["kode"] for e in truth if e["problem"] != "duplicate_key"}
        assert {v["kode"] for v in without_row} == lost, period
        for e in truth:
            demo.say(f"{period} v{version} row {e['row']:6,} {e['kode']} {e['problem']}: {e['written']}")
        clean += not truth
    assert clean >= 10
    others = demo.rows(
        "select d.feed from ops.quarantine q join ops.reading r on r.id = q.reading_id"
        " join ops.delivery d on d.id = r.delivery_id where d.feed <> %s", DESA_4G
    )  # fmt: skip
    assert others == []


def test_every_figure_of_every_release_is_the_truths(demo: DemoRun) -> None:
    made = releases(demo)
    assert set(made) == set(CLOSED)
    published = demo.rows("select period, version from public.published_release")
    assert {(p["period"], p["version"]) for p in published} == set(CLOSED) - {("2026-08", 1)}
    assert sorted(v["kode"] for v in demo.truth.events["village"]) == sorted(demo.truth.villages)
    for (period, version), release in made.items():
        wanted, found = expected(demo, period, version), keyed(frozen(demo, release["id"]))
        wrong = {k: (found.get(k), wanted.get(k)) for k in {*found, *wanted} if found.get(k) != wanted.get(k)}
        assert not wrong, (demo.seed, period, version, len(wrong), sorted(wrong.items())[:5])
        for indicator in ("K1", "K2"):
            places = [p for i, p, b in found if i == indicator and b == ""]
            assert Counter(map(len, places)) == {2: 39, 5: 514}  # nation and 38 provinces; regencies
            assert found[indicator, "00", ""][1] == VILLAGES
        assert Counter(b for i, _, b in found if i == "K12").keys() == {
            version + group for version in ("RAPBN", "APBN", "PERUBAHAN") for group in ("", ":KL", ":TKDD")
        }


def test_august_is_restated_by_what_the_truth_restates(demo: DemoRun) -> None:
    made = releases(demo)
    old, new = (keyed(frozen(demo, made["2026-08", version]["id"])) for version in (1, 2))
    more = demo.truth.changed("2026-08", "B")
    assert more["00", ""] < 0
    assert old.keys() == new.keys()
    for (indicator, place, breakdown), (numerator, denominator, _) in new.items():
        sign = {"K1": 1, "K2": -1, "K12": 0}[indicator]
        was = old[indicator, place, breakdown]
        assert (numerator - was[0], denominator - was[1]) == (sign * more[place, breakdown], 0)

    release = made["2026-08", 2]
    assert release["reason"] == "restatement"
    assert {"dinyatakan ulang", "20 Oktober 2026"} <= _phrases(release["explanation"]["id"])
    assert {"restated", "20 October 2026"} <= _phrases(release["explanation"]["en"])
    (bridge,) = release["context"]["restatements"]
    said = {
        c["figure"]: (Decimal(c["old"]), Decimal(c["new"]), Decimal(c["difference"]))
        for c in bridge["changes"]
    }
    moved = {k: (old[k][2], new[k][2], new[k][2] - old[k][2]) for k in new if old[k][2] != new[k][2]}
    assert said == {
        f"{i}.{p}{':' if b else ''}{b}@2026-08": told for (i, p, b), told in moved.items() if p == "00"
    }
    assert bridge["figures_changed"] == len(moved)
    (pointer,) = demo.rows("select release_id from ops.published where period = '2026-08'")
    assert pointer["release_id"] == release["id"]


def _phrases(text: str) -> set[str]:
    words = re.findall(r"\w+", text)
    return {" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, i + 4)}


def test_stored_hashes_are_those_of_the_figures(demo: DemoRun) -> None:
    for key, release in releases(demo).items():
        assert release["release_hash"] == release_hash(frozen(demo, release["id"])), key
        context = json.dumps(
            release["context"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )  # RFC 8785, as long as keys are ASCII and no number has a fraction
        assert release["page_hash"] == hashlib.sha256(context.encode()).hexdigest(), key


def test_a_rebuild_comes_to_the_hash_of_its_time_and_keeps_nothing(demo: DemoRun) -> None:
    made, before = releases(demo), _builds(demo)
    for arguments, version in ((["--as-of", "v1"], 1), ([], 2)):
        told = demo.pantau("rebuild", "2026-08", *arguments)
        assert made["2026-08", version]["release_hash"] in told
        assert f"equals v{version}\n" in told
    assert _builds(demo) == before


def _builds(demo: DemoRun) -> dict[str, list[Any]]:
    """Every table that says to which build a row belongs → the builds in it."""
    tables = demo.rows(
        "select format('%%I.%%I', schemaname, tablename) as name from pg_tables t where exists (select from"
        " information_schema.columns c where (c.table_schema, c.table_name, c.column_name) ="
        " (t.schemaname, t.tablename, 'build_id'))"
    )
    names = [t["name"] for t in tables]
    assert {"facts.fct_desa_4g", "marts.rpt_figure", "ops.build_input", "ops.check_run"} <= set(names)
    found = {n: demo.rows(f"select distinct build_id from {n} order by 1") for n in names}
    return found | {"ops.build": demo.rows("select id from ops.build order by 1")}


def test_a_second_demo_recognises_everything(demo: DemoRun) -> None:
    tables = [
        "delivery",
        "reading",
        "check_run",
        "build",
        "release",
        "figure",
        "approval",
        "publication",
        "report",
    ]

    def state() -> list[Any]:
        counts = {t: demo.rows(f"select count(*) as n from ops.{t}")[0]["n"] for t in tables}
        pages = {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in demo.folder.glob("out/**/*.pdf")}
        return [counts, demo.rows("select * from ops.published order by period"), pages]

    before, (head,) = state(), demo.rows("select max(no) as no from ops.ledger")
    told = demo.demo()
    assert state() == before
    assert final_table(told) == final_table(demo.told)
    written = demo.rows("select kind, what from ops.ledger where no > %s", head["no"])
    assert {e["kind"] for e in written} == {"duplicate"}
    newest = demo.rows(
        "select distinct on (feed, period) feed, period, id from ops.delivery order by 1, 2, ledger_no desc"
    )
    assert sorted((e["what"]["feed"], e["what"]["period"], e["what"]["delivery"]) for e in written) == [
        (d["feed"], d["period"], d["id"]) for d in newest
    ]
    assert len(newest) == 2 + 2 + 22 + 22


def test_reports_carry_their_figures_their_mark_and_their_hash(demo: DemoRun) -> None:
    for period, version in PAGES:
        release, path = releases(demo)[period, version], pdf_of(demo, period, version)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        (report,) = demo.rows("select * from ops.report where release_id = %s", release["id"])
        (entry,) = demo.rows("select * from ops.ledger where no = %s", report["ledger_no"])
        assert (entry["kind"], entry["what"]["release_hash"]) == ("report", release["release_hash"])
        assert digest == report["sha256"] == entry["what"]["sha256"]
        assert report["path"] == entry["what"]["file"] == str(path.relative_to(demo.folder / "out"))

        pages = [" ".join(page.split()) for page in pages_of(path)]
        sizes = [page.get_size() for page in pypdfium2.PdfDocument(path)]
        assert {tuple(round(points / 72 * 25.4) for points in size) for size in sizes} == {(210, 297)}
        assert len(pages) == 2
        for number, page in enumerate(pages, 1):
            assert "DATA SIMULASI" in page
            assert f"rilis {period} v{version} · sidik {release['release_hash'][:16]}" in page
            assert f"hal. {number} dari {len(pages)}" in page
        assert release["release_hash"] in pages[1].replace(" ", "")
        figures = expected(demo, period, version)
        lit, every, share = figures["K1", "00", ""]
        assert f"{indonesian(lit)} dari {indonesian(every)} desa" in pages[0]
        assert f"{indonesian(share, 1)} %" in pages[0]
        assert f"{indonesian(every - lit)} desa" in pages[0]
        assert f"{indonesian(figures['K12', '00', 'PERUBAHAN'][2], 1)} %" in pages[0]


def test_the_october_report_shows_every_province_and_change(demo: DemoRun) -> None:
    first, second = (" ".join(page.split()) for page in pages_of(pdf_of(demo, "2026-10", 1))[:2])
    now, before = expected(demo, "2026-10"), expected(demo, "2026-09")
    provinces = sorted(p for i, p, b in now if i == "K2" and len(p) == 2 and not b and p != "00")
    shown = Counter(re.findall(r"(?<![\d.,])\d{1,3}(?:\.\d{3})*(?![\d.,])", first))  # the map's numbers
    assert not Counter(indonesian(now["K2", p, ""][2]) for p in provinces) - shown
    for place in ["00", *provinces]:
        k1, k2 = now["K1", place, ""][2], now["K2", place, ""][2]
        k1_more, k2_more = k1 - before["K1", place, ""][2], k2 - before["K2", place, ""][2]
        if place == "00":
            assert f"{indonesian(k1_more, 1, True)} poin sejak Sep 2026" in first
            assert f"{indonesian(k2_more, 0, True)} desa sejak Sep 2026" in first
        else:
            row = f"{indonesian(k1, 1)} {indonesian(k1_more, 1, True)}"
            assert f"{row} {indonesian(k2)} {indonesian(k2_more, 0, True)}" in second, place
    for version in ("APBN", "PERUBAHAN", "RAPBN"):
        parts = (indonesian(now["K12", "00", version + g][2], 1) for g in ("", ":KL", ":TKDD"))
        assert " ".join(parts) in second
    august = [expected(demo, "2026-08", version)["K2", "00", ""][2] for version in (1, 2)]
    row = f"K2.00@2026-08 {indonesian(august[0])} {indonesian(august[1])}"
    assert f"{row} {indonesian(august[1] - august[0], 0, True)}" in second


def test_every_printed_figure_is_traced_to_bytes(demo: DemoRun, traced: Callable[[str], str]) -> None:
    provinces = {village[:2] for village in demo.truth.villages}
    text = "\n".join(pages_of(pdf_of(demo, "2026-10", 1)))
    ids = printed_ids(text, "2026-10", provinces, sorted({period for period, _ in CLOSED})[-12:])
    known = "K1.00@2026-10 K2.00:non-3T@2026-10 K12.00:APBN:KL@2026-10 K1.11@2026-10 K2.96@2026-10"
    assert {*known.split(), "K2.00@2026-09/v1", "K2.00:3T@2026-08", "K2.00@2025-11"} <= ids
    assert len(ids) >= 2 * 38 + 9 + 12 + 6
    regency = max(place for _, place, b in expected(demo, "2026-08") if place.startswith("93.") and b == "3T")
    others = {f"K1.{regency}:3T@2026-08/v1", "K12.00:APBN:KL@2026-09"}
    slowest = 0.0
    for figure in sorted(ids | others):
        begun = time.monotonic()
        way = traced(figure)
        slowest = max(slowest, time.monotonic() - begun)
        name, place, breakdown, period, version = _parts(figure)
        truth = expected(demo, period, version)[name, place, breakdown]
        assert stated(way) == truth, figure
        feeds = told_feeds(way)
        assert set(feeds) == ({ANGGARAN} if name == "K12" else {WILAYAH, DESA_4G, DESA_3T}), figure
        for feed, told in feeds.items():
            assert re.match(r"\d+, known 2026-\d\d-\d\d, from ", told["delivery"]), (figure, feed)
            assert re.fullmatch(r"\S+, [\d,]+ bytes, rows 2\.\.[\d,]+", told["file"]), (figure, feed)
            assert hashlib.sha256(kept(demo.folder, told)).hexdigest() == told["sha256"], (figure, feed)
    assert slowest <= 2, f"the slowest of {len(ids)} traces took {slowest:.1f} s"
    demo.say(f"{len(ids)} figures are printed in the October report; the slowest trace took {slowest:.2f} s")
    for figure in ("K2.00@2026-10", "K12.00:APBN:KL@2026-09"):
        assert demo.pantau("trace", figure).strip() == traced(figure).strip()


def _parts(figure: str) -> tuple[str, str, str, str, int]:
    match = re.fullmatch(r"(K\d+)\.([\d.]+):?([^@]*)@([\d-]+)(?:/v(\d+))?", figure)
    assert match, figure
    name, place, breakdown, period, version = match.groups()
    return name, place, breakdown, period, int(version or (2 if period == "2026-08" else 1))


@pytest.mark.parametrize(
    "figure",
    ["K2.00@2026-10", "K1.11@2026-10", "K1.96@2026-10", "K2.00@2026-08/v1", "K12.00:PERUBAHAN@2026-10",
     "K12.00:APBN:KL@2026-09"],
)  # fmt: skip
def test_a_figure_is_recomputed_from_the_delivered_bytes_alone(
    demo: DemoRun, traced: Callable[[str], str], figure: str
) -> None:
    name, place, breakdown, period, version = _parts(figure)
    way = traced(figure)
    assert recomputed(way, demo.folder) == stated(way)
    assert stated(way) == expected(demo, period, version)[name, place, breakdown]


def test_the_ledger_is_whole(demo: DemoRun) -> None:
    previous, jakarta = "0" * 64, timezone(timedelta(hours=7))
    entries = demo.rows("select * from ops.ledger order by no")
    assert [e["no"] for e in entries] == list(range(1, len(entries) + 1))
    for e in entries:
        entry = {
            "no": e["no"], "kind": e["kind"], "what": e["what"],
            "db_at": e["db_at"].astimezone(timezone.utc).isoformat(),  # noqa: UP017  short as the other
            "product_at": e["product_at"].astimezone(jakarta).isoformat(),
        }  # fmt: skip
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)  # RFC 8785
        assert e["prev_hash"] == previous, e["no"]
        previous = hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
        assert e["hash"] == previous, e["no"]


def test_every_publication_was_approved_by_its_hashes(demo: DemoRun) -> None:
    rows = demo.rows(
        "select r.period, r.version, r.release_hash, r.page_hash, a.release_hash as approved, a.page_hash as page,"
        " a.approver, a.acknowledged, e.kind, e.what, e.no < q.no as before, q.kind as later, q.what as published"
        " from ops.publication p join ops.release r on r.id = p.release_id"
        " left join ops.approval a on a.release_id = r.id left join ops.ledger e on e.no = a.ledger_no"
        " left join ops.ledger q on q.no = p.ledger_no"
    )
    assert {(r["period"], r["version"]) for r in rows} == set(CLOSED)
    for r in rows:
        name = {key: r[key] for key in ("period", "version", "release_hash")}
        assert (r["approved"], r["page"], r["approver"]) == (
            r["release_hash"], r["page_hash"], "demo (no person)",
        )  # fmt: skip
        given = {"page_hash": r["page_hash"], "approver": r["approver"], "acknowledged": r["acknowledged"]}
        assert (r["kind"], r["what"]) == ("approval", name | given)
        assert (r["later"], r["published"], r["before"]) == ("publication", name, True)
