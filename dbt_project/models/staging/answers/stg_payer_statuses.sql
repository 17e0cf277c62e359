{{ config(materialized='ephemeral') }}
{{ answer_rows('claim_statuses') }}
