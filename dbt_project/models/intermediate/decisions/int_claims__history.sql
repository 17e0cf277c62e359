-- Every claim that ever left the house, one row per claim, with where it stands. A remittance decides, else the newest 277CA, else a 999 or TA1.
-- `paid`: money stands, or the payer processed it and left it to the patient or an earlier payer. `denied`: processed, nothing paid, and a reason that
-- is no normal posting, or none. `rejected`: turned back unprocessed, so it claims nothing and may go out again as a new claim. `reopened`: the payer took its
-- decision back and none stands.
with left_to_others as (
    select claim_id
    from {{ ref('int_adjustments__judged') }}
    where amount > 0 and posted_as in ('deductible', 'patient', 'other_payer')
    group by claim_id
),

reasons as (
    select
        claim_id,
        list_sort(list(distinct denial_code) filter (where kind <> 'normal')) as denial_codes,
        bool_or(kind = 'unprocessable') as is_unprocessable
    from {{ ref('int_adjustments__judged') }}
    group by claim_id
),

remarks as (
    select
        claim_id,
        list_sort(list_distinct(flatten(list(remark_codes)))) as remark_codes
    from {{ ref('int_line_decisions') }}
    where is_told
    group by claim_id
)

select
    sent.practice_id,
    sent.patient_id,
    sent.month,
    sent.claim_id,
    sent.close_version,
    case
        -- What a reversal left of less than a payer's rounding is no money that stands.
        when answered.paid_amount >= case when answered.standing_paid_amount > 0 then 0.01 else {{ office_limit('underpaid') }} end then 'paid'
        when answered.claim_id is not null and not answered.has_standing_decision then 'reopened'
        when reasons.is_unprocessable then 'rejected'
        when answered.is_denial or len(reasons.denial_codes) > 0 then 'denied'
        when left_to_others.claim_id is not null then 'paid'
        when answered.claim_id is not null then 'denied'
        when accepted.claim_id is not null then accepted.outcome
        when acknowledged.is_rejected then 'rejected'
        else sent.status
    end as status,
    sent.billed_amount,
    coalesce(answered.paid_amount, 0) as paid_amount,
    coalesce(reasons.denial_codes, cast([] as varchar[])) as denial_codes,
    coalesce(remarks.remark_codes, cast([] as varchar[])) as remark_codes,
    case
        when answered.claim_id is not null then cast([] as varchar[])
        when accepted.outcome = 'rejected' then accepted.rejection_codes
        when accepted.claim_id is null and acknowledged.is_rejected then [acknowledged.rejection_code]
        else cast([] as varchar[])
    end as rejection_codes,
    -- The night whose facts it went out on, and the date of its interchange.
    sent.claimed_on,
    coalesce(answered.answered_on, accepted.status_on, acknowledged.interchange_on) as answered_on,
    answered.check_number,
    coalesce(answered.reversals, 0) as reversals
from {{ ref('int_claims__sent') }} as sent
left join {{ ref('int_claims__answered') }} as answered on sent.claim_id = answered.claim_id
left join left_to_others on sent.claim_id = left_to_others.claim_id
left join reasons on sent.claim_id = reasons.claim_id
left join remarks on sent.claim_id = remarks.claim_id
left join {{ ref('int_claims__accepted') }} as accepted on sent.claim_id = accepted.claim_id
left join {{ ref('int_claims__acknowledged') }} as acknowledged on sent.claim_id = acknowledged.claim_id
