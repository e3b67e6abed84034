"""The demo from end to end: what the one command leaves behind, against the simulator's truth and the bytes.

Everything that is compared is worked out here or in `truth.py`, by nothing of the product.
"""

import csv
import gzip
import hashlib
import io
import json
import random
import re
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pikepdf
import pypdfium2
import pytest

from pantau.audit.trace import trace
from pantau.settings import settings
from tests import textbook
from tests.integration.demo_run import DemoRun, finished_demo  # noqa: F401  a fixture
from tests.integration.printed import changed, english, indonesian, pages_of, per_cent, printed_ids
from tests.integration.recompute import kept, recomputed, stated, told_feeds
from tests.integration.truth import (
    ANGGARAN,
    BTS,
    CAKUPAN,
    DESA_3T,
    DESA_4G,
    KEWAJIBAN,
    OPERATORS,
    PARTS,
    WILAYAH,
    Figures,
    release_hash,
    rounded,
)
from tests.integration.villages import left, moved, real

pytestmark = pytest.mark.demo

OPENING = [f"{year}-{month:02d}" for year in (2025, 2026) for month in range(1, 13)][:19]
# (period, version) → the moment at which it was closed
CLOSED = {(period, 1): "2026-08-20" for period in OPENING} | {
    ("2026-08", 1): "2026-09-16", ("2026-09", 1): "2026-10-16",
    ("2026-08", 2): "2026-10-21", ("2026-09", 2): "2026-10-21", ("2026-10", 1): "2026-11-16",
}  # fmt: skip
SUPERSEDED = {("2026-08", 1), ("2026-09", 1)}
PAGES = [key for key in CLOSED if key[0] > OPENING[-1]]
RULES = {
    "unknown_region": "region_unknown", "wrong_status": "allowed", "wrong_name": "region_name",
    "old_code_other_name": "region_name", "duplicate_key": "key_repeated", "wrong_operator": "allowed",
    "pct_above_100": "maximum", "ambiguous_name": "region_ambiguous", "no_district": "required",
}  # fmt: skip
BY_NAME = {"wrong_name": "region_unknown"}  # who sends no codes is known by names alone
# The feeds behind a figure, where they are not the register and the ministry's two lists.
BEHIND = {
    "K12": {ANGGARAN}, "K3": {BTS}, "K15": {KEWAJIBAN},
    "R1": {WILAYAH, DESA_4G, *(f"{CAKUPAN} {part}" for part in PARTS)},
}  # fmt: skip
VILLAGES = 83_762
FEEDS = (WILAYAH, DESA_4G, DESA_3T, ANGGARAN, BTS, KEWAJIBAN, CAKUPAN)


@pytest.fixture
def demo(finished_demo: DemoRun) -> DemoRun:  # noqa: F811
    """The finished demo; a test that fails shows the seed."""
    print(f"PANTAU_SEED={finished_demo.seed}")
    return finished_demo


