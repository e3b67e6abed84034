with obligations as (
    select
        kewajiban.build_id,
        kewajiban.period,
        kewajiban.operator,
        count(*) filter (where kewajiban.is_due and kewajiban.is_built) as numerator,
        count(*) filter (where kewajiban.is_due) as denominator
    from {{ ref('fct_kewajiban') }} as kewajiban
    where kewajiban.build_id = {{ build_id() }}
    group by kewajiban.build_id, kewajiban.period, kewajiban.operator
)

select
    obligations.build_id,
    definition.indicator_id,
    definition.version as indicator_version,
    obligations.period,
    null::text as provinsi_kode,
    null::text as kabupaten_kode,
    null::text as tiga_t,
    null::text as versi_anggaran,
    null::text as kelompok_belanja,
    obligations.operator,
    null::text as klaim,
    obligations.numerator::numeric as numerator,
    obligations.denominator::numeric as denominator
from obligations
inner join {{ ref('stg_pantau__indicator_register') }} as definition
    on
        definition.indicator_id = 'K15'
        and obligations.period >= definition.valid_from
        and (definition.valid_to is null or obligations.period < definition.valid_to)
