{{ config(materialized='ephemeral') }}
{{ answer_rows('service_payments') }}