@pytest.fixture
def traced(demo: DemoRun, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`pantau trace` within this process, against the demo's database and bytes."""
    monkeypatch.setattr(settings, "database_url", demo.url)
    monkeypatch.setattr(settings, "var", demo.folder / "var")
    return trace


def closed_at(period: str, version: int) -> str:
    """The moment of a close, as the demo's clock stood."""
    return CLOSED[period, version] + "T09:00:00+07:00"


def expected(demo: DemoRun, period: str, version: int = 1) -> Figures:
    """What the truth makes a release's figures."""
    return demo.truth.figures(period, closed_at(period, version))


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


def pdf_of(demo: DemoRun, period: str, version: int, language: str = "id") -> Path:
    """Where a report must lie."""
    return demo.folder / "out" / period / f"v{version}" / f"nasional.{language}.pdf"


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
        assert bool(re.search(line, table)) == ((period, version) not in SUPERSEDED), table
        assert pdf_of(demo, period, version).exists()


def rows_in(name: str, contents: list[bytes]) -> int:
    """Rows of a delivery's files, counted in their bytes: lines under a header, items of pages, rows of a sheet."""
    if name.endswith(".json"):
        pages = [json.loads(content) for content in contents]
        return sum(len(page["data"] if "data" in page else page["result"]["records"]) for page in pages)
    (content,) = contents
    if name.endswith(".xlsx"):
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            sheet = book.read("xl/worksheets/sheet1.xml").decode()
        return max(map(int, re.findall(r'<row r="(\d+)"', sheet))) - 6  # titles and three header rows
    return (gzip.decompress(content) if name.endswith(".gz") else content).count(b"\n") - 1


def test_rows_of_every_feed_and_month(demo: DemoRun) -> None:
    deliveries = demo.rows(
        "select d.*, r.id as reading, r.rows, r.accepted, r.refused, r.set_aside, f.names, f.digests"
        " from ops.delivery d join ops.reading r on r.delivery_id = d.id join (select delivery_id,"
        "   array_agg(name order by no) as names, array_agg(sha256 order by no) as digests"
        "   from ops.delivery_file group by 1) f on f.delivery_id = d.id"
        " order by d.ledger_no"
    )
    by_month = defaultdict(list)
    stored = {
        kind: Counter({r["reading_id"]: r["n"] for r in demo.rows(
            f"select reading_id, count(distinct source_row) as n from {table} group by 1")})
        for kind, table in {
            "refused": "ops.quarantine", "set_aside": "ops.set_aside", **{feed: f"raw.{feed}" for feed in FEEDS},
        }.items()
    }  # fmt: skip
    for d in deliveries:
        contents = [demo.landed(digest) for digest in d["digests"]]
        assert [hashlib.sha256(content).hexdigest() for content in contents] == d["digests"]
        if d["feed"] not in (CAKUPAN, KEWAJIBAN):  # of pages, the items are the content
            assert d["digests"] == [d["content_hash"]]
        rows = rows_in(d["names"][0], contents)
        assert d["rows"] == rows == d["accepted"] + d["refused"] + d["set_aside"], d
        for kind, key in (("accepted", d["feed"]), ("refused", "refused"), ("set_aside", "set_aside")):
            assert stored[key][d["reading"]] == d[kind], d
        assert d["simulated"]
        by_month[d["feed"], d["part"], d["period"]].append(d)

    arrived = demo.truth.arrivals(closed_at("2026-10", 1))
    assert set(by_month) == set(arrived) | {(WILAYAH, "", "2022-11"), (WILAYAH, "", "2025-01")}
    assert Counter((feed, part) for feed, part, _ in arrived) == {
        (DESA_4G, ""): 22, (ANGGARAN, ""): 22, (DESA_3T, ""): 2, (BTS, ""): 22, (KEWAJIBAN, ""): 22,
        **{(CAKUPAN, part): 4 for part in PARTS},
    }  # fmt: skip
    for key, letters in arrived.items():
        contents = [d["content_hash"] for d in by_month[key]]
        assert len(contents) == len(letters), key
        assert len(set(contents)) == len(set(letters)), key
        for d, letter in zip(by_month[key], letters, strict=True):
            refused = demo.truth.refused(key[2], letter, *key[:2])
            assert d["refused"] == len(refused), key
            if key[0] == DESA_4G:
                twice = sum(e["problem"] == "duplicate_key" for e in refused)
                assert (d["rows"], d["set_aside"]) == (VILLAGES + twice, 0)
            demo.say(
                f"{' '.join(key)}  {letter} {d['known_at']:%Y-%m-%d} {d['rows']:8,} ="
                f" {d['accepted']:,} + {d['refused']} + {d['set_aside']}"
            )
    for period in (period for feed, _, period in arrived if feed == ANGGARAN):
        (budget,) = by_month[ANGGARAN, "", period]
        assert (budget["accepted"], budget["refused"], budget["set_aside"]) == (36, 0, 3)
    for year in ("2025", "2026"):
        (listed,) = by_month[DESA_3T, "", f"{year}-01"]
        assert listed["accepted"] == listed["rows"] == len(demo.truth.in_3t[year])


def test_quarantined_rows_are_the_ones_that_the_truth_names(demo: DemoRun) -> None:
    deliveries = demo.rows(
        "select d.feed, d.part, d.period, r.id as reading from ops.delivery d"
        " join ops.reading r on r.delivery_id = d.id order by d.ledger_no"
    )
    letters = {key: iter(each) for key, each in demo.truth.arrivals(closed_at("2026-10", 1)).items()}
    clean = 0
    for d in deliveries:
        key = (d["feed"], d["part"], d["period"])
        truth = demo.truth.refused(d["period"], next(letters[key]), *key[:2]) if key in letters else []
        found = demo.rows("select * from ops.quarantine where reading_id = %s", d["reading"])
        rules = RULES | (BY_NAME if d["part"] == "xlsmart" else {})
        assert {(q["source_row"], q["rule"]) for q in found} == {
            (e["row"], rules[e["problem"]]) for e in truth
        }, key
        if d["feed"] == DESA_4G:
            assert {(q["source_row"], *next(csv.reader([q["raw"]]))) for q in found} == {
                (e["row"], *e["written"]) for e in truth
            }, key
        for q in found:  # a name that fits nowhere, or in two places, is refused with what may be meant
            assert q["rule"] != "region_ambiguous" or q["suggestion"], q
        for e in truth:
            demo.say(f"{' '.join(key)} row {e['row']:6,} {e['kode']} {e['problem']}: {e['written']}")
        clean += not truth
    assert clean >= 10
    assert all(next(rest, None) is None for rest in letters.values())


def test_villages_whose_row_is_refused_are_without_a_row(demo: DemoRun) -> None:
    for (period, version), release in releases(demo).items():
        without_row = demo.rows(
            "select kode from facts.fct_desa_4g where build_id = %s and period = %s and not has_row",
            release["build_id"], period,
        )  # fmt: skip
        letter = demo.truth.in_force(period, closed_at(period, version))
        assert {v["kode"] for v in without_row} == demo.truth.lost(DESA_4G, "", period, letter), period


def test_facts_name_the_rows_that_they_come_from(demo: DemoRun) -> None:
    build = releases(demo)["2026-10", 1]["build_id"]
    readings = demo.rows("select reading_id from ops.build_input where build_id = %s", build)

    def told(source: str, columns: str) -> set[tuple[Any, ...]]:
        """Of facts or delivered rows: reading, source row, and what both say of it."""
        of = "build_id = %s" if source.startswith("facts.") else "reading_id = any(%s)"
        value = build if source.startswith("facts.") else [r["reading_id"] for r in readings]
        return {tuple(r.values()) for r in demo.rows(f"select {columns} from {source} where {of}", value)}

    row = "reading_id, source_row"
    for fact, feed, ours, theirs in (
        ("fct_bts", BTS, "kode, site_id, status", "wilayah_kode, site_id, status"),
        ("fct_kewajiban", KEWAJIBAN, "kode, operator, due_on", "wilayah_kode, operator, due_on"),
        ("fct_klaim", DESA_4G, "kode, komdigi_ya", "wilayah_kode, terjangkau_4g"),
    ):
        facts = {f for f in told(f"facts.{fact}", f"{row}, {ours}") if f[0] is not None}
        assert facts == told(f"raw.{feed}", f"{row}, {theirs}"), fact
    claims = told(
        "facts.fct_klaim",
        "unnest(operator_reading_ids) as reading, unnest(operator_source_rows) as row, kode, unnest(operators) as part",
    )
    parts = {
        i["reading_id"]: i["part"]
        for i in demo.rows("select reading_id, part from ops.build_input where build_id = %s", build)
    }
    delivered = told(f"raw.{CAKUPAN}", f"{row}, wilayah_kode, terlayani_pct > 0")
    assert claims == {(reading, at, kode, parts[reading]) for reading, at, kode, yes in delivered if yes}


def test_every_figure_of_every_release_is_the_truths(demo: DemoRun) -> None:
    made = releases(demo)
    assert set(made) == set(CLOSED)
    published = demo.rows("select period, version from public.published_release")
    assert {(p["period"], p["version"]) for p in published} == set(CLOSED) - SUPERSEDED
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
        assert {b for i, _, b in found if i == "K15"} == {"", *OPERATORS.values()}
        judged = {p for i, p, _ in found if i == "R1"}
        assert Counter(map(len, judged)) == ({2: 39, 5: 514} if period > "2026-06" else {})
        assert found["K3", "00", ""][1] > 5_600


def test_august_is_restated_by_what_the_truth_restates(demo: DemoRun) -> None:
    made = releases(demo)
    old, new = (keyed(frozen(demo, made["2026-08", version]["id"])) for version in (1, 2))
    more = demo.truth.changed("2026-08", "B")
    assert more["00", ""] < 0
    assert old.keys() == new.keys()
    for (indicator, place, breakdown), (numerator, denominator, _) in new.items():
        was = old[indicator, place, breakdown]
        if indicator == "R1":  # the operators restated something too
            assert denominator == was[1]
            continue
        sign = {"K1": 1, "K2": -1}.get(indicator, 0)
        assert (numerator - was[0], denominator - was[1]) == (sign * more[place, breakdown], 0)

    release = made["2026-08", 2]
    assert release["reason"] == "restatement"
    assert {"dinyatakan ulang", "20 Oktober 2026"} <= _phrases(release["explanation"]["id"])
    assert {"restated", "20 October 2026"} <= _phrases(release["explanation"]["en"])
    (bridge,) = release["context"]["restatements"]
    said = {
        c["figure"]: (
            Decimal(c["old"]),
            Decimal(c["new"]),
            changed(c["difference"], int(c["figure"].startswith("K1"))),
        )
        for c in bridge["changes"]
    }
    moved = {
        k: (old[k][2], new[k][2], changed(exactly(k, new) - exactly(k, old), int(k[0] == "K1")))
        for k in new
        if old[k][2] != new[k][2]
    }
    assert said == {
        f"{i}.{p}{':' if b else ''}{b}@2026-08": told for (i, p, b), told in moved.items() if p == "00"
    }
    assert bridge["figures_changed"] == len(moved)
    (pointer,) = demo.rows("select release_id from ops.published where period = '2026-08'")
    assert pointer["release_id"] == release["id"]


def test_a_late_operator_is_carried_until_it_comes(demo: DemoRun) -> None:
    made = releases(demo)
    for version, how, month in ((1, "carried", "2026-08"), (2, "own", "2026-09")):
        release = made["2026-09", version]
        inputs = demo.rows(
            "select part, how, source_period from ops.build_input where build_id = %s and feed = %s"
            " and period = '2026-09'", release["build_id"], CAKUPAN,
        )  # fmt: skip
        others = {(part, "own", "2026-09") for part in PARTS if part != "indosat"}
        assert {tuple(i.values()) for i in inputs} == others | {("indosat", how, month)}
    assert {"late delivery", "20 October 2026"} <= _phrases(made["2026-09", 2]["explanation"]["en"])


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
        "ledger",
    ]

    def state() -> list[Any]:
        counts = {t: demo.rows(f"select count(*) as n from ops.{t}")[0]["n"] for t in tables}
        pages = {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in demo.folder.glob("out/**/*.pdf")}
        return [counts, demo.rows("select * from ops.published order by period"), pages]

    def asked() -> dict[tuple[str, ...], tuple[int, int]]:
        polls = demo.rows("select * from ops.poll")
        return {(p["feed"], p["part"], p["period"]): (p["delivery_id"], p["times"]) for p in polls}

    before, asked_before = state(), asked()
    told = demo.demo()
    assert state() == before
    assert final_table(told) == final_table(demo.told)
    newest = demo.rows(
        "select distinct on (feed, part, period) feed, part, period, id from ops.delivery"
        " order by 1, 2, 3, ledger_no desc"
    )
    assert asked() == {
        key: (d["id"], asked_before[key][1] + 1)
        for d in newest
        for key in [(d["feed"], d["part"], d["period"])]
    }
    assert len(newest) == 2 + 2 + 4 * 22 + 3 * 4


