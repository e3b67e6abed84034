"""veraPDF's verdict on PDF/UA-1 and PDF/A-3a: the reference validator, a test tool from Maven Central."""

import json
import subprocess
from pathlib import Path

import pytest

from pantau.settings import settings
from tests.reports.conftest import national, real_data

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
def test_reports_conform_to_both_standards(validator, sample_pdf, sample, tmp_path):
    (tmp_path / "sample.pdf").write_bytes(sample_pdf("id"))
    (tmp_path / "missing.pdf").write_bytes(national(real_data(sample), "en"))
    command = ["java", "-XX:+UseSerialGC", "-Xmx512m", "-cp", f"{validator}/*", str(HERE / "Validate.java")]
    command += ["ua1,3a", str(tmp_path / "sample.pdf"), str(tmp_path / "missing.pdf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(verdicts) == 4, done.stderr
    for verdict in verdicts:
        assert verdict["failed"] == [], verdict
        assert verdict["compliant"], verdict
        assert verdict["assertions"] > 1000, verdict
