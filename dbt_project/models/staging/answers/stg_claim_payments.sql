{{ config(materialized='ephemeral') }}
with payments as (
    {{ answer_rows('claim_payments') }}
)

select
    payments.*,
    filings.filing_code
from payments
left join {{ from_answers('claim_filings') }} as filings
    on payments.transaction_id = filings.transaction_id and payments.claim_position = filings.claim_position
