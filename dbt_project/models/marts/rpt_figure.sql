{% set indicators = [
    'ind_k1_desa_terjangkau_4g',
    'ind_k2_sisa_desa',
    'ind_k3_bts_on_air',
    'ind_k12_serapan_anggaran',
    'ind_k15_kewajiban_operator',
    'ind_r1_rekonsiliasi_klaim',
] %}

with component as (
    {% for indicator in indicators %}
        {% if not loop.first %}union all{% endif %}
        select
            build_id,
            indicator_id,
            indicator_version,
            period,
            provinsi_kode,
            kabupaten_kode,
            tiga_t,
            versi_anggaran,
            kelompok_belanja,
            operator,
            klaim,
            numerator,
            denominator
        from {{ ref(indicator) }}
        where build_id = {{ build_id() }}
    {% endfor %}
),

-- every place level × every breakdown; the register then says which of them exist
total as (
    select
        build_id,
        indicator_id,
        indicator_version,
        period,
        case grouping(provinsi_kode, kabupaten_kode)
            when 3 then 'nasional'
            when 1 then 'provinsi'
            when 0 then 'kabupaten'
        end as place_level,
        case grouping(tiga_t, versi_anggaran, kelompok_belanja, operator, klaim)
            when 31 then ''
            when 15 then 'tiga_t'
            when 23 then 'versi_anggaran'
            when 19 then 'versi_anggaran:kelompok_belanja'
            when 29 then 'operator'
            when 30 then 'klaim'
        end as breakdown_columns,
        coalesce(kabupaten_kode, provinsi_kode, '00') as place,
        concat_ws(':', tiga_t, versi_anggaran, kelompok_belanja, operator, klaim) as breakdown,
        -- each column that is grouped by has a value: of those that are not, grouping() counts one each
        num_nonnulls(provinsi_kode, kabupaten_kode, tiga_t, versi_anggaran, kelompok_belanja, operator, klaim)
        + bit_count(
            grouping(
                provinsi_kode, kabupaten_kode, tiga_t, versi_anggaran, kelompok_belanja, operator, klaim
            )::bit(7)
        ) = 7 as is_named,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from component
    group by
        build_id,
        indicator_id,
        indicator_version,
        period,
        grouping sets ((), (provinsi_kode), (provinsi_kode, kabupaten_kode)),
        grouping sets (
            (), (tiga_t), (versi_anggaran), (versi_anggaran, kelompok_belanja), (operator), (klaim)
        )
)

select
    total.build_id,
    total.indicator_id,
    total.indicator_version,
    total.period,
    total.place,
    total.breakdown,
    total.numerator,
    total.denominator,
    round(
        case definition.kind
            when 'ratio_pct' then 100 * total.numerator / nullif(total.denominator, 0)
            when 'count' then total.numerator
        end,
        definition.decimals
    ) as value
from total
inner join {{ ref('stg_pantau__indicator_register') }} as definition
    on
        total.indicator_id = definition.indicator_id
        and total.indicator_version = definition.version
inner join {{ ref('stg_pantau__indicator_grain') }} as grain
    on
        total.indicator_id = grain.indicator_id
        and total.indicator_version = grain.version
        and total.place_level = grain.place_level
        and total.breakdown_columns = grain.breakdown
-- a month may lack what breaks an indicator down (sites without a 3T list), of a row only the province may be
-- known: that counts in the whole alone, which has its key already
where total.is_named
