-- The platform's tables. Everything in schema ops is written by the package alone.
create schema ops; create schema raw; create schema checks;
create table ops.clock (singleton boolean primary key default true check (singleton), set_to timestamptz);
insert into ops.clock default values;
create table ops.prepared (stamp text not null);   -- hash of what the last set-up was made from
create table ops.ledger (
  no bigint primary key, kind text not null, what jsonb not null,
  db_at timestamptz not null, product_at timestamptz not null,
  prev_hash text not null, hash text not null unique);
create table ops.register_version (          -- one row per content of a seed ever loaded
  id integer generated always as identity primary key, name text not null, sha256 text not null,
  rows jsonb not null, ledger_no bigint not null references ops.ledger);
create table ops.delivery (
  id bigint generated always as identity primary key, feed text not null, part text not null default '',
  period text not null check (period ~ '^\d{4}-(0[1-9]|1[0-2])$'), content_hash text not null,
  sender text not null, received_at timestamptz not null, known_at timestamptz not null,
  simulated boolean not null, ledger_no bigint not null references ops.ledger);
create table ops.delivery_file (delivery_id bigint references ops.delivery, no smallint, name text not null,
  sha256 text not null, bytes bigint not null, primary key (delivery_id, no));
create table ops.reading (
  id bigint generated always as identity primary key, delivery_id bigint not null references ops.delivery,
  contract_version text not null, register_reading_id bigint references ops.reading,
  lineage_version_id integer references ops.register_version,
  rows bigint not null, accepted bigint not null, refused bigint not null, set_aside bigint not null,
  ledger_no bigint not null references ops.ledger,
  check (rows = accepted + refused + set_aside),
  unique nulls not distinct (delivery_id, contract_version, register_reading_id, lineage_version_id));
create table ops.reading_file (reading_id bigint references ops.reading, file_no smallint, sheet text not null default '',
  first_source_row bigint not null, last_source_row bigint not null, first_file_row bigint not null,
  primary key (reading_id, file_no, sheet));
create table ops.quarantine (reading_id bigint references ops.reading, source_row bigint, "column" text,
  value text, rule text not null, message text not null, suggestion text, raw text not null,
  cells jsonb,   -- the row's cells by column, stripped and mapped, where its key can be read
  primary key (reading_id, source_row, "column", rule));
create table ops.set_aside (reading_id bigint references ops.reading, source_row bigint, name text not null, raw text not null,
  primary key (reading_id, source_row));
create table ops.control_total (reading_id bigint references ops.reading, source_row bigint, name text,  -- name e.g. 'pagu_idr, APBN'
  delivered numeric, computed numeric not null, primary key (reading_id, source_row, name));
-- raw.<feed>(reading_id bigint, source_row bigint, <typed columns of the YAML>) with a BRIN index on reading_id
create table ops.build (
  id bigint generated always as identity primary key, purpose text not null check (purpose in ('close','opening','rebuild')),
  first_period text not null, last_period text not null, cutoff bigint not null references ops.ledger,
  register_version_ids integer[] not null, code_version text not null, without text[] not null default '{}',
  simulated boolean not null, ledger_no bigint not null references ops.ledger);
create table ops.build_input (                -- THE MANIFEST
  build_id bigint references ops.build on delete cascade, feed text, part text, period text,   -- period stood for
  reading_id bigint not null references ops.reading, source_period text not null,
  how text not null check (how in ('own','carried','effective')), primary key (build_id, feed, part, period));
-- newest_effective feeds: every vintage with source_period <= last_period stands for its own source_period ('own');
-- and the newest one stands for each period of the build ('effective', or 'own' when source_period = period).
-- year_to_date feeds: every month from January of the first period's year up to last_period.
create table ops.build_outcome (              -- how a build ended; a build without one was cut off and is taken up again
  build_id bigint primary key references ops.build on delete cascade,
  outcome text not null check (outcome in ('candidate','unchanged','blocked')), ledger_no bigint not null references ops.ledger);
