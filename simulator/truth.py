"""Writes the truth as events, one JSON a line, for tests that compute the figures on their own.

No code of the product reads the file; README.md describes its events. Faults asked for are not in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simulator.claims import CAKUPAN, CLAIMED, PARTS
from simulator.deliveries import CALENDAR, DESA_4G, Deliveries
from simulator.money import plain
from simulator.programme import BASELINE, PERIODS, Programme


def events(deliveries: Deliveries) -> Iterator[dict[str, Any]]:
    """Every event but villages and coverage, which are many and written by `_many`."""
    programme = deliveries.programme
    yield {
        "kind": "programme",
        "seed": programme.seed,
        "provinces": programme.provinces,
        "register_sha256": programme.register_sha256,
        "villages": len(programme.villages),
        "baseline": BASELINE,
        "first_period": PERIODS[0],
        "last_period": PERIODS[-1],
    }
    for sending in CALENDAR:
        yield {
            "kind": "delivery",
            "feed": sending.feed,
            "part": sending.part,
            "period": sending.period,
            "delivery": sending.letter,
            "at": sending.at.isoformat(),
        }
    yield from deliveries.mess
    for period in PERIODS:
        for letter in deliveries.letters(DESA_4G, period):
            for index, covered in sorted(deliveries.differs(period, letter).items()):
                yield {
                    "kind": "restated",
                    "feed": DESA_4G,
                    "part": "",
                    "period": period,
                    "delivery": letter,
                    "kode": programme.villages[index].kode,
                    "covered": covered,
                }
        for amount in deliveries.budget.month(period):
            yield {
                "kind": "budget",
                "period": period,
                "version": amount.version,
                "group": amount.group,
                "account": amount.account,
                "pagu": plain(amount.pagu),
                "realised": plain(amount.realised),
            }
    yield from _claims(deliveries)
    yield from _sites(deliveries)
    for obligation in deliveries.obligations.obligations:
        yield {
            "kind": "obligation",
            "kode": programme.villages[obligation.village].kode,
            "operator": obligation.operator,
            "due": obligation.due.isoformat(),
            "built": obligation.built.isoformat() if obligation.built else None,
            "proved": obligation.proved,
        }


def _claims(deliveries: Deliveries) -> Iterator[dict[str, Any]]:
    """What each operator claims: changes against the month before, and what a restated delivery has otherwise."""
    villages, claims = deliveries.programme.villages, deliveries.claims

    def codes(indexes: set[int]) -> list[str]:
        return [villages[i].kode for i in sorted(indexes)]

    for part in PARTS:
        before: set[int] = set()
        for period in CLAIMED:
            now = set(claims.listed(part, period))
            yield {
                "kind": "claims",
                "part": part,
                "period": period,
                "begun": codes(now - before),
                "ended": codes(before - now),
            }
            before = now
            for letter in deliveries.letters(CAKUPAN, period, part)[1:]:
                told = set(claims.listed(part, period, letter))
                yield {
                    "kind": "claims_restated",
                    "part": part,
                    "period": period,
                    "delivery": letter,
                    "added": codes(told - now),
                    "withdrawn": codes(now - told),
                }


def _sites(deliveries: Deliveries) -> Iterator[dict[str, Any]]:
    """Each site, and each month in which its state is another; the first is the one at the baseline."""
    for site in deliveries.sites.sites:
        kode = deliveries.programme.villages[site.village].kode
        yield {"kind": "site", "site": site.name, "kode": kode, "technology": site.technology}
        before = ""
        for period in (BASELINE, *PERIODS):
            if (status := site.status(period)) != before:
                yield {"kind": "site_status", "site": site.name, "period": period, "status": status}
            before = status


def _many(programme: Programme) -> Iterator[str]:
    # 84,000 lines: written by hand, four times as fast as json.dumps; codes need no escapes
    before = programme.covered(BASELINE)
    word = ("false", "true")
    for index, village in enumerate(programme.villages):
        yield (
            f'{{"kind": "village", "kode": "{village.kode}", '
            f'"in_3t_2025": {word[index in programme.in_3t[2025]]}, '
            f'"in_3t_2026": {word[index in programme.in_3t[2026]]}, '
            f'"baseline_covered": {word[before[index]]}}}\n'
        )
    for period in PERIODS:
        after = programme.covered(period)
        for village, was, now in zip(programme.villages, before, after, strict=True):
            if was != now:
                yield (
                    f'{{"kind": "coverage", "kode": "{village.kode}", "period": "{period}", '
                    f'"covered": {word[now]}}}\n'
                )
        before = after


def write(path: Path, deliveries: Deliveries) -> None:
    """Writes the whole truth, or leaves the file that was there."""
    part = path.with_suffix(".part")
    with open(part, "w", encoding="utf-8", newline="\n") as file:
        for event in events(deliveries):
            file.write(json.dumps(event, ensure_ascii=False) + "\n")
        file.writelines(_many(deliveries.programme))
    os.replace(part, path)
