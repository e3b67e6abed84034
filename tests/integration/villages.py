"""What happened to the villages between two months, counted from the truth: the middle of a bridge, worked out apart.

Imports nothing of the product.
"""

import csv
import gzip
from collections import Counter
from collections.abc import Set
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Covered = dict[str, bool]


@cache
def names() -> dict[str, str]:
    """The provinces of the register, by code."""
    with gzip.open(ROOT / "register" / "wilayah_2025.csv.gz", "rt", encoding="utf-8") as file:
        return {r["kode"]: r["nama"] for r in csv.DictReader(file) if len(r["kode"]) == 2}


def moved(
    was: Covered, now: Covered, silent_before: Set[str], silent_now: Set[str], value: int
) -> list[dict[str, Any]]:
    """The steps that the truth makes of two months; `value` stood before them. Of silent villages no row was
    accepted, so that they are not covered."""
    steps = []
    came = {v for v in now if now[v] and not was[v]}
    went = {v for v in now if was[v] and not now[v]}
    for kind, villages, sign in (
        ("unreported", went & silent_now, 1),
        ("reported", came & silent_before, -1),
        ("gained", came - silent_before, -1),
        ("lost", went - silent_now, 1),
    ):
        if not villages and kind in ("unreported", "reported"):
            continue
        count = Counter(v[:2] for v in villages)
        most = sorted(count.items(), key=lambda item: (-item[1], item[0]))
        value += sign * count.total()
        steps.append({
            "kind": kind, "difference": str(sign * count.total()), "becomes": str(value),
            "provinces": [{"code": p, "name": names()[p], "count": n} for p, n in most[:3]],
            "others": {"provinces": len(most[3:]), "count": sum(n for _, n in most[3:])},
        })  # fmt: skip
    return steps


def real(steps: list[dict[str, Any]]) -> str:
    """What of such steps happened on the ground."""
    return str(sum(int(s["difference"]) for s in steps if s["kind"] in ("gained", "lost")))


def left(covered: Covered) -> int:
    """Villages not covered."""
    return sum(not c for c in covered.values())
