-- depends_on: {{ ref('indicator_grain') }}
with grain as (
    {{ register('indicator_grain') }}
)

select
    grain.indicator_id,
    grain.version,
    grain.place_level,
    -- dbt loads an empty cell of a seed as null
    coalesce(grain.breakdown, '') as breakdown
from grain
