"""The bridge of a frozen page against the simulator's truth, and what becomes of it when the facts do not serve."""

import csv
import gzip
import io
from collections import Counter
from typing import Any

import polars as pl
import psycopg
import pytest
from psycopg.rows import dict_row

from pantau import release
from pantau.errors import PantauError
from pantau.release.bridge import bridge
from pantau.release.figures import Closing, figures_of
from pantau.release.movement import as_named_now
from pantau.settings import settings
from tests.integration.conftest import (
    DESA_3T,
    DESA_4G,
    REGISTERS,
    WILAYAH,
    Stage,
    approved,
    cut_register,
    made,
)
from tests.integration.truth import VILLAGE, Truth
from tests.integration.villages import left, moved, real


def close(period: str) -> dict[str, Any]:
    """Close a period as `close_month` does, but for its report, and return the release that stands."""
    candidates = made(period)
    (row,) = approved(candidates)
    assert release.publish(candidates)
    return row


def test_the_bridge_is_the_truths_and_ends_where_the_facts_do_not_serve(stage: Stage, database: str) -> None:
    stage.at("2026-09-16")
    for feed, period in ((DESA_3T, "2026-01"), (DESA_4G, "2026-07"), (DESA_4G, "2026-08")):
        stage.deliver(feed, period)
    assert close("2026-08")["context"]["bridge"] is None  # July was never released
    stage.at("2026-10-21")
    for period in ("2026-08", "2026-09"):
        stage.deliver(DESA_4G, period)
    close("2026-08")
    september = close("2026-09")

    truth = Truth(stage.simulator._state / "truth.jsonl", settings.root / "register" / REGISTERS["2025-01"])
    first, again = (truth.covered("2026-08", letter) for letter in "AB")
    now = truth.covered("2026-09", truth.in_force("2026-09", "2026-10-21T09:00:00+07:00"))
    silent = [
        truth.lost(DESA_4G, "", period, truth.in_force(period, "2026-10-21T09:00:00+07:00"))
        for period in ("2026-08", "2026-09")
    ]
    inner = moved(again, now, *silent, left(again))
    assert {step["kind"] for step in inner if step["provinces"]} >= {"unreported", "gained"}, inner
    correction = {
        "kind": "correction", "code": "R1", "version": 2, "difference": str(left(again) - left(first)),
        "becomes": str(left(again)), "explanation": {
            "id": "Cakupan 4G per desa: kiriman dinyatakan ulang, diterima 21 Oktober 2026",
            "en": "4G coverage by village: restated delivery, received 21 October 2026",
        },
    }  # fmt: skip
    assert correction["difference"] != "0"
    expected = [
        {"kind": "printed", "figure": "K2.00@2026-08/v1", "value": str(left(first)), "reason": "first"},
        correction,
        {"kind": "restated", "figure": "K2.00@2026-08/v2", "value": str(left(again))},
        *inner,
        {"kind": "now", "figure": "K2.00@2026-09", "value": str(left(now))},
    ]
    assert september["context"]["bridge"] == {
        "indicator": "K2", "from_period": "2026-08", "steps": expected, "net_real": real(inner),
    }  # fmt: skip
    assert [(i["id"], i["change"] and i["change"]["value"]) for i in september["context"]["indicators"]][1] == (
        "K2", str(left(now) - left(again)),
    )  # fmt: skip

    with psycopg.connect(database, row_factory=dict_row) as connection:
        _villages_are_followed_into_another_register(connection, september)
        _without_figures(connection, september)
        _without_facts(connection, september, left(again), left(now))
        _facts_that_say_something_else(connection, september)
        connection.rollback()

    # two of a hundred rows are missing in what comes next: of those villages nothing is known
    missing = {row["kode"] for row in stage.fault(DESA_4G, "2026-09", "lost_villages")}
    stage.deliver(DESA_4G, "2026-09")
    stage.fault(DESA_4G, "2026-09", None)
    without = {v: c and v not in missing for v, c in now.items()}
    poorer = moved(again, without, silent[0], silent[1] | missing, left(again))
    unreported = next(int(step["difference"]) for step in poorer if step["kind"] == "unreported")
    assert 0 < unreported <= len(missing)
    told = close("2026-09")["context"]["bridge"]
    assert told["steps"] == [
        *expected[:3],
        *poorer,
        {"kind": "now", "figure": "K2.00@2026-09", "value": str(left(without))},
    ]
    assert told["net_real"] == real(poorer)


