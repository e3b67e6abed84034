with listed_period as (
    -- without a 3T list nothing says where a site stands: absent is not "outside 3T"
    select distinct build_input.period
    from {{ ref('stg_pantau__build_input') }} as build_input
    where build_input.feed = 'komdigi__desa_3t'
)

select
    {{ build_id() }} as build_id,
    site.period,
    site.site_id,
    site.wilayah_kode as kode,
    left(site.wilayah_kode, 2) as provinsi_kode,
    left(site.wilayah_kode, 5) as kabupaten_kode,
    case
        when listed_period.period is null then null
        when tiga_t.wilayah_kode is null then 'non-3T'
        else '3T'
    end as tiga_t,
    site.teknologi,
    site.status,
    -- a handed-over site (BAST) is on air too
    site.status in ('on_air', 'bast') as is_on_air,
    site.planned_on,
    site.on_air_on,
    site.bast_on,
    site.bast_nomor,
    site.paket,
    site.reading_id,
    site.source_row
from {{ ref('stg_bakti__bts') }} as site
inner join {{ ref('stg_pantau__build_period') }} as build_period on site.period = build_period.period
left join listed_period on site.period = listed_period.period
left join {{ ref('stg_komdigi__desa_3t') }} as tiga_t
    on site.period = tiga_t.period and site.wilayah_kode = tiga_t.wilayah_kode
