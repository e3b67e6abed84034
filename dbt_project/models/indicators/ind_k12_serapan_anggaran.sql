with spending as (
    select
        anggaran.build_id,
        anggaran.period,
        anggaran.versi_anggaran,
        anggaran.kelompok_belanja,
        sum(anggaran.realisasi_kumulatif_idr) as numerator,
        sum(anggaran.pagu_idr) as denominator
    from {{ ref('fct_anggaran_tik') }} as anggaran
    where anggaran.build_id = {{ build_id() }}
    group by anggaran.build_id, anggaran.period, anggaran.versi_anggaran, anggaran.kelompok_belanja
)

select
    spending.build_id,
    definition.indicator_id,
    definition.version as indicator_version,
    spending.period,
    null::text as provinsi_kode,
    null::text as kabupaten_kode,
    null::text as tiga_t,
    spending.versi_anggaran,
    spending.kelompok_belanja,
    null::text as operator,
    null::text as klaim,
    spending.numerator,
    spending.denominator
from spending
inner join {{ ref('stg_pantau__indicator_register') }} as definition
    on
        definition.indicator_id = 'K12'
        and spending.period >= definition.valid_from
        and (definition.valid_to is null or spending.period < definition.valid_to)
