"""What should have come and has not, by the calendar of the catalogue, whether or not anything ran; and the
mails that say so, to the feed's owner in Indonesian and to the data engineer in English.

Promises: each lateness is told once to each of them; what could not be sent leaves no record and is told by
the next run; a feed that never delivered anything is told like any other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from babel.dates import format_date

from pantau import catalogue, clock, ledger, locks, mail, periods, warehouse
from pantau.catalogue import Feed
from pantau.database import Connection, Role, connect
from pantau.errors import PantauError, TransientError
from pantau.landing import late_days
from pantau.locks import Lock
from pantau.progress import step
from pantau.settings import settings

Language = Literal["id", "en"]
LANGUAGE_OF: dict[str, Language] = {"owner": "id", "engineer": "en"}
_LOCALES = {"id": "id_ID", "en": "en_GB"}

_TEXTS = {
    "subject": {"id": "Terlambat: {what}", "en": "Late: {what}"},
    "several": {"id": "{title}: {count} kiriman", "en": "{title}: {count} deliveries"},
    "one": {"id": "{title}, {month}", "en": "{title}, {month}"},
    "simulated": {
        "id": "SIMULASI: jam produk disetel ke {day}; tidak ada kiriman sungguhan yang terlambat.",
        "en": "SIMULATED: the product's clock is set to {day}; no real delivery is late.",
    },
    "opening": {
        "id": "Yth. {owner},\n\nhari jatuh tempo kiriman berikut sudah lewat.",
        "en": "The due day of the following has passed.\n\nfeed:  {feed} ({transport})\nowner: {owner}, {told}",
    },
    "told": {"id": "", "en": "contact {addresses}"},
    "untold": {"id": "", "en": "whom nobody tells: feeds/{feed}.yml has no `contact`"},
    "due": {
        "id": "jatuh tempo: {day}, lewat {days} hari (penentu tenggat: {source})",
        "en": "due: {day}; days late: {days} (who says so: {source})",
    },
    "state": {"id": "keadaan: {state}", "en": "state: {state}"},
    "missing": {"id": "belum ada yang kami terima", "en": "no delivery has come"},
    "unreadable": {
        "id": "kiriman tanggal {day} kami terima tetapi tidak dapat dibaca",
        "en": "delivery {delivery} of {day} came but cannot be read",
    },
    "rejected": {
        "id": "kiriman tanggal {day} ditolak: {why}",
        "en": "delivery {delivery} of {day} was rejected: {why}",
    },
    "without": {"id": "tanpa kiriman ini: {outcome}", "en": "without it: {outcome}"},
    "waits": {
        "id": "bulan ini tidak ditutup sampai kiriman ini ada",
        "en": "the month is not closed until it is there",
    },
    "effective": {"id": "daftar {source} tetap dipakai", "en": "the list of {source} goes on standing"},
    "carried": {
        "id": "mulai {from_day} bulan ini ditutup dengan kiriman {source} sebagai gantinya, dan laporan menandainya",
        "en": "from {from_day} on the month closes with the delivery of {source} in its place, marked on the page",
    },
    "omitted": {
        "id": "mulai {from_day} bulan ini ditutup tanpa kiriman ini; {loss}",
        "en": "from {from_day} on the month closes without it; {loss}",
    },
    "no_loss": {"id": "tidak ada indikator yang memerlukannya", "en": "no indicator needs it"},
    "loss": {"id": "tanpa angka: {names}", "en": "without a figure: {names}"},
    "loss_of_part": {
        "id": "dihitung tanpa bagian ini, atau tanpa angka bila tidak ada satu bagian pun: {names}",
        "en": "computed without this part, or without a figure where no part is there: {names}",
    },
    "released": {
        "id": "rilis v{release} bulan ini sudah terbit; kiriman yang datang kemudian menghasilkan rilis baru",
        "en": "release v{release} of the month is published; what comes now leads to a new release",
    },
    "closing": {
        "id": "Bila sudah dikirim, atau bila tenggat ini keliru, mohon balas surat ini. Setiap keterlambatan\n"
        "diberitahukan satu kali.",
        "en": "What to do: docs/runbooks/late-feed.md. Each lateness is told once; `pantau lateness` shows all that "
        "is late now.",
    },
}


@dataclass(frozen=True)
class Late:
    """One feed, part and period whose due day is over and for which nothing stands that can be read."""

    feed: str
    part: str
    period: str
    due_on: date
    days: int  # since the due day, in Jakarta
    cause: Literal["missing", "rejected", "unreadable"]
    outcome: Literal["waits", "carried", "effective", "omitted"]  # what a close does without it
    source_period: str  # whose delivery stands in; empty where none does
    goes_on: date | None  # the first day on which a close does so by itself; None: never, or at once
    delivery: int | None = None  # the one that was rejected or cannot be read
    came_on: date | None = None  # and its day
    why: str = ""  # it was rejected

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it one lateness: the same again is not told again."""
        return (self.feed, self.part, self.period, self.cause, self.delivery)


