"""Reports for the tests, rendered from the sample context; no database is needed."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pantau.report import preview, render_national
from pantau.settings import settings

RELEASE_HASH, PAGE_HASH = "3f9a7c21" * 8, "b04e11d2" * 8
Change = Callable[[dict[str, Any]], dict[str, Any]]
HOSTILE = "<script>alert(1)</script><img src=file:///etc/passwd>{{7*7}}&amp;\"'=1+1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, and name, the tests of veraPDF where Java and Maven are absent."""
    if shutil.which("java") and shutil.which("mvn"):
        return
    absent = [item for item in items if item.get_closest_marker("verapdf")]
    if absent:
        print("\nDeselected, for Java and Maven are not on this machine (PDF/UA-1 and PDF/A-3a by veraPDF):")
        for item in absent:
            print(f"  {item.nodeid}")
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "verapdf: needs Java and Maven")


@pytest.fixture(scope="session")
def _sample() -> dict[str, Any]:
    return json.loads((settings.templates / "nasional" / "sample_context.json").read_text(encoding="utf-8"))


@pytest.fixture
def sample(_sample: dict[str, Any]) -> dict[str, Any]:
    """The sample context, the test's own copy."""
    return copy.deepcopy(_sample)


def national(context: dict[str, Any], language: str = "id") -> bytes:
    """The national report of `context`, with the sample's figures inside."""
    return render_national(context, preview.sample().figures, RELEASE_HASH, PAGE_HASH, language)


@pytest.fixture(scope="session")
def rendered(_sample: dict[str, Any]) -> Callable[[Change, str], bytes]:
    """The report of a changed sample (`busy`, `older` …) in a language, rendered once for the session."""
    made: dict[tuple[str, str], bytes] = {}

    def pdf(change: Change, language: str = "id") -> bytes:
        key = (change.__name__, language)
        if key not in made:
            made[key] = national(change(copy.deepcopy(_sample)), language)
        return made[key]

    return pdf


@pytest.fixture(scope="session")
def sample_pdf(rendered: Callable[[Change, str], bytes]) -> Callable[[str], bytes]:
    """The sample's report in a language, rendered once for the session."""
    return lambda language: rendered(unchanged, language)


def unchanged(sample: dict[str, Any]) -> dict[str, Any]:
    """`sample` as it is."""
    return sample


NEEDS = {
    "K1": ["komdigi__desa_4g", "komdigi__desa_3t"],
    "K2": ["komdigi__desa_4g", "komdigi__desa_3t"],
    "K3": ["bakti__bts"],
    "K12": ["kemenkeu__anggaran_tik"],
    "K15": ["komdigi__kewajiban"],
    "R1": ["komdigi__desa_4g", "operator__cakupan"],
}


def real_data(sample: dict[str, Any]) -> dict[str, Any]:
    """`sample` as a close on registers alone: nothing simulated, every indicator missing its feed."""
    sample |= {
        "period": "2025-12",
        "simulated": False,
        "provinces": [],
        "bridge": None,
        "forecast": [],
        "restatements": [],
        "findings": [],
        "targets_used": [],
    }
    for indicator in sample["indicators"]:
        indicator |= {
            "figure": indicator["figure"].replace("2026-10", "2025-12"),
            "missing": NEEDS[indicator["id"]],
            "carried": [],
            "history": [],
            "breakdowns": [],
        }
        indicator |= dict.fromkeys(("value", "numerator", "denominator", "change", "target"))
    for feed in sample["feeds"]:
        feed["simulated"] = False
        if feed["feed"] != "kemendagri__wilayah":
            feed |= dict.fromkeys(
                ("source_period", "first_known_at", "known_at", "late_days", "content_hash")
            )
            feed |= dict.fromkeys(("deliveries", "rows", "accepted", "refused", "set_aside"), 0)
            feed |= {"how": "missing", "lateness": "none", "files": []}
    for operator in sample["operators"]:
        operator |= {"claims": 0, "how": "missing", "source_period": None}
    return sample


