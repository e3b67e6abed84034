{# Runs in the model's transaction: a build run again replaces its own rows, and readers never see a half. #}
{% macro delete_own_rows() %}
    {% if is_incremental() %}
        delete from {{ this }} where build_id = {{ build_id() }}
    {% endif %}
{% endmacro %}
