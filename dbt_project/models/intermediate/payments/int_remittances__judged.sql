-- Which 835s may be posted. A payment is named by payer and check; what it says must add up to what it pays (BPR02), by itself or, where a
-- clearinghouse split it, together with its other parts. What was posted stays posted: a later file with the same check and other contents waits.
-- A part that comes to nothing (the denials by themselves) adds nothing to the total: it is posted with its payment, whichever of the two came first.
with claim_payments as (
    select
        payments.*,
        coalesce(statuses.kind = 'reversal', false) as is_reversal
    from {{ ref('stg_claim_payments') }} as payments
    inner join {{ ref('stg_remittances') }} as remittances on payments.transaction_id = remittances.transaction_id
    left join {{ ref('rule_remittance_claim_statuses') }} as statuses
        on
            payments.claim_status_code = statuses.claim_status_code
            and {{ in_force('statuses', 'remittances.payment_on') }}
),

paid as (
    select
        transaction_id,
        sum(paid_amount) as paid_amount,
        count(*) as claims
    from {{ ref('stg_claim_payments') }}
    group by transaction_id
),

adjustments as (
    select
        *,
        row_number() over (partition by transaction_id, reason_code, adjustment_amount order by position) as occurrence
    from {{ ref('stg_provider_adjustments') }}
),

adjusted as (
    select
        transaction_id,
        sum(adjustment_amount) as adjustment_amount
    from adjustments
    group by transaction_id
),

heads as (
    select
        remittances.transaction_id,
        transactions.content_sha256,
        coalesce(remittances.payer_id, '') || '|' || remittances.check_number as check_key,
        remittances.payment_on,
        remittances.total_amount,
        coalesce(paid.claims, 0) as claims,
        remittances.total_amount - coalesce(paid.paid_amount, 0) + coalesce(adjusted.adjustment_amount, 0) as out_of_balance_amount
    from {{ ref('stg_remittances') }} as remittances
    inner join {{ ref('stg_answer_transactions') }} as transactions on remittances.transaction_id = transactions.transaction_id
    left join paid on remittances.transaction_id = paid.transaction_id
    left join adjusted on remittances.transaction_id = adjusted.transaction_id
),

-- Money that another 835 of the same payment says, too.
said_twice as (
    select transaction_id
    from (
        select
            heads.transaction_id,
            count(*) over (
                partition by heads.check_key, heads.payment_on, heads.total_amount, claims.content_sha256, claims.occurrence
            ) as times
        from heads
        inner join {{ ref('stg_claim_payments') }} as claims on heads.transaction_id = claims.transaction_id
        where claims.paid_amount <> 0
        union all
        select
            heads.transaction_id,
            count(*) over (
                partition by
                    heads.check_key, heads.payment_on, heads.total_amount, adjustments.reason_code, adjustments.adjustment_amount, adjustments.occurrence
            ) as times
        from heads
        inner join adjustments on heads.transaction_id = adjustments.transaction_id
    )
    where times > 1
),

-- Whose own sum is nothing comes to nothing only if none of it is another part's, which counts once.
remittances as (
    select
        heads.*,
        heads.total_amount <> 0 and heads.out_of_balance_amount = heads.total_amount and said_twice.transaction_id is null as comes_to_nothing
    from heads
    left join (select distinct transaction_id from said_twice) as said_twice on heads.transaction_id = said_twice.transaction_id
),

-- Those that do not add up by themselves may be parts of one payment: the same check, date and total. A claim that stands in two parts counts once.
part_claims as (
    select
        remittances.transaction_id,
        remittances.check_key,
        remittances.payment_on,
        remittances.total_amount,
        remittances.comes_to_nothing,
        claims.claim_id,
        claims.payer_claim_number,
        claims.content_sha256,
        claims.occurrence,
        claims.is_reversal,
        claims.paid_amount,
        row_number() over (
            partition by remittances.check_key, remittances.payment_on, remittances.total_amount, claims.content_sha256, claims.occurrence
            order by remittances.comes_to_nothing, remittances.transaction_id
        ) = 1 as is_new
    from remittances
    inner join claim_payments as claims on remittances.transaction_id = claims.transaction_id
    where remittances.out_of_balance_amount <> 0
),

part_adjustments as (
    select
        transaction_id,
        sum(adjustment_amount) as adjustment_amount
    from (
        select
            remittances.transaction_id,
            adjustments.adjustment_amount,
            row_number() over (
                partition by remittances.check_key, remittances.payment_on, remittances.total_amount, adjustments.reason_code,
                adjustments.adjustment_amount, adjustments.occurrence
                order by remittances.transaction_id
            ) = 1 as is_new
        from remittances
        inner join adjustments on remittances.transaction_id = adjustments.transaction_id
        where remittances.out_of_balance_amount <> 0
    )
    where is_new
    group by transaction_id
),

