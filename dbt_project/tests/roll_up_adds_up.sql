-- The parts of a figure come to it (once for each breakdown that the month has), K1 and K2 to all villages,
-- the four verdicts of R1 to the villages of their place, and those where the ministry says yes to K1.
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

whole as (
    select *
    from figure
    where breakdown = ''
),

k1 as (
    select *
    from figure
    where indicator_id = 'K1'
),

k2 as (
    select *
    from figure
    where indicator_id = 'K2'
),

part as (
    select
        indicator_id,
        indicator_version,
        period,
        place,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from figure
    where breakdown <> '' and breakdown not like '%:%'
    group by indicator_id, indicator_version, period, place
),

verdict as (
    select
        period,
        place,
        count(*) as verdict_count,
        sum(numerator) as village_count,
        min(denominator) as denominator,
        max(denominator) as greatest_denominator,
        sum(numerator) filter (where breakdown in ('sepakat_ya', 'komdigi_saja')) as ministry_count
    from figure
    where indicator_id = 'R1'
    group by period, place
)

select
    'parts' as what,
    whole.indicator_id,
    whole.period,
    whole.place
from whole
inner join part
    on
        whole.indicator_id = part.indicator_id
        and whole.indicator_version = part.indicator_version
        and whole.period = part.period
        and whole.place = part.place
inner join declared
    on whole.indicator_id = declared.indicator_id and whole.indicator_version = declared.version
where
    part.numerator * whole.denominator <> whole.numerator * part.denominator
    or mod(part.denominator, nullif(whole.denominator, 0)) <> 0
    or part.denominator not between whole.denominator and whole.denominator * declared.breakdown_count

union all

select
    'K1 and K2' as what,
    coalesce(k1.indicator_id, k2.indicator_id) as indicator_id,
    coalesce(k1.period, k2.period) as period,
    coalesce(k1.place, k2.place) as place
from k1
full outer join k2
    on k1.period = k2.period and k1.place = k2.place and k1.breakdown = k2.breakdown
where (k1.numerator + k2.numerator = k1.denominator and k1.denominator = k2.denominator) is not true

union all

select
    'R1' as what,
    'R1' as indicator_id,
    verdict.period,
    verdict.place
from verdict
left join whole
    on verdict.period = whole.period and verdict.place = whole.place and whole.indicator_id = 'K1'
where
    verdict.verdict_count <> 4
    or verdict.village_count <> verdict.denominator
    or verdict.denominator <> verdict.greatest_denominator
    or verdict.ministry_count <> coalesce(whole.numerator, verdict.ministry_count)
    or verdict.denominator <> coalesce(whole.denominator, verdict.denominator)
