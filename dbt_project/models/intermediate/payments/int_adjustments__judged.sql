-- The adjustments of what stands, line by line, by the first rule for their reason: what remark codes of the line and its claim say first.
-- A line that the first decision of its claim does not name is told by the next one that does: the payer may have split the claim.
with named as (
    select
        standing.claim_id,
        entries.line_id,
        min(standing.place) as place
    from {{ ref('int_claims__standing') }} as standing
    inner join {{ ref('int_line_postings') }} as entries
        on
            standing.claim_id = entries.claim_id
            and standing.transaction_id = entries.transaction_id
            and standing.claim_position = entries.claim_position
    where not entries.is_shared
    group by standing.claim_id, entries.line_id
),

adjustments as (
    select
        entries.practice_id,
        entries.claim_id,
        entries.line_id,
        entries.transaction_id,
        entries.claim_position,
        entries.group_code,
        entries.reason_code,
        entries.amount,
        standing.payment_on as paid_on,
        standing.paid_amount as standing_paid_amount
    from {{ ref('int_claims__standing') }} as standing
    inner join {{ ref('int_line_postings') }} as entries
        on
            standing.claim_id = entries.claim_id
            and standing.transaction_id = entries.transaction_id
            and standing.claim_position = entries.claim_position
    left join named on entries.claim_id = named.claim_id and entries.line_id = named.line_id
    where entries.entry = 'adjustment' and standing.place = coalesce(named.place, 1)
),

remarks as (
    select
        transaction_id,
        claim_position,
        list_sort(list(distinct remark_code)) as remark_codes
    from {{ ref('stg_payment_remarks') }}
    group by transaction_id, claim_position
)

select
    adjustments.practice_id,
    adjustments.claim_id,
    adjustments.line_id,
    adjustments.group_code,
    adjustments.reason_code,
    adjustments.amount,
    adjustments.group_code || '-' || adjustments.reason_code as denial_code,
    coalesce(remarks.remark_codes, cast([] as varchar[])) as remark_codes,
    -- What takes nothing away denies nothing; what was paid something was processed; a reason that no rule knows is a denial.
    case
        when adjustments.amount <= 0 then 'normal'
        when rules.kind = 'unprocessable' and adjustments.standing_paid_amount > 0 then 'denial'
        else coalesce(rules.kind, 'denial')
    end as kind,
    coalesce(rules.likely_cause, 'a reason that rule_denials does not know yet') as likely_cause,
    coalesce(rules.fix, 'look the code up in the X12 external code list 139, ask the payer, and add a row') as fix
from adjustments
left join remarks on adjustments.transaction_id = remarks.transaction_id and adjustments.claim_position = remarks.claim_position
left join {{ ref('rule_denials') }} as rules
    on
        adjustments.reason_code = rules.reason_code
        and (rules.group_code is null or adjustments.group_code = rules.group_code)
        and (rules.remark_code is null or list_contains(remarks.remark_codes, rules.remark_code))
        and {{ in_force('rules', 'adjustments.paid_on') }}
qualify
    row_number() over (
        partition by adjustments.claim_id, adjustments.line_id, adjustments.group_code, adjustments.reason_code
        order by rules.precedence nulls last, rules.group_code nulls last, rules.remark_code
    ) = 1
