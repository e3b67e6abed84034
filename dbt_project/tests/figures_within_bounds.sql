-- What a count over a count cannot be: negative, more than the whole, a share beyond 0 to 100.
-- A fault here is ours alone: so a test of the models, and not among the rules that a page counts as passed.
select
    figure.indicator_id,
    figure.period,
    figure.place,
    figure.breakdown,
    figure.numerator,
    figure.denominator,
    figure.value
from {{ ref('rpt_figure') }} as figure
left join {{ ref('stg_pantau__indicator_register') }} as definition
    on
        figure.indicator_id = definition.indicator_id
        and figure.indicator_version = definition.version
where
    figure.build_id = {{ build_id() }}
    and (
        figure.numerator < 0
        or figure.numerator > figure.denominator
        or (definition.kind = 'ratio_pct' and not figure.value between 0 and 100)
    )
