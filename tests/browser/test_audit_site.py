"""The audit pages of a small programme, from their files: every link, every figure, every byte; in Chromium, by mouse
and keyboard, on a wide and on a narrow window. What was delivered with malice stays text."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect
from psycopg.types.json import Jsonb

from pantau import release, verify
from pantau.audit import figure as figures
from pantau.audit import site
from pantau.audit.trace import registers_of
from pantau.demo import Simulator
from pantau.release.figures import figure_id
from pantau.settings import settings
from tests.administrator import connect
from tests.browser import crawl
from tests.conftest import own_database
from tests.integration.conftest import (
    ANGGARAN,
    BTS,
    CAKUPAN,
    DESA_3T,
    DESA_4G,
    KEWAJIBAN,
    Stage,
    approved,
    bring_registers,
    made,
)

PERIOD, OPENING = "2026-08", ("2026-06", "2026-07")
PUSKESMAS = "kemenkes__puskesmas"
SCRIPT = "<script>document.title='owned'</script>"
EVIL = [
    ("9301", "P1", SCRIPT),
    ("9301", "P2", '"><img src=x onerror=document.title=1>'),
    ("9302", "P3", "=cmd|'/C calc'!A0"),
    ("9302", "P4", "javascript:alert(1)"),
    ("<b>9303</b>", "P5", "{{ 7*7 }}\u202egnp.exe"),
    ("93031", "P6", "' onmouseover='alert(1)"),
]
EVIL_NAME = "<img src=x onerror=alert(1)>.html"


@dataclass
class Archive:
    """A small database with its pages as they were written at three moments."""

    folder: Path
    waiting: dict[Path, crawl.Page]  # a restatement waits for approval
    pages: dict[Path, crawl.Page]  # and is published
    kept: list[tuple[int, int]]  # pages written and kept by each later writing
    rows_written: list[tuple[Path, int]]  # the pages of rows, with their inodes, of the first writing

    def page(self, path: str) -> crawl.Page:
        """One page, by its path from the root."""
        return self.pages[self.folder / path]


def _close(first: str, last: str = "", *, publish: bool = True) -> None:
    """Close as `close_month` does, but for its report."""
    candidates = made(first, last)
    if publish:
        _approve(candidates)


def _approve(candidates: list[int]) -> None:
    approved(candidates)
    assert release.publish(candidates)


def _malice(stage: Stage) -> None:
    """A delivery whose name and cells want to be more than text, and a finding whose evidence wants to."""
    folder = settings.inbox / PUSKESMAS / "2026-01"
    folder.mkdir(parents=True)
    lines = [
        *EVIL,
        *(("9301", f"P{n}", "Puskesmas") for n in range(100, 600)),
    ]  # few of many, or the gate would block
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in lines]
    (folder / EVIL_NAME).write_text(
        "\n".join(["kode_kab,kode_instansi,unit_kerja", *quoted, ""]), encoding="utf-8"
    )
    os.utime(folder / EVIL_NAME, (0, 0))  # it would be waited for while it is new
    stage.deliver(PUSKESMAS, "2026-01")
    evidence = {
        "figure": "javascript:alert(1)",
        "nama": SCRIPT,
        "kode": "' onclick='x",
        "source_row": "1; --",
    }
    with connect() as connection:
        connection.execute("set local session_replication_role = replica")
        finding = connection.execute(
            "update ops.finding set rows = rows + 1 where id = (select min(id) from ops.finding) returning id"
        ).fetchone()
        assert finding is not None
        connection.execute(
            "insert into ops.finding_row select %s, max(no) + 1, %s from ops.finding_row where finding_id = %s",
            [finding["id"], Jsonb(evidence), finding["id"]],
        )
    for failure in verify.run().failures:  # or nothing could be published
        verify.accept(failure.what, "a test (no person)", "malice of our own")


def _pages() -> dict[Path, crawl.Page]:
    site.write()
    return crawl.crawl(site.folder())


@pytest.fixture(scope="module")
def archive(
    postgres: str, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Archive]:
    """Two months of opening history, one month closed and restated, one delivery full of malice."""
    with own_database(postgres, tmp_path_factory.mktemp("archive")):
        stage = Stage(simulator)
        stage.at("2026-08-20")
        bring_registers()
        stage.deliver(DESA_3T, "2026-01")
        for period in OPENING:
            for feed in (DESA_4G, KEWAJIBAN, BTS):
                stage.deliver(feed, period)
        _close(*OPENING)
        stage.at("2026-09-16")
        for feed in (DESA_4G, ANGGARAN, KEWAJIBAN, BTS):
            stage.deliver(feed, PERIOD)
        for part in ("telkomsel", "indosat", "xlsmart"):
            stage.deliver(CAKUPAN, PERIOD, part)
        _malice(stage)
        _close(PERIOD)
        site.write()
        folder = site.folder().resolve()
        rows = [(path, path.stat().st_ino) for path in sorted(folder.glob("*/v1/rows/*/*.html"))]
        stage.at("2026-10-21")
        stage.deliver(DESA_4G, PERIOD)
        _close(PERIOD, publish=False)
        waiting = _pages()
        with connect() as connection:
            _approve([r["id"] for r in release.candidates(connection, PERIOD, PERIOD)])
        pages = _pages()
        yield Archive(folder, waiting, pages, [], rows)


# ---------------------------------------------------------------- the files


def test_no_link_is_dead_and_none_leads_outside(archive: Archive) -> None:
    assert len(archive.pages) > 60
    for pages in (archive.waiting, archive.pages):
        for path, page in pages.items():
            schemes = {re.match(r"[a-z][a-z0-9+.-]*:|//", link) for link in page.links} - {None}
            assert not schemes, (path, schemes)
    for path, page in archive.pages.items():
        assert not page.missing(archive.folder, archive.pages), path
        doubled = {i for i in page.ids if page.ids.count(i) > 1} if len(page.ids) < 2000 else set()
        assert not doubled, (path, doubled)


def test_no_page_loads_or_runs_anything_but_its_own_files(archive: Archive) -> None:
    for path, page in archive.pages.items():
        assert page.policy.startswith("default-src 'none'; style-src 'self'; script-src 'self';"), path
        assert "unsafe" not in page.policy
        assert page.risky == [], path
        assert [Path(str(src)).name for src in page.scripts] == ["search.js", "audit.js"], path
    style = (archive.folder / "assets" / "audit.css").read_text()
    assert not re.search(r"url\((?!Inter|\"?NotoSerif)", style)
    assert "http" not in style
    assert "http" not in (archive.folder / "assets" / "audit.js").read_text()


def test_what_was_delivered_with_malice_is_text(archive: Archive) -> None:
    with connect() as connection:
        delivery = connection.execute("select id from ops.delivery where feed = %s", [PUSKESMAS]).fetchone()
        finding = connection.execute(
            "select finding_id as id from ops.finding_row where evidence ->> 'nama' = %s", [SCRIPT]
        ).fetchone()
    assert delivery is not None
    assert finding is not None
    shown = archive.page(f"deliveries/{delivery['id']}.html")
    assert "<b>9303</b>" in shown.text  # refused, with its raw text
    assert "{{ 7*7 }}" in shown.text
    assert "\u202e" not in shown.path.read_text()  # nothing turns the direction of what follows
    assert EVIL_NAME in shown.text
    [link] = {link for link in shown.links if "files/" in link}
    assert re.fullmatch(r"\.\./files/[0-9a-f]{64}/_img_src_x_onerror_alert_1__\.html\.bin", link), link
    told = archive.page(f"findings/{finding['id']}.html")
    assert SCRIPT in told.text
    assert "TIDAK COCOK dengan buku besar" in told.text  # nor was it found by a check
    others = [
        p
        for p in archive.pages
        if p.parent.name == "findings" and p.stem not in (str(finding["id"]), "index")
    ]
    assert others
    assert all("TIDAK COCOK" not in archive.pages[path].text for path in others)
    assert "javascript:alert(1)" in told.text
    assert not any("javascript" in link for page in archive.pages.values() for link in page.links)


def test_every_figure_has_its_place_and_value(archive: Archive) -> None:
    with connect() as connection:
        rows = connection.execute(
            "select f.*, r.version from ops.figure f join ops.release r on r.id = f.release_id"
        ).fetchall()
    assert len(rows) > 400
    places = {"opening": 0, "first": 0}
    for row in rows:
        path = figures.page(row["period"], row["version"], row["indicator_id"])
        page = archive.page(path)
        assert figures.anchor(row["place"], row["breakdown"]) in page.ids, (path, row)
        places["opening" if row["period"] in OPENING else "first"] += 1
    assert all(places.values())
    text = (archive.folder / PERIOD / "v2" / "K2.html").read_text()
    nation = next(
        r
        for r in rows
        if (r["indicator_id"], r["place"], r["breakdown"], r["version"]) == ("K2", "00", "", 2)
    )
    assert f'id="00" data-n="{int(nation["numerator"]):,}"'.replace(",", ".") in text


def test_the_rows_behind_a_figure_are_all_there(archive: Archive) -> None:
    with connect() as connection:
        uncovered = connection.execute(
            "select count(*) as n from facts.fct_desa_4g f join ops.release r on r.build_id = f.build_id"
            " where r.period = %s and r.version = 2 and f.period = r.period and provinsi_kode = '93'"
            " and not terjangkau_4g", [PERIOD],
        ).fetchone()  # fmt: skip
    assert uncovered is not None
    text = (archive.folder / PERIOD / "v2" / "rows" / "fct_desa_4g" / "93.html").read_text()
    found = re.findall(
        r"<tr><td>(93\.[\d.]+)<td>[^<]+<td>(?:3T|non-3T)<td>(ya|tidak)<td>(\d+|–)<td>(\d+)<td>(\d+|–)", text
    )
    assert len(found) == 690  # every village of the province
    assert sum(1 for _, covered, *_ in found if covered == "tidak") == uncovered["n"]
    # the numbers are the files' own: line n of the register says that village
    with connect() as connection:
        file = connection.execute(
            "select f.sha256, f.name from ops.delivery_file f join ops.delivery d on d.id = f.delivery_id"
            " where d.feed = %s and d.period = %s order by d.id desc limit 1", [DESA_4G, PERIOD],
        ).fetchone()  # fmt: skip
    assert file is not None
    lines = (archive.folder / "files" / file["sha256"] / file["name"]).read_bytes().decode().splitlines()
    checked = 0
    for kode, covered, number, *_ in found:
        if number != "–":
            cells = lines[int(number) - 1].split(",")
            assert (cells[2] == "Ada") == (covered == "ya") or cells[2] not in ("Ada", "Tidak"), (kode, cells)
            checked += cells[0].replace(".", "") == kode.replace(".", "")
    assert checked > 600


def test_a_village_whose_row_was_refused_leads_to_the_refusal(archive: Archive) -> None:
    """The ministry delivered 96.01.30.2005 as covered, under a misspelt name: the page does not just say "no"."""
    with connect() as connection:
        sent = connection.execute(
            "select id from ops.delivery where feed = %s and period = %s", [DESA_4G, OPENING[0]]
        ).fetchone()
    assert sent is not None
    page = archive.folder / OPENING[0] / "v1" / "rows" / "fct_desa_4g" / "96.html"
    link = rf'<a href="\.\./\.\./\.\./\.\./deliveries/{sent["id"]}\.html#ditolak">ditolak</a>'
    assert re.search(
        rf"<tr><td>96\.01\.30\.2005<td>[^<]+<td>[^<]+<td>tidak<td>– {link}<td>", page.read_text()
    )
    told = archive.page(f"{OPENING[0]}/v1/rows/fct_desa_4g/96.html").text
    assert "baris yang dikirim untuk desa itu tidak lolos" in told
    assert "96.01.30.2005" in archive.page(f"deliveries/{sent['id']}.html").text


def test_reasons_of_refusals_are_told_in_the_language_of_the_pages(archive: Archive) -> None:
    with connect() as connection:
        rules = [row["rule"] for row in connection.execute("select distinct rule from ops.quarantine")]
    known = site._paper().words["refusal"]
    assert rules
    assert set(rules) <= set(known)
    shown = " ".join(page.text for path, page in archive.pages.items() if path.parent.name == "deliveries")
    assert all(known[rule] in shown for rule in rules)


def test_every_page_says_that_simulated_deliveries_are_behind_it(archive: Archive) -> None:
    for path, page in archive.pages.items():
        assert "DATA SIMULASI" in page.text, path
        assert "Tidak ada kiriman simulasi" not in page.text, path


def test_the_days_of_a_page_of_the_ledger_do_not_run_backwards(archive: Archive) -> None:
    """The first entries bear the machine's clock, which the clock that was set then goes back behind."""
    with connect() as connection:
        days = connection.execute(
            "select min(product_at) as first, max(product_at) as last from ops.ledger where no <= 500"
        ).fetchone()
    assert days is not None
    paper = site._paper()
    assert f"{paper.day(days['first'])} – {paper.day(days['last'])}" in archive.page("ledger/index.html").text


