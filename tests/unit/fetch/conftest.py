"""What tests of fetching ask for: an owner's server, an order, and no real waiting."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from owner_server import Owner, serving

from pantau import catalogue
from pantau.fetch import Held, Order

NOTHING = Held()


@pytest.fixture
def owner() -> Iterator[Owner]:
    """A running server."""
    with serving() as made:
        yield made


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds for which a busy server was waited for, without waiting."""
    seconds: list[float] = []
    monkeypatch.setattr("pantau.fetch.http.time.sleep", seconds.append)
    return seconds


@pytest.fixture
def order(tmp_path: Path) -> Callable[..., Order]:
    """Makes an order for a feed of the catalogue."""

    def make(feed: str, connection: str, *, part: str = "", held: Held = NOTHING, **transport: Any) -> Order:
        found = catalogue.feed(feed)
        if transport:
            found = found.model_copy(update={"transport": found.transport.model_copy(update=transport)})
        return Order(found, part, "2026-08", connection, tmp_path, held)

    return make
