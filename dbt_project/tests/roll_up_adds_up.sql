-- The parts of a figure come to it (once for each breakdown that the month has), K1 and K2 to all villages,
-- the four verdicts of R1 to the villages of their place, and those where the ministry says yes to K1.
-- By grouping alone: a join of figures with figures takes a minute for nineteen months.
with figure as (
    select *
    from {{ ref('rpt_figure') }}
    where build_id = {{ build_id() }}
),

declared as (
    select
        indicator_id,
        version,
        count(distinct breakdown) as breakdown_count
    from {{ ref('stg_pantau__indicator_grain') }}
    where breakdown <> '' and breakdown not like '%:%'
    group by indicator_id, version
),

whole_and_parts as (
    select
        indicator_id,
        indicator_version,
        period,
        place,
        max(numerator) filter (where breakdown = '') as numerator,
        max(denominator) filter (where breakdown = '') as denominator,
        sum(numerator) filter (where breakdown <> '' and breakdown not like '%:%') as part_numerator,
        sum(denominator) filter (where breakdown <> '' and breakdown not like '%:%') as part_denominator
    from figure
    group by indicator_id, indicator_version, period, place
),

covered_and_left as (
    select
        period,
        place,
        breakdown,
        max(numerator) filter (where indicator_id = 'K1') as covered_count,
        max(denominator) filter (where indicator_id = 'K1') as village_count,
        max(numerator) filter (where indicator_id = 'K2') as left_count,
        max(denominator) filter (where indicator_id = 'K2') as left_denominator
    from figure
    where indicator_id in ('K1', 'K2')
    group by period, place, breakdown
),

verdict as (
    select
        period,
        place,
        count(*) filter (where indicator_id = 'R1') as verdict_count,
        sum(numerator) filter (where indicator_id = 'R1') as village_count,
        min(denominator) filter (where indicator_id = 'R1') as denominator,
        max(denominator) filter (where indicator_id = 'R1') as greatest_denominator,
        sum(numerator) filter (
            where indicator_id = 'R1' and breakdown in ('sepakat_ya', 'komdigi_saja')
        ) as ministry_count,
        max(numerator) filter (where indicator_id = 'K1') as covered_count,
        max(denominator) filter (where indicator_id = 'K1') as covered_denominator
    from figure
    where indicator_id = 'R1' or (indicator_id = 'K1' and breakdown = '')
    group by period, place
)

select
    'parts' as what,
    whole_and_parts.indicator_id,
    whole_and_parts.period,
    whole_and_parts.place
from whole_and_parts
inner join declared
    on
        whole_and_parts.indicator_id = declared.indicator_id
        and whole_and_parts.indicator_version = declared.version
where
    whole_and_parts.part_numerator * whole_and_parts.denominator
    <> whole_and_parts.numerator * whole_and_parts.part_denominator
    or mod(whole_and_parts.part_denominator, nullif(whole_and_parts.denominator, 0)) <> 0
    or whole_and_parts.part_denominator
    not between whole_and_parts.denominator and whole_and_parts.denominator * declared.breakdown_count

union all

select
    'K1 and K2' as what,
    'K1' as indicator_id,
    period,
    place
from covered_and_left
where (covered_count + left_count = village_count and village_count = left_denominator) is not true

union all

select
    'R1' as what,
    'R1' as indicator_id,
    period,
    place
from verdict
where
    verdict_count > 0
    and (
        verdict_count <> 4
        or village_count <> denominator
        or denominator <> greatest_denominator
        or ministry_count <> coalesce(covered_count, ministry_count)
        or denominator <> coalesce(covered_denominator, denominator)
    )