@pytest.mark.parametrize("language", ["id", "en"])
def test_reports_carry_their_figures_their_mark_and_their_hash(demo: DemoRun, language: str) -> None:
    mark, named, numbered, separator = {
        "id": ("DATA SIMULASI", "rilis {} · sidik {}", "hal. {} dari {}", "{} dari {} desa"),
        "en": ("SIMULATED DATA", "release {} · hash {}", "page {} of {}", "{} of {} villages"),
    }[language]
    write = indonesian if language == "id" else english
    for period, version in PAGES:
        release, path = releases(demo)[period, version], pdf_of(demo, period, version, language)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        (report,) = demo.rows(
            "select * from ops.report where release_id = %s and language = %s", release["id"], language
        )
        (entry,) = demo.rows("select * from ops.ledger where no = %s", report["ledger_no"])
        assert (entry["kind"], entry["what"]["release_hash"]) == ("report", release["release_hash"])
        assert digest == report["sha256"] == entry["what"]["sha256"]
        assert report["path"] == entry["what"]["path"] == str(path.relative_to(demo.folder / "out"))

        pages = [" ".join(page.split()) for page in pages_of(path)]
        sizes = [page.get_size() for page in pypdfium2.PdfDocument(path)]
        assert {tuple(round(points / 72 * 25.4) for points in size) for size in sizes} == {(210, 297)}
        assert 4 <= len(pages) <= 6, (period, version)
        for number, page in enumerate(pages, 1):
            assert mark in page
            assert named.format(f"{period} v{version}", release["release_hash"][:16]) in page
            assert numbered.format(number, len(pages)) in page
        assert release["release_hash"] in pages[-1].replace(" ", "")
        figures = expected(demo, period, version)
        lit, every, share = figures["K1", "00", ""]
        assert separator.format(write(lit), write(every)) in pages[0]
        assert f"{write(share, 1)} %" in pages[0]
        assert write(every - lit) in pages[0]
        assert write(figures["K3", "00", ""][2]) in pages[0]
        for name, breakdown in (("K12", "PERUBAHAN"), ("K15", "")):
            assert f"{write(figures[name, '00', breakdown][2], 1)} %" in pages[0]


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_report_carries_all_figures_and_its_manifest(demo: DemoRun, language: str) -> None:
    for period, version in PAGES:
        release = releases(demo)[period, version]
        with pikepdf.open(pdf_of(demo, period, version, language)) as pdf:
            inside = {name: spec.get_file().read_bytes() for name, spec in pdf.attachments.items()}
        assert inside.keys() == {"figures.csv", "manifest.json"}
        rows = list(csv.DictReader(io.StringIO(inside["figures.csv"].decode(), newline="")))
        found = {
            (r["indicator"], r["place"], r["breakdown"]): tuple(
                Decimal(r[n]) if r[n] else None for n in ("numerator", "denominator", "value")
            )
            for r in rows
        }
        assert found == expected(demo, period, version)
        names = ("indicator", "indicator_version", "place", "breakdown", "numerator", "denominator", "value")
        lines = sorted("|".join([r["period"], *(r[c] for c in names)]).encode() for r in rows)
        assert hashlib.sha256(b"\n".join(lines)).hexdigest() == release["release_hash"]
        told = json.loads(inside["manifest.json"])
        assert (told["release_hash"], told["page_hash"]) == (release["release_hash"], release["page_hash"])
        assert told["figures_csv_sha256"] == hashlib.sha256(inside["figures.csv"]).hexdigest()
        landed = {f["sha256"] for f in demo.rows("select sha256 from ops.delivery_file")}
        assert {f["sha256"] for d in told["deliveries"] for f in d["files"]} <= landed


