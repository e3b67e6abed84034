{# The build of this session. A setting and not a dbt variable: another build changes no SQL text, so nothing
   is parsed again and two builds cannot collide. #}
{% macro build_id() -%}
    current_setting('pantau.build')::bigint
{%- endmacro %}
