-- Which 835s may be posted. A payment is named by payer, check, date and total (BPR02). It is paid by the first that adds up to that total: a file by
-- itself or, where a clearinghouse split it, parts together. Whatever else comes for it must even out: parts that come to nothing by themselves (the
-- denials) or together (a correction beside what it takes back). What was posted stays posted: a later file with the same check and other contents waits.
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

-- What each one says. The same piece in another file of the payment counts once.
pieces as (
    select
        transaction_id,
        content_sha256 || '|' || occurrence as piece,
        paid_amount as amount,
        true as is_claim
    from claim_payments
    union all
    select
        transaction_id,
        'PLB|' || reason_code || '|' || adjustment_amount || '|'
        || row_number() over (partition by transaction_id, reason_code, adjustment_amount order by position) as piece,
        -adjustment_amount as amount,
        false as is_claim
    from {{ ref('stg_provider_adjustments') }}
),

said as (
    select
        transaction_id,
        sum(amount) as amount,
        count(*) filter (where is_claim) as claims
    from pieces
    group by transaction_id
),

heads as (
    select
        remittances.transaction_id,
        transactions.content_sha256,
        coalesce(remittances.payer_id, '') || '|' || remittances.check_number as check_key,
        sha256(
            coalesce(remittances.payer_id, '') || '|' || remittances.check_number || '|' || remittances.payment_on || '|' || remittances.total_amount
        ) as payment_key,
        remittances.total_amount,
        coalesce(said.claims, 0) as claims,
        remittances.total_amount - coalesce(said.amount, 0) as out_of_balance_amount
    from {{ ref('stg_remittances') }} as remittances
    inner join {{ ref('stg_answer_transactions') }} as transactions on remittances.transaction_id = transactions.transaction_id
    left join said on remittances.transaction_id = said.transaction_id
),

-- Money that an earlier 835 of the same payment said.
said_before_it as (
    select distinct transaction_id
    from (
        select
            heads.transaction_id,
            min(heads.transaction_id) over (partition by heads.payment_key, pieces.piece) as first_said_by
        from heads
        inner join pieces on heads.transaction_id = pieces.transaction_id
        where pieces.amount <> 0
    )
    where first_said_by < transaction_id
),

-- Whose own sum is nothing comes to nothing only if none of it was said before, and counts once.
remittances as (
    select
        heads.*,
        heads.total_amount <> 0 and heads.out_of_balance_amount = heads.total_amount and said_before_it.transaction_id is null as comes_to_nothing
    from heads
    left join said_before_it on heads.transaction_id = said_before_it.transaction_id
),

said_claims as (
    select
        remittances.*,
        claims.claim_id,
        claims.payer_claim_number,
        claims.claim_status_code,
        claims.is_reversal,
        claims.content_sha256 || '|' || claims.occurrence as piece
    from (select * exclude (content_sha256, claims) from remittances) as remittances
    inner join claim_payments as claims on remittances.transaction_id = claims.transaction_id
),

-- Those that do not add up by themselves may be parts of one payment.
part_claims as (
    select
        *,
        min(transaction_id) over (partition by payment_key, piece) as first_said_by
    from said_claims
    where out_of_balance_amount <> 0
),

-- Who says of a claim of another part what that part did not say is no part beside it. (A decision and what takes it back are two claims.)
in_other_words as (
    select distinct later.transaction_id
    from part_claims as later
    inner join part_claims as earlier
        on
            later.payment_key = earlier.payment_key
            and later.claim_id = earlier.claim_id
            and later.payer_claim_number is not distinct from earlier.payer_claim_number
            and later.is_reversal = earlier.is_reversal
            and later.transaction_id > earlier.transaction_id
    where not later.comes_to_nothing and not earlier.comes_to_nothing and later.first_said_by = later.transaction_id
),

