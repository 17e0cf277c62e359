{{ config(materialized='ephemeral') }}
select rows.*
from ({{ answer_rows('acknowledgments') }}) as rows
where rows.functional_id = 'HC'
