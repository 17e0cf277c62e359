-- What each decision that stands says to each line of its claim. `is_told`: the decision that the line is told by; those behind it only say whether
-- anything of the claim was ever processed. `stands`: what it says of the line does, by name or, where no decision names the line, as of the claim. A line
-- that the first decision of its claim does not name is told by the next one that does: the payer may have split the claim. So is a line of which what it
-- paid was taken back alone, but for a payer's rounding, where another decision names it.
with paid as (
    select
        claim_id,
        line_id,
        sum(amount) as amount
    from {{ ref('int_line_postings') }}
    where entry = 'paid'
    group by claim_id, line_id
),

named as (
    select
        standing.claim_id,
        entries.line_id,
        standing.place,
        coalesce(entries.paid_amount <= 0 or paid.amount >= least(entries.paid_amount, {{ office_limit('underpaid') }}), false) as stands
    from {{ ref('int_claims__standing') }} as standing
    inner join (
        select
            claim_id,
            line_id,
            transaction_id,
            claim_position,
            sum(case when entry = 'paid' then amount else 0 end) as paid_amount
        from {{ ref('int_line_postings') }}
        where not is_shared
        group by claim_id, line_id, transaction_id, claim_position
    ) as entries
        on
            standing.claim_id = entries.claim_id
            and standing.transaction_id = entries.transaction_id
            and standing.claim_position = entries.claim_position
    left join paid on entries.claim_id = paid.claim_id and entries.line_id = paid.line_id
),

told as (
    select
        claim_id,
        line_id,
        coalesce(min(case when stands then place end), min(place)) as place
    from named
    group by claim_id, line_id
),

lines as (
    select
        sent.practice_id,
        sent.claim_id,
        sent.line_id,
        standing.transaction_id,
        standing.claim_position,
        standing.payment_on as paid_on,
        standing.paid_amount as standing_paid_amount,
        standing.place = coalesce(told.place, 1) as is_told,
        coalesce(named.stands, told.claim_id is null) as stands
    from {{ ref('int_claims__standing') }} as standing
    inner join {{ ref('int_claim_lines__sent') }} as sent on standing.claim_id = sent.claim_id
    left join told on sent.claim_id = told.claim_id and sent.line_id = told.line_id
    left join named on sent.claim_id = named.claim_id and sent.line_id = named.line_id and standing.place = named.place
),

-- What is said of a line, and what is said of its claim or of a line that nobody can name. That nothing was processed (MA130) is said of the claim,
-- on whichever of its lines it stands.
remarks as (
    select
        lines.transaction_id,
        lines.claim_position,
        lines.line_id,
        list_sort(list(distinct remarks.remark_code)) as remark_codes
    from lines
    inner join {{ ref('stg_payment_remarks') }} as remarks
        on lines.transaction_id = remarks.transaction_id and lines.claim_position = remarks.claim_position
    left join {{ ref('int_service_payments') }} as services
        on
            remarks.transaction_id = services.transaction_id
            and remarks.claim_position = services.claim_position
            and remarks.line_position = services.line_position
    left join {{ ref('rule_denials') }} as rules
        on
            remarks.remark_code = rules.remark_code
            and rules.kind = 'unprocessable'
            and {{ in_force('rules', 'lines.paid_on') }}
    where coalesce(services.line_id, lines.line_id) = lines.line_id or rules.remark_code is not null
    group by lines.transaction_id, lines.claim_position, lines.line_id
)

select
    lines.*,
    coalesce(remarks.remark_codes, cast([] as varchar[])) as remark_codes
from lines
left join remarks
    on
        lines.transaction_id = remarks.transaction_id
        and lines.claim_position = remarks.claim_position
        and lines.line_id = remarks.line_id
