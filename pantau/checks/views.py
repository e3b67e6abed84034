"""The views over which the rules speak: schema `checks`, made from the catalogue and the tables that exist.

A session names its reading (`pantau.reading`) or its build (`pantau.build`); a view shows only rows of that.
"""

from collections.abc import Mapping
from hashlib import sha256

from psycopg import sql

from pantau import catalogue, locks, tables
from pantau.catalogue import Feed
from pantau.database import Connection, Role, connect
from pantau.locks import Lock

# "Previous" is what was known when the check began (`pantau.known`, a number of the ledger): the newest
# reading of the newest delivery that stood; of the month before where the feed is monthly, else of the newest
# period before. "Replaced" is what stood for the same part and period before this delivery came. A refused row
# that only says again what another row says stands for nothing that is missing, so `refused_row` leaves it out.
_PLATFORM = {
    "reading": """
select r.id as reading_id, r.delivery_id, d.feed, d.part, d.period, d.content_hash, d.known_at,
  r.contract_version, r.register_reading_id, r.rows, r.accepted, r.refused, r.set_aside, f.cadence,
  f.max_refused_pct,
  d.ledger_no as delivery_ledger_no, r.ledger_no, current_setting('pantau.known')::bigint as known
from ops.reading r join ops.delivery d on d.id = r.delivery_id join checks.feed f on f.feed = d.feed
where r.id = current_setting('pantau.reading')::bigint""",
    "reading__previous": """
select r.id as reading_id, r.delivery_id, d.feed, d.part, d.period, d.content_hash, d.known_at,
  r.contract_version, r.register_reading_id, r.rows, r.accepted, r.refused, r.set_aside,
  d.ledger_no as delivery_ledger_no, r.ledger_no
from checks.reading this
join ops.delivery d on d.feed = this.feed and d.part = this.part and d.period < this.period
  and (this.cadence <> 'monthly'
    or d.period = to_char(to_date(this.period, 'YYYY-MM') - interval '1 month', 'YYYY-MM'))
join ops.reading r on r.delivery_id = d.id and r.ledger_no <= this.known
where d.id not in (select ops.rejected(this.known))
order by d.period desc, d.ledger_no desc, r.ledger_no desc
limit 1""",
    "reading__replaced": """
select r.id as reading_id, r.delivery_id, d.feed, d.part, d.period, d.content_hash, d.known_at,
  r.contract_version, r.register_reading_id, r.rows, r.accepted, r.refused, r.set_aside,
  d.ledger_no as delivery_ledger_no, r.ledger_no
from checks.reading this
join ops.delivery d on d.feed = this.feed and d.part = this.part and d.period = this.period
  and d.ledger_no < this.delivery_ledger_no
join ops.reading r on r.delivery_id = d.id and r.ledger_no <= this.known
where d.id not in (select ops.rejected(this.known))
order by d.ledger_no desc, r.ledger_no desc
limit 1""",
    "refused_row": """
select distinct q.source_row, q.cells::jsonb as cells from ops.quarantine q
where q.reading_id = current_setting('pantau.reading')::bigint
  and q.cells is not null and q.rule not in ('key_repeated', 'key_contradicted')""",
    "refused_row__previous": """
select distinct q.source_row, q.cells::jsonb as cells from ops.quarantine q
where q.reading_id = (select reading_id from checks.reading__previous)
  and q.cells is not null and q.rule not in ('key_repeated', 'key_contradicted')""",
    "control_total": """
select t.source_row, t.name, t.delivered, t.computed, s.name as set_aside_name
from ops.control_total t left join ops.set_aside s using (reading_id, source_row)
where t.reading_id = current_setting('pantau.reading')::bigint""",
    "lineage": """
select x.old_code, x.new_code, x.level, x.event, x.law
from ops.register_version v
cross join lateral jsonb_to_recordset(v.rows)
  as x (old_code text, new_code text, level text, event text, law text)
where v.id = (
  select w.id from ops.register_version w, checks.reading this
  where w.name = 'wilayah_lineage' and w.ledger_no <= this.known order by w.ledger_no desc limit 1)""",
    "build": """
select b.id as build_id, b.purpose, b.first_period, b.last_period, b.cutoff, b.simulated
from ops.build b where b.id = current_setting('pantau.build')::bigint""",
    "build_input": """
select i.feed, i.part, i.period, i.reading_id, i.source_period, i.how, r.rows, r.accepted, r.refused
from ops.build_input i join checks.build b using (build_id) join ops.reading r on r.id = i.reading_id
where i.period between b.first_period and b.last_period""",
    "refused_row__build": """
select distinct i.feed, i.part, i.period, i.reading_id, q.source_row, q.cells::jsonb as cells
from checks.build_input i join ops.quarantine q using (reading_id)
where q.cells is not null and q.rule not in ('key_repeated', 'key_contradicted')""",
    "indicator": """
select x.indicator_id, x.version, x.kind, x.decimals
from checks.build this join ops.build b on b.id = this.build_id
join ops.register_version v on v.id = any(b.register_version_ids) and v.name = 'indicator_register'
cross join lateral jsonb_to_recordset(v.rows)
  as x (indicator_id text, version integer, kind text, decimals integer)""",
    "published_figure": """
select p.period, p.version, f.indicator_id, f.indicator_version, f.place, f.breakdown,
  f.numerator, f.denominator, f.value
from (
  select distinct on (r.period) r.id, r.period, r.version
  from checks.build b
  join ops.publication p on p.ledger_no <= b.cutoff join ops.release r on r.id = p.release_id
  order by r.period, p.ledger_no desc) p
join ops.figure f on f.release_id = p.id""",
}

