select
    {{ build_id() }} as build_id,
    obligation.period,
    obligation.wilayah_kode as kode,
    left(obligation.wilayah_kode, 2) as provinsi_kode,
    left(obligation.wilayah_kode, 5) as kabupaten_kode,
    obligation.operator,
    obligation.due_on,
    obligation.built_on,
    obligation.bukti,
    obligation.due_on <= build_period.last_day as is_due,
    -- a day without its document, or one still to come, is a statement and no proof
    obligation.bukti is not null
    and coalesce(obligation.built_on <= build_period.last_day, false) as is_built,
    obligation.reading_id,
    obligation.source_row
from {{ ref('stg_komdigi__kewajiban') }} as obligation
inner join {{ ref('stg_pantau__build_period') }} as build_period on obligation.period = build_period.period
