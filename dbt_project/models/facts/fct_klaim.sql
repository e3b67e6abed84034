with compared_period as (
    -- with one side alone there is nothing to compare: absent is not "claims nothing"
    select build_period.period
    from {{ ref('stg_pantau__build_period') }} as build_period
    where
        (
            select count(distinct build_input.feed)
            from {{ ref('stg_pantau__build_input') }} as build_input
            where
                build_input.period = build_period.period
                and build_input.feed in ('komdigi__desa_4g', 'operator__cakupan')
        ) = 2
),

claim as (
    select
        cakupan.period,
        cakupan.wilayah_kode,
        array_agg(cakupan.part order by cakupan.part) as operators,
        array_agg(cakupan.reading_id order by cakupan.part) as operator_reading_ids,
        array_agg(cakupan.source_row order by cakupan.part) as operator_source_rows
    from {{ ref('stg_operator__cakupan') }} as cakupan
    where cakupan.terlayani_pct > 0
    group by cakupan.period, cakupan.wilayah_kode
),

village as (
    select
        wilayah.period,
        wilayah.kode,
        wilayah.provinsi_kode,
        wilayah.kabupaten_kode,
        claim.wilayah_kode is not null as operator_ya,
        coalesce(status.terjangkau_4g, false) as komdigi_ya,
        claim.operators,
        claim.operator_reading_ids,
        claim.operator_source_rows,
        status.reading_id,
        status.source_row
    from {{ ref('stg_kemendagri__wilayah') }} as wilayah
    inner join compared_period on wilayah.period = compared_period.period
    left join claim
        on wilayah.period = claim.period and wilayah.kode = claim.wilayah_kode
    left join {{ ref('stg_komdigi__desa_4g') }} as status
        on wilayah.period = status.period and wilayah.kode = status.wilayah_kode
    where wilayah.level = 'desa'
)

select
    {{ build_id() }} as build_id,
    village.period,
    village.kode,
    village.provinsi_kode,
    village.kabupaten_kode,
    village.operator_ya,
    village.komdigi_ya,
    case
        when village.operator_ya and village.komdigi_ya then 'sepakat_ya'
        when village.operator_ya then 'operator_saja'
        when village.komdigi_ya then 'komdigi_saja'
        else 'sepakat_tidak'
    end as klaim,
    village.operators,
    village.operator_reading_ids,
    village.operator_source_rows,
    village.reading_id,
    village.source_row
from village
