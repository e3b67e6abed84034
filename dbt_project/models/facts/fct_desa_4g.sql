with measured_period as (
    -- a list that the manifest lacks leaves the period out: absent is not "0 % covered"
    select build_period.period
    from {{ ref('stg_pantau__build_period') }} as build_period
    where
        (
            select count(distinct build_input.feed)
            from {{ ref('stg_pantau__build_input') }} as build_input
            where
                build_input.period = build_period.period
                and build_input.feed in ('komdigi__desa_4g', 'komdigi__desa_3t')
        ) = 2
)

select
    {{ build_id() }} as build_id,
    village.period,
    village.kode,
    village.provinsi_kode,
    village.kabupaten_kode,
    case when tiga_t.wilayah_kode is null then 'non-3T' else '3T' end as tiga_t,
    coalesce(status.terjangkau_4g, false) as terjangkau_4g,
    status.reading_id is not null as has_row,
    status.reading_id,
    status.source_row
from {{ ref('stg_kemendagri__wilayah') }} as village
inner join measured_period on village.period = measured_period.period
left join {{ ref('stg_komdigi__desa_4g') }} as status
    on village.period = status.period and village.kode = status.wilayah_kode
left join {{ ref('stg_komdigi__desa_3t') }} as tiga_t
    on village.period = tiga_t.period and village.kode = tiga_t.wilayah_kode
where village.level = 'desa'
