with staged as (
    {{ stage('kemendagri__wilayah') }}
)

select
    staged.*,
    case length(staged.kode)
        when 2 then 'provinsi'
        when 5 then 'kabupaten'
        when 8 then 'kecamatan'
        when 13 then 'desa'
    end as level,
    case substr(staged.kode, 10, 1)
        when '1' then 'kelurahan'
        when '2' then 'desa'
        when '3' then 'desa_adat'
    end as jenis,
    case length(staged.kode)
        when 5 then left(staged.kode, 2)
        when 8 then left(staged.kode, 5)
        when 13 then left(staged.kode, 8)
    end as parent,
    left(staged.kode, 2) as provinsi_kode,
    case when length(staged.kode) >= 5 then left(staged.kode, 5) end as kabupaten_kode
from staged