def exactly(key: tuple[str, ...], figures: dict[tuple[str, str, str], Any]) -> Fraction:
    """A figure's value before it was rounded."""
    numerator, denominator, _ = (Fraction(part) for part in figures[key])
    return 100 * numerator / denominator if key[0] in ("K1", "K12", "K15") else numerator


def test_the_october_report_shows_every_province_and_change(demo: DemoRun) -> None:
    first, second, _, fourth, fifth, *_ = (
        " ".join(page.split()) for page in pages_of(pdf_of(demo, "2026-10", 1))
    )
    now, before = expected(demo, "2026-10"), expected(demo, "2026-09", 2)
    provinces = sorted(p for i, p, b in now if i == "K2" and len(p) == 2 and not b and p != "00")

    def more(*key: str) -> Fraction:
        return exactly(key, now) - exactly(key, before)

    shown = Counter(re.findall(r"(?<![\d.,])\d{1,3}(?:\.\d{3})*(?![\d.,])", first))  # the map's numbers
    assert not Counter(indonesian(now["K2", p, ""][2]) for p in provinces) - shown
    for place in ["00", *provinces]:
        k2 = now["K2", place, ""][2]
        k1_more, k2_more = more("K1", place, ""), k2 - before["K2", place, ""][2]
        if place == "00":
            assert f"{changed(k1_more, 1)} poin sejak Sep 2026" in first
            assert f"{indonesian(k2_more, 0, True)} desa sejak Sep 2026" in first
            continue
        row = f"{per_cent(*now['K1', place, ''])} {changed(k1_more, 1)} {indonesian(k2)} {indonesian(k2_more, 0, True)}"
        if sites := now.get(("K3", place, "")):
            row += f" {indonesian(sites[2])} "
        assert row in fourth, place
    for version in ("APBN", "PERUBAHAN", "RAPBN"):
        for name in (version, f"{version}:KL", f"{version}:TKDD"):
            value = now["K12", "00", name][2]
            assert f"{indonesian(value, 1)} {changed(more('K12', '00', name), 1)} K12.00:{name}" in fifth
    for operator in OPERATORS.values():
        built, due, _ = now["K15", "00", operator]
        assert f"{indonesian(due)} {indonesian(built)} {indonesian(due - built)}" in fifth
    for verdict in ("sepakat_ya", "operator_saja", "komdigi_saja", "sepakat_tidak"):
        assert indonesian(now["R1", "00", verdict][2]) in second
    august = [expected(demo, "2026-08", version)["K2", "00", ""][2] for version in (1, 2)]
    row = f"K2.00@2026-08 {indonesian(august[0])} {indonesian(august[1])}"
    assert f"{row} {indonesian(august[1] - august[0], 0, True)}" in second