def older(sample: dict[str, Any]) -> dict[str, Any]:
    """`sample` as a release froze it that knew three indicators and no bridge, forecast, operators or audit."""
    for piece in ("bridge", "forecast", "operators", "audit_url"):
        del sample[piece]
    for pieces in ("indicators", "definitions"):
        sample[pieces] = [d for d in sample[pieces] if d["id"] in ("K1", "K2", "K12")]
    for province in sample["provinces"]:
        province.pop("K3", None)
    for feed in sample["feeds"]:
        del feed["part_title"]
    for indicator in sample["indicators"]:
        for month in indicator["history"]:
            del month["carried"]
    sample["feeds"] = [f for f in sample["feeds"] if not f["part"]]
    return sample


def first_month(sample: dict[str, Any]) -> dict[str, Any]:
    """`sample` as the first month of all: nothing to compare with, nothing restated, no forecast."""
    sample |= {"bridge": None, "forecast": [], "restatements": []}
    for indicator in sample["indicators"]:
        indicator |= {"change": None, "history": indicator["history"][-1:]}
        for breakdown in indicator["breakdowns"]:
            breakdown["change"] = None
    for province in sample["provinces"]:
        for name in {"K1", "K2", "K3"} & province.keys():
            province[name]["change"] = None
    return sample


def busy(sample: dict[str, Any]) -> dict[str, Any]:
    """`sample` in a month with far more of everything than usual, itself a restatement; everything carried."""
    august, september = sample["restatements"]
    months = ("2026-05", "2026-06", "2026-07", "2026-08")
    finding = sample["findings"][0]
    feed = next(f for f in sample["feeds"] if f["feed"] == "kemenkeu__anggaran_tik")
    sample |= {
        "version": 2,
        "reason": "restatement",
        "explanation": september["explanation"],
        "restatements": [
            *(august | {"period": month} for month in months),
            september | {"period": "2026-10"},
        ],
        "findings": [finding | {"rule": f"across.rule_{i}", "severity": "critical"} for i in range(25)],
        "feeds": [
            *sample["feeds"],
            *(
                feed | {"part": f"operator {i}", "part_title": f"Operator {i}", "late_days": i}
                for i in range(1, 15)
            ),
        ],
    }
    for indicator in sample["indicators"]:
        feeds = [f for f in NEEDS[indicator["id"]] if f != "komdigi__desa_3t"]
        indicator["carried"] = [{"feed": feeds[-1], "part": "", "from": "2026-09"}]
    return sample


def hostile(sample: dict[str, Any]) -> dict[str, Any]:
    """`sample` with markup, commands and very long names wherever text comes from outside."""
    both = {"id": HOSTILE, "en": HOSTILE}
    sample["provinces"][0]["name"] = HOSTILE
    sample["provinces"][-1] |= {"code": "99", "name": "Provinsi " + "Panjangsekali" * 8}
    sample["feeds"][0]["title"] = both
    sample["feeds"][0]["files"] = [{"name": "x" * 180 + "\x07.csv", "bytes": 1, "sha256": "0" * 64}]
    sample["feeds"][-1]["part_title"] = sample["operators"][0]["title"] = HOSTILE
    sample["findings"][0] |= {"sentence": both, "fixer": "A" * 60}
    sample["restatements"][0]["explanation"] = both
    sample["indicators"][1]["target"]["document"] = HOSTILE
    for indicator in sample["indicators"]:
        indicator["name"] = both
    return sample


@pytest.fixture
def template(tmp_path: Path) -> Callable[..., Path]:
    """Makes a template folder with the real fonts beside it, from HTML (what stands in `body`) and CSS."""
    shutil.copytree(settings.templates / "fonts", tmp_path / "fonts")
    folder = tmp_path / "trial"
    folder.mkdir()
    fonts = "".join(
        f"@font-face {{ font-family: Inter; font-weight: {weight}; src: url(asset:fonts/Inter-{name}.ttf) }}"
        for weight, name in ((400, "Regular"), (600, "SemiBold"))
    )

    def make(body: str, css: str = "") -> Path:
        (folder / "style.css").write_text(f"{fonts} html {{ font-family: Inter }} {css}", encoding="utf-8")
        (folder / "template.html.j2").write_text(
            '<!doctype html><html lang="id"><title>x</title><link rel="stylesheet" href="asset:style.css">'
            f"<body><h1>x</h1>{body}</body></html>",
            encoding="utf-8",
        )
        return folder

    return make
