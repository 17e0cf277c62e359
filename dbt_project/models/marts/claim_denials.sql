-- Why a claim or a line of it was not paid or not taken in, or what the payer says of it that decides nothing, with the likely cause and the fix: of what
-- stands, not of what was reversed.
with current_claims as (
    select * from {{ ref('int_claims__current') }}
),

denied as (
    select
        claims.practice_id,
        claims.patient_id,
        claims.month,
        claims.claim_id,
        judged.line_id,
        judged.denial_code,
        judged.remark_codes,
        judged.kind = 'unprocessable' as is_rejection,
        judged.likely_cause,
        judged.fix,
        judged.is_appealable,
        judged.amount
    from current_claims as claims
    inner join {{ ref('int_adjustments__judged') }} as judged on claims.claim_id = judged.claim_id
    where judged.kind <> 'normal'
    union all
    -- Turned back before it was processed: every line of it.
    select
        claims.practice_id,
        claims.patient_id,
        claims.month,
        claims.claim_id,
        lines.line_id,
        unnest(claims.rejection_codes) as denial_code,
        cast([] as varchar[]) as remark_codes,
        true as is_rejection,
        'the receiver turned back the file that it is in, or the part of it (ST)' as likely_cause,
        'mend what the 999 names; the next close sends its claims as new ones unless something else stands against them' as fix,
        false as is_appealable,
        lines.charge_amount as amount
    from current_claims as claims
    inner join {{ ref('int_claim_lines__sent') }} as lines on claims.claim_id = lines.claim_id
    where claims.status = 'rejected'
    union all
    select
        claims.practice_id,
        claims.patient_id,
        claims.month,
        claims.claim_id,
        lines.line_id,
        unnest(unclear.open_codes) as denial_code,
        cast([] as varchar[]) as remark_codes,
        false as is_rejection,
        'a status that rule_claim_status_categories does not know yet' as likely_cause,
        'look the code up in the X12 external code lists 507 and 508, ask the payer, and add a row' as fix,
        false as is_appealable,
        0 as amount
    from current_claims as claims
    inner join {{ ref('int_claims__unclear') }} as unclear on claims.claim_id = unclear.claim_id
    inner join {{ ref('int_claim_lines__sent') }} as lines on claims.claim_id = lines.claim_id
    where claims.status in ('submitted', 'accepted')
),

-- What to do is said in the newest words for a status or its category, whatever was said when it was answered.
words as (
    select
        category_code || coalesce(':' || status_code, '') as code,
        likely_cause,
        fix
    from {{ ref('rule_claim_status_categories') }}
    qualify row_number() over (partition by category_code, status_code order by effective_from desc) = 1
)

select
    denied.practice_id,
    denied.claim_id,
    denied.line_id,
    denied.denial_code,
    denied.patient_id,
    denied.month,
    denied.remark_codes,
    denied.is_rejection,
    coalesce(statuses.likely_cause, categories.likely_cause, denied.likely_cause) as likely_cause,
    coalesce(statuses.fix, categories.fix, denied.fix) as fix,
    denied.is_appealable,
    cast(denied.amount as decimal(12, 2)) as amount
from denied
left join words as statuses on denied.denial_code = statuses.code
left join words as categories on split_part(denied.denial_code, ':', 1) = categories.code