def test_a_preview_shows_the_newest_release_and_changes_nothing(demo: DemoRun) -> None:
    (before,) = demo.rows("select max(no) as no from ops.ledger")
    told = demo.pantau("report", "--period", "2026-09", "--lang", "en", "--preview")
    file = demo.folder / "out" / "preview" / "nasional.2026-09.en.pdf"
    assert told.strip().endswith(str(file))
    pages = [" ".join(page.split()) for page in pages_of(file)]
    assert all("PREVIEW" in page and "release 2026-09 v2" in page for page in pages)
    assert demo.rows("select max(no) as no from ops.ledger") == [before]
    file.unlink()


def test_after_the_set_up_nobody_logs_in_who_may_do_anything(demo: DemoRun) -> None:
    (first,) = demo.rows("select min(db_at)::text as moment from ops.ledger where kind = 'delivery'")
    assert {user for _, user in demo.logins} == {"postgres", "pantau", "pantau_airflow"}
    later = {user for moment, user in demo.logins if moment >= first["moment"]}
    assert later - {"pantau_airflow"} == {"pantau"}  # Airflow's process keeps the connections of its start
    superusers = demo.rows("select rolname from pg_roles where rolsuper and rolname !~ '^pg_'")
    assert superusers == [{"rolname": "postgres"}]


