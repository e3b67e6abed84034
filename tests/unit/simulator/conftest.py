"""Running simulators for the tests of this folder."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from running import Simulator


@pytest.fixture(scope="session")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Simulator]]:
    """Two whole programmes of the same seed, in processes that differ in what must not matter."""
    folder = tmp_path_factory.mktemp("simulators")
    both = [
        Simulator(folder / "one", "--seed", "7", PYTHONHASHSEED="0", TZ="Asia/Tokyo"),
        Simulator(folder / "two", "--seed", "7", PYTHONHASHSEED="4711", TZ="America/New_York"),
    ]
    try:
        yield [simulator.wait() for simulator in both]
    finally:
        for simulator in both:
            simulator.stop()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A programme of two provinces, of the same seed."""
    one = Simulator(tmp_path_factory.mktemp("small") / "state", "--seed", "7", "--provinces", "91,96")
    try:
        yield one.wait()
    finally:
        one.stop()


def _tidy(one: Simulator) -> Iterator[Simulator]:
    """At the end of the demo's clock; without faults afterwards."""
    one.clock("2026-11-16")
    yield one
    token = {"X-Control-Token": one.endpoints["control_token"]}
    for on in one.http.get("/_control/state", headers=token).json()["faults"]:
        one.fault(on["feed"], on["period"], None, part=on["part"])


@pytest.fixture
def simulator(simulators: list[Simulator]) -> Iterator[Simulator]:
    """The first of the two whole ones."""
    yield from _tidy(simulators[0])


@pytest.fixture
def small_simulator(small: Simulator) -> Iterator[Simulator]:
    """The one of two provinces."""
    yield from _tidy(small)


@pytest.fixture(scope="session")
def truth(simulators: list[Simulator]) -> dict[str, list[dict[str, Any]]]:
    """The events of the truth file, by their kind."""
    events: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with open(simulators[0].state / "truth.jsonl", encoding="utf-8") as file:
        for line in file:
            event = json.loads(line)
            events[event["kind"]].append(event)
    return events
