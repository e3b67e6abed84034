with account as (
    select
        anggaran.*,
        case
            when right(anggaran.period, 2) <> '01'
                then to_char(to_date(anggaran.period, 'YYYY-MM') - interval '1 month', 'YYYY-MM')
        end as period_before
    from {{ ref('stg_kemenkeu__anggaran_tik') }} as anggaran
),

increment as (
    select
        account.*,
        case
            when account.period_before is null then account.realisasi_kumulatif_idr
            else account.realisasi_kumulatif_idr - before.realisasi_kumulatif_idr
        end as realisasi_bulan_idr
    from account
    inner join {{ ref('stg_pantau__build_period') }} as build_period on account.period = build_period.period
    left join account as before
        on
            account.period_before = before.period
            and account.kelompok_belanja = before.kelompok_belanja
            and account.kode_akun = before.kode_akun
            and account.versi_anggaran = before.versi_anggaran
)

select
    {{ build_id() }} as build_id,
    increment.period,
    increment.kelompok_belanja,
    increment.kode_akun,
    increment.uraian,
    increment.versi_anggaran,
    increment.pagu_idr,
    increment.realisasi_kumulatif_idr,
    increment.realisasi_bulan_idr,
    coalesce(increment.realisasi_bulan_idr < 0, false) as is_koreksi,
    increment.alasan_koreksi,
    increment.reading_id,
    increment.source_row
from increment
