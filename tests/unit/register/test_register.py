"""The shipped registers: their counts, their form, and that the script makes them again from packages."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import tarfile
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def load(year: int) -> list[list[str]]:
    data = gzip.decompress((ROOT / f"register/wilayah_{year}.csv.gz").read_bytes()).decode("utf-8")
    return list(csv.reader(io.StringIO(data, newline="")))


@pytest.fixture(scope="module")
def rebuild() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rebuild", ROOT / "register/rebuild.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("year", "counts"), [(2022, (37, 514, 7_277, 83_763)), (2025, (38, 514, 7_285, 83_762))]
)
def test_counts_order_and_parents(year: int, counts: tuple[int, ...]) -> None:
    header, *rows = load(year)
    codes = [code for code, _ in rows]
    levels = Counter(code.count(".") for code in codes)
    assert header == ["kode", "nama"]
    assert tuple(levels[level] for level in range(4)) == counts
    assert codes == sorted(set(codes))
    assert {code.rpartition(".")[0] for code in codes if "." in code} <= set(codes)
    assert all(name.strip() for _, name in rows)


@pytest.mark.parametrize("year", [2022, 2025])
def test_the_gzip_says_no_time_and_no_name(year: int) -> None:
    begin = (ROOT / f"register/wilayah_{year}.csv.gz").read_bytes()[:8]
    assert begin[:3] == b"\x1f\x8b\x08"
    assert begin[3] == 0
    assert begin[4:8] == bytes(4)


def package(path: Path, villages: int) -> Path:
    tables = {
        "provinces": "code,name\n11,ACEH\n",
        "regencies": "code,province_code,name\n1101,11,KABUPATEN ACEH SELATAN\n",
        "districts": "code,regency_code,name\n110101,1101,BAKONGAN\n",
        "villages": "code,district_code,name\n"
        + "".join(f"110101200{n},110101,DESA {n}\n" for n in range(villages, 0, -1)),
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in tables.items():
            member = tarfile.TarInfo(f"package/data/{name}.csv")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def test_rebuild_dots_codes_and_sorts(rebuild: ModuleType, tmp_path: Path) -> None:
    regions = rebuild.read_package(package(tmp_path / "p.tgz", 2), (1, 1, 1, 2))
    text = gzip.decompress(rebuild.to_bytes(regions)).decode()
    assert text.splitlines() == [
        "kode,nama", "11,ACEH", "11.01,KABUPATEN ACEH SELATAN", "11.01.01,BAKONGAN",
        "11.01.01.2001,DESA 1", "11.01.01.2002,DESA 2",
    ]  # fmt: skip
    assert rebuild.to_bytes(regions) == rebuild.to_bytes(dict(reversed(regions.items())))


def test_rebuild_refuses_other_counts(rebuild: ModuleType, tmp_path: Path, capsys) -> None:
    tgz = package(tmp_path / "idn-area-data-2.2.0.tgz", 2)
    assert rebuild.main([str(tgz), "--into", str(tmp_path)]) == 1
    assert "the decree has 37" in capsys.readouterr().err
    assert not list(tmp_path.glob("wilayah_*"))


@pytest.mark.parametrize("year", [2022, 2025])
def test_rebuild_writes_the_shipped_files_byte_for_byte(rebuild: ModuleType, year: int) -> None:
    _, *rows = load(year)
    assert rebuild.to_bytes(dict(rows)) == (ROOT / f"register/wilayah_{year}.csv.gz").read_bytes()
