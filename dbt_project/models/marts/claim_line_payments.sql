-- Paid against expected, line by line: paid over all of Medicare's postings of the line, adjusted by the decision that stands.
with entries as (
    select
        entries.claim_id,
        entries.line_id,
        sum(entries.amount) filter (where entries.entry = 'paid') as paid_amount,
        bool_or(entries.is_shared) as is_shared
    from {{ ref('int_line_postings') }} as entries
    group by entries.claim_id, entries.line_id
),

judged as (
    select
        claim_id,
        line_id,
        sum(amount) filter (where group_code = 'PR') as patient_amount,
        sum(amount) filter (where posted_as = 'deductible') as deductible_amount,
        sum(amount) filter (where posted_as = 'contractual') as contractual_amount,
        sum(amount) filter (where posted_as = 'sequestration') as sequestration_amount,
        -- An incentive or interest, an adjustment below 0. What is the fee schedule's itself or the patient's is no such reason.
        -sum(amount) filter (where posted_as in ('beside_fees', 'other_payer') and amount < 0) as added_amount,
        sum(amount) as adjustment_amount,
        list_sort(list(distinct denial_code)) as adjustment_codes,
        list_sort(list(distinct denial_code) filter (where kind <> 'normal')) as denial_codes,
        sum(amount) filter (where kind <> 'normal') as denied_amount
    from {{ ref('int_adjustments__judged') }}
    group by claim_id, line_id
),

lines as (
    select
        sent.practice_id,
        sent.claim_id,
        sent.line_id,
        sent.patient_id,
        sent.month,
        sent.procedure_code,
        sent.units,
        sent.service_date,
        sent.charge_amount,
        sent.allowed_amount,
        sent.expected_payment,
        answered.claim_id is not null and answered.has_standing_decision as is_answered,
        claims.status = 'rejected' as is_rejected,
        claims.status = 'denied' as is_denied,
        coalesce(entries.paid_amount, 0) as paid_amount,
        coalesce(judged.patient_amount, 0) as patient_amount,
        coalesce(judged.deductible_amount, 0) as deductible_amount,
        coalesce(judged.contractual_amount, 0) as contractual_amount,
        coalesce(judged.sequestration_amount, 0) as sequestration_amount,
        coalesce(judged.added_amount, 0) as added_amount,
        coalesce(judged.adjustment_amount, 0)
        - coalesce(judged.patient_amount, 0) - coalesce(judged.contractual_amount, 0) - coalesce(judged.sequestration_amount, 0) as other_amount,
        coalesce(judged.denied_amount, 0) as denied_amount,
        coalesce(judged.adjustment_codes, cast([] as varchar[])) as adjustment_codes,
        coalesce(judged.denial_codes, cast([] as varchar[])) as denial_codes,
        coalesce(decisions.remark_codes, cast([] as varchar[])) as remark_codes,
        coalesce(entries.is_shared, false) as is_shared
    from {{ ref('int_claim_lines__sent') }} as sent
    inner join {{ ref('int_claims__history') }} as claims on sent.claim_id = claims.claim_id
    left join {{ ref('int_claims__answered') }} as answered on sent.claim_id = answered.claim_id
    left join entries on sent.claim_id = entries.claim_id and sent.line_id = entries.line_id
    left join judged on sent.claim_id = judged.claim_id and sent.line_id = judged.line_id
    left join {{ ref('int_line_decisions') }} as decisions
        on sent.claim_id = decisions.claim_id and sent.line_id = decisions.line_id and decisions.is_told
)

select
    practice_id,
    claim_id,
    line_id,
    patient_id,
    month,
    procedure_code,
    cast(units as integer) as units,
    case
        when is_rejected then 'rejected'
        when not is_answered then 'open'
        -- What a reversal left of less than a payer's rounding pays no line.
        when is_denied or (len(denial_codes) > 0 and paid_amount < {{ office_limit('underpaid') }}) then 'denied'
        else 'paid'
    end as status,
    cast(charge_amount as decimal(12, 2)) as charge_amount,
    cast(allowed_amount as decimal(12, 2)) as allowed_amount,
    cast(expected_payment as decimal(12, 2)) as expected_payment,
    cast(paid_amount as decimal(12, 2)) as paid_amount,
    cast(patient_amount as decimal(12, 2)) as patient_amount,
    cast(deductible_amount as decimal(12, 2)) as deductible_amount,
    cast(contractual_amount as decimal(12, 2)) as contractual_amount,
    cast(sequestration_amount as decimal(12, 2)) as sequestration_amount,
    cast(other_amount as decimal(12, 2)) as other_amount,
    cast(added_amount as decimal(12, 2)) as added_amount,
    cast(denied_amount as decimal(12, 2)) as denied_amount,
    cast(
        case
            when is_answered and not is_rejected
                then
                    paid_amount - added_amount
                    -- Of a fee below the fee schedule's amount no more than of the fee (42 CFR 414.21).
                    - {{ medicare_pays('greatest(least(allowed_amount, charge_amount) - deductible_amount, 0)', 'service_date') }}
        end as decimal(12, 2)
    ) as difference_amount,
    adjustment_codes,
    denial_codes,
    remark_codes,
    is_shared
from lines
