{{ config(materialized='ephemeral') }}
{{ answer_rows('provider_adjustments') }}