# Of one feed. The build's readings by an array and not by a join: a BRIN index then finds just theirs.
_OF_FEED = {
    "": "select {columns} from {table} r where r.reading_id = current_setting('pantau.reading')::bigint",
    "__previous": "select {columns} from {table} r"
    " where r.reading_id = (select reading_id from checks.reading__previous)",
    "__replaced": "select {columns} from {table} r"
    " where r.reading_id = (select reading_id from checks.reading__replaced)",
    "__readings": "select {columns} from {table} r"
    " where r.reading_id = any(array(select reading_id from checks.build_input where feed = {feed}))",
    "__build": "select i.part, i.period, i.source_period, i.how, {columns} from {table} r"
    " join checks.build_input i on i.feed = {feed} and i.reading_id = r.reading_id"
    " where r.reading_id = any(array(select reading_id from checks.build_input where feed = {feed}))",
}

# What a restated delivery no longer says, over all feeds; the condition on the feed lets a reading look at its own
# table alone. A refused row keeps its key: it is not gone, it cannot be read.
_RESTATED = """
select concat_ws(', ', {key}) as key, b.source_row is null as gone,
  array_remove(array[{withdrawn}]::text[], null) as withdrawn
from checks.{replaced} p left join checks.{feed} b on {same}
where (select feed from checks.reading) = {name}
  and case when b.source_row is not null then {less} else
    concat_ws(', ', {delivered}) not in (select {refused} from checks.refused_row r where {readable})
    and concat_ws(', ', {resolved}) not in (select {refused} from checks.refused_row r where {readable}) end"""
_NOTHING_RESTATED = "select '' as key, false as gone, array[]::text[] as withdrawn where false"
_OF_MART = "select {columns} from {table} r where r.build_id = current_setting('pantau.build')::bigint"
_MARTS = ("rpt_figure", "rpt_status")

# The figures of the month before each month of the build, under the period that they are compared with: the
# build's own, else those that were published at its cut-off.
_FIGURES_BEFORE = """
select x.following as period, f.period as period_before, f.indicator_id, f.indicator_version, f.place, f.breakdown,
  f.numerator, f.denominator, f.value
from (
  select period, indicator_id, indicator_version, place, breakdown, numerator, denominator, value
  from checks.rpt_figure
  union all
  select period, indicator_id, indicator_version, place, breakdown, numerator, denominator, value
  from checks.published_figure where period not in (select period from checks.rpt_figure)) f
cross join lateral (
  select to_char(to_date(f.period, 'YYYY-MM') + interval '1 month', 'YYYY-MM') as following) x
join checks.build b on x.following between b.first_period and b.last_period"""


def ensure_views() -> bool:
    """Make the views of schema `checks` agree with the catalogue and the tables that exist.

    Returns whether anything had to be made anew; nothing is touched where all stand as they should.
    """
    with connect(Role.TRANSFORMER) as connection:
        return _ensure(connection, catalogue.load())


def _ensure(connection: Connection, feeds: Mapping[str, Feed]) -> bool:
    wanted = _definitions(connection, feeds)
    hashes = {name: sha256(text.as_bytes(connection)).hexdigest()[:16] for name, text in wanted.items()}
    if _standing(connection) == hashes:
        return False
    locks.take(connection, Lock.VIEWS)
    standing = _standing(connection)
    if standing == hashes:
        return False
    with tables.changing(connection, "views"):
        for name in standing:
            connection.execute(sql.SQL("drop view if exists checks.{} cascade").format(sql.Identifier(name)))
        for name, text in wanted.items():
            view = sql.Identifier("checks", name)
            connection.execute(sql.SQL("create view {} as {}").format(view, text))
            connection.execute(sql.SQL("comment on view {} is {}").format(view, sql.Literal(hashes[name])))
    return True


