"""Publishing is one flip: who reads all of a month's figures during a close sees one release or the next."""

import threading
import time
from typing import Any

import psycopg
from psycopg.rows import dict_row

from pantau import release
from pantau.report.files import write
from tests.integration.conftest import ANGGARAN, DESA_3T, DESA_4G, Stage, approved, holds, made
from tests.integration.truth import release_hash

PERIOD = "2026-08"


class Reader(threading.Thread):
    """Reads all published figures of the period, again and again, as somebody with a connection of their own."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.stopped = url, threading.Event()
        self.seen: list[tuple[set[int], str]] = []  # versions and hash of each snapshot

    def run(self) -> None:
        """Until it is stopped."""
        with psycopg.connect(self.url, row_factory=dict_row, autocommit=True) as connection:
            while not self.stopped.is_set():
                figures = connection.execute(
                    "select * from public.published_figure where release_period = %s", [PERIOD]
                ).fetchall()
                self.seen.append(({f["version"] for f in figures}, release_hash(figures)))
                time.sleep(0.002)


def close() -> dict[str, Any]:
    """Close the period step by step as `close_month` does, and return the release that stands."""
    candidates = made(PERIOD, after_each=holds)  # in the middle of a close too
    write(candidates)
    assert not release.publish(candidates)
    (row,) = approved(candidates)
    assert release.publish(candidates)
    return row


def test_a_reader_in_a_loop_sees_one_release_or_the_next(stage: Stage, database: str) -> None:
    stage.at("2026-09-16")
    for feed, period in ((DESA_3T, "2026-01"), (DESA_4G, "2026-07"), (DESA_4G, PERIOD), (ANGGARAN, PERIOD)):
        stage.deliver(feed, period)
    first = close()
    reader = Reader(database)
    reader.start()
    try:
        stage.at("2026-10-21")
        stage.deliver(DESA_4G, PERIOD)
        second = close()
        until = time.monotonic() + 10
        while reader.is_alive() and reader.seen[-1][0] != {2} and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        reader.stopped.set()
        reader.join(10)
    assert (first["version"], second["version"]) == (1, 2)
    known = [({r["version"]}, r["release_hash"]) for r in (first, second)]
    assert known[0][1] != known[1][1]
    turned = reader.seen.index(known[1])
    assert turned > 100
    assert reader.seen == [known[0]] * turned + [known[1]] * (len(reader.seen) - turned)
