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
from simulator.deliveries import ANGGARAN, FEED_PERIODS, WIB, Deliveries, newest
from simulator.programme import stream

FIRST_CLOCK = datetime(2026, 8, 20, tzinfo=WIB)
Touched = list[dict[str, str | int]]


class Refusal(Exception):
    """An order that makes no sense; the text is one sentence for who gave it."""


@dataclass(frozen=True)
class Ready:
    """A file that lies ready, and the fault in sending it, if any."""

    feed: str
    period: str
    letter: str
    at: datetime
    fault: str | None
    size: int
    sha256: str

    @property
    def etag(self) -> str:
        """As web servers make it: of time and size."""
        return f'"{int(self.at.timestamp()):x}-{self.size:x}"'


class Institutions:
    """Clock and faults, kept in a state file, over the deliveries of one programme."""

    def __init__(self, deliveries: Deliveries, state: Path) -> None:
        self.deliveries = deliveries
        self._state = state
        self.clock = FIRST_CLOCK
        self._faults: dict[tuple[str, str], dict[str, Any]] = {}
        self._used: set[tuple[str, str]] = set()  # faults that happen once and have happened
        if state.exists():
            kept = json.loads(state.read_text(encoding="utf-8"))
            self.clock = datetime.fromisoformat(kept["clock"])
            self._faults = {(f["feed"], f["period"]): f for f in kept["faults"]}
        self._with_fault = lru_cache(maxsize=4)(self._make)
        self._digest = lru_cache(maxsize=256)(self._measure)

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

    def set_fault(self, feed: object, period: object, fault: object, seconds: object = None) -> Touched:
        """Turns a fault on (or, with None, off) and returns the rows that it touches."""
        if not isinstance(feed, str) or feed not in FEED_PERIODS:
            raise Refusal(f"There is no feed {feed!r}; there are {', '.join(FEED_PERIODS)}.")
        if not isinstance(period, str) or period not in FEED_PERIODS[feed]:
            periods = FEED_PERIODS[feed]
            raise Refusal(f"{feed} has no period {period!r}; it has {periods[0]} to {periods[-1]}.")
        self._used.discard((feed, period))
        if fault is None:
            self._faults.pop((feed, period), None)
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
        wait = float(seconds) if isinstance(seconds, int | float) else 3.0
        self._faults[feed, period] = {
            "feed": feed,
            "period": period,
            "fault": fault,
            "seconds": wait,
            "since": self.clock.isoformat(),
        }
        self._keep()
        sending = newest(feed, period, self.clock)
        return self._with_fault(feed, period, sending.letter if sending else "A", fault)[1]

    def _keep(self) -> None:
        part = self._state.with_suffix(".part")
        part.write_text(
            json.dumps({"clock": self.clock.isoformat(), "faults": list(self._faults.values())}, indent=1),
            encoding="utf-8",
        )
        os.replace(part, self._state)

    # -- what lies ready -------------------------------------------------------------------------------

    def ready(self, feed: str, period: str) -> Ready | None:
        """What lies ready for that feed and period now; None where nothing does."""
        sending = newest(feed, period, self.clock) if period in FEED_PERIODS[feed] else None
        if sending is None:
            return None
        on = self._faults.get((feed, period))
        fault = on["fault"] if on else None
        if fault == "missing":
            return None
        at = max(sending.at, datetime.fromisoformat(on["since"])) if on else sending.at
        size, digest = self._digest(feed, period, sending.letter, fault)
        return Ready(feed, period, sending.letter, at, fault, size, digest)

    def body(self, ready: Ready) -> bytes:
        """The whole file."""
        return self._with_fault(ready.feed, ready.period, ready.letter, ready.fault)[0]

    def happens(self, ready: Ready, fault: str) -> bool:
        """Whether that fault in sending happens now; server_error happens once."""
        if ready.fault != fault:
            return False
        if fault == "server_error":
            first = (ready.feed, ready.period) not in self._used
            self._used.add((ready.feed, ready.period))
            return first
        return True

    def seconds(self, ready: Ready) -> float:
        """How long the answer waits."""
        slow = ready.fault == "slow"
        return float(self._faults[ready.feed, ready.period]["seconds"]) if slow else 0.0

    def shows_wrong_key(self) -> bool:
        """Whether the SFTP server shows another host key now."""
        return any(on["fault"] == "wrong_host_key" for on in self._faults.values())

    def state(self) -> dict[str, Any]:
        """Clock, faults and what lies ready, for people and tests."""
        lying = (self.ready(feed, period) for feed, periods in FEED_PERIODS.items() for period in periods)
        return {
            "clock": self.clock.isoformat(),
            "faults": list(self._faults.values()),
            "ready": [
                {
                    "feed": r.feed,
                    "period": r.period,
                    "delivery": r.letter,
                    "at": r.at.isoformat(),
                    "size": r.size,
                    "sha256": r.sha256,
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

    def _make(self, feed: str, period: str, letter: str, fault: str | None) -> tuple[bytes, Touched]:
        data = self.deliveries.content(feed, period, letter)
        if fault is None:
            return data, []
        before = self._before(feed, period, fault) if faults.FAULTS[fault].needs_before else None
        earlier = (
            self.deliveries.content(feed, before, self.deliveries.letters(feed, before)[0])
            if before
            else None
        )
        rng = stream(self.deliveries.programme.seed, f"fault/{fault}/{feed}/{period}")
        return faults.apply(fault, feed, data, earlier, rng)

    def _measure(self, feed: str, period: str, letter: str, fault: str | None) -> tuple[int, str]:
        data = self._with_fault(feed, period, letter, fault)[0]
        return len(data), sha256(data).hexdigest()