def test_every_printed_figure_is_traced_to_bytes(demo: DemoRun, traced: Callable[..., str]) -> None:
    provinces = {village[:2] for village in demo.truth.villages}
    text = "\n".join(pages_of(pdf_of(demo, "2026-10", 1)))
    figures = expected(demo, "2026-10")
    codes = {i: {p for p in provinces if (i, p, "") in figures} for i in ("K1", "K2", "K3")}
    ids = printed_ids(text, "2026-10", codes, sorted({period for period, _ in CLOSED})[-12:])
    known = "K1.00@2026-10 K2.00:non-3T@2026-10 K12.00:APBN:KL@2026-10 K1.11@2026-10 K2.96@2026-10"
    assert {*known.split(), "K2.00@2026-09/v1", "K2.00@2026-08", "K2.00@2025-11"} <= ids
    shown = {k for k in figures if k[1] == "00" or (len(k[1]) == 2 and k[0] != "R1" and not k[2])}
    assert {f"{i}.{p}{':' if b else ''}{b}@2026-10" for i, p, b in shown} <= ids
    regency = max(place for _, place, b in expected(demo, "2026-08") if place.startswith("93.") and b == "3T")
    others = {
        f"K1.{regency}:3T@2026-08/v1", "K12.00:APBN:KL@2026-09", "K3.93:3T@2026-10", "K15.00:xl@2026-10",
        f"R1.{regency}:operator_saja@2026-09/v1",
    }  # fmt: skip
    few = random.Random(demo.seed).sample(sorted(ids), 60)  # others in each run
    for figure in sorted({*few, *others, *known.split()}):
        way = traced(figure)
        name, place, breakdown, period, version = _parts(figure)
        truth = expected(demo, period, version)[name, place, breakdown]
        assert stated(way) == truth, figure
        feeds = told_feeds(way)
        assert set(feeds) == BEHIND.get(name, {WILAYAH, DESA_4G, DESA_3T}), figure
        for feed, told in feeds.items():
            (delivery,) = told["delivery"]
            assert re.match(r"\d+, known 2026-\d\d-\d\d, from ", delivery), (figure, feed)
            for file in told["file"]:
                assert re.fullmatch(r"\S+, [\d,]+ bytes,(?: sheet BTS,)? rows \d+\.\.[\d,]+", file), (
                    figure,
                    feed,
                )
            digests = [hashlib.sha256(content).hexdigest() for content in kept(demo.folder, told)]
            assert digests == told["sha256"], (figure, feed)
    demo.say(f"{len(ids)} figures are printed in the October report")
    for figure in ("K2.00@2026-10", "K12.00:APBN:KL@2026-09"):
        assert demo.pantau("trace", figure).strip() == traced(figure).strip()


