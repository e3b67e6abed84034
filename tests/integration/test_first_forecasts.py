"""A forecast is judged by its first issue: what was published anew may have known what came."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from pantau import ledger
from pantau.database import Connection
from pantau.release.figures import Closing
from pantau.release.outlook import _past
from tests.administrator import connect

pytestmark = pytest.mark.usefixtures("database")

K2 = {"id": "K2", "version": 1, "value": "3851"}


def publish(connection: Connection, period: str, version: int, value: str | None) -> None:
    """A release whose page forecasts `value` for October, or nothing."""
    number = ledger.append(connection, "build", {"period": period})
    build: Any = connection.execute(
        "insert into ops.build (purpose, first_period, last_period, cutoff, register_version_ids, code_version,"
        " simulated, ledger_no) values ('close', %s, %s, %s, '{}', 'x', false, %s) returning id",
        [period, period, number, number],
    ).fetchone()
    points = [{"period": "2026-10", "value": value, "low80": value, "high80": value}]
    context = {
        "definitions": [{"id": "K2", "version": 1}],
        "forecast": [{"indicator": "K2", "points": points}] if value else [],
    }
    release: Any = connection.execute(
        "insert into ops.release (period, version, build_id, reason, explanation, release_hash, page_hash, context,"
        " ledger_no) values (%s, %s, %s, 'first', '{}', 'x', 'x', %s, %s) returning id",
        [period, version, build["id"], Jsonb(context), number],
    ).fetchone()
    entry = ledger.append(connection, "publication", {"period": period, "version": version})
    connection.execute("insert into ops.publication values (%s, %s)", [release["id"], entry])


def test_a_forecast_that_was_issued_again_does_not_count() -> None:
    with connect() as connection:
        publish(connection, "2026-07", 1, None)  # opening history forecasts nothing
        publish(connection, "2026-08", 1, "3615")
        publish(connection, "2026-09", 1, "3699")
        publish(connection, "2026-08", 2, "3700")
        publish(connection, "2026-07", 2, "3900")
        publish(connection, "2026-09", 2, "3730")
        closing = Closing(connection, {"cutoff": ledger.head(connection)}, "2026-10", 1, {})
        past = _past(closing, K2)
    assert [(p["made_in"], p["version"], p["value"], p["actual"]) for p in past] == [
        ("2026-08", 1, "3615", "3851"),
        ("2026-09", 1, "3699", "3851"),
    ]