def test_a_failing_row_leads_to_the_delivered_row_of_its_key(archive: Archive) -> None:
    """Of findings about obligations: the item at that place of that file is of that village."""
    with connect() as connection:
        rules = {
            row["id"]: row["rule_id"] for row in connection.execute("select id, rule_id from ops.finding")
        }
    led = set()
    for path in archive.folder.glob("findings/*.html"):
        for row in re.findall(r'<tr><th scope="row" class="n">.*?</tr>', path.read_text()):
            kode = re.search(r"<td>(\d\d\.\d\d\.\d\d\.\d{4})</td>", row)
            origin = re.search(
                r'href="\.\./(files/[^"]+/page-\d+\.json)" download>[^<]+</a> baris (\d+)', row
            )
            if kode and origin:
                items = json.loads((archive.folder / origin[1]).read_text())["result"]["records"]
                delivered = items[int(origin[2]) - 1]["kode_desa"]
                assert delivered.replace(".", "") == kode[1].replace(".", ""), (path, row)
                led.add(rules[int(path.stem.partition("-")[0])])
    assert led == {"across.obligation_not_claimed", "komdigi__kewajiban.built_without_evidence"}


def test_opening_history_names_the_uncovered_and_numbers_the_others(archive: Archive) -> None:
    page = archive.page(f"{OPENING[0]}/v1/rows/fct_desa_4g/93.html")
    told = re.search(r"([\d.]+) baris bernama, ([\d.]+) lewat nomor barisnya", page.text)
    assert told is not None
    named, others = (int(n.replace(".", "")) for n in told.groups())
    text = page.path.read_text()
    assert len(re.findall(r"<tr><td>93\.", text)) == named
    spans = [
        span.split("–")
        for each in re.findall(r"baris A: ([^<]+)</p>", text)
        for span in each.strip().split(", ")
    ]
    assert sum(int(span[-1]) - int(span[0]) + 1 for span in spans) == others
    assert named + others == 690


