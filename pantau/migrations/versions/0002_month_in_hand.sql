-- What the owner's server said names this content (an ETag), for conditional requests; empty where it said nothing.
alter table ops.delivery add column validator text not null default '';

-- The SQL of every model as a build ran it: the build's number stands where the model asks for the setting.
-- A rebuild's goes with its rows; otherwise what ran is not altered. Its hash stands in the ledger's build_outcome.
create table ops.build_sql (build_id bigint references ops.build on delete cascade, model text, sql text not null,
  primary key (build_id, model));
create trigger append_only before update on ops.build_sql for each row execute function ops.refuse_change();
create trigger no_truncate before truncate on ops.build_sql for each statement execute function ops.refuse_change();

-- Who may read everything and change nothing. A person who is to look is granted it: grant pantau_auditor to siti.
-- Roles belong to the server and not to the database, so another installation may have made it already; where we may
-- make none, an administrator makes it and runs the grants below.
do $$
declare s text;
begin
  begin
    create role pantau_auditor nologin;
  exception
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then raise notice 'pantau_auditor is not made: this user may create no roles';
  end;
  if exists (select from pg_roles where rolname = 'pantau_auditor') then
    for s in select nspname from pg_namespace
      where nspname !~ '^pg_' and nspname not in ('information_schema', 'public') loop
      execute format('grant usage on schema %I to pantau_auditor', s);
      execute format('grant select on all tables in schema %I to pantau_auditor', s);
    end loop;
    grant select on all tables in schema public to pantau_auditor;
    alter default privileges grant usage on schemas to pantau_auditor;  -- of what dbt makes later
    alter default privileges grant select on tables to pantau_auditor;
  end if;
end $$;