def _closing(connection: Any, made: dict[str, Any]) -> Closing:
    build = connection.execute("select * from ops.build where id = %s", [made["build_id"]]).fetchone()
    return Closing(connection, build, made["period"], made["version"], figures_of(connection, made["id"]))


def _without_figures(connection: Any, made: dict[str, Any]) -> None:
    """A close without the feed has no backlog to lead to."""
    closing = _closing(connection, made)
    bare = Closing(connection, closing.build, made["period"], made["version"], {})
    assert bridge(bare) is None
    build = {**closing.build, "cutoff": 1}  # before anything was published
    assert bridge(Closing(connection, build, made["period"], made["version"], closing.figures)) is None


def _facts_that_say_something_else(connection: Any, made: dict[str, Any]) -> None:
    connection.execute(
        "update facts.fct_desa_4g set terjangkau_4g = true where build_id = %s and kode = (select min(kode)"
        " from facts.fct_desa_4g where build_id = %s and not terjangkau_4g)",
        [made["build_id"]] * 2,
    )
    with pytest.raises(PantauError, match="indicator and facts count differently") as error:
        bridge(_closing(connection, made))
    assert "K2.00@2026-09" in str(error.value)


def _without_facts(connection: Any, made: dict[str, Any], before: int, now: int) -> None:
    """Facts of old builds may go; then gains and losses cannot be told apart, and nothing is invented."""
    with connection.transaction(force_rollback=True):
        connection.execute("delete from facts.fct_desa_4g where build_id <> %s", [made["build_id"]])
        made_anew = bridge(_closing(connection, made))
    assert made_anew is not None
    assert made_anew["net_real"] is None
    assert made_anew["steps"][:3] == made["context"]["bridge"]["steps"][:3]
    assert made_anew["steps"][3:] == [
        {"kind": "net", "difference": str(now - before), "becomes": str(now)},
        {"kind": "now", "figure": "K2.00@2026-09", "value": str(now)},
    ]


def _villages_are_followed_into_another_register(connection: Any, made: dict[str, Any]) -> None:
    """From the register of 2022, in which Papua Barat Daya still had codes of Papua Barat, to that of 2025."""
    connection.execute(  # as if the build had closed the month before the new register too
        "insert into ops.build_input (build_id, feed, part, period, reading_id, source_period, how)"
        " select build_id, feed, part, '2024-12', reading_id, source_period, 'effective' from ops.build_input"
        " where build_id = %s and feed = %s and source_period = '2022-11'",
        [made["build_id"], WILAYAH],
    )
    old, new = (_plain_villages(REGISTERS[period]) for period in ("2022-11", "2025-01"))
    with open(settings.dbt_project / "seeds" / "wilayah_lineage.csv", encoding="utf-8", newline="") as file:
        laws = {r["old_code"]: r["new_code"] for r in csv.DictReader(file)}
    codes = list(old)
    before = pl.DataFrame(
        {
            "kode": codes,
            "covered": [i % 3 == 0 for i in range(len(codes))],
            "has_row": [i % 5 != 1 for i in range(len(codes))],
        }
    )
    build = connection.execute("select * from ops.build where id = %s", [made["build_id"]]).fetchone()
    found = as_named_now(Closing(connection, build, "2025-01", 1, {}), made["build_id"], before)

    expected = Counter[tuple[str | None, bool, bool]]()
    kinds = Counter[str]()
    for code, covered, has_row in before.iter_rows():
        carried = laws.get(code[:5], code[:5]) + code[5:]
        now = next((c for c in (code, carried) if new.get(c) == old[code]), None)
        kinds["gone" if now is None else "stayed" if now == code else "carried"] += 1
        expected[now, covered, has_row] += 1
    assert min(kinds["stayed"], kinds["carried"], kinds["gone"]) > 3, kinds
    assert Counter(found.rows()) == expected


def _plain_villages(register: str) -> dict[str, str]:
    """Code → letters and digits of the name, of the villages of the small programme."""
    rows = csv.DictReader(io.StringIO(gzip.decompress(cut_register(register)).decode()))
    return {
        r["kode"]: "".join(c for c in r["nama"].lower() if c.isalnum())
        for r in rows
        if len(r["kode"]) == VILLAGE
    }
