-- Why a claim or a line of it was not paid or not taken in, with the likely cause and the fix: of what stands, not of what was reversed.
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
),

-- What to do is said in the newest words for a category, whatever was said when it was answered.
categories as (
    select
        category_code,
        likely_cause,
        fix
    from {{ ref('rule_claim_status_categories') }}
    where status_code is null
    qualify row_number() over (partition by category_code order by effective_from desc) = 1
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
    coalesce(categories.likely_cause, denied.likely_cause) as likely_cause,
    coalesce(categories.fix, denied.fix) as fix,
    denied.is_appealable,
    cast(denied.amount as decimal(12, 2)) as amount
from denied
left join categories on denied.is_rejection and split_part(denied.denial_code, ':', 1) = categories.category_code
