-- The villages of a month are those that dim_wilayah holds valid in it: no village lost or doubled by a join.
with counted as (
    select
        desa.period,
        count(*) as village_count
    from {{ ref('fct_desa_4g') }} as desa
    where desa.build_id = {{ build_id() }}
    group by desa.period
)

select
    counted.period,
    counted.village_count,
    count(wilayah.kode) as register_count
from counted
left join {{ ref('dim_wilayah') }} as wilayah
    on
        wilayah.build_id = {{ build_id() }}
        and wilayah.level = 'desa'
        and counted.period >= wilayah.valid_from
        and (wilayah.valid_to is null or counted.period < wilayah.valid_to)
group by counted.period, counted.village_count
having counted.village_count <> count(wilayah.kode)