def late(connection: Connection) -> list[Late]:
    """All that is late at the product's present moment."""
    now = clock.now(connection)
    return [
        each
        for feed in catalogue.load().values()
        if feed.due_day is not None
        for each in late_of(feed, _deliveries(connection, feed.name), now)
    ]


def late_of(feed: Feed, deliveries: Iterable[dict[str, Any]], now: datetime) -> list[Late]:
    """What of one feed is late at a moment.

    Args:
        deliveries: all of the feed in the order in which they came: `id`, `part`, `period`, `known_at`,
            `reading_id` (None: not read), `rejected` and `why`.
    """
    today = now.astimezone(periods.JAKARTA).date()
    standing: dict[tuple[str, str], dict[str, Any]] = {}
    rejected: dict[tuple[str, str], dict[str, Any]] = {}
    for row in deliveries:
        (rejected if row["rejected"] else standing)[row["part"], row["period"]] = row
    found: list[Late] = []
    for part in feed.parts:
        sealed = {period: row["reading_id"] for (of, period), row in standing.items() if of == part}
        for period in feed.periods_until(periods.of(now)):
            assert feed.due_day is not None
            due_on = periods.due(period, feed.due_day)
            came = standing.get((part, period))
            # What came today may be read at this moment.
            if today <= due_on or (came and (came["reading_id"] or _day(came) >= today)):
                continue
            refused = None if came else rejected.get((part, period))
            of = came or refused
            found.append(
                Late(
                    feed.name, part, period, due_on, late_days(feed, period, now) or 0,
                    "unreadable" if came else "rejected" if refused else "missing",
                    *_outcome(feed, part, period, sealed),
                    delivery=of["id"] if of else None,
                    came_on=_day(of) if of else None,
                    why=refused["why"] if refused else "",
                )
            )  # fmt: skip
    return found


def _outcome(
    feed: Feed, part: str, period: str, sealed: dict[str, int | None]
) -> tuple[Literal["waits", "carried", "effective", "omitted"], str, date | None]:
    """What a close does without it, whose delivery stands in, and from which day."""
    ends = warehouse.grace_ends_at(feed, period)
    instead = warehouse.standing_for(feed, part, period, sealed)
    if instead and instead.how == "effective":
        return "effective", instead.source_period, None
    if feed.without == "wait":
        return "waits", "", None
    return (
        ("carried" if instead else "omitted"),
        instead.source_period if instead else "",
        ends and ends.date(),
    )


def _day(delivery: dict[str, Any]) -> date:
    day: date = delivery["known_at"].astimezone(periods.JAKARTA).date()
    return day


def _deliveries(connection: Connection, feed: str) -> list[dict[str, Any]]:
    return connection.execute(
        "select d.id, d.part, d.period, d.known_at, coalesce(j.kind = 'rejection', false) as rejected, j.why,"
        " (select max(r.id) from ops.reading r where r.delivery_id = d.id) as reading_id from ops.delivery d"
        " left join lateral (select l.kind, l.what ->> 'why' as why from ops.ledger l"
        "   where l.what ->> 'delivery' = d.id::text and l.kind in ('rejection', 'reinstatement')"
        "   order by l.no desc limit 1) j on true"
        " where d.feed = %s order by d.ledger_no",
        [feed],
    ).fetchall()


