{{ config(materialized='ephemeral') }}
{{ answer_rows('adjustments') }}
