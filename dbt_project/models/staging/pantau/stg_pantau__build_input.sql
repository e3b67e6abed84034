select
    build_input.feed,
    build_input.part,
    build_input.period,
    build_input.source_period,
    build_input.how,
    build_input.reading_id
from {{ source('ops', 'build_input') }} as build_input
where build_input.build_id = {{ build_id() }}
