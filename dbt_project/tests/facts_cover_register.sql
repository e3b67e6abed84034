-- The villages of a month are those that dim_wilayah holds valid in it: no village lost or doubled by a join.
with counted as (
    {% for fact in ['fct_desa_4g', 'fct_klaim'] %}
        {% if not loop.first %}union all{% endif %}
        select
            '{{ fact }}' as fact,
            village.period,
            count(*) as village_count
        from {{ ref(fact) }} as village
        where village.build_id = {{ build_id() }}
        group by village.period
    {% endfor %}
)

select
    counted.fact,
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
group by counted.fact, counted.period, counted.village_count
having counted.village_count <> count(wilayah.kode)
