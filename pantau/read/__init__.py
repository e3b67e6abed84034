"""read: one version of a feed's contract applied to one delivery.

Promises: file rows = accepted + refused + set aside; rows, quarantine and controls are written and sealed in
ONE transaction and never changed after. Reading the same delivery with the same contract, register and laws
again returns the reading that is there.
"""

from typing import Any

import polars as pl

from pantau import catalogue, ledger, locks
from pantau.catalogue import Feed
from pantau.database import Connection, Role, connect
from pantau.errors import PantauError
from pantau.landing import verified
from pantau.locks import Lock
from pantau.progress import step
from pantau.read import contract, files, raw, regions
from pantau.read.table import Table

REGISTER = "kemendagri__wilayah"


def read(delivery_id: int | None) -> int | None:
    """Read one delivery into `raw.<feed>` and quarantine.

    Returns:
        The reading's id (None for no delivery, so that a feed's run may hand on that nothing came).

    Raises:
        PantauError: the landed bytes are damaged, the file as a whole is not what the contract describes, or no
            register of regions is there yet.
    """
    if delivery_id is None:
        return None
    with connect(Role.LOADER) as connection:
        locks.take(connection, Lock.READING, delivery_id)
        delivery = connection.execute("select * from ops.delivery where id = %s", [delivery_id]).fetchone()
        assert delivery is not None, f"no delivery {delivery_id}"
        feed = catalogue.feed(delivery["feed"])
        where = {name: delivery[name] for name in ("feed", "part", "period")}
        register, laws = _regions_in_force(connection, feed, where)
        key = [delivery_id, feed.contract_version, register, laws]
        there = connection.execute(
            "select id from ops.reading where delivery_id = %s and contract_version = %s"
            " and register_reading_id is not distinct from %s and lineage_version_id is not distinct from %s",
            key,
        ).fetchone()
        if there:
            return int(there["id"])
        subject = f"{feed.name} {delivery['period']} {delivery['part']}".rstrip()
        with step("read", subject) as done:
            table, result = _applied(connection, feed, delivery, register, laws)
            reading = _seal(connection, feed, delivery, key, table, result)
            done.rows = result.accepted.height
            done.note = f"reading {reading}" + (
                f", {result.refused_rows} refused" if result.refused_rows else ""
            )
    return reading


def anew(
    connection: Connection, feed: Feed, delivery: dict[str, Any], register: int | None, laws: int | None
) -> dict[str, Any]:
    """What the ledger would say of a delivery's rows if its landed bytes were read now; nothing is kept.

    Raises:
        PantauError: the landed bytes are damaged, or not what the contract describes.
    """
    table, result = _applied(connection, feed, delivery, register, laws)
    seals = {".".join(name): raw.sealed(name, rows) for name, rows in _kept(feed, result).items()}
    return {**_counted(table, result), "seals": seals}


def _applied(
    connection: Connection, feed: Feed, delivery: dict[str, Any], register: int | None, laws: int | None
) -> tuple[Table, contract.Result]:
    """A delivery's landed bytes, and what the contract makes of them."""
    where = {name: delivery[name] for name in ("feed", "part", "period")} | {"delivery": delivery["id"]}
    parts = connection.execute(
        "select * from ops.delivery_file where delivery_id = %s order by no", [delivery["id"]]
    ).fetchall()
    landed = [(f["name"], verified(f["sha256"], {**where, "file": f["name"]})) for f in parts]
    table = files.read(feed, landed, where)
    resolver = regions.Resolver(connection, register, laws) if register else None
    return table, contract.apply(feed, table, resolver)


def _kept(feed: Feed, result: contract.Result) -> dict[tuple[str, str], pl.DataFrame]:
    """What is kept of a reading, by schema and table."""
    return {
        ("raw", feed.name): result.accepted,
        ("ops", "quarantine"): result.refusals,
        ("ops", "set_aside"): result.set_aside,
        ("ops", "control_total"): result.controls,
    }


def _counted(table: Table, result: contract.Result) -> dict[str, Any]:
    return {
        "rows": table.rows.height, "accepted": result.accepted.height, "refused": result.refused_rows,
        "set_aside": result.set_aside.height,
        "files": [[place.sheet, place.first, place.last, place.first_file_row] for place in table.ranges],
    }  # fmt: skip


def _regions_in_force(
    connection: Connection, feed: Feed, where: dict[str, Any]
) -> tuple[int | None, int | None]:
    """The register's reading in force for the period and the newest laws, for a feed that names regions."""
    if not any(column.type == "region" for column in feed.columns):
        return None, None
    register = newest_reading(connection, REGISTER, "", until=where["period"])
    if register is None:
        raise PantauError(
            f"No register of regions is in force for {where['period']}, so no region can be resolved.",
            where=where,
            next_step=f"Put the register into inbox/{REGISTER}/<month from which it is in force>/ and run "
            f"`pantau pull {REGISTER}`; this delivery is then read by the feed's next run.",
        )
    laws = connection.execute(
        "select id from ops.register_version where name = 'wilayah_lineage' order by ledger_no desc limit 1"
    ).fetchone()
    assert laws is not None, "the set-up loads the laws"
    return register, int(laws["id"])


def newest_reading(connection: Connection, feed: str, part: str, *, until: str) -> int | None:
    """The newest reading of the newest delivery, not rejected, of the newest period up to `until`."""
    row = connection.execute(
        "select r.id from ops.delivery d join ops.reading r on r.delivery_id = d.id"
        " where d.feed = %s and d.part = %s and d.period <= %s"
        " and not exists (select from ops.rejected(%s) x where x = d.id)"
        " order by d.period desc, d.ledger_no desc, r.ledger_no desc limit 1",
        [feed, part, until, ledger.head(connection)],
    ).fetchone()
    return int(row["id"]) if row else None


def _seal(
    connection: Connection,
    feed: Feed,
    delivery: dict[str, Any],
    key: list[Any],
    table: Table,
    result: contract.Result,
) -> int:
    reading, counted = ledger.new_id(connection, "reading"), _counted(table, result)
    seals = {
        ".".join(name): raw.copy(connection, name, reading, rows)
        for name, rows in _kept(feed, result).items()
    }
    number = ledger.append(
        connection,
        "reading",
        {
            "reading": reading, "delivery": delivery["id"],
            **{name: delivery[name] for name in ("feed", "part", "period")},
            "contract": key[1], "register_reading": key[2], "laws": key[3],
            **counted,
            "seals": seals,
        },
    )  # fmt: skip
    connection.execute(
        "insert into ops.reading (id, delivery_id, contract_version, register_reading_id, lineage_version_id,"
        " rows, accepted, refused, set_aside, ledger_no) overriding system value"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [reading, *key, *(counted[n] for n in ("rows", "accepted", "refused", "set_aside")), number],
    )
    for no, place in enumerate(table.ranges):
        connection.execute(
            "insert into ops.reading_file values (%s, %s, %s, %s, %s, %s)",
            [reading, no, place.sheet, place.first, place.last, place.first_file_row],
        )
    return reading
