"""The same input gives the same bytes: here and in other processes, with other hash seeds, zones, locales."""

import hashlib
import os
import subprocess
import sys

import pytest

from pantau.settings import settings
from tests.reports.conftest import PAGE_HASH, RELEASE_HASH, national

_PROGRAM = """
import hashlib, sys
from pantau.report import preview, render_national
sample = preview.sample()
pdf = render_national(sample.context, sample.figures, sys.argv[1], sys.argv[2], "id")
print(hashlib.sha256(pdf).hexdigest())
"""


@pytest.fixture(scope="module")
def expected(sample_pdf) -> str:
    return hashlib.sha256(sample_pdf("id")).hexdigest()


def test_second_render_has_the_same_bytes(sample, expected):
    assert hashlib.sha256(national(sample)).hexdigest() == expected


@pytest.mark.parametrize(
    ("seed", "zone", "locale"), [("1", "Pacific/Auckland", "C"), ("4711", "UTC", "C.UTF-8")]
)
def test_other_processes_give_the_same_bytes(tmp_path, expected, seed, zone, locale):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    environment |= {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "HOME": str(tmp_path)}
    environment |= {"PYTHONPATH": str(settings.root), "SOURCE_DATE_EPOCH": "1"}
    command = [sys.executable, "-c", _PROGRAM, RELEASE_HASH, PAGE_HASH]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == expected


def test_hashes_and_cutoff_are_the_only_marks_of_time(sample, expected):
    sample["cutoff_at"] = "2026-11-16T01:00:00+07:00"
    assert hashlib.sha256(national(sample)).hexdigest() != expected