def test_a_page_of_a_delivery_adds_up_and_links_the_very_bytes(archive: Archive) -> None:
    with connect() as connection:
        files = connection.execute("select * from ops.delivery_file").fetchall()
    served = {path.parent.name: path for path in archive.folder.glob("files/*/*")}
    for file in files:
        assert hashlib.sha256(served[file["sha256"]].read_bytes()).hexdigest() == file["sha256"]
        page = archive.page(f"deliveries/{file['delivery_id']}.html")
        assert any(file["sha256"] in link for link in page.links)
        assert file["sha256"] in page.text


def test_a_release_tells_who_approved_and_what_replaced_it(archive: Archive) -> None:
    first, second = (archive.page(f"{PERIOD}/v{n}/index.html").text for n in (1, 2))
    assert "digantikan v2" in first
    assert "Rilis ini digantikan v2" in archive.page(f"{PERIOD}/v1/K2.html").text
    assert "terbit 21 Okt 2026" in second
    assert "a test (no person)" in second
    assert "hash cocok" in second
    assert "menunggu persetujuan" in archive.waiting[archive.folder / PERIOD / "v2" / "index.html"].text
    assert "v2 menunggu persetujuan" in archive.waiting[archive.folder / PERIOD / "index.html"].text
    assert "dinyatakan ulang" in archive.page(f"{PERIOD}/v2/K2.html").text
    assert "sama dengan angka nasional" in archive.page(f"{PERIOD}/v2/K2.html").text
    assert all("BERBEDA" not in page.text for page in archive.pages.values())
    assert all("PUTUS" not in page.text for page in archive.pages.values())