def told(connection: Connection) -> dict[tuple[object, ...], list[str]]:
    """By lateness (its `key`): who has been told, `owner` or `engineer`."""
    found: dict[tuple[object, ...], list[str]] = {}
    for row in connection.execute("select what from ops.ledger where kind = 'lateness' order by no"):
        what = row["what"]
        key = tuple(what[name] for name in ("feed", "part", "period", "cause", "delivery"))
        found.setdefault(key, []).append(what["told"])
    return found


@dataclass(frozen=True)
class Telling:
    """One mail: what of one feed one person has not been told yet."""

    feed: str
    role: str
    address: str
    late: list[Late]


def to_tell(connection: Connection) -> list[Telling]:
    """The mails that are to be sent now."""
    before = told(connection)
    grouped: dict[tuple[str, str, str], list[Late]] = {}
    for each in late(connection):
        for role, address in _addresses(each).items():
            if address and role not in before.get(each.key, []):
                grouped.setdefault((each.feed, role, address), []).append(each)
    return [Telling(*key, late) for key, late in grouped.items()]


def _addresses(each: Late) -> dict[str, str]:
    return {"owner": catalogue.feed(each.feed).contact_of(each.part), "engineer": settings.engineer_mail}


def _nobody(connection: Connection) -> PantauError | None:
    """What to say where something is late, and neither its owner's nor the engineer's address is known."""
    found = [each for each in late(connection) if not any(_addresses(each).values())]
    if not found:
        return None
    named = sorted({f"{each.feed} {each.part}".rstrip() for each in found})
    return PantauError(
        f"Late, and nobody can be told of it: {', '.join(named)}.",
        where={"periods": f"{min(e.period for e in found)}..{max(e.period for e in found)}"},
        next_step="Set PANTAU_ENGINEER_MAIL to the data engineer's address, and the feed's `contact` to its "
        "owner's, once you have it from them: docs/how-to/get-told-of-late-feeds.md.",
    )


def anything_to_tell() -> bool:
    """Whether something is late that somebody has not been told.

    Raises:
        PantauError: all that is left is late, and nobody's address is known.
    """
    with connect(Role.LOADER) as connection:
        if to_tell(connection):
            return True
        if error := _nobody(connection):
            raise error
        return False


def tell(connection_uri: str) -> int:
    """Send a mail per feed and person with what is newly late, and write down who was told of what.

    Args:
        connection_uri: the mail server, as `pantau.mail.server` takes it.

    Returns:
        The number of mails that the server has taken over.

    Raises:
        TransientError: the server could not be reached, or refused for now.
        PantauError: it refused for good, or nobody's address is known for something. Either way the other mails
            are sent first.
    """
    with connect(Role.LOADER) as connection, step("tell", "what is late") as done:
        locks.hold(connection, Lock.LATENESS, wait=True)  # until we are done
        failures: list[PantauError] = []
        waiting = to_tell(connection)
        if waiting:
            facts = Facts(connection)
            with mail.server(connection_uri) as send:
                for telling in waiting:
                    try:
                        _send(send, telling, facts)
                    except PantauError as error:
                        failures.append(error)
                        continue
                    _record(connection, telling)
        if nobody := _nobody(connection):
            failures.append(nobody)
        if failures:
            kind = TransientError if any(isinstance(e, TransientError) for e in failures) else PantauError
            raise kind("\n".join(str(error) for error in failures))
        done.note = f"{len(waiting)} mail(s)" if waiting else "nothing new"
        return len(waiting)


def _send(send: mail.Send, telling: Telling, facts: "Facts") -> None:
    subject, text = message(telling, facts)
    send(telling.address, subject, text, reply_to=settings.engineer_mail if telling.role == "owner" else "")


def _record(connection: Connection, telling: Telling) -> None:
    for each in telling.late:
        what = {
            "feed": each.feed, "part": each.part, "period": each.period, "due_on": each.due_on.isoformat(),
            "cause": each.cause, "delivery": each.delivery, "told": telling.role, "address": telling.address,
        }  # fmt: skip
        ledger.append(connection, "lateness", what)
    connection.commit()


