{# The key of a table that every build writes to, unique within a build; nulls count as equal. The where
   config (dbt_project.yml) keeps it to the build at hand. #}
{% test unique_in_build(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