def _parts(figure: str) -> tuple[str, str, str, str, int]:
    match = re.fullmatch(r"([KR]\d+)\.([\d.]+):?([^@]*)@([\d-]+)(?:/v(\d+))?", figure)
    assert match, figure
    name, place, breakdown, period, version = match.groups()
    return name, place, breakdown, period, int(version or (2 if (period, 1) in SUPERSEDED else 1))


@pytest.mark.parametrize(
    "figure",
    ["K2.00@2026-10", "K1.11@2026-10", "K1.96@2026-10", "K2.00@2026-08/v1", "K12.00:PERUBAHAN@2026-10",
     "K12.00:APBN:KL@2026-09", "K3.00@2026-09", "K3.94:3T@2026-10", "K15.00@2026-10", "K15.00:tri@2026-09/v1",
     "R1.00:komdigi_saja@2026-09/v1", "R1.11:sepakat_ya@2026-10"],
)  # fmt: skip
def test_a_figure_is_recomputed_from_the_delivered_bytes_alone(
    demo: DemoRun, traced: Callable[..., str], figure: str
) -> None:
    name, place, breakdown, period, version = _parts(figure)
    way = traced(figure, all_rows=True)
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
        "select r.id, r.period, r.version, r.release_hash, r.page_hash, a.release_hash as approved,"
        " a.page_hash as page, a.approver, a.acknowledged, e.kind, e.what, e.no < q.no as before, q.kind as later,"
        " q.what as published"
        " from ops.publication p join ops.release r on r.id = p.release_id"
        " left join ops.approval a on a.release_id = r.id left join ops.ledger e on e.no = a.ledger_no"
        " left join ops.ledger q on q.no = p.ledger_no"
    )
    assert {(r["period"], r["version"]) for r in rows} == set(CLOSED)
    for r in rows:
        name = {key: r[key] for key in ("period", "version", "release_hash", "page_hash")} | {
            "release": r["id"]
        }
        assert (r["approved"], r["page"], r["approver"]) == (
            r["release_hash"], r["page_hash"], "demo approver (no person)",
        )  # fmt: skip
        given = {"approver": r["approver"], "acknowledged": r["acknowledged"]}
        assert (r["kind"], r["what"]) == ("approval", name | given)
        assert (r["later"], r["published"], r["before"]) == ("publication", name, True)


def shift(period: str, months: int) -> str:
    """The month so many months later."""
    count = int(period[:4]) * 12 + int(period[5:]) - 1 + months
    return f"{count // 12}-{count % 12 + 1:02d}"


def _known(period: str, at: tuple[str, int]) -> list[int]:
    """The versions of an earlier month that were published when a page was frozen, oldest first."""
    return sorted(v for (p, v), day in CLOSED.items() if p == period and day <= CLOSED[at])


def test_every_bridge_is_the_truths(demo: DemoRun) -> None:
    def covered(period: str, version: int) -> dict[str, bool]:
        return demo.truth.covered(period, demo.truth.in_force(period, closed_at(period, version)))

    def silent(period: str, version: int) -> set[str]:
        letter = demo.truth.in_force(period, closed_at(period, version))
        return demo.truth.lost(DESA_4G, "", period, letter)

    corrected, reporting = 0, 0
    for key in PAGES:
        before = shift(key[0], -1)
        was = {version: covered(before, version) for version in _known(before, key)}
        bridge = releases(demo)[key]["context"]["bridge"]
        printed, *others, now = bridge["steps"]
        assert (printed["figure"], printed["value"]) == (f"K2.00@{before}/v1", str(left(was[1])))
        assert (now["figure"], now["value"]) == (f"K2.00@{key[0]}", str(left(covered(*key))))
        for step, version in zip(others, range(2, max(was) + 1), strict=False):
            difference = str(left(was[version]) - left(was[version - 1]))
            assert (step["kind"], step["code"], step["version"]) == ("correction", "R1", version)
            assert (step["difference"], step["becomes"]) == (difference, str(left(was[version])))
            corrected += 1
        standing = was[max(was)]
        rest = others[max(was) - 1 :]
        if len(was) > 1:
            again = f"K2.00@{before}/v{max(was)}"
            assert rest.pop(0) == {"kind": "restated", "figure": again, "value": str(left(standing))}
        steps = moved(standing, covered(*key), silent(before, max(was)), silent(*key), left(standing))
        assert rest == steps
        assert bridge["net_real"] == real(steps)
        reporting += sum(s["kind"] in ("unreported", "reported") for s in steps)
        demo.say(f"{key}: {' '.join(s.get('difference', s.get('value')) for s in bridge['steps'])}")
    assert corrected == sum(len(_known(shift(p, -1), (p, v))) - 1 for p, v in PAGES)
    assert reporting


