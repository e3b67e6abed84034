with villages as (
    select
        desa.build_id,
        desa.period,
        desa.provinsi_kode,
        desa.kabupaten_kode,
        desa.tiga_t,
        count(*) filter (where not desa.terjangkau_4g) as numerator,
        count(*) as denominator
    from {{ ref('fct_desa_4g') }} as desa
    where desa.build_id = {{ build_id() }}
    group by desa.build_id, desa.period, desa.provinsi_kode, desa.kabupaten_kode, desa.tiga_t
)

select
    villages.build_id,
    definition.indicator_id,
    definition.version as indicator_version,
    villages.period,
    villages.provinsi_kode,
    villages.kabupaten_kode,
    villages.tiga_t,
    null::text as versi_anggaran,
    null::text as kelompok_belanja,
    null::text as operator,
    null::text as klaim,
    villages.numerator::numeric as numerator,
    villages.denominator::numeric as denominator
from villages
inner join {{ ref('stg_pantau__indicator_register') }} as definition
    on
        definition.indicator_id = 'K2'
        and villages.period >= definition.valid_from
        and (definition.valid_to is null or villages.period < definition.valid_to)
