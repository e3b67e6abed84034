{# A register as it stood for the build: the version that the build recorded, not the seed of today. The
   seed's table lends only its column types. #}
{% macro register(name) %}
select entry.*
from {{ source('ops', 'register_version') }} as version
cross join lateral jsonb_populate_recordset(null::seeds.{{ name }}, version.rows) as entry
where
    version.name = '{{ name }}'
    and version.id = any((
        select build.register_version_ids
        from {{ source('ops', 'build') }} as build
        where build.id = {{ build_id() }}
    )::integer[])
{% endmacro %}
