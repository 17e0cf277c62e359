-- Every claim that ever left the house, and how: what acknowledgments name.
select
    practice_id,
    patient_id,
    month,
    claim_id,
    close_version,
    status,
    upper(submitter_id) as submitter_id,
    control_number,
    transaction_number,
    usage_indicator,
    claimed_on,
    sum(charge_amount) as billed_amount
from {{ ref('int_claim_lines__sent') }}
group by all