class Facts:
    """What the texts say beside the calendar: definitions, releases, and whether the clock is the machine's."""

    def __init__(self, connection: Connection) -> None:
        self.now, self.simulated = clock.now(connection), clock.is_set(connection)
        register = connection.execute(
            "select rows from ops.register_version where name = 'indicator_register'"
            " order by ledger_no desc limit 1"
        ).fetchone()
        self._definitions: list[dict[str, Any]] = register["rows"] if register else []
        rows = connection.execute("select period, version from public.published_release").fetchall()
        self.releases: dict[str, int] = {row["period"]: row["version"] for row in rows}

    def indicators(self, feed: str, period: str, language: Language) -> str:
        """The indicators that need a feed in a period, such as `K12 ICT budget absorption`."""
        needing = [
            d
            for d in self._definitions
            if feed in d["needs_feeds"].split(";")
            and d["valid_from"] <= period
            and not (d["valid_to"] and d["valid_to"] <= period)
        ]
        needing.sort(key=lambda d: (len(d["indicator_id"]), d["indicator_id"]))
        return ", ".join(f"{d['indicator_id']} {d[f'name_{language}']}" for d in needing)


def message(telling: Telling, facts: Facts) -> tuple[str, str]:
    """Subject and text of a mail, in the language of whom it tells."""
    feed, language = catalogue.feed(telling.feed), LANGUAGE_OF[telling.role]

    def say(key: str, **values: object) -> str:
        return _TEXTS[key][language].format(**values)

    lines = [say("simulated", day=_long(facts.now.date(), language)), ""] if facts.simulated else []
    contacts = sorted({feed.contact_of(each.part) for each in telling.late} - {""})
    lines.append(
        say(
            "opening",
            owner=feed.owner,
            feed=feed.name,
            transport=feed.transport.kind,
            told=say("told", addresses=", ".join(contacts)) if contacts else say("untold", feed=feed.name),
        )
    )
    for each in telling.late:
        day, days, source = _long(each.due_on, language), each.days, feed.due_source or "–"
        lines += ["", _name(feed, each, language)]
        lines.append("  " + say("due", day=day, days=days, source=source))
        lines.append("  " + say("state", state=state(each, language)))
        lines.append("  " + say("without", outcome=outcome(each, facts, language)))
        if release := facts.releases.get(each.period):
            lines.append("  " + say("released", release=release))
    lines += ["", say("closing"), ""]
    what = (
        _name(feed, telling.late[0], language)
        if len(telling.late) == 1
        else say("several", title=feed.title.model_dump()[language], count=len(telling.late))
    )
    mark = {"id": "[SIMULASI] ", "en": "[SIMULATED] "}[language] if facts.simulated else ""
    return mark + say("subject", what=what), "\n".join(lines)


def state(each: Late, language: Language) -> str:
    """What has come instead, in words."""
    day = each.came_on and _long(each.came_on, language)
    return _TEXTS[each.cause][language].format(
        delivery=each.delivery, day=day, why=" ".join(each.why.split())
    )


def outcome(each: Late, facts: Facts, language: Language) -> str:
    """What a close does without it, in words."""
    names = facts.indicators(each.feed, each.period, language)
    loss = ("loss_of_part" if each.part else "loss") if names else "no_loss"
    return _TEXTS[each.outcome][language].format(
        from_day=each.goes_on and _long(each.goes_on, language),
        source=each.source_period and _month(each.source_period, language),
        loss=_TEXTS[loss][language].format(names=names),
    )


def _name(feed: Feed, each: Late, language: Language) -> str:
    title = feed.title_of(each.part).model_dump()[language]
    return _TEXTS["one"][language].format(title=title, month=_month(each.period, language))


def _month(period: str, language: Language) -> str:
    return format_date(periods.last_day(period), "MMMM y", _LOCALES[language])


def _long(day: date, language: Language) -> str:
    return format_date(day, "long", _LOCALES[language])
