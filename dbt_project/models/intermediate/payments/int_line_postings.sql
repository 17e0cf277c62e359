-- What each of Medicare's postings brings to each line of the claim, in cents; what the payer gave for the claim as a whole, or for a line
-- that nobody can name, is shared by charge, so that lines add up to their claim.
with claims as (
    select *
    from {{ ref('int_claim_postings') }}
    where posting = 'posted' and kind <> 'next_payer'
),

adjustments as (
    select
        postings.transaction_id,
        postings.claim_position,
        services.line_id,
        adjustments.group_code,
        adjustments.reason_code,
        adjustments.adjustment_amount
    from claims as postings
    inner join {{ ref('stg_payment_adjustments') }} as adjustments
        on postings.transaction_id = adjustments.transaction_id and postings.claim_position = adjustments.claim_position
    left join {{ ref('int_service_payments') }} as services
        on
            adjustments.transaction_id = services.transaction_id
            and adjustments.claim_position = services.claim_position
            and adjustments.line_position = services.line_position
),

-- What each line got by name, and what is left for the claim as a whole. `entry` is paid, or an adjustment's codes.
named as (
    select transaction_id, claim_position, line_id, 'paid' as entry, null as group_code, null as reason_code, sum(paid_amount) as amount
    from {{ ref('int_service_payments') }}
    where line_id is not null
    group by transaction_id, claim_position, line_id
    union all
    select transaction_id, claim_position, line_id, 'adjustment' as entry, group_code, reason_code, sum(adjustment_amount) as amount
    from adjustments
    where line_id is not null
    group by transaction_id, claim_position, line_id, group_code, reason_code
),

unnamed as (
    select
        postings.transaction_id,
        postings.claim_position,
        'paid' as entry,
        null as group_code,
        null as reason_code,
        postings.paid_amount - coalesce(sum(services.paid_amount), 0) as amount
    from claims as postings
    left join {{ ref('int_service_payments') }} as services
        on
            postings.transaction_id = services.transaction_id
            and postings.claim_position = services.claim_position
            and services.line_id is not null
    group by postings.transaction_id, postings.claim_position, postings.paid_amount
    union all
    select transaction_id, claim_position, 'adjustment' as entry, group_code, reason_code, sum(adjustment_amount) as amount
    from adjustments
    where line_id is null
    group by transaction_id, claim_position, group_code, reason_code
),

shared as (
    select
        unnamed.transaction_id,
        unnamed.claim_position,
        lines.line_id,
        unnamed.entry,
        unnamed.group_code,
        unnamed.reason_code,
        {{ share_by_charge('unnamed.amount', 'lines.charged_so_far', 'lines.charge_amount', 'lines.claim_charge') }} as amount
    from unnamed
    inner join claims as postings
        on unnamed.transaction_id = postings.transaction_id and unnamed.claim_position = postings.claim_position
    inner join {{ ref('int_claim_lines__sent') }} as lines on postings.claim_id = lines.claim_id
    where unnamed.amount <> 0 or unnamed.entry = 'adjustment'
),

entries as (
    select *, false as is_shared from named
    union all
    select *, true as is_shared from shared
)

select
    postings.practice_id,
    postings.claim_id,
    entries.line_id,
    postings.transaction_id,
    postings.claim_position,
    entries.entry,
    entries.group_code,
    entries.reason_code,
    cast(sum(entries.amount) as decimal(12, 2)) as amount,
    bool_or(entries.is_shared) as is_shared
from entries
inner join claims as postings
    on entries.transaction_id = postings.transaction_id and entries.claim_position = postings.claim_position
group by
    postings.practice_id,
    postings.claim_id,
    entries.line_id,
    postings.transaction_id,
    postings.claim_position,
    entries.entry,
    entries.group_code,
    entries.reason_code
