{# The key of a table that every build writes to: unique among the rows of one build (nulls count as equal). #}
{% test unique_in_build(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
