"""The institutions at one moment: the clock, the faults that are on, and so what lies ready for whom.

Promise: what lies ready hangs on seed, clock and faults alone; both survive a restart.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from simulator import faults
from simulator.deliveries import ANGGARAN, FEED_PARTS, FEED_PERIODS, PAGED, WIB, Deliveries, newest
from simulator.faults import Touched
from simulator.programme import stream

FIRST_CLOCK = datetime(2026, 8, 20, tzinfo=WIB)


class Refusal(Exception):
    """An order that makes no sense; the text is one sentence for who gave it."""


@dataclass(frozen=True)
class Ready:
    """A file or list that lies ready, and the fault in it or in sending it, if any."""

    feed: str
    part: str
    period: str
    letter: str
    at: datetime
    fault: str | None


class Institutions:
    """Clock and faults, kept in a state file, over the deliveries of one programme."""

    def __init__(self, deliveries: Deliveries, state: Path) -> None:
        self.deliveries = deliveries
        self._state = state
        self.clock = FIRST_CLOCK
        self._faults: dict[tuple[str, str, str], dict[str, Any]] = {}  # feed, part, period
        self._used: set[tuple[str, str, str]] = set()  # faults that happen once and have happened
        if state.exists():
            kept = json.loads(state.read_text(encoding="utf-8"))
            for fault in kept["faults"]:
                fault.setdefault("part", "")  # kept before there were parts
            self.clock = datetime.fromisoformat(kept["clock"])
            self._faults = {(f["feed"], f["part"], f["period"]): f for f in kept["faults"]}
        self._with_fault = lru_cache(maxsize=4)(self._make)
        self._digest = lru_cache(maxsize=512)(self._measure)
        self._lines = lru_cache(maxsize=2)(self._split)

    # -- orders ----------------------------------------------------------------------------------------

    def set_clock(self, text: object) -> None:
        """Sets "now"; it may also go back."""
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError:
            moment = datetime.min
        if moment.tzinfo is None:
            raise Refusal(
                f"'now' is {text!r}; give an ISO time with its zone, like 2026-09-10T09:00:00+07:00."
            )
        self.clock = moment.astimezone(WIB)
        self._keep()

    def set_fault(
        self, feed: object, part: object, period: object, fault: object, seconds: object = None
    ) -> Touched:
        """Turns a fault on (or, with None, off) and returns the rows that it touches."""
        if not isinstance(feed, str) or feed not in FEED_PERIODS:
            raise Refusal(f"There is no feed {feed!r}; there are {', '.join(FEED_PERIODS)}.")
        if not isinstance(part, str) or part not in FEED_PARTS[feed]:
            parts = ", ".join(FEED_PARTS[feed])
            raise Refusal(
                f"{feed} has no part {part!r}; " + (f"it has {parts}." if parts else "it has no parts.")
            )
        if not isinstance(period, str) or period not in FEED_PERIODS[feed]:
            periods = FEED_PERIODS[feed]
            raise Refusal(f"{feed} has no period {period!r}; it has {periods[0]} to {periods[-1]}.")
        key = (feed, part, period)
        if fault is None:
            self._used.discard(key)
            self._faults.pop(key, None)
            self._keep()
            return []
        if not isinstance(fault, str) or fault not in faults.FAULTS:
            raise Refusal(f"There is no fault {fault!r}; there are {', '.join(faults.FAULTS)}.")
        if feed not in faults.FAULTS[fault].feeds:
            raise Refusal(
                f"{fault} makes no sense on {feed}; it goes with {', '.join(faults.FAULTS[fault].feeds)}."
            )
        if faults.FAULTS[fault].needs_before and self._before(feed, period, fault) is None:
            raise Refusal(f"{fault} on {feed} needs a period before {period}, and there is none.")
        self._used.discard(key)
        wait = float(seconds) if isinstance(seconds, int | float) else 3.0
        self._faults[key] = {
            "feed": feed,
            "part": part,
            "period": period,
            "fault": fault,
            "seconds": wait,
            "since": self.clock.isoformat(),
        }
        self._keep()
        sending = newest(*key, self.clock)
        return self._with_fault(*key, sending.letter if sending else "A", fault)[1]

    def _keep(self) -> None:
        part = self._state.with_suffix(".part")
        part.write_text(
            json.dumps({"clock": self.clock.isoformat(), "faults": list(self._faults.values())}, indent=1),
            encoding="utf-8",
        )
        os.replace(part, self._state)

    # -- what lies ready -------------------------------------------------------------------------------

    def ready(self, feed: str, period: str, part: str = "") -> Ready | None:
        """What lies ready for that feed, part and period now; None where nothing does."""
        key = (feed, part, period)
        sending = newest(*key, self.clock) if period in FEED_PERIODS[feed] else None
        if sending is None:
            return None
        on = self._faults.get(key)
        fault = on["fault"] if on else None
        if fault == "missing":
            return None
        if on is None or (fault == "restated_while_paging" and key not in self._used):
            return Ready(*key, sending.letter, sending.at, None)
        return Ready(*key, sending.letter, max(sending.at, datetime.fromisoformat(on["since"])), fault)

    def body(self, ready: Ready) -> bytes:
        """The whole file."""
        return self._with_fault(*_key(ready))[0]

    def items(self, ready: Ready) -> list[bytes]:
        """The items of a list that is served in pages, each as JSON."""
        return self._lines(*_key(ready))

    def size(self, ready: Ready) -> int:
        """Bytes of the whole file."""
        return self._digest(*_key(ready))[0]

    def sha256(self, ready: Ready) -> str:
        """Of the whole file; of a list, of its items."""
        return self._digest(*_key(ready))[1]

    def etag(self, ready: Ready) -> str:
        """As web servers make it: of time and size; of a list, without making it: of time and version."""
        version = f"{ready.letter}{ready.fault or ''}" if ready.feed in PAGED else f"{self.size(ready):x}"
        return f'"{int(ready.at.timestamp()):x}-{version}"'

    def happens(self, ready: Ready, fault: str) -> bool:
        """Whether that fault in sending happens now; server_error happens once."""
        if ready.fault != fault:
            return False
        if fault == "server_error":
            key = (ready.feed, ready.part, ready.period)
            first = key not in self._used
            self._used.add(key)
            return first
        return True

    def paged_on(self, feed: str, part: str, period: str) -> None:
        """A page after the first is asked for: what is to be restated then is restated."""
        on = self._faults.get((feed, part, period))
        if on and on["fault"] == "restated_while_paging":
            self._used.add((feed, part, period))

    def any_period(self, feed: str, part: str, fault: str) -> bool:
        """Whether a fault that knows no period is on."""
        return any(
            (on["feed"], on["part"], on["fault"]) == (feed, part, fault) for on in self._faults.values()
        )

    def seconds(self, ready: Ready) -> float:
        """How long the answer waits."""
        slow = ready.fault == "slow"
        return float(self._faults[ready.feed, ready.part, ready.period]["seconds"]) if slow else 0.0

    def shows_wrong_key(self) -> bool:
        """Whether the SFTP server shows another host key now."""
        return any(on["fault"] == "wrong_host_key" for on in self._faults.values())

    def state(self) -> dict[str, Any]:
        """Clock, faults and what lies ready, for people and tests."""
        lying = (
            self.ready(feed, period, part)
            for feed, periods in FEED_PERIODS.items()
            for part in FEED_PARTS[feed]
            for period in periods
        )
        return {
            "clock": self.clock.isoformat(),
            "faults": list(self._faults.values()),
            "ready": [
                {
                    "feed": r.feed,
                    "part": r.part,
                    "period": r.period,
                    "delivery": r.letter,
                    "at": r.at.isoformat(),
                }
                for r in lying
                if r
            ],
        }

    # -- making ----------------------------------------------------------------------------------------

    def _before(self, feed: str, period: str, fault: str) -> str | None:
        """The period before; for a cumulative amount, of the same year."""
        periods = FEED_PERIODS[feed]
        at = periods.index(period)
        if at == 0 or (feed == ANGGARAN and fault == "cumulative_falls" and period.endswith("-01")):
            return None
        return periods[at - 1]

    def _make(
        self, feed: str, part: str, period: str, letter: str, fault: str | None
    ) -> tuple[bytes, Touched]:
        deliveries = self.deliveries
        made = faults.FAULTS[fault] if fault else None
        if fault is None or made is None:
            return deliveries.content(feed, part, period, letter), []
        before = self._before(feed, period, fault) if made.needs_before else None
        earlier = (feed, part, before, deliveries.letters(feed, before, part)[0]) if before else None
        if fault == "unchanged" and earlier:
            return deliveries.content(*earlier), []
        if made.change:
            rng = stream(
                deliveries.programme.seed, f"fault/{fault}/{feed}/{'/'.join(filter(None, (part, period)))}"
            )
            table = deliveries.table(feed, part, period, letter)
            work = faults.apply(fault, feed, table, deliveries.table(*earlier) if earlier else None, rng)
            return deliveries.written(feed, period, work.table, work.sheet), work.touched
        data = deliveries.content(feed, part, period, letter)
        return made.cut(data) if made.cut and feed not in PAGED else data, []

    def _split(self, feed: str, part: str, period: str, letter: str, fault: str | None) -> list[bytes]:
        return self._with_fault(feed, part, period, letter, fault)[0].splitlines()

    def _measure(self, feed: str, part: str, period: str, letter: str, fault: str | None) -> tuple[int, str]:
        data = self._with_fault(feed, part, period, letter, fault)[0]
        return len(data), sha256(data).hexdigest()


def _key(ready: Ready) -> tuple[str, str, str, str, str | None]:
    return ready.feed, ready.part, ready.period, ready.letter, ready.fault
