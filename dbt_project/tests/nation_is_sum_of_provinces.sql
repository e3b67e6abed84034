-- Numerators and denominators of the nation are those of its provinces, wherever both are declared.
select
    figure.indicator_id,
    figure.period,
    figure.breakdown
from {{ ref('rpt_figure') }} as figure
where
    figure.build_id = {{ build_id() }}
    and figure.place ~ '^\d\d$'
group by figure.indicator_id, figure.period, figure.breakdown
having
    count(*) > 1
    and (
        sum(figure.numerator) <> 2 * max(figure.numerator) filter (where figure.place = '00')
        or sum(figure.denominator) <> 2 * max(figure.denominator) filter (where figure.place = '00')
    )