# ---------------------------------------------------------------- writing


def test_frozen_pages_are_written_once(archive: Archive) -> None:
    assert len(archive.rows_written) > 8
    for path, inode in archive.rows_written:
        assert path.stat().st_ino == inode, path
    before = {path: path.stat().st_ino for path in archive.pages}
    site.write()
    now = {path: path.stat().st_ino for path in archive.folder.rglob("*.html")}
    anew = {path.relative_to(archive.folder).as_posix() for path in now if now[path] != before.get(path)}
    assert now.keys() == before.keys()
    assert not {
        path for path in anew if re.match(r"(findings|deliveries)/\d|.*/rows/|.*/[KR]\d+\.html", path)
    }
    assert f"{PERIOD}/index.html" in anew


def test_a_writing_that_breaks_leaves_what_stood(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_ino for path in archive.folder.rglob("*") if path.is_file()}

    def breaks(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(site.overview, "write_index", breaks)
    with pytest.raises(OSError, match="no space"):
        site.write()
    assert {path: path.stat().st_ino for path in archive.folder.rglob("*") if path.is_file()} == before
    assert sorted(p.name for p in archive.folder.parent.iterdir() if "audit" in p.name) == ["audit"]


def test_altered_rows_show(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger entry and a frozen figure that somebody changed are told on the first pages that show them."""
    with connect() as connection:
        connection.execute("set local session_replication_role = replica")
        entry = connection.execute(
            'update ops.ledger set what = what || \'{"approver": "nobody"}\' where no ='
            " (select max(ledger_no) from ops.approval) returning no, what"
        ).fetchone()
        figure = connection.execute(
            "update ops.figure set numerator = numerator + 1 where indicator_id = 'K2' and place = '00'"
            " and breakdown = '' and period = %s returning release_id", [PERIOD],
        ).fetchone()  # fmt: skip
        assert entry is not None
        assert figure is not None
    monkeypatch.setattr(settings, "out", archive.folder.parent / "altered")
    (settings.out).mkdir()
    pages = _pages()
    folder = site.folder().resolve()
    try:
        assert f"PUTUS pada entri {entry['no']}" in pages[folder / "ledger" / "index.html"].text
        assert "buku besar putus" in pages[folder / "index.html"].text
        assert "TIDAK COCOK" in pages[folder / PERIOD / "v2" / "index.html"].text
        assert "BERBEDA" in pages[folder / PERIOD / "v2" / "K2.html"].text
    finally:
        with connect() as connection:
            connection.execute("set local session_replication_role = replica")
            connection.execute(
                "update ops.ledger set what = what || %s where no = %s",
                [Jsonb({"approver": "a test (no person)"}), entry["no"]],
            )
            connection.execute(
                "update ops.figure set numerator = numerator - 1 where indicator_id = 'K2' and place = '00'"
                " and breakdown = '' and period = %s", [PERIOD],
            )  # fmt: skip


# ---------------------------------------------------------------- the SQL


def _auditor() -> psycopg.Connection[Any]:
    connection = psycopg.connect(settings.owner_url, autocommit=True)
    connection.execute("set role pantau_auditor")
    return connection


def test_the_sql_of_every_figure_returns_it_to_a_role_that_may_only_read(archive: Archive) -> None:
    with connect() as connection:
        rows = connection.execute(
            "select f.*, r.build_id from ops.figure f join ops.release r on r.id = f.release_id"
            " where r.version = 2 or r.period = %s", [OPENING[1]],
        ).fetchall()  # fmt: skip
        registers = {b: registers_of(connection, b) for b in {row["build_id"] for row in rows}}
    assert {row["indicator_id"] for row in rows} == {"K1", "K2", "K3", "K12", "K15", "R1"}
    with _auditor() as auditor:
        frozen = auditor.execute(
            "select build_id, model, sql from ops.build_sql where model ~ '^ind_'"
        ).fetchall()
        components = {(build, model.split("_")[1].upper()): text for build, model, text in frozen}
        for row in rows:
            own = registers[row["build_id"]]
            definition = next(
                d for d in own["indicator_register"]
                if (d["indicator_id"], d["version"]) == (row["indicator_id"], row["indicator_version"])
            )  # fmt: skip
            grains = figures.grains_of(own, row["indicator_id"], row["indicator_version"], row["place"])
            where = figures.conditions(grains, row["place"], row["breakdown"])
            component = components[row["build_id"], row["indicator_id"]]
            auditor.execute(figures.settings_of(row["build_id"]))
            found = auditor.execute(figures.sql_of(component, definition, row["period"], where)).fetchone()
            assert found == (row["numerator"], row["denominator"], row["value"]), row
            assert "current_setting" not in component


@pytest.mark.parametrize(
    "change",
    [
        "insert into ops.ledger select * from ops.ledger limit 1",
        "update ops.candidate set version = 9",
        "delete from facts.fct_desa_4g",
        "truncate marts.rpt_figure",
        "update raw.komdigi__desa_4g set source_row = 0",
        "create table public.mine (x int)",
        "create table ops.mine (x int)",
        "select nextval('ops.delivery_id_seq')",
    ],
)
def test_the_auditor_changes_nothing(archive: Archive, change: str) -> None:
    with _auditor() as auditor, pytest.raises(psycopg.errors.InsufficientPrivilege):
        auditor.execute(change)


# ---------------------------------------------------------------- in Chromium


@pytest.fixture
def page(archive: Archive, chromium: Browser) -> Iterator[Page]:
    """A window on the pages; it fails where a page says something on the console or asks for anything outside."""
    window = chromium.new_page(viewport={"width": 1280, "height": 900})
    heard: list[str] = []
    window.on("console", lambda message: heard.append(message.text))
    window.on("pageerror", lambda error: heard.append(str(error)))
    window.on(
        "requestfailed",
        lambda r: None if r.failure == "net::ERR_ABORTED" else heard.append(f"failed {r.url}"),
    )
    window.on("request", lambda r: None if r.url.startswith("file://") else heard.append(f"outside {r.url}"))
    yield window
    window.close()
    assert heard == []


def _open(window: Page, archive: Archive, path: str) -> None:
    file, _, fragment = path.partition("#")
    window.goto((archive.folder / file).as_uri() + (f"#{fragment}" if fragment else ""))


@pytest.mark.chromium
def test_three_clicks_lead_from_a_figure_to_the_bytes(archive: Archive, page: Page) -> None:
    with connect() as connection:
        sent = connection.execute(
            "select f.sha256 from ops.build_input i join ops.release r on r.build_id = i.build_id"
            " and r.period = i.period and r.version = 2 join ops.reading g on g.id = i.reading_id"
            " join ops.delivery_file f on f.delivery_id = g.delivery_id where r.period = %s and i.feed = %s",
            [PERIOD, DESA_4G],
        ).fetchone()
    assert sent is not None
    for indicator in ("K1", "K2", "K3", "K12", "K15", "R1"):
        _open(page, archive, f"{PERIOD}/v2/index.html")
        page.locator(".tiles a", has_text=re.compile(rf"^{indicator}\b")).click()  # 1: the figure
        page.get_by_role("link", name=re.compile(r"^[\d.]+ baris$")).and_(
            page.locator(".grid a")
        ).first.click()  # 2: rows
        link = page.locator("a.file").first
        if str(link.get_attribute("href")).endswith(".json"):  # 3: the bytes, which the browser shows itself
            link.click()
            page.wait_for_url("**/files/**")
            path, address = Path(unquote(urlsplit(page.url).path)), page.url
        else:  # or saves
            with page.expect_download() as download:
                link.click()
            path, address = Path(download.value.path()), download.value.url
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert f"/{digest}/" in address
        if indicator in ("K1", "K2"):
            assert digest == sent["sha256"]


@pytest.mark.chromium
def test_the_address_of_a_figure_shows_it_with_its_sum_and_sql(archive: Archive, page: Page) -> None:
    """Every figure of one release: what the page then shows is the frozen figure, and its SQL returns it."""
    with connect() as connection:
        rows = connection.execute(
            "select f.* from ops.figure f join ops.release r on r.id = f.release_id"
            " where r.period = %s and r.version = 2 order by f.indicator_id, f.place, f.breakdown", [PERIOD],
        ).fetchall()  # fmt: skip
    read = """(tails) => { const shown = {}; const hero = document.getElementById('hero');
      for (const tail of tails) { history.replaceState(null, '', '#' + encodeURIComponent(tail));
        dispatchEvent(new HashChangeEvent('hashchange'));
        shown[tail] = [document.getElementById('sql-text').textContent,
          document.querySelector('[data-term=id]').textContent,
          document.querySelector('[data-term=denominator]')?.textContent ?? '']; }
      return shown; }"""
    seen = 0
    with _auditor() as auditor:
        for indicator in sorted({row["indicator_id"] for row in rows}):
            _open(page, archive, f"{PERIOD}/v2/{indicator}.html")
            its = {
                figures.anchor(r["place"], r["breakdown"]): r for r in rows if r["indicator_id"] == indicator
            }
            for tail, (text, told, denominator) in page.evaluate(read, list(its)).items():
                row = its[tail]
                assert told == figure_id(indicator, row["place"], row["breakdown"], PERIOD, 2)
                setting, _, statement = text.partition(";")
                auditor.execute(setting)
                found = auditor.execute(statement.strip().rstrip(";")).fetchone()
                assert found == (row["numerator"], row["denominator"], row["value"]), tail
                if denominator:
                    assert denominator.strip() == f"{int(row['denominator']):,}".replace(",", ".")
                seen += 1
    assert seen == len(rows) > 140


@pytest.mark.chromium
def test_regencies_open_on_demand_and_by_their_address(archive: Archive, page: Page) -> None:
    _open(page, archive, f"{PERIOD}/v2/K1.html")
    merauke = page.locator("tr.sub", has_text="93.01").first
    expect(merauke).to_be_hidden()
    page.locator("summary", has_text="Papua Selatan").click()
    expect(merauke).to_be_visible()
    _open(page, archive, f"{PERIOD}/v2/K2.html#93.01")
    expect(page.locator('[id="93.01"]')).to_be_in_viewport()


@pytest.mark.chromium
def test_the_search_leads_to_figures_places_hashes_and_findings(archive: Archive, page: Page) -> None:
    with connect() as connection:
        file = connection.execute("select * from ops.delivery_file order by delivery_id limit 1").fetchone()
        finding = connection.execute("select min(id) as id from ops.finding").fetchone()
    assert file is not None
    assert finding is not None
    wanted = {
        f"K2.93.01:3T@{PERIOD}/v1": f"{PERIOD}/v1/K2.html#93.01%3A3T",
        "k1": f"{PERIOD}/v2/K1.html",
        "k12.00:perubahan:kl": f"{PERIOD}/v2/K12.html#00%3APERUBAHAN%3AKL",
        "merauke": f"{PERIOD}/v2/K1.html#93.01",
        "93.01.01.2001": f"{PERIOD}/v2/K1.html#93.01",
        file["sha256"][:12]: f"deliveries/{file['delivery_id']}.html",
        f"T-{finding['id']}": f"findings/{finding['id']}.html",
        "#3": "ledger/1.html#3",
    }
    for text, target in wanted.items():
        _open(page, archive, "index.html")
        page.get_by_role("searchbox").fill(text)
        page.keyboard.press("Enter")
        page.wait_for_url((archive.folder / target.partition("#")[0]).as_uri() + "*")
        assert page.url == archive.folder.as_uri() + "/" + target, text
    _open(page, archive, "index.html")
    page.get_by_role("searchbox").fill(SCRIPT)
    expect(page.locator("#hasil")).to_have_text("Tidak ada yang cocok")


@pytest.mark.chromium
def test_the_search_says_of_an_id_that_there_is_no_such_figure(archive: Archive, page: Page) -> None:
    _open(page, archive, "index.html")
    for nowhere in (f"K2.99.99@{PERIOD}", f"k2.00:foo@{PERIOD}", "K2.00@2031-01", f"K12.00@{PERIOD}"):
        page.get_by_role("searchbox").fill(nowhere)
        expect(page.locator("#hasil")).to_contain_text("Tidak ada angka dengan nomor ini")
        expect(page.locator("#hasil a")).to_have_count(0)


@pytest.mark.chromium
def test_a_page_says_where_its_address_names_no_figure(archive: Archive, page: Page) -> None:
    _open(page, archive, f"{PERIOD}/v2/K2.html#99.99:3T")
    told = page.locator("#nothere")
    expect(told).to_have_text(
        "Tidak ada angka K2.99.99:3T dalam rilis ini; yang tampak di bawah angka nasional."
    )
    expect(page.locator("[data-term=id]")).to_have_text(f"K2.00@{PERIOD}/v2")
    for known in ("93.01", "sql"):
        page.evaluate(f"location.hash = '#{known}'")
        expect(told).to_be_hidden()


@pytest.mark.chromium
def test_a_long_file_name_leaves_room_for_the_other_columns(archive: Archive, page: Page) -> None:
    with connect() as connection:
        sent = connection.execute("select id from ops.delivery where feed = %s", [DESA_4G]).fetchone()
    assert sent is not None
    _open(page, archive, f"deliveries/{sent['id']}.html")
    page.locator("a.file").first.evaluate("link => link.textContent = 'n'.repeat(236) + '.csv'")
    row = page.locator("tr", has=page.locator("a.file")).first
    height, widths = row.evaluate(
        "row => [row.getBoundingClientRect().height, [...row.cells].map(c => c.getBoundingClientRect().width)]"
    )
    assert height < 240, height
    assert widths[3] > 100, widths  # the hash
    box = page.locator(".box").first
    assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


@pytest.mark.chromium
@pytest.mark.parametrize("width", [1280, 390])
def test_the_head_stays_above_the_row_that_an_address_leads_to(
    archive: Archive, chromium: Browser, width: int
) -> None:
    window = chromium.new_page(viewport={"width": width, "height": 844})
    _open(window, archive, f"{PERIOD}/v2/rows/fct_klaim/93.html#93.04")
    head, group = window.locator(".rows thead th").first, window.locator('tbody[id="93.04"] .group th')
    expect(group).to_be_in_viewport()
    expect(head).to_be_in_viewport()
    above, below = head.bounding_box(), group.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] <= below["y"] + 1
    window.close()


@pytest.mark.chromium
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit_the_window_and_have_their_fonts(archive: Archive, chromium: Browser, width: int) -> None:
    window = chromium.new_page(viewport={"width": width, "height": 844})
    kinds: dict[str, Path] = {}  # one page of each kind, and of each indicator
    for path in archive.pages:
        kinds.setdefault(
            re.sub(r"[\d-]+|\bv\b", "", "/".join(path.relative_to(archive.folder).parts[-3:])), path
        )
        kinds.setdefault(path.stem if path.stem[:1] in "KR" else "", path)
    assert len(kinds) > 15
    for path in kinds.values():
        window.goto(path.as_uri())
        wide = window.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} px too wide at {width}"
    window.goto((archive.folder / "index.html").as_uri())
    window.evaluate("document.fonts.ready")
    assert window.evaluate("[...document.fonts].filter(f => f.status !== 'loaded').length") == 0
    window.close()


@pytest.mark.chromium
def test_malice_does_nothing_in_a_browser(archive: Archive, page: Page) -> None:
    evil = [path for path, read in archive.pages.items() if SCRIPT in read.text or EVIL_NAME in read.text]
    assert len(evil) >= 2
    for path in evil:
        page.goto(path.as_uri())
        assert page.title().endswith("· Pantau audit")
        assert page.locator("img").count() == 0


@pytest.mark.chromium
def test_all_is_reached_by_keyboard(archive: Archive, page: Page) -> None:
    _open(page, archive, f"{PERIOD}/v2/K2.html")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    seen = set()
    for _ in range(400):
        page.keyboard.press("Tab")
        place = page.evaluate(
            "(() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return [e.tagName + ' ' + e.className + ' ' + (e.textContent || '').trim().slice(0, 40), s.outlineStyle,"
            " e.tagName]; })()"
        )
        if place[2] == "BODY":
            break
        assert place[1] == "solid", f"the focus does not show on {place[0]}"
        seen.add(place[2])
    assert {"A", "SUMMARY", "DIV"} <= seen  # links, what opens, and the boxes that scroll
    page.locator("summary", has_text="Papua Selatan").focus()
    page.keyboard.press("Enter")
    expect(page.locator("tr.sub", has_text="93.01").first).to_be_visible()


@pytest.mark.chromium
def test_without_scripts_everything_is_there(archive: Archive, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    window = context.new_page()
    _open(window, archive, f"{PERIOD}/v2/K2.html#93.01")
    expect(window.locator(".search")).to_be_hidden()
    expect(window.locator('[id="93.01"]')).to_be_visible()
    window.locator("summary", has_text="Papua Barat Daya").click()
    expect(window.locator("tr.sub", has_text="96.01").first).to_be_visible()
    context.close()
