{{ config(materialized='ephemeral') }}
{{ answer_rows('remittances') }}
