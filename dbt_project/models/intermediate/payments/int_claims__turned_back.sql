-- Claims that were turned back unprocessed at some time, whatever stands of them now: each of these could go out again as a new claim.
with answers as (
    select claim_id, turned_back_on
    from {{ ref('int_claims__acknowledged') }}
    where was_rejected
    union all
    select claim_id, turned_back_on
    from {{ ref('int_claims__accepted') }}
    where was_rejected
    union all
    select postings.claim_id, postings.payment_on
    from {{ ref('int_claim_postings') }} as postings
    inner join {{ ref('stg_payment_adjustments') }} as adjustments
        on postings.transaction_id = adjustments.transaction_id and postings.claim_position = adjustments.claim_position
    inner join {{ ref('stg_payment_remarks') }} as remarks
        on postings.transaction_id = remarks.transaction_id and postings.claim_position = remarks.claim_position
    inner join {{ ref('rule_denials') }} as rules
        on
            adjustments.reason_code = rules.reason_code
            and remarks.remark_code = rules.remark_code
            and rules.kind = 'unprocessable'
            and {{ in_force('rules', 'postings.payment_on') }}
    where postings.posting = 'posted' and postings.kind = 'decision'
)

select
    claim_id,
    max(turned_back_on) as turned_back_on
from answers
group by claim_id
