-- The platform's tables. Everything in schema ops is written by the package alone, and nothing in it is changed: what
-- changes (a candidate superseded, how a build ended, the pointer, the clock) is a row of its own under a view.
create schema ops; create schema raw;
create table ops.prepared (stamp text not null);   -- hash of what the last set-up was made from
create table ops.ledger (
  no bigint primary key, kind text not null, what jsonb not null,
  db_at timestamptz not null, product_at timestamptz not null,
  prev_hash text not null, hash text not null unique);
create table ops.clock_setting (ledger_no bigint primary key references ops.ledger, set_to timestamptz not null);
create view ops.clock as
  select (select set_to from ops.clock_setting order by ledger_no desc limit 1) as set_to;   -- null: the machine's
create table ops.register_version (          -- one row per content of a seed ever loaded
  id integer generated always as identity primary key, name text not null, sha256 text not null,
  rows jsonb not null, ledger_no bigint not null references ops.ledger);
create table ops.delivery (
  id bigint generated always as identity primary key, feed text not null, part text not null default '',
  period text not null check (period ~ '^2[01][0-9]{2}-(0[1-9]|1[0-2])$'), content_hash text not null,
  sender text not null, received_at timestamptz not null, known_at timestamptz not null,
  simulated boolean not null, ledger_no bigint not null references ops.ledger,
  -- what the owner's server said names this content (an ETag), for conditional requests; empty where it said nothing
  validator text not null default '');
create table ops.delivery_file (delivery_id bigint references ops.delivery, no smallint, name text not null,
  sha256 text not null, bytes bigint not null, primary key (delivery_id, no));
create table ops.poll (                       -- when an owner was last asked, and how often the same content came again
  feed text, part text, period text, delivery_id bigint not null references ops.delivery,
  asked_at timestamptz not null, times bigint not null, primary key (feed, part, period));
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
-- Rows of a reading are copied before the ledger vouches for it, so these refer to no row of ops.reading.
create table ops.quarantine (reading_id bigint, source_row bigint, "column" text,
  value text, rule text not null, message text not null, suggestion text, raw text not null,
  cells text,   -- the row's cells by column, stripped and mapped, as JSON; where its key can be read
  primary key (reading_id, source_row, "column", rule));
create table ops.set_aside (reading_id bigint, source_row bigint, name text not null, raw text not null,
  primary key (reading_id, source_row));
create table ops.control_total (reading_id bigint, source_row bigint, name text,  -- name e.g. 'pagu_idr, APBN'
  delivered numeric, computed numeric not null, primary key (reading_id, source_row, name));
-- raw.<feed>(reading_id bigint, source_row bigint, <typed columns of the YAML>) with a BRIN index on reading_id
create table ops.build (
  id bigint generated always as identity primary key, purpose text not null check (purpose in ('close','opening','rebuild')),
  first_period text not null, last_period text not null, cutoff bigint not null references ops.ledger,
  register_version_ids integer[] not null, code_version text not null, without text[] not null default '{}',
  simulated boolean not null, ledger_no bigint not null references ops.ledger);
create table ops.build_input (                -- THE MANIFEST
  build_id bigint references ops.build, feed text, part text, period text,   -- period stood for
  reading_id bigint not null references ops.reading, source_period text not null,
  how text not null check (how in ('own','carried','effective')), primary key (build_id, feed, part, period));
-- newest_effective feeds: every vintage with source_period <= last_period stands for its own source_period ('own');
-- and the newest one stands for each period of the build ('effective', or 'own' when source_period = period).
-- year_to_date feeds: every month from January of the first period's year up to last_period.
create table ops.build_sql (                  -- each model's SQL as the build ran it, the build's number for the setting
  build_id bigint references ops.build, model text, sql text not null, primary key (build_id, model));
create table ops.build_end (                  -- how a build ended; blocked ones may end again
  ledger_no bigint primary key references ops.ledger, build_id bigint not null references ops.build,
  outcome text not null check (outcome in ('candidate','unchanged','blocked')));
create view ops.build_outcome as              -- a build without one was cut off and is taken up again
  select distinct on (build_id) build_id, outcome, ledger_no from ops.build_end order by build_id, ledger_no desc;
create table ops.rule_text (sha256 text primary key, record jsonb not null);   -- every rule that ever judged, as it stood
create table ops.check_run (
  id bigint generated always as identity primary key, border text not null check (border in ('raw','across','marts')),
  feed text, reading_id bigint references ops.reading, build_id bigint references ops.build,
  rules integer not null, rules_hash text not null, ledger_no bigint not null references ops.ledger,
  previous_reading_id bigint references ops.reading, replaced_reading_id bigint references ops.reading);   -- compared with
