{# The build of this session. A setting and not a dbt variable: another build changes no SQL text, so nothing
   is parsed again and two builds cannot collide. Unit tests run as build 0 (PGOPTIONS='-c pantau.build=0'). #}
{% macro build_id() -%}
    current_setting('pantau.build')::bigint
{%- endmacro %}
