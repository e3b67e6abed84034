with target as (
    -- one target for each indicator, breakdown and period: the demo's own in a simulated build, else the
    -- newest official one
    select distinct on (goal.indicator_id, goal.breakdown, build_period.period)
        goal.*,
        build_period.period,
        goal.deadline - goal.baseline_date as total_days,
        least(build_period.last_day, goal.deadline) - goal.baseline_date as elapsed_days
    from {{ ref('stg_pantau__target_register') }} as goal
    inner join {{ ref('stg_pantau__build_period') }} as build_period
        on
            goal.valid_from <= build_period.period
            and (goal.document <> 'SIMULASI' or build_period.simulated)
    order by
        goal.indicator_id asc,
        goal.breakdown asc,
        build_period.period asc,
        goal.document = 'SIMULASI' desc,
        goal.valid_from desc,
        goal.target_id asc
),

measured as (
    select
        figure.*,
        definition.decimals,
        definition.direction,
        -- the unrounded value as a fraction
        figure.numerator * case definition.kind when 'ratio_pct' then 100 else 1 end as dividend,
        case definition.kind when 'ratio_pct' then figure.denominator else 1 end as divisor
    from {{ ref('rpt_figure') }} as figure
    inner join {{ ref('stg_pantau__indicator_register') }} as definition
        on
            figure.indicator_id = definition.indicator_id
            and figure.indicator_version = definition.version
    where
        figure.build_id = {{ build_id() }}
        -- the documents set goals for the nation
        and figure.place = '00'
),

compared as (
    select
        measured.*,
        target.target_id,
        target.target_value,
        target.deadline,
        target.document,
        target.baseline_value,
        target.baseline_date,
        -- the line and its distance to the value, both times total_days (and the divisor): no division
        -- before the comparison, so a value exactly on the line counts as on it
        target.total_days,
        target.baseline_value * target.total_days
        + (target.target_value - target.baseline_value) * target.elapsed_days as line
    from measured
    inner join target
        on
            measured.indicator_id = target.indicator_id
            and measured.breakdown = target.breakdown
            and measured.period = target.period
    -- no line leads to a goal that says neither whence nor until when; an older goal does not stand in for it
    where target.total_days is not null
)

select
    compared.build_id,
    compared.indicator_id,
    compared.period,
    compared.place,
    compared.breakdown,
    compared.value,
    compared.target_id,
    compared.target_value,
    compared.deadline,
    compared.document,
    compared.baseline_value,
    compared.baseline_date,
    round(compared.line / compared.total_days, compared.decimals) as expected_value,
    case
        when compared.value is null then null
        when compared.direction = 'up'
            then compared.dividend * compared.total_days >= compared.line * compared.divisor
        when compared.direction = 'down'
            then compared.dividend * compared.total_days <= compared.line * compared.divisor
    end as on_track
from compared
