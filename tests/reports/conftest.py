"""Reports for the tests, rendered from the sample context; no database is needed."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pantau.report import render_national
from pantau.settings import settings

RELEASE_HASH, PAGE_HASH = "3f9a7c21" * 8, "b04e11d2" * 8
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
    """The national report of `context`."""
    return render_national(context, RELEASE_HASH, PAGE_HASH, language)


@pytest.fixture(scope="session")
def sample_pdf(_sample: dict[str, Any]) -> Callable[[str], bytes]:
    """The sample's report in a language, rendered once for the session."""
    made: dict[str, bytes] = {}

    def pdf(language: str) -> bytes:
        if language not in made:
            made[language] = national(copy.deepcopy(_sample), language)
        return made[language]

    return pdf


def real_data(sample: dict[str, Any]) -> dict[str, Any]:
    """`sample` as a close on registers alone: nothing simulated, every indicator missing its feed."""
    sample |= {
        "period": "2025-12",
        "simulated": False,
        "provinces": [],
        "restatements": [],
        "findings": [],
        "targets_used": [],
    }
    for indicator in sample["indicators"]:
        budget = indicator["id"] == "K12"
        indicator |= {
            "figure": indicator["figure"].replace("2026-10", "2025-12"),
            "missing": ["kemenkeu__anggaran_tik"] if budget else ["komdigi__desa_4g", "komdigi__desa_3t"],
            "history": [],
            "breakdowns": [],
        }
        indicator |= dict.fromkeys(("value", "numerator", "denominator", "change", "target"))
    for feed in sample["feeds"]:
        feed["simulated"] = False
        if feed["feed"] != "kemendagri__wilayah":
            feed |= dict.fromkeys(("source_period", "known_at", "late_days", "content_hash"))
            feed |= dict.fromkeys(("deliveries", "rows", "accepted", "refused", "set_aside"), 0)
            feed |= {"how": "missing", "lateness": "none", "files": []}
    return sample


def busy(sample: dict[str, Any]) -> dict[str, Any]:
    """`sample` in a month with far more of everything than two pages hold, itself a restatement."""
    [august] = sample["restatements"]
    months = ("2026-05", "2026-06", "2026-07", "2026-08", "2026-10")
    finding, feed = sample["findings"][0], sample["feeds"][1]
    sample |= {
        "version": 2,
        "reason": "restatement",
        "explanation": august["explanation"],
        "restatements": [august | {"period": month} for month in months],
        "findings": [finding | {"rule": f"across.rule_{i}", "severity": "critical"} for i in range(25)],
        "feeds": [
            *sample["feeds"],
            *(feed | {"part": f"operator {i}", "late_days": i} for i in range(1, 15)),
        ],
    }
    sample["indicators"][2]["carried"] = [{"feed": "kemenkeu__anggaran_tik", "from": "2026-09"}]
    return sample


def hostile(sample: dict[str, Any]) -> dict[str, Any]:
    """`sample` with markup, commands and very long names wherever text comes from outside."""
    both = {"id": HOSTILE, "en": HOSTILE}
    sample["provinces"][0]["name"] = HOSTILE
    sample["provinces"][-1] |= {"code": "99", "name": "Provinsi " + "Panjangsekali" * 8}
    sample["feeds"][3]["title"] = both
    sample["feeds"][3]["files"][0]["name"] = "x" * 180 + "\x07.csv"
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
