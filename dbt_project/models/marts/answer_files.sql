-- Every file of inbox/ and what became of it: taken in, repeated or unreadable; how many of its transactions were posted, and its claims' money.
with transactions as (
    select
        transactions.file_id,
        transactions.transaction_id,
        transactions.kind,
        transactions.reason,
        transactions.faults,
        case
            when transactions.outcome <> 'read' then transactions.outcome
            when not transactions.is_first then 'repeated'
            else coalesce(judged.outcome, 'posted')
        end as outcome
    from {{ ref('stg_answer_transactions') }} as transactions
    left join {{ ref('int_remittances__judged') }} as judged on transactions.transaction_id = judged.transaction_id
),

counted as (
    select
        file_id,
        list_sort(list(distinct kind)) as kinds,
        count(*) as transactions,
        count(*) filter (where outcome = 'posted') as transactions_posted,
        count(*) filter (where outcome = 'repeated') as transactions_repeated,
        count(*) filter (where outcome in ('waiting', 'conflicting')) as transactions_held,
        count(*) filter (where outcome = 'quarantined') as transactions_quarantined,
        count(*) filter (where outcome = 'other') as transactions_other,
        sum(len(faults)) as transaction_faults,
        min(reason) filter (where outcome in ('quarantined', 'other')) as first_reason,
        min(faults[1]) as first_fault
    from transactions
    group by file_id
),

claims as (
    select
        transactions.file_id,
        sum(postings.paid_amount) as claims_amount,
        sum(postings.paid_amount) filter (where postings.posting = 'posted') as posted_amount,
        sum(postings.paid_amount) filter (where postings.posting = 'unmatched') as unmatched_amount,
        sum(postings.paid_amount) filter (where postings.posting = 'repeated') as repeated_amount,
        sum(postings.paid_amount) filter (where postings.posting = 'held') as held_amount,
        count(*) filter (where postings.posting = 'unmatched') as claims_unmatched
    from {{ ref('int_claim_postings') }} as postings
    inner join transactions on postings.transaction_id = transactions.transaction_id
    group by transactions.file_id
),

-- The practice whose claims a file answers, where it is one.
practices as (
    select
        transactions.file_id,
        case when count(distinct matched.practice_id) = 1 then min(matched.practice_id) end as practice_id
    from {{ ref('int_answers__matched') }} as matched
    inner join transactions on matched.transaction_id = transactions.transaction_id
    group by transactions.file_id
)

select
    practices.practice_id,
    cast(files.file_id as bigint) as file_id,
    files.sha256,
    case
        when files.outcome <> 'read' then files.outcome
        when counted.transactions_quarantined = counted.transactions then 'quarantined'
        when counted.transactions_other = counted.transactions then 'other'
        when counted.transactions_repeated + counted.transactions_other = counted.transactions then 'repeated'
        when counted.transactions_posted = 0 then 'held'
        when practices.file_id is null then 'unmatched'
        else 'posted'
    end as outcome,
    coalesce(
        files.reason,
        counted.first_reason,
        case
            when counted.transactions_posted > 0 and practices.file_id is null
                then
                    'it is of no claim and of no claim file here: of a 999, TA1 or 277CA the submitter, the number, the date, the guide, and whether it is a test '
                    || 'must fit'
        end
    ) as reason,
    coalesce(counted.kinds, cast([] as varchar[])) as kinds,
    cast(coalesce(counted.transactions, 0) as bigint) as transactions,
    cast(coalesce(counted.transactions_posted, 0) as bigint) as transactions_posted,
    cast(coalesce(counted.transactions_repeated, 0) as bigint) as transactions_repeated,
    cast(coalesce(counted.transactions_held, 0) as bigint) as transactions_held,
    cast(coalesce(counted.transactions_quarantined, 0) as bigint) as transactions_quarantined,
    cast(coalesce(counted.transactions_other, 0) as bigint) as transactions_other,
    cast(coalesce(len(files.faults), 0) + coalesce(counted.transaction_faults, 0) as bigint) as faults,
    coalesce(files.faults[1], counted.first_fault) as first_fault,
    cast(coalesce(len(files.faults), 0) as bigint) as envelope_faults,
    cast(coalesce(claims.claims_unmatched, 0) as bigint) as claims_unmatched,
    cast(coalesce(claims.claims_amount, 0) as decimal(12, 2)) as claims_amount,
    cast(coalesce(claims.posted_amount, 0) as decimal(12, 2)) as posted_amount,
    cast(coalesce(claims.unmatched_amount, 0) as decimal(12, 2)) as unmatched_amount,
    cast(coalesce(claims.repeated_amount, 0) as decimal(12, 2)) as repeated_amount,
    cast(coalesce(claims.held_amount, 0) as decimal(12, 2)) as held_amount
from {{ ref('stg_answer_files') }} as files
left join counted on files.file_id = counted.file_id
left join claims on files.file_id = claims.file_id
left join practices on files.file_id = practices.file_id
