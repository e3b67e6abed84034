"""`pantau delivery`: what arrived, and decisions about it."""

from typing import Annotated

import typer

from pantau import catalogue, periods
from pantau.cli.console import By, Most, looking, ready, table, tell
from pantau.database import Role, connect

commands = typer.Typer(no_args_is_help=True, help="What arrived, and decisions about it.")


@commands.command("list")
def delivery_list(feed: str = "", period: str = "", limit: Most = 40) -> None:
    """Deliveries, the newest first."""
    if period:
        periods.check(period)
    with looking(), connect(Role.AUDITOR) as connection:
        found = connection.execute(
            "select d.*, r.accepted, r.refused, r.set_aside,"
            " exists (select from ops.rejected((select max(no) from ops.ledger)) x where x = d.id) as rejected"
            " from ops.delivery d left join lateral (select * from ops.reading where delivery_id = d.id"
            " order by ledger_no desc limit 1) r on true"
            " where (%(feed)s = '' or feed = %(feed)s) and (%(period)s = '' or period = %(period)s)"
            " order by d.id desc limit %(limit)s",
            {"feed": feed, "period": period, "limit": limit},
        ).fetchall()
        if feed and not found:
            catalogue.feed(feed)  # a feed that was taken out of the catalogue keeps its deliveries
        table(
            "Deliveries",
            [">id", "feed", "part", "period", "known", "content", ">accepted", ">refused", ">set aside", "state"],
            [
                [
                    d["id"], d["feed"], d["part"], d["period"], f"{d['known_at']:%Y-%m-%d}", d["content_hash"][:12],
                    d["accepted"], d["refused"], d["set_aside"],
                    "rejected" if d["rejected"] else "not read" if d["accepted"] is None else "",
                ]
                for d in found
            ],
        )  # fmt: skip


@commands.command("show")
def delivery_show(delivery: int, limit: Most = 20) -> None:
    """The refused rows of a delivery's newest reading: place, value, rule, and what may have been meant."""
    from pantau.landing import no_delivery

    with looking(), connect(Role.AUDITOR) as connection:
        known = connection.execute(
            "select d.feed, r.refused from ops.delivery d left join lateral (select refused from ops.reading"
            " where delivery_id = d.id order by id desc limit 1) r on true where d.id = %s",
            [delivery],
        ).fetchone()
        if not known:
            raise no_delivery(delivery)
        if known["refused"] is None:
            tell(f"Delivery {delivery} is not read: `pantau pull {known['feed']}` reads it or says why not.")
            return
        found = connection.execute(
            "select q.*, f.name, x.first_file_row + q.source_row - x.first_source_row as file_row"
            " from ops.reading r join ops.quarantine q on q.reading_id = r.id"
            " join ops.reading_file x on x.reading_id = r.id and q.source_row between x.first_source_row"
            " and x.last_source_row join ops.delivery_file f on f.delivery_id = r.delivery_id and f.no = x.file_no"
            " where r.id = (select max(id) from ops.reading where delivery_id = %s) order by q.source_row limit %s",
            [delivery, limit],
        ).fetchall()
        table(
            f"Refused rows of delivery {delivery}",
            ["file", ">row", "column", "value", "rule", "why", "perhaps"],
            [
                [q["name"], q["file_row"], q["column"], q["value"], q["rule"], q["message"], q["suggestion"]]
                for q in found
            ],
        )
        if len(found) == limit:
            tell(f"These are the first {limit}; {known['refused']:,} row(s) are refused in all.")


@commands.command("reject")
def delivery_reject(delivery: int, why: Annotated[str, typer.Option(help="Why.")], by: By = "") -> None:
    """Leave a delivery out of every build from now on."""
    from pantau.landing import decide

    with ready():
        decide(delivery, "rejection", by, why)
        tell(f"Delivery {delivery} is rejected. `pantau close` closes what that changes.")


@commands.command("reinstate")
def delivery_reinstate(delivery: int, why: Annotated[str, typer.Option(help="Why.")], by: By = "") -> None:
    """Take a rejection back."""
    from pantau.landing import decide

    with ready():
        decide(delivery, "reinstatement", by, why)
        tell(f"Delivery {delivery} is reinstated: it counts again. `pantau close` closes what that changes.")
