"""veraPDF's verdict on PDF/UA-1 and PDF/A-3a: the reference validator, a test tool from Maven Central."""

import json
import subprocess
from pathlib import Path

import pytest

from pantau.settings import settings
from tests.reports.conftest import busy, older, real_data

HERE = Path(__file__).parent / "verapdf"


@pytest.fixture(scope="module")
def validator() -> Path:
    """The folder of veraPDF's libraries, downloaded once into the checkout's cache."""
    cache = settings.root / "var" / "cache" / "verapdf"
    if not (cache / "complete").exists():
        command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
        command += [f"-DoutputDirectory={cache}", f"-Dmaven.repo.local={cache.parent / 'm2'}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"Maven cannot fetch veraPDF here: {done.stdout[-400:]}")
        (cache / "complete").touch()
    return cache


@pytest.mark.verapdf
def test_reports_conform_to_both_standards(validator, sample_pdf, rendered, tmp_path):
    reports = {
        "sample.id": sample_pdf("id"),
        "sample.en": sample_pdf("en"),
        "missing.en": rendered(real_data, "en"),
        "older.id": rendered(older),
        "busy.id": rendered(busy),
    }
    for name, pdf in reports.items():
        (tmp_path / f"{name}.pdf").write_bytes(pdf)
    command = ["java", "-XX:+UseSerialGC", "-Xmx512m", "-cp", f"{validator}/*", str(HERE / "Validate.java")]
    command += ["ua1,3a", *(str(tmp_path / f"{name}.pdf") for name in reports)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(verdicts) == 2 * len(reports), done.stderr
    for verdict in verdicts:
        assert verdict["failed"] == [], verdict
        assert verdict["compliant"], verdict
        assert verdict["assertions"] > 1000, verdict