-- Not applicable: the rule compares with what is not there (no month before, nothing replaced). It holds, and is not counted.
create table ops.check_result (check_run_id bigint references ops.check_run, rule_id text, rule_version integer not null,
  severity text not null check (severity in ('critical','warning','info')), passed boolean not null, failing_rows bigint not null,
  applicable boolean not null, rule_sha256 text not null references ops.rule_text, check (applicable or passed),
  primary key (check_run_id, rule_id));
create table ops.finding (id bigint generated always as identity primary key, check_run_id bigint not null, rule_id text not null,
  rule jsonb not null, rows bigint not null, foreign key (check_run_id, rule_id) references ops.check_result);  -- rule: the rule's record as it stood
create table ops.finding_row (finding_id bigint references ops.finding, no bigint, evidence jsonb not null, primary key (finding_id, no));
create table ops.candidate (                  -- figures and page of a period, frozen
  id bigint generated always as identity primary key, period text not null, version integer not null,
  build_id bigint not null references ops.build, reason text not null check (reason in ('opening','first','restatement','reissue')),
  explanation jsonb not null, release_hash text not null, page_hash text not null, context jsonb not null,
  ledger_no bigint not null references ops.ledger, unique (period, version, build_id));
create table ops.supersession (               -- the candidate will never be published: newer data came before it was
  candidate_id bigint primary key references ops.candidate, ledger_no bigint not null references ops.ledger);
create view ops.release as
  select c.*, exists (select from ops.supersession s where s.candidate_id = c.id) as superseded from ops.candidate c;
create table ops.figure (release_id bigint references ops.candidate, indicator_id text, indicator_version integer not null,
  period text not null, place text, breakdown text, numerator numeric not null, denominator numeric not null, value numeric,
  primary key (release_id, indicator_id, place, breakdown));
create table ops.approval_given (release_id bigint not null references ops.candidate, release_hash text not null, page_hash text not null,
  approver text not null, acknowledged jsonb not null, ledger_no bigint primary key references ops.ledger);
create table ops.withdrawal (approval_no bigint primary key references ops.approval_given, withdrawn_by text not null, why text not null,
  ledger_no bigint not null references ops.ledger);
create view ops.approval as                   -- those that stand: at most one of a release; rows are inserted through it
  select * from ops.approval_given a where not exists (select from ops.withdrawal w where w.approval_no = a.ledger_no);
create table ops.publication (release_id bigint primary key references ops.candidate, ledger_no bigint not null references ops.ledger);
create view ops.published as                  -- the pointer: of each period the release that was published last
  select distinct on (c.period) c.period, p.release_id from ops.publication p join ops.candidate c on c.id = p.release_id
  order by c.period, p.ledger_no desc;
create table ops.report (release_id bigint references ops.candidate, name text, language text, path text not null, sha256 text not null,
  ledger_no bigint not null references ops.ledger, primary key (release_id, name, language));
create view public.published_release as select r.* from ops.published p join ops.release r on r.id = p.release_id;
create view public.published_figure as select r.period as release_period, r.version, f.* from ops.published p
  join ops.candidate r on r.id = p.release_id join ops.figure f on f.release_id = r.id;

create index on ops.delivery (feed, part, period);
create index on ops.reading (delivery_id);
create index on ops.ledger ((what ->> 'delivery')) where kind in ('rejection', 'reinstatement');
create index on ops.rule_text ((record ->> 'id'));
create index on ops.check_run (reading_id);
create index on ops.check_run (build_id);
create index on ops.candidate (period);
create index on ops.build_end (build_id);

-- Deliveries whose newest decision, as of entry n of the ledger and as if some entries were not there, is a rejection.
create function ops.rejected(n bigint, but bigint[] default '{}') returns setof bigint language sql stable as $$
  select delivery from (
    select distinct on (delivery) delivery, kind from (
      select (what ->> 'delivery')::bigint as delivery, kind, no from ops.ledger
      where kind in ('rejection', 'reinstatement') and no <= n and no <> all (but)) decisions
    order by delivery, no desc) newest
  where kind = 'rejection' $$;

create function ops.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % refused', tg_table_schema || '.' || tg_table_name, lower(tg_op);
end $$;
-- A rebuild is compared and let go, by ops.drop_rebuild alone; its ledger entries stay.
create function ops.refuse_change_of_build() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and exists (
    select from ops.build b where b.purpose = 'rebuild'
    and b.id = (case when tg_table_name = 'build' then to_jsonb(old) -> 'id' else to_jsonb(old) -> 'build_id' end)::bigint)
  then
    return old;
  end if;
  raise exception '% is append-only: % refused', tg_table_schema || '.' || tg_table_name, lower(tg_op);
end $$;
create function ops.drop_rebuild(b bigint) returns void language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $$
begin
  delete from ops.build_input where build_id = b;
  delete from ops.build_sql where build_id = b;
  delete from ops.build where id = b;