parts as (
    select
        remittances.*,
        coalesce(told.new_claims, 0) as new_claims,
        coalesce(told.new_pieces, 0) as new_pieces,
        remittances.total_amount - sum(coalesce(told.amount, 0)) over (
            partition by remittances.payment_key
            order by remittances.transaction_id
            rows unbounded preceding
        ) as still_missing_amount
    from remittances
    left join (
        select
            transaction_id,
            count(*) filter (where is_claim) as new_claims,
            count(*) as new_pieces,
            sum(amount) as amount
        from (
            select
                pieces.*,
                row_number() over (
                    partition by remittances.payment_key, pieces.piece
                    order by remittances.comes_to_nothing, pieces.transaction_id
                ) = 1 as is_new
            from pieces
            inner join remittances on pieces.transaction_id = remittances.transaction_id
            left join in_other_words on pieces.transaction_id = in_other_words.transaction_id
            where remittances.out_of_balance_amount <> 0 and in_other_words.transaction_id is null
        )
        where is_new
        group by transaction_id
    ) as told on remittances.transaction_id = told.transaction_id
    where remittances.out_of_balance_amount <> 0
),

-- Each part is complete with the first that makes it and those before it add up.
completed_parts as (
    select
        transaction_id,
        payment_key,
        min(case when still_missing_amount = 0 then transaction_id end) over (
            partition by payment_key
            order by transaction_id
            rows between current row and unbounded following
        ) as completing_transaction_id
    from parts
),

-- The payment is complete with the first of these.
complete as (
    select
        payment_key,
        min(completing_transaction_id) as completing_transaction_id
    from completed_parts
    where completing_transaction_id is not null
    group by payment_key
),

complete_claims as (
    select
        part_claims.*,
        completed_parts.completing_transaction_id
    from part_claims
    inner join completed_parts on part_claims.transaction_id = completed_parts.transaction_id
    left join in_other_words on part_claims.transaction_id = in_other_words.transaction_id
    where completed_parts.completing_transaction_id is not null and not part_claims.comes_to_nothing and in_other_words.transaction_id is null
),

-- What comes to nothing is said once the total of its payment is reached: by parts, or by one file.
reached as (
    select
        payment_key,
        min(transaction_id) as reaching_transaction_id
    from (
        select
            payment_key,
            completing_transaction_id as transaction_id
        from complete
        union all
        select
            payment_key,
            transaction_id
        from remittances
        where out_of_balance_amount = 0
    )
    group by payment_key
),

nothing_claims as (
    select
        part_claims.*,
        greatest(part_claims.transaction_id, reached.reaching_transaction_id) as said_at
    from part_claims
    inner join reached on part_claims.payment_key = reached.payment_key
    where part_claims.comes_to_nothing
),

-- Those that add up by themselves. One that decides a claim of the same check again in other words is not a second payment.
decisions as (
    select
        *,
        min(transaction_id) over (partition by check_key, claim_id, payer_claim_number, claim_status_code) as first_transaction_id
    from said_claims
    where out_of_balance_amount = 0
),

-- Parts of which one of these had said something before they were complete: then it is what was posted.
said_before as (
    select distinct complete_claims.payment_key
    from complete_claims
    inner join complete on complete_claims.completing_transaction_id = complete.completing_transaction_id
    inner join decisions
        on
            complete_claims.check_key = decisions.check_key
            and complete_claims.piece = decisions.piece
            and decisions.transaction_id < complete_claims.completing_transaction_id
),