parts as (
    select
        remittances.*,
        coalesce(claimed.new_claims, 0) as new_claims,
        remittances.total_amount
        - sum(coalesce(claimed.new_paid_amount, 0) - coalesce(part_adjustments.adjustment_amount, 0)) over (
            partition by remittances.check_key, remittances.payment_on, remittances.total_amount
            order by remittances.transaction_id
            rows unbounded preceding
        ) as still_missing_amount
    from remittances
    left join (
        select
            transaction_id,
            count(*) filter (where is_new) as new_claims,
            sum(paid_amount) filter (where is_new) as new_paid_amount
        from part_claims
        group by transaction_id
    ) as claimed on remittances.transaction_id = claimed.transaction_id
    left join part_adjustments on remittances.transaction_id = part_adjustments.transaction_id
    where remittances.out_of_balance_amount <> 0
),

-- The parts are complete with the one that makes them add up.
complete as (
    select
        check_key,
        payment_on,
        total_amount,
        min(transaction_id) as completing_transaction_id
    from parts
    where still_missing_amount = 0
    group by check_key, payment_on, total_amount
),

complete_claims as (
    select
        part_claims.*,
        complete.completing_transaction_id
    from part_claims
    inner join complete using (check_key, payment_on, total_amount)
    where part_claims.transaction_id <= complete.completing_transaction_id and not part_claims.comes_to_nothing
),

-- What comes to nothing is said once the total of its payment is reached: by parts, or by one file.
reached as (
    select
        check_key,
        payment_on,
        total_amount,
        min(transaction_id) as reaching_transaction_id
    from (
        select
            check_key,
            payment_on,
            total_amount,
            completing_transaction_id as transaction_id
        from complete
        union all
        select
            check_key,
            payment_on,
            total_amount,
            transaction_id
        from remittances
        where out_of_balance_amount = 0
    )
    group by check_key, payment_on, total_amount
),

nothing_claims as (
    select
        part_claims.*,
        greatest(part_claims.transaction_id, reached.reaching_transaction_id) as said_at
    from part_claims
    inner join reached using (check_key, payment_on, total_amount)
    where part_claims.comes_to_nothing
),

-- Those that add up by themselves. One that decides a claim of the same check again in other words is not a second payment.
decisions as (
    select
        remittances.transaction_id,
        remittances.check_key,
        claims.claim_id,
        claims.content_sha256,
        claims.occurrence,
        min(remittances.transaction_id) over (
            partition by remittances.check_key, claims.claim_id, claims.payer_claim_number, claims.claim_status_code
        ) as first_transaction_id
    from remittances
    inner join {{ ref('stg_claim_payments') }} as claims on remittances.transaction_id = claims.transaction_id
    where remittances.out_of_balance_amount = 0
),

-- Parts of which one of these had said something before they were complete: then it is what was posted.
said_before as (
    select
        complete_claims.check_key,
        complete_claims.payment_on,
        complete_claims.total_amount
    from complete_claims
    inner join decisions
        on
            complete_claims.check_key = decisions.check_key
            and complete_claims.content_sha256 = decisions.content_sha256
            and complete_claims.occurrence = decisions.occurrence
            and decisions.transaction_id < complete_claims.completing_transaction_id
),

-- What the others said: all the complete parts together, and each that comes to nothing for itself.
said_by_parts as (
    select
        check_key,
        claim_id,
        content_sha256,
        occurrence,
        completing_transaction_id as said_by,
        completing_transaction_id as said_at
    from complete_claims
    anti join said_before using (check_key, payment_on, total_amount)
    union all
    select
        check_key,
        claim_id,
        content_sha256,
        occurrence,
        transaction_id as said_by,
        said_at
    from nothing_claims
),

-- A later one that speaks of a claim of theirs must say all that they said, or it would take back what was posted.
shared as (
    select distinct
        decisions.transaction_id,
        said_by_parts.said_by
    from decisions
    inner join said_by_parts
        on
            decisions.check_key = said_by_parts.check_key
            and decisions.claim_id = said_by_parts.claim_id
            and decisions.transaction_id > said_by_parts.said_at
),

taking_back as (
    select distinct shared.transaction_id
    from shared
    inner join said_by_parts using (said_by)
    left join decisions
        on
            shared.transaction_id = decisions.transaction_id
            and said_by_parts.content_sha256 = decisions.content_sha256
            and said_by_parts.occurrence = decisions.occurrence
    where decisions.transaction_id is null
),

conflicting as (
    select transaction_id
    from decisions
    where first_transaction_id < transaction_id
    union
    select transaction_id
    from taking_back
),

whole as (
    select
        remittances.*,
        conflicting.transaction_id is null as is_posted
    from remittances
    left join conflicting on remittances.transaction_id = conflicting.transaction_id
    where remittances.out_of_balance_amount = 0
),

posted_contents as (
    select distinct
        whole.check_key,
        whole.payment_on,
        whole.total_amount,
        claims.claim_id,
        claims.payer_claim_number,
        claims.content_sha256,
        claims.occurrence,
        claims.is_reversal
    from whole
    inner join claim_payments as claims on whole.transaction_id = claims.transaction_id
    where whole.is_posted
),

