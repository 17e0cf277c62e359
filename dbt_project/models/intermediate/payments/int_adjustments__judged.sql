-- The adjustments of what stands, line by line, by the first rule for their reason: what remark codes of the line and its claim say first
-- (int_line_decisions).
with adjustments as (
    select
        entries.practice_id,
        entries.claim_id,
        entries.line_id,
        entries.transaction_id,
        entries.claim_position,
        entries.group_code,
        entries.reason_code,
        entries.amount,
        decisions.paid_on,
        decisions.standing_paid_amount,
        decisions.is_told,
        decisions.remark_codes
    from {{ ref('int_line_decisions') }} as decisions
    inner join {{ ref('int_line_postings') }} as entries
        on
            decisions.transaction_id = entries.transaction_id
            and decisions.claim_position = entries.claim_position
            and decisions.line_id = entries.line_id
    where entries.entry = 'adjustment'
),

explained as (
    select
        adjustments.*,
        case when adjustments.amount <= 0 then 'normal' else coalesce(rules.kind, 'denial') end as kind,
        rules.posted_as,
        rules.precedence,
        rules.group_code as rules_group_code,
        rules.remark_code as rules_remark_code,
        rules.likely_cause,
        rules.fix,
        rules.is_appealable,
        row_number() over (
            partition by
                adjustments.claim_id, adjustments.line_id, adjustments.group_code, adjustments.reason_code, adjustments.transaction_id,
                adjustments.claim_position
            order by rules.precedence nulls last, rules.group_code nulls last, rules.remark_code
        ) = 1 as is_first
    from adjustments
    left join {{ ref('rule_denials') }} as rules
        on
            adjustments.reason_code = rules.reason_code
            and (rules.group_code is null or adjustments.group_code = rules.group_code)
            and (rules.remark_code is null or list_contains(adjustments.remark_codes, rules.remark_code))
            and {{ in_force('rules', 'adjustments.paid_on') }}
),

-- A claim of which anything was processed (paid, left to the patient, denied for a reason of its own) was not turned back unprocessed: it does not go
-- out again, whatever is said of its other lines, or of all of them in a later answer. (That a claim is a duplicate of one that was turned back says
-- nothing of it.)
processed as (
    select claim_id
    from explained
    where is_first
    group by claim_id
    having bool_or(standing_paid_amount > 0 or kind = 'denial' or (kind = 'duplicate' and is_told) or (posted_as in ('deductible', 'patient') and amount > 0))
)

select
    explained.practice_id,
    explained.claim_id,
    explained.line_id,
    explained.group_code,
    explained.reason_code,
    explained.amount,
    explained.group_code || '-' || explained.reason_code as denial_code,
    explained.remark_codes,
    -- What takes nothing away denies nothing; a reason that no rule knows is a denial.
    case when explained.kind = 'unprocessable' and processed.claim_id is not null then 'denial' else explained.kind end as kind,
    explained.posted_as,
    coalesce(explained.likely_cause, 'a reason that rule_denials does not know yet') as likely_cause,
    coalesce(explained.fix, 'look the code up in the X12 external code list 139, ask the payer, and add a row') as fix,
    coalesce(explained.is_appealable, true) as is_appealable
from explained
left join processed on explained.claim_id = processed.claim_id
where explained.is_told
qualify
    row_number() over (
        partition by explained.claim_id, explained.line_id, explained.group_code, explained.reason_code
        order by
            explained.kind = 'unprocessable' and processed.claim_id is not null,
            explained.precedence nulls last, explained.rules_group_code nulls last, explained.rules_remark_code
    ) = 1