end $$;
-- Tell a raw table's index of its new pages, and the planner of its rows once they grew by a quarter.
create function ops.refresh(feed text) returns void language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $$
begin
  perform brin_summarize_new_values(to_regclass(format('raw.%I', feed || '_reading_id')));
  if (select coalesce(s.n_mod_since_analyze, 0) * 4 >= greatest(c.reltuples, 0)
      from pg_class c left join pg_stat_user_tables s on s.relid = c.oid where c.oid = to_regclass(format('raw.%I', feed)))
  then
    execute format('analyze raw.%I', feed);
  end if;
end $$;
-- Which entries a role may write. A superuser (an administrator, tests) is out of reach.
create function ops.refuse_entry() returns trigger language plpgsql as $$
begin
  if new.kind = any (case current_user
      when 'pantau_owner' then array['objects', 'register']
      when 'pantau_loader' then array['clock', 'delivery', 'reading', 'check', 'lateness']
      when 'pantau_transformer' then array['build', 'views', 'deletion']
      when 'pantau_publisher' then array['check', 'build_outcome', 'candidate', 'superseded', 'publication', 'report',
        'pages', 'verification']
      when 'pantau_approver' then array['approval', 'approval_withdrawn', 'approval_refused', 'rejection',
        'reinstatement', 'acceptance']
      else array[]::text[] end)
    and (new.kind <> 'check' or (new.what ->> 'border' = 'raw') = (current_user = 'pantau_loader'))
    or (select rolsuper from pg_roles where rolname = current_user)
  then
    return new;
  end if;
  raise exception '% writes no % into the ledger', current_user, new.kind using errcode = 'insufficient_privilege';
end $$;
create trigger who_may before insert on ops.ledger for each row execute function ops.refuse_entry();
do $$
declare t text;
begin
  foreach t in array array['ledger','clock_setting','register_version','delivery','delivery_file','reading','reading_file',
                           'quarantine','set_aside','control_total','build_end','rule_text','check_run','check_result',
                           'finding','finding_row','candidate','supersession','figure','approval_given','withdrawal',
                           'publication','report'] loop
    execute format('create trigger append_only before update or delete on ops.%I for each row execute function ops.refuse_change()', t);
    execute format('create trigger no_truncate before truncate on ops.%I for each statement execute function ops.refuse_change()', t);
  end loop;
  foreach t in array array['build','build_input','build_sql'] loop
    execute format('create trigger append_only before update or delete on ops.%I for each row execute function ops.refuse_change_of_build()', t);
    execute format('create trigger no_truncate before truncate on ops.%I for each statement execute function ops.refuse_change()', t);
  end loop;
end $$;

-- Rights. The roles belong to the server, so the set-up makes them before (pantau/roles.py). Everybody but the reader
-- reads everything, as the auditor does; nobody but the owner may change or delete a row in `ops` or `raw`.
do $$
declare s text;
begin
  foreach s in array array['checks', 'seeds', 'staging', 'facts', 'indicators', 'marts'] loop
    execute format('create schema %I authorization pantau_transformer', s);
    execute format('grant usage on schema %I to pantau_auditor', s);
  end loop;
end $$;
grant usage on schema ops, raw to pantau_auditor;
grant select on all tables in schema ops, public to pantau_auditor;
alter default privileges for role pantau_transformer grant select on tables to pantau_auditor;
alter default privileges for role pantau_owner in schema raw grant select on tables to pantau_auditor;
alter default privileges for role pantau_owner in schema raw grant insert on tables to pantau_loader;
grant usage on all sequences in schema ops to pantau_loader, pantau_transformer, pantau_publisher;

grant insert on ops.ledger to pantau_loader, pantau_transformer, pantau_publisher, pantau_approver;
grant insert on ops.clock_setting, ops.delivery, ops.delivery_file, ops.reading, ops.reading_file, ops.quarantine,
  ops.set_aside, ops.control_total to pantau_loader;
grant insert, update on ops.poll to pantau_loader;
grant insert on ops.rule_text, ops.check_run, ops.check_result, ops.finding, ops.finding_row
  to pantau_loader, pantau_publisher;
grant insert on ops.build, ops.build_input, ops.build_sql to pantau_transformer;
grant insert on ops.build_end, ops.candidate, ops.supersession, ops.figure, ops.publication, ops.report
  to pantau_publisher;
grant insert on ops.approval, ops.withdrawal to pantau_approver;
revoke execute on function ops.drop_rebuild(bigint), ops.refresh(text) from public;
grant execute on function ops.drop_rebuild(bigint) to pantau_transformer;
grant execute on function ops.refresh(text) to pantau_loader;
grant select on public.published_release, public.published_figure to pantau_reader;
