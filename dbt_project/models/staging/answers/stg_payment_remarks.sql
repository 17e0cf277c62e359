{{ config(materialized='ephemeral') }}
{{ answer_rows('remarks') }}
