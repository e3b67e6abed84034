with vintage as (
    select
        build_input.source_period,
        row_number() over (order by build_input.source_period) as vintage_no,
        lead(build_input.source_period) over (order by build_input.source_period) as next_period
    from {{ ref('stg_pantau__build_input') }} as build_input
    where
        build_input.feed = 'kemendagri__wilayah'
        -- each vintage stands once for its own period, whatever else it stands for
        and build_input.period = build_input.source_period
),

region as (
    select
        wilayah.kode,
        wilayah.nama,
        wilayah.level,
        wilayah.jenis,
        wilayah.parent,
        wilayah.provinsi_kode,
        wilayah.kabupaten_kode,
        wilayah.source_period,
        vintage.next_period,
        -- constant while a code keeps its name from one vintage to the next
        vintage.vintage_no
        - row_number() over (partition by wilayah.kode, wilayah.nama order by vintage.vintage_no) as run_no
    from {{ ref('stg_kemendagri__wilayah') }} as wilayah
    inner join vintage on wilayah.source_period = vintage.source_period
    where wilayah.period = wilayah.source_period
)

select
    {{ build_id() }} as build_id,
    region.kode,
    region.nama,
    region.level,
    region.jenis,
    region.parent,
    region.provinsi_kode,
    region.kabupaten_kode,
    min(region.source_period) as valid_from,
    case when bool_and(region.next_period is not null) then max(region.next_period) end as valid_to
from region
group by
    region.kode,
    region.nama,
    region.level,
    region.jenis,
    region.parent,
    region.provinsi_kode,
    region.kabupaten_kode,
    region.run_no
