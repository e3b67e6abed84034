{# The only reader of raw: the rows of a feed that the manifest of the build names, one copy for each period
   that their reading stands for. The array lets PostgreSQL visit only those readings by the index; a plain
   join scans every reading ever loaded. #}
{% macro stage(feed) %}
select
    manifest.period,
    manifest.source_period,
    manifest.part,
    delivered.*
from {{ source('raw', feed) }} as delivered
inner join {{ source('ops', 'build_input') }} as manifest
    on delivered.reading_id = manifest.reading_id
where
    manifest.build_id = {{ build_id() }}
    and manifest.feed = '{{ feed }}'
    and delivered.reading_id = any(array(
        select build_input.reading_id
        from {{ source('ops', 'build_input') }} as build_input
        where
            build_input.build_id = {{ build_id() }}
            and build_input.feed = '{{ feed }}'
    ))
{% endmacro %}
