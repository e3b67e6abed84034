select
    build.id as build_id,
    build.simulated,
    to_char(month.starts_at, 'YYYY-MM') as period,
    (month.starts_at + interval '1 month' - interval '1 day')::date as last_day
from {{ source('ops', 'build') }} as build
cross join
    generate_series(
        to_date(build.first_period, 'YYYY-MM')::timestamp,
        to_date(build.last_period, 'YYYY-MM')::timestamp,
        interval '1 month'
    ) as month (starts_at)
where build.id = {{ build_id() }}