-- What the others said: the parts that were complete together, and each that comes to nothing for itself.
said_by_parts as (
    select
        check_key,
        claim_id,
        piece,
        completing_transaction_id as said_by,
        completing_transaction_id as said_at
    from complete_claims
    anti join said_before using (payment_key)
    union all
    select
        check_key,
        claim_id,
        piece,
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
    left join decisions on shared.transaction_id = decisions.transaction_id and said_by_parts.piece = decisions.piece
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

-- One that says what the parts said is the same payment in one file; one that comes behind them and says nothing of theirs is not what paid it.
behind_parts as (
    select remittances.transaction_id
    from remittances
    inner join complete on remittances.payment_key = complete.payment_key
    left join complete_claims on remittances.payment_key = complete_claims.payment_key
    left join pieces on remittances.transaction_id = pieces.transaction_id and complete_claims.piece = pieces.piece
    left join said_before on remittances.payment_key = said_before.payment_key
    where
        remittances.out_of_balance_amount = 0
        and remittances.transaction_id > complete.completing_transaction_id
        and said_before.payment_key is null
    group by remittances.transaction_id
    having count(pieces.piece) = 0
),

-- Several that pay nothing under one number (there is no check) are each for itself; of money only the first is the payment.
whole as (
    select
        remittances.*,
        conflicting.transaction_id is not null as is_conflicting,
        conflicting.transaction_id is null
        and (
            remittances.total_amount = 0
            or behind_parts.transaction_id is null and row_number() over (
                partition by remittances.payment_key
                order by conflicting.transaction_id is not null or behind_parts.transaction_id is not null, remittances.transaction_id
            ) = 1
        ) as is_payment
    from remittances
    left join conflicting on remittances.transaction_id = conflicting.transaction_id
    left join behind_parts on remittances.transaction_id = behind_parts.transaction_id
    where remittances.out_of_balance_amount = 0
),

-- The file that pays it, where it is one.
paid_by_one as (
    select
        payment_key,
        transaction_id,
        content_sha256
    from whole
    where is_payment and total_amount <> 0
),

posted_contents as (
    select said_claims.*
    from said_claims
    inner join whole on said_claims.transaction_id = whole.transaction_id
    where whole.is_payment
),

-- What has reached the total: that file, or else the parts.
reaching as (
    select
        payment_key,
        transaction_id
    from paid_by_one
    union all
    select
        completed_parts.payment_key,
        completed_parts.transaction_id
    from completed_parts
    inner join complete on completed_parts.completing_transaction_id = complete.completing_transaction_id
    inner join remittances on completed_parts.transaction_id = remittances.transaction_id
    left join in_other_words on completed_parts.transaction_id = in_other_words.transaction_id
    anti join paid_by_one on completed_parts.payment_key = paid_by_one.payment_key
    anti join said_before on completed_parts.payment_key = said_before.payment_key
    where not remittances.comes_to_nothing and in_other_words.transaction_id is null
),

elsewhere as (
    select
        part_claims.transaction_id,
        count(distinct part_claims.piece) as claims_elsewhere,
        bool_or(part_claims.payment_key <> posted.payment_key) as is_of_another_total
    from part_claims
    inner join posted_contents as posted on part_claims.check_key = posted.check_key and part_claims.piece = posted.piece
    group by part_claims.transaction_id
),

-- What else the check says, and of what comes to nothing from when on.
said_of_check as (
    select
        check_key,
        claim_id,
        payer_claim_number,
        piece,
        is_reversal,
        cast(null as bigint) as said_at
    from posted_contents
    union all
    select
        check_key,
        claim_id,
        payer_claim_number,
        piece,
        is_reversal,
        cast(null as bigint) as said_at
    from complete_claims
    union all
    select
        check_key,
        claim_id,
        payer_claim_number,
        piece,
        is_reversal,
        transaction_id as said_at
    from nothing_claims
),

-- What comes to nothing and decides a claim otherwise than its check does: the same check with other contents. What takes a decision back under the
-- payer's number and the new one are no two words for one.
otherwise as (
    select distinct nothing_claims.transaction_id
    from nothing_claims
    inner join said_of_check
        on
            nothing_claims.check_key = said_of_check.check_key
            and nothing_claims.claim_id = said_of_check.claim_id
            and nothing_claims.payer_claim_number is not distinct from said_of_check.payer_claim_number
            and nothing_claims.is_reversal = said_of_check.is_reversal
            and nothing_claims.piece <> said_of_check.piece
            and (said_of_check.said_at is null or said_of_check.said_at < nothing_claims.transaction_id)
),

-- What else came for a payment that is paid, and does not come to nothing by itself.
beside as (
    select
        remittances.transaction_id,
        remittances.payment_key
    from remittances
    semi join reaching on remittances.payment_key = reaching.payment_key
    anti join reaching as itself on remittances.transaction_id = itself.transaction_id
    left join whole on remittances.transaction_id = whole.transaction_id
    left join in_other_words on remittances.transaction_id = in_other_words.transaction_id
    left join elsewhere on remittances.transaction_id = elsewhere.transaction_id
    where
        not remittances.comes_to_nothing
        and in_other_words.transaction_id is null
        and not coalesce(whole.is_conflicting or whole.is_payment, false)
        and not coalesce(elsewhere.is_of_another_total, false)
),

reaching_claims as (
    select said_claims.*
    from said_claims
    semi join reaching on said_claims.transaction_id = reaching.transaction_id
),

beside_in_other_words as (
    select distinct beside.transaction_id
    from beside
    inner join said_claims on beside.transaction_id = said_claims.transaction_id
    inner join reaching_claims as reached_by
        on
            said_claims.payment_key = reached_by.payment_key
            and said_claims.claim_id = reached_by.claim_id
            and said_claims.payer_claim_number is not distinct from reached_by.payer_claim_number
            and said_claims.is_reversal = reached_by.is_reversal
    left join reaching_claims as same on said_claims.payment_key = same.payment_key and said_claims.piece = same.piece
    where same.piece is null
),

evening as (
    select
        payment_key,
        transaction_id
    from beside
    anti join beside_in_other_words using (transaction_id)
),

-- Pieces that are posted without them.
paid_pieces as (
    select distinct
        counted.payment_key,
        pieces.piece
    from (
        select
            payment_key,
            transaction_id
        from reaching
        union all
        select
            payment_key,
            transaction_id
        from remittances
        anti join otherwise using (transaction_id)
        where comes_to_nothing
    ) as counted
    inner join pieces on counted.transaction_id = pieces.transaction_id
),

evening_pieces as (
    select
        evening.transaction_id,
        pieces.amount,
        row_number() over (partition by evening.payment_key, pieces.piece order by evening.transaction_id) = 1 as is_new
    from evening
    inner join pieces on evening.transaction_id = pieces.transaction_id
    anti join paid_pieces on evening.payment_key = paid_pieces.payment_key and pieces.piece = paid_pieces.piece
),

-- They are posted together, once they even out.
evened as (
    select
        payment_key,
        max(transaction_id) as evening_transaction_id
    from (
        select
            evening.payment_key,
            evening.transaction_id,
            sum(coalesce(told.amount, 0)) over (
                partition by evening.payment_key
                order by evening.transaction_id
                rows unbounded preceding
            ) as uneven_amount
        from evening
        left join (
            select
                transaction_id,
                sum(amount) as amount
            from evening_pieces
            where is_new
            group by transaction_id
        ) as told on evening.transaction_id = told.transaction_id
    )
    where uneven_amount = 0
    group by payment_key
),

evened_out as (
    select evening.transaction_id
    from evening
    inner join evened on evening.payment_key = evened.payment_key
    where evening.transaction_id <= evened.evening_transaction_id
),

-- Payments of which a part says what another payment of the check said.
of_another_total as (
    select distinct part_claims.payment_key
    from part_claims
    semi join elsewhere on part_claims.transaction_id = elsewhere.transaction_id and elsewhere.is_of_another_total
    where not part_claims.comes_to_nothing
),

judged as (
    select
        parts.*,
        complete.completing_transaction_id,
        paid_by_one.content_sha256 as whole_sha256,
        case
            when parts.claims > 0 and elsewhere.claims_elsewhere = parts.claims then 'repeated'
            when parts.comes_to_nothing and (elsewhere.claims_elsewhere > 0 or otherwise.transaction_id is not null) then 'conflicting'
            when
                parts.comes_to_nothing and (
                    paid_by_one.transaction_id is not null
                    or complete.completing_transaction_id is not null and of_another_total.payment_key is null
                )
                then 'posted'
            when parts.comes_to_nothing and complete.completing_transaction_id is not null then 'conflicting'
            when parts.comes_to_nothing then 'waiting'
            when in_other_words.transaction_id is not null or of_another_total.payment_key is not null then 'conflicting'
            when reaching.transaction_id is not null then 'posted'
            when parts.new_pieces = 0 and parts.claims > 0 then 'repeated'
            when evened_out.transaction_id is not null then 'posted'
            when parts.new_claims = 0 and parts.claims > 0 then 'repeated'
            when complete.completing_transaction_id is not null or paid_by_one.transaction_id is not null then 'conflicting'
            else 'waiting'
        end as outcome
    from parts
    left join complete on parts.payment_key = complete.payment_key
    left join paid_by_one on parts.payment_key = paid_by_one.payment_key
    left join reaching on parts.transaction_id = reaching.transaction_id
    left join evened_out on parts.transaction_id = evened_out.transaction_id
    left join elsewhere on parts.transaction_id = elsewhere.transaction_id
    left join otherwise on parts.transaction_id = otherwise.transaction_id
    left join in_other_words on parts.transaction_id = in_other_words.transaction_id
    left join of_another_total on parts.payment_key = of_another_total.payment_key
),

posted_pieces as (
    select distinct
        said_claims.payment_key,
        said_claims.piece
    from said_claims
    left join whole on said_claims.transaction_id = whole.transaction_id
    left join evened_out on said_claims.transaction_id = evened_out.transaction_id
    left join judged on said_claims.transaction_id = judged.transaction_id
    where whole.is_payment or evened_out.transaction_id is not null or judged.outcome = 'posted'
),

-- The same payment once more, in other words around its claims (a date of production, a telephone number, another order): it says nothing new.
said_again as (
    select conflicts.transaction_id
    from said_claims as conflicts
    semi join whole on conflicts.transaction_id = whole.transaction_id and whole.is_conflicting
    left join posted_pieces on conflicts.payment_key = posted_pieces.payment_key and conflicts.piece = posted_pieces.piece
    group by conflicts.transaction_id
    having bool_and(posted_pieces.piece is not null)
)

select
    whole.transaction_id,
    -- What evens out is of the payment that it came beside.
    'R' || upper(left(case
        when evened_out.transaction_id is null then whole.content_sha256
        else coalesce(paid_by_one.content_sha256, whole.payment_key)
    end, 15)) as remittance_id,
    whole.check_key,
    whole.total_amount,
    case
        when whole.is_payment or evened_out.transaction_id is not null then 'posted'
        when said_again.transaction_id is not null then 'repeated'
        else 'conflicting'
    end as outcome,
    evened_out.transaction_id is not null as is_part,
    cast(0 as decimal(12, 2)) as out_of_balance_amount
from whole
left join evened_out on whole.transaction_id = evened_out.transaction_id
left join said_again on whole.transaction_id = said_again.transaction_id
left join paid_by_one on whole.payment_key = paid_by_one.payment_key
union all
select
    transaction_id,
    'R' || upper(left(case when outcome = 'posted' then coalesce(whole_sha256, payment_key) else payment_key end, 15)) as remittance_id,
    check_key,
    total_amount,
    outcome,
    true as is_part,
    cast(
        case when completing_transaction_id is null and whole_sha256 is null then last_value(still_missing_amount) over (
            partition by payment_key
            order by transaction_id
            rows between unbounded preceding and unbounded following
        ) else 0 end
        as decimal(12, 2)
    ) as out_of_balance_amount
from judged