create table ops.rule_text (sha256 text primary key, record jsonb not null);   -- every rule that ever judged, as it stood
create table ops.check_run (
  id bigint generated always as identity primary key, border text not null check (border in ('raw','across','marts')),
  feed text, reading_id bigint references ops.reading, build_id bigint references ops.build on delete cascade,
  rules integer not null, rules_hash text not null, ledger_no bigint not null references ops.ledger,
  previous_reading_id bigint references ops.reading, replaced_reading_id bigint references ops.reading);   -- compared with
-- Not applicable: the rule compares with what is not there (no month before, nothing replaced). It holds, and is not counted.
create table ops.check_result (check_run_id bigint references ops.check_run on delete cascade, rule_id text, rule_version integer not null,
  severity text not null check (severity in ('critical','warning','info')), passed boolean not null, failing_rows bigint not null,
  applicable boolean not null, rule_sha256 text not null references ops.rule_text, check (applicable or passed),
  primary key (check_run_id, rule_id));
create table ops.finding (id bigint generated always as identity primary key, check_run_id bigint not null, rule_id text not null,
  rule jsonb not null, rows bigint not null, foreign key (check_run_id, rule_id) references ops.check_result on delete cascade);  -- rule: the rule's record as it stood
create table ops.finding_row (finding_id bigint references ops.finding on delete cascade, no bigint, evidence jsonb not null, primary key (finding_id, no));
create table ops.release (
  id bigint generated always as identity primary key, period text not null, version integer not null,
  build_id bigint not null references ops.build, reason text not null check (reason in ('opening','first','restatement')),
  explanation jsonb not null, release_hash text not null, page_hash text not null, context jsonb not null,
  superseded boolean not null default false, ledger_no bigint not null references ops.ledger);
create unique index on ops.release (period, version) where not superseded;
create table ops.figure (release_id bigint references ops.release, indicator_id text, indicator_version integer not null,
  period text not null, place text, breakdown text, numerator numeric not null, denominator numeric not null, value numeric,
  primary key (release_id, indicator_id, place, breakdown));
create table ops.approval (release_id bigint primary key references ops.release, release_hash text not null, page_hash text not null,
  approver text not null, acknowledged jsonb not null, ledger_no bigint not null references ops.ledger);
create table ops.publication (release_id bigint primary key references ops.release, ledger_no bigint not null references ops.ledger);
create table ops.published (period text primary key, release_id bigint not null references ops.release);   -- the pointer
create table ops.report (release_id bigint references ops.release, name text, language text, path text not null, sha256 text not null,
  ledger_no bigint not null references ops.ledger, primary key (release_id, name, language));
create view public.published_release as select r.* from ops.published p join ops.release r on r.id = p.release_id;
create view public.published_figure as select r.period as release_period, r.version, f.* from ops.published p
  join ops.release r on r.id = p.release_id join ops.figure f on f.release_id = r.id;

create index on ops.delivery (feed, part, period);
create index on ops.reading (delivery_id);
create index on ops.ledger ((what ->> 'delivery')) where kind in ('rejection', 'reinstatement');
create index on ops.rule_text ((record ->> 'id'));
create index on ops.check_run (reading_id);
create index on ops.check_run (build_id);

-- Deliveries whose newest decision, as of entry n of the ledger, is a rejection.
create function ops.rejected(n bigint) returns setof bigint language sql stable as $$
  select delivery from (
    select distinct on (delivery) delivery, kind from (
      select (what ->> 'delivery')::bigint as delivery, kind, no from ops.ledger
      where kind in ('rejection', 'reinstatement') and no <= n) decisions
    order by delivery, no desc) newest
  where kind = 'rejection' $$;

create function ops.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % refused', tg_table_schema || '.' || tg_table_name, lower(tg_op);
end $$;
do $$
declare t text;
begin
  foreach t in array array['ledger','delivery','delivery_file','reading','reading_file','quarantine','set_aside',
                           'control_total','figure','approval','publication','report','register_version',
                           'rule_text'] loop
    execute format('create trigger append_only before update or delete on ops.%I for each row execute function ops.refuse_change()', t);
    execute format('create trigger no_truncate before truncate on ops.%I for each statement execute function ops.refuse_change()', t);
  end loop;
end $$;
