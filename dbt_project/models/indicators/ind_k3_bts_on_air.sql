with sites as (
    select
        bts.build_id,
        bts.period,
        bts.provinsi_kode,
        bts.tiga_t,
        count(*) filter (where bts.is_on_air) as numerator,
        count(*) as denominator
    from {{ ref('fct_bts') }} as bts
    where bts.build_id = {{ build_id() }}
    group by bts.build_id, bts.period, bts.provinsi_kode, bts.tiga_t
)

select
    sites.build_id,
    definition.indicator_id,
    definition.version as indicator_version,
    sites.period,
    sites.provinsi_kode,
    null::text as kabupaten_kode,
    sites.tiga_t,
    null::text as versi_anggaran,
    null::text as kelompok_belanja,
    null::text as operator,
    null::text as klaim,
    sites.numerator::numeric as numerator,
    sites.denominator::numeric as denominator
from sites
inner join {{ ref('stg_pantau__indicator_register') }} as definition
    on
        definition.indicator_id = 'K3'
        and sites.period >= definition.valid_from
        and (definition.valid_to is null or sites.period < definition.valid_to)
