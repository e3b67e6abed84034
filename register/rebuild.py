"""Rebuilds the two register files from the npm package idn-area-data.

They are the first bytes of the way of the data: people put them into the inbox, feed `kemendagri__wilayah`.
Promise: the same package gives the same bytes, and a package whose counts are not the decree's gives none.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LEVELS = ("provinces", "regencies", "districts", "villages")
# file -> version of the package, and how many provinces, regencies, districts and villages its decree names
VINTAGES = {
    "wilayah_2022.csv.gz": ("2.2.0", (37, 514, 7277, 83763)),
    "wilayah_2025.csv.gz": ("4.0.1", (38, 514, 7285, 83762)),
}


class RebuildError(Exception):
    """A package that cannot be had or is not what it should be; the text says what to do."""


def dotted(code: str) -> str:
    """`1101012001` -> `11.01.01.2001`; a code that has its dots already stays as it is."""
    if "." in code:
        return code
    return ".".join(part for part in (code[:2], code[2:4], code[4:6], code[6:]) if part)


def read_package(tgz: Path, expected: tuple[int, ...]) -> dict[str, str]:
    """Code -> name of all four levels; raises RebuildError when a level's count is not the expected one."""
    regions: dict[str, str] = {}
    with tarfile.open(tgz) as archive:
        for level, count in zip(LEVELS, expected, strict=True):
            member = archive.extractfile(f"package/data/{level}.csv")
            if member is None:
                raise RebuildError(f"{tgz}: data/{level}.csv is not a file; take the package from npm again")
            rows = list(csv.DictReader(io.TextIOWrapper(member, encoding="utf-8", newline="")))
            named = {dotted(row["code"]): row["name"] for row in rows}
            if len(rows) != count or len(named) != count:
                raise RebuildError(
                    f"{tgz}: {level} has {len(rows)} rows and {len(named)} codes, the decree has {count}; "
                    "check the version of the package"
                )
            regions |= named
    return regions


def to_bytes(regions: dict[str, str]) -> bytes:
    """`kode,nama`, sorted by code, as gzip without a time or a file name in its header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("kode", "nama"))
    writer.writerows(sorted(regions.items()))
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0, compresslevel=9) as out:
        out.write(text.getvalue().encode("utf-8"))
    return packed.getvalue()


def fetch(version: str, folder: Path) -> Path:
    """`npm pack`s that version into the folder and returns the .tgz."""
    command = ["npm", "pack", f"idn-area-data@{version}", "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RebuildError(
            f"{' '.join(command[:3])} failed ({error}); install npm, or give both .tgz files as arguments"
        ) from error
    return folder / f"idn-area-data-{version}.tgz"


def main(arguments: list[str] | None = None) -> int:
    """Writes both files beside this script, or into --into; returns the exit code."""
    parser = argparse.ArgumentParser(description="Rebuild register/wilayah_*.csv.gz from idn-area-data.")
    parser.add_argument(
        "tgz", nargs="*", type=Path, help="idn-area-data-VERSION.tgz files (default: npm pack)"
    )
    parser.add_argument("--into", type=Path, default=HERE, help="folder to write to")
    options = parser.parse_args(arguments)
    given = {path.name: path for path in options.tgz}
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, (version, expected) in VINTAGES.items():
                tgz = given.get(f"idn-area-data-{version}.tgz") or fetch(version, Path(folder))
                data = to_bytes(read_package(tgz, expected))
                (options.into / name).write_bytes(data)
                print(f"{name}: idn-area-data {version}, {' / '.join(map(str, expected))}, {len(data)} bytes")
    except (RebuildError, OSError, KeyError, tarfile.TarError) as error:
        print(f"register/rebuild.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