-- The same payment once more, in other words around its claims (a date of production, a telephone number, another order): it says nothing new.
said_again as (
    select whole.transaction_id
    from whole
    inner join claim_payments as claims on whole.transaction_id = claims.transaction_id
    left join posted_contents as posted
        on
            whole.check_key = posted.check_key
            and whole.payment_on = posted.payment_on
            and whole.total_amount = posted.total_amount
            and claims.content_sha256 = posted.content_sha256
            and claims.occurrence = posted.occurrence
    where not whole.is_posted
    group by whole.transaction_id
    having bool_and(posted.check_key is not null)
),

elsewhere as (
    select
        part_claims.transaction_id,
        count(*) as claims_elsewhere
    from part_claims
    semi join posted_contents using (check_key, content_sha256, occurrence)
    group by part_claims.transaction_id
),

-- What comes to nothing and decides a claim otherwise than its check does: the same check with other contents. What takes a decision back under the
-- payer's number and the new one are no two words for one.
otherwise as (
    select distinct nothing_claims.transaction_id
    from nothing_claims
    inner join (
        select
            check_key,
            claim_id,
            payer_claim_number,
            content_sha256,
            is_reversal,
            cast(null as bigint) as said_at
        from posted_contents
        union all
        select
            check_key,
            claim_id,
            payer_claim_number,
            content_sha256,
            is_reversal,
            cast(null as bigint) as said_at
        from complete_claims
        union all
        select
            earlier.check_key,
            earlier.claim_id,
            earlier.payer_claim_number,
            earlier.content_sha256,
            earlier.is_reversal,
            earlier.transaction_id as said_at
        from nothing_claims as earlier
    ) as said
        on
            nothing_claims.check_key = said.check_key
            and nothing_claims.claim_id = said.claim_id
            and nothing_claims.payer_claim_number is not distinct from said.payer_claim_number
            and nothing_claims.is_reversal = said.is_reversal
            and nothing_claims.content_sha256 <> said.content_sha256
            and (said.said_at is null or said.said_at < nothing_claims.transaction_id)
),

-- The file that pays it, where it is one.
posted_whole as (
    select
        check_key,
        payment_on,
        total_amount,
        min_by(content_sha256, transaction_id) as content_sha256
    from whole
    where is_posted
    group by check_key, payment_on, total_amount
),

completed as (
    select
        parts.*,
        complete.completing_transaction_id,
        coalesce(elsewhere.claims_elsewhere, 0) as claims_elsewhere,
        bool_or(coalesce(elsewhere.claims_elsewhere, 0) > 0 and not parts.comes_to_nothing) over (
            partition by parts.check_key, parts.payment_on, parts.total_amount
        ) as has_claims_elsewhere,
        otherwise.transaction_id is not null as says_otherwise,
        case when parts.comes_to_nothing then posted_whole.content_sha256 end as whole_sha256,
        sha256(parts.check_key || '|' || parts.payment_on || '|' || parts.total_amount) as part_group
    from parts
    left join complete using (check_key, payment_on, total_amount)
    left join elsewhere on parts.transaction_id = elsewhere.transaction_id
    left join otherwise on parts.transaction_id = otherwise.transaction_id
    left join posted_whole using (check_key, payment_on, total_amount)
),

outcomes as (
    select
        *,
        case
            when claims > 0 and claims_elsewhere = claims then 'repeated'
            when comes_to_nothing then case
                when claims_elsewhere > 0 or says_otherwise then 'conflicting'
                when completing_transaction_id is not null and not has_claims_elsewhere then 'posted'
                when whole_sha256 is not null then 'posted with the whole'
                when completing_transaction_id is not null then 'conflicting'
                else 'waiting'
            end
            when has_claims_elsewhere then 'conflicting'
            when transaction_id <= completing_transaction_id then 'posted'
            when new_claims = 0 and claims > 0 then 'repeated'
            when completing_transaction_id is not null then 'conflicting'
            else 'waiting'
        end as outcome
    from completed
)

select
    whole.transaction_id,
    'R' || upper(left(whole.content_sha256, 15)) as remittance_id,
    whole.check_key,
    whole.total_amount,
    case when whole.is_posted then 'posted' when said_again.transaction_id is not null then 'repeated' else 'conflicting' end as outcome,
    false as is_part,
    cast(0 as decimal(12, 2)) as out_of_balance_amount
from whole
left join said_again on whole.transaction_id = said_again.transaction_id
union all
select
    transaction_id,
    'R' || upper(left(case when outcome = 'posted with the whole' then whole_sha256 else part_group end, 15)) as remittance_id,
    check_key,
    total_amount,
    case when outcome = 'posted with the whole' then 'posted' else outcome end as outcome,
    true as is_part,
    cast(
        case when completing_transaction_id is null and whole_sha256 is null then last_value(still_missing_amount) over (
            partition by check_key, payment_on, total_amount
            order by transaction_id
            rows between unbounded preceding and unbounded following
        ) else 0 end
        as decimal(12, 2)
    ) as out_of_balance_amount
from outcomes