def test_every_forecast_is_the_textbooks(demo: DemoRun) -> None:
    made = releases(demo)
    figures = {key: keyed(frozen(demo, release["id"])) for key, release in made.items()}
    for period, version in PAGES:
        context = made[period, version]["context"]
        told = {f["indicator"]: f for f in context["forecast"]}
        assert {"K1", "K2"} <= set(told)
        assert "K12" not in told
        for name, forecast in told.items():
            _, _, breakdown, _, _ = _parts(forecast["figure"])
            (register,) = (i for i in context["indicators"] if i["id"] == name)
            months = [p for p, v in sorted(figures) if p < period and v == 1]
            keys = [(p, _known(p, (period, version))[-1]) for p in months] + [(period, version)]
            every = [figures[k].get((name, "00", breakdown), (None, None, None))[2] for k in keys]
            since = max((i + 1 for i, value in enumerate(every) if value is None), default=0)
            history = [v for v in every[since:] if v is not None]  # nothing was due yet in the first months
            top = 100.0 if register["kind"] == "ratio_pct" else inf
            for ahead, point in enumerate(forecast["points"], 1):
                numbers = [Decimal(point[n]) for n in ("value", "low80", "high80", "low95", "high95")]
                assert numbers == textbook.numbers(history, ahead, register["decimals"], top), (name, point)
                assert point["period"] == shift(period, ahead)
            assert point["period"] == forecast["deadline"] == "2026-12"
            centre, error = textbook.by_the_book(history, ahead)
            goal = Decimal(register["target"]["value"])
            beyond = float(centre - Fraction(goal)) / error * (1 if register["direction"] == "up" else -1)
            assert Decimal(forecast["probability"]) == rounded(Decimal(textbook.t_below(beyond, 11)), 2)
            assert forecast["backtest"]["months"] == len(history) - 13
            past = [(p, 1) for p, v in PAGES if p < period and v == 1]  # as first issued
            assert [(x["made_in"], x["version"]) for x in forecast["past"]] == past
            for x in forecast["past"]:
                earlier = {f["indicator"]: f for f in made[x["made_in"], x["version"]]["context"]["forecast"]}
                (point,) = (y for y in earlier[name]["points"] if y["period"] == period)
                assert {n: point[n] for n in ("value", "low80", "high80")}.items() <= x.items()
                assert Decimal(x["actual"]) == history[-1]


def test_the_audit_pages_hold_every_figure_every_release_and_every_byte(demo: DemoRun) -> None:
    folder = (demo.folder / "out" / "audit").resolve()
    figures = demo.rows(
        "select r.period, r.version, f.indicator_id, array_agg(f.place || coalesce(':' || nullif(f.breakdown, ''), ''))"
        " as tails from ops.figure f join ops.release r on r.id = f.release_id where not r.superseded group by 1, 2, 3"
    )
    for row in figures:
        text = (folder / row["period"] / f"v{row['version']}" / f"{row['indicator_id']}.html").read_text()
        assert set(row["tails"]) <= set(re.findall(r' id="([^"]+)"', text)), row["indicator_id"]
        assert "BERBEDA" not in text  # sums, and the SQL run again
    assert len({(row["period"], row["version"]) for row in figures}) == len(CLOSED)
    for file in demo.rows("select distinct sha256 from ops.delivery_file"):
        [kept] = (folder / "files" / file["sha256"]).iterdir()
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == file["sha256"]
    pages = [path for path in folder.rglob("*.html") if "rows" not in path.parts]
    pages += random.Random(demo.seed).sample(sorted(folder.glob("*/*/rows/*/*.html")), 20)
    for path in pages:
        for link in re.findall(r'(?:href|src)="([^"#]+)', path.read_text()):
            target = (path.parent / unquote(link)).resolve()
            assert target.is_relative_to(folder), (path, link)
            assert target.is_file(), (path, link)
    begun = time.monotonic()
    assert str(folder / "index.html") in demo.pantau("audit")
    demo.say(
        f"{len(pages)} audit pages read; written again with nothing new in {time.monotonic() - begun:.1f} s"
    )