def _standing(connection: Connection) -> dict[str, str | None]:
    rows = connection.execute(
        "select relname, obj_description(oid, 'pg_class') as hash from pg_class"
        " where relnamespace = 'checks'::regnamespace and relkind = 'v'"
    )
    return {row["relname"]: row["hash"] for row in rows}


def _definitions(connection: Connection, feeds: Mapping[str, Feed]) -> dict[str, sql.Composed]:
    """The wanted views in the order in which they are made; columns are named, so that new ones show."""
    known = sql.SQL(", ").join(
        sql.SQL("({}, {}, {}::numeric, {}::text[])").format(
            name, feed.cadence, feed.max_refused_pct, sql.Literal(sorted(feed.parts))
        )
        for name, feed in sorted(feeds.items())
    )
    views = {
        "feed": sql.SQL("select * from (values {}) feed (feed, cadence, max_refused_pct, parts)").format(
            known
        ),
        **{name: sql.Composed([sql.SQL(text)]) for name, text in _PLATFORM.items()},
    }
    raw = _columns(connection, "raw")
    for feed in sorted(feeds.keys() & raw.keys()):
        table = sql.Identifier("raw", feed)
        for ending, text in _OF_FEED.items():
            views[feed + ending] = sql.SQL(text).format(
                columns=raw[feed], table=table, feed=sql.Literal(feed)
            )
    restated = [
        sql.SQL(_NOTHING_RESTATED),
        *(_restated(feeds[name]) for name in sorted(feeds.keys() & raw.keys())),
    ]
    views["restated_row"] = sql.SQL(" union all ").join(restated)
    marts = _columns(connection, "marts")
    for mart in _MARTS:
        if mart in marts:
            table = sql.Identifier("marts", mart)
            views[mart] = sql.SQL(_OF_MART).format(columns=marts[mart], table=table)
    if "rpt_figure" in views:
        views["rpt_figure__previous"] = sql.Composed([sql.SQL(_FIGURES_BEFORE)])
    return views


def _restated(feed: Feed) -> sql.Composed:
    """The rows of one feed that a restated delivery has lost, or in which it has withdrawn values."""
    columns = {column.name: column for column in feed.columns}
    optional = [c.name for c in feed.columns if not c.required and c.name not in feed.key]
    codes = {name: ref.code for name in feed.key if (ref := columns[name].region)}

    def listed(texts: list[str], between: str = ", ") -> sql.Composed:
        return sql.SQL(between).join(map(sql.SQL, texts))  # names of the catalogue, which allows no others

    bare = "replace({}, '.', '')".format
    written = [f"r.cells ->> '{codes.get(name, name)}'" for name in feed.key]
    return sql.SQL(_RESTATED).format(
        name=sql.Literal(feed.name),
        feed=sql.Identifier(feed.name),
        replaced=sql.Identifier(f"{feed.name}__replaced"),
        key=listed([f"p.{name}" for name in feed.key]),
        same=listed([f"b.{name} = p.{name}" for name in feed.key], " and "),
        withdrawn=listed([f"case when p.{c} is not null and b.{c} is null then '{c}' end" for c in optional]),
        less=listed([f"p.{c} is not null and b.{c} is null" for c in optional] or ["false"], " or "),
        delivered=listed([bare(f"p.{codes[n]}") if n in codes else f"p.{n}" for n in feed.key]),
        resolved=listed([bare(f"p.{n}") if n in codes else f"p.{n}" for n in feed.key]),
        refused=sql.SQL("concat_ws(', ', {})").format(
            listed([bare(w) if n in codes else w for n, w in zip(feed.key, written, strict=True)])
        ),
        readable=listed([f"{w} is not null" for w in written], " and "),
    )


def _columns(connection: Connection, schema: str) -> dict[str, sql.Composed]:
    """The columns of each table of a schema, as the list of a select from `r`."""
    rows = connection.execute(
        "select c.relname, array_agg(a.attname::text order by a.attnum) as columns"
        " from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = %s"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relkind in ('r', 'p') group by c.relname",
        [schema],
    )
    return {
        row["relname"]: sql.SQL(", ").join(sql.Identifier("r", column) for column in row["columns"])
        for row in rows
    }
