-- depends_on: {{ ref('indicator_register') }}
{{ register('indicator_register') }}
