-- depends_on: {{ ref('target_register') }}
with target as (
    {{ register('target_register') }}
)

select
    target.target_id,
    target.indicator_id,
    -- dbt loads an empty cell of a seed as null
    coalesce(target.breakdown, '') as breakdown,
    target.baseline_value,
    target.baseline_date,
    target.target_value,
    target.deadline,
    target.valid_from,
    target.document
from target
