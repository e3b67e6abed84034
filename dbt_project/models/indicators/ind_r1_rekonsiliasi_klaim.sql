with villages as (
    select
        klaim.build_id,
        klaim.period,
        klaim.provinsi_kode,
        klaim.kabupaten_kode,
        count(*) as denominator,
        count(*) filter (where klaim.klaim = 'sepakat_ya') as sepakat_ya,
        count(*) filter (where klaim.klaim = 'operator_saja') as operator_saja,
        count(*) filter (where klaim.klaim = 'komdigi_saja') as komdigi_saja,
        count(*) filter (where klaim.klaim = 'sepakat_tidak') as sepakat_tidak
    from {{ ref('fct_klaim') }} as klaim
    where klaim.build_id = {{ build_id() }}
    group by klaim.build_id, klaim.period, klaim.provinsi_kode, klaim.kabupaten_kode
)

select
    villages.build_id,
    definition.indicator_id,
    definition.version as indicator_version,
    villages.period,
    villages.provinsi_kode,
    villages.kabupaten_kode,
    null::text as tiga_t,
    null::text as versi_anggaran,
    null::text as kelompok_belanja,
    null::text as operator,
    verdict.klaim,
    verdict.numerator::numeric as numerator,
    villages.denominator::numeric as denominator
from villages
-- each regency has all four, also where one of them is none: a denominator that is summed over the regencies
-- of a place must hold every village of it
cross join
    lateral (
        values
        ('sepakat_ya', villages.sepakat_ya),
        ('operator_saja', villages.operator_saja),
        ('komdigi_saja', villages.komdigi_saja),
        ('sepakat_tidak', villages.sepakat_tidak)
    ) as verdict (klaim, numerator)
inner join {{ ref('stg_pantau__indicator_register') }} as definition
    on
        definition.indicator_id = 'R1'
        and villages.period >= definition.valid_from
        and (definition.valid_to is null or villages.period < definition.valid_to)
