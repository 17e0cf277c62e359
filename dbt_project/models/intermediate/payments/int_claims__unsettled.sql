-- What claims that went out owe, are owed or wait for: by its own days, whatever month it is of. What a payer has already paid, taken back or refused is
-- held against what may be billed by what is known now (post_close_changes): nothing is asked for that is done, and nothing that may not be billed.
with lines as (
    select
        payments.practice_id,
        payments.patient_id,
        payments.month,
        payments.claim_id,
        sum(payments.allowed_amount) as allowed_amount,
        sum(payments.deductible_amount) as deductible_amount,
        sum(payments.paid_amount) as paid_amount,
        -- What the payer pays beside the fee schedule and names so is no part of what is paid too much.
        sum(payments.paid_amount - payments.added_amount) as fee_amount,
        max(sent.service_date) as service_date
    from {{ ref('claim_line_payments') }} as payments
    inner join {{ ref('int_claim_lines__sent') }} as sent on payments.claim_id = sent.claim_id and payments.line_id = sent.line_id
    group by payments.practice_id, payments.patient_id, payments.month, payments.claim_id
),

-- When the payer decided first, and when it last decided to pay.
noticed as (
    select
        answered.claim_id,
        answered.determined_on,
        max(case when standing.paid_amount > 0 then standing.payment_on end) as last_paid_on
    from {{ ref('int_claims__answered') }} as answered
    inner join {{ ref('int_claims__standing') }} as standing on answered.claim_id = standing.claim_id
    group by answered.claim_id, answered.determined_on
),

-- A month whose first claim was turned back and paid after all, if only to the deductible, has been paid for twice.
received as (
    select
        practice_id,
        patient_id,
        month,
        sum(paid_amount) as paid_amount,
        sum(fee_amount) as fee_amount,
        sum(deductible_amount) as deductible_amount
    from lines
    group by practice_id, patient_id, month
),

-- fee_amount: what was paid of the fee schedule's amounts. may_be_paid: what Medicare owes of what may be billed now, the deductible as the payer took it.
-- deductible_too_much: what of the deductible is for what may not be billed, and the patient's, or of who paid it for them.
claims as (
    select
        claims.practice_id,
        claims.patient_id,
        claims.month,
        claims.claim_id,
        claims.status,
        received.paid_amount,
        received.fee_amount,
        lines.allowed_amount,
        changes.kind as change,
        coalesce(changes.amount_now, lines.allowed_amount) as amount_now,
        {{ medicare_pays('greatest(coalesce(changes.amount_now, lines.allowed_amount) - received.deductible_amount, 0)', 'lines.service_date') }} as may_be_paid,
        greatest(received.deductible_amount - coalesce(changes.amount_now, lines.allowed_amount), 0) as deductible_too_much
    from {{ ref('claims') }} as claims
    inner join lines on claims.practice_id = lines.practice_id and claims.claim_id = lines.claim_id
    inner join received on claims.practice_id = received.practice_id and claims.patient_id = received.patient_id and claims.month = received.month
    left join {{ ref('post_close_changes') }} as changes
        on
            claims.practice_id = changes.practice_id
            and claims.patient_id = changes.patient_id
            and claims.month = changes.month
            and claims.claim_id = changes.claim_id
),

-- What was paid too much is owed back from the day of the payment on that made it too much, whatever the payer has said since.
too_much as (
    select
        claim_id,
        min(case when coalesce(payment_on > last_owed_on, true) then payment_on end) as since_on
    from (
        select
            days.claim_id,
            days.payment_on,
            max(case when days.paid_amount - claims.may_be_paid < {{ office_limit('underpaid') }} then days.payment_on end)
                over (partition by days.claim_id) as last_owed_on
        from {{ ref('int_claims__paid_by_day') }} as days
        inner join claims on days.claim_id = claims.claim_id
    )
    group by claim_id
),

decided as (
    select
        claim_id,
        last_paid_on,
        {{ reopened_by('determined_on') }} as reopened_by,
        too_much_on + cast({{ limit('refund', 'too_much_on') }} as integer) as paid_back_by
    from (
        select
            noticed.*,
            coalesce(too_much.since_on, noticed.last_paid_on) as too_much_on
        from noticed
        left join too_much on noticed.claim_id = too_much.claim_id
    )
),

-- Rows in quarantine of the tables that a change may come from: what made the month billable may be the very row that could not be read. (A stay that
-- could not be read takes no day away.)
unread as (
    select
        facts.practice_id,
        facts.claim_id,
        {{ rows_told('facts') }} as fact
    from (
        select
            changes.practice_id,
            changes.claim_id,
            facts.row_told
        from (
            select
                practice_id,
                patient_id,
                month,
                claim_id,
                unnest(reasons) as reason
            from {{ ref('post_close_changes') }}
        ) as changes
        inner join {{ ref('rule_decision_reasons') }} as rules on changes.reason = rules.reason
        inner join {{ ref('int_quarantined_facts') }} as facts
            on
                changes.practice_id = facts.practice_id
                and changes.patient_id = facts.patient_id
                and {{ may_be_to_blame('facts', 'rules', 'changes.month') }}
        where not facts.is_accepted
        union
        select
            changes.practice_id,
            changes.claim_id,
            facts.row_told
        from {{ ref('post_close_changes') }} as changes
        inner join {{ ref('int_post_close_changes__evidence') }} as evidence using (practice_id, patient_id, month)
        inner join {{ ref('int_quarantined_facts') }} as facts
            on
                changes.practice_id = facts.practice_id
                and changes.patient_id = facts.patient_id
                and evidence.table_name = facts.table_name
                and {{ holds_month('facts', 'changes.month') }}
        where not facts.is_accepted and facts.table_name <> 'stays'
    ) as facts
    group by facts.practice_id, facts.claim_id
),

-- Claims that were denied, and claims that were paid less than the fee schedule says for no reason that the payer gave.
disputed as (
    select
        items.practice_id,
        items.patient_id,
        items.month,
        items.kind,
        items.subject_id as claim_id,
        -- Of a whole denial what may be billed of the claim, at the prices of the claim; of a claim of which less may be billed now, what is left to ask for
        -- beside what was not denied.
        case
            when claims.status = 'denied' then claims.amount_now
            when claims.change = 'refund'
                then greatest(least(items.dollars_at_stake, claims.amount_now - (claims.allowed_amount - items.dollars_at_stake)), 0)
            else items.dollars_at_stake
        end as dollars,
        items.fact,
        coalesce(denials.cause, 'the payer gave no reason') as cause,
        coalesce(denials.fix, 'ask the payer') as fix,
        coalesce(denials.is_appealable, true) as is_appealable,
        coalesce(claims.change = 'refund', false) as is_wrong
    from {{ ref('int_work_items') }} as items
    inner join claims on items.practice_id = claims.practice_id and items.subject_id = claims.claim_id
    left join {{ ref('int_claims__denials') }} as denials on items.practice_id = denials.practice_id and items.subject_id = denials.claim_id
    where items.kind = 'denied_claim'
    union all
    select
        lines.practice_id,
        lines.patient_id,
        lines.month,
        'underpaid_claim' as kind,
        lines.claim_id,
        -sum(lines.difference_amount + greatest(lines.other_amount + lines.added_amount, 0)) as dollars,
        array_to_string(list_sort(list(lines.procedure_code)), ', ') as fact,
        null as cause,
        null as fix,
        true as is_appealable,
        false as is_wrong
    from {{ ref('claim_line_payments') }} as lines
    -- Of a claim of which less may be billed now, less is as it should be; one that was denied has an item.
    semi join (select practice_id, claim_id from claims where status = 'paid' and coalesce(change <> 'refund', true)) as standing
        on lines.practice_id = standing.practice_id and lines.claim_id = standing.claim_id
    where lines.status = 'paid' and len(lines.denial_codes) = 0 and lines.difference_amount + greatest(lines.other_amount + lines.added_amount, 0) < 0
    group by lines.practice_id, lines.patient_id, lines.month, lines.claim_id
    -- A payer that rounds in another order than the fee schedule's is a cent or two away.
    having -sum(lines.difference_amount + greatest(lines.other_amount + lines.added_amount, 0)) >= {{ office_limit('underpaid') }}
),

-- Until when these can be put right: an appeal goes by the day on which the notice of a line is taken to have come, a reopening by the first decision's day.
-- Of lines with several notices the first that can still be appealed says the day, else the last.
appealed as (
    select
        lines.kind,
        lines.claim_id,
        coalesce(min(case when lines.appealed_by >= practices.newest_night then lines.appealed_by end), max(lines.appealed_by)) as appealed_by
    from (
        select
            payments.practice_id,
            payments.claim_id,
            case when claims.status = 'denied' or len(payments.denial_codes) > 0 then 'denied_claim' else 'underpaid_claim' end as kind,
            notices.noticed_on
            + cast({{ limit('notice_receipt', 'notices.noticed_on') }} + {{ limit('appeal', 'notices.noticed_on') }} as integer) as appealed_by
        from {{ ref('claim_line_payments') }} as payments
        inner join claims on payments.practice_id = claims.practice_id and payments.claim_id = claims.claim_id
        inner join {{ ref('int_lines__noticed') }} as notices on payments.claim_id = notices.claim_id and payments.line_id = notices.line_id
        where claims.status = 'denied' or len(payments.denial_codes) > 0 or payments.difference_amount < 0
    ) as lines
    inner join {{ ref('stg_practices') }} as practices on lines.practice_id = practices.practice_id
    group by lines.kind, lines.claim_id
),

dated_disputes as (
    select
        disputed.*,
        cast(months.close_opens_on - 1 as date) as due_on,
        decided.reopened_by,
        case when disputed.is_appealable then appealed.appealed_by end as appealed_by,
        months.newest_night
    from disputed
    left join appealed on disputed.kind = appealed.kind and disputed.claim_id = appealed.claim_id
    inner join {{ ref('int_months__close') }} as months on disputed.practice_id = months.practice_id and disputed.month = months.month
    inner join decided on disputed.claim_id = decided.claim_id
    -- It was denied rightly.
    where not disputed.is_wrong or disputed.dollars > 0
),

-- Claims that wait for the payer for too long, or of which it says what decides nothing: each once, and not what it took back.
waiting as (
    select
        aging.practice_id,
        aging.patient_id,
        aging.month,
        aging.claim_id,
        cast(aging.submitted_on + cast(min(buckets.days_from) as integer) as date) as due_on,
        aging.expected_payment,
        strftime(aging.submitted_on, '%Y-%m-%d') as fact,
        ', though others were' as cause,
        'see that the file reached the payer, and ask' as fix
    from {{ ref('claim_aging') }} as aging
    inner join {{ ref('rule_aging_buckets') }} as buckets
        on buckets.asks_for_work and aging.days_waiting >= buckets.days_from and {{ in_force('buckets', 'aging.submitted_on') }}
    -- Where no payer's answer is ever brought, every claim is unanswered, and that is nothing to ask of anybody claim by claim.
    semi join {{ ref('claims') }} as answered
        on aging.practice_id = answered.practice_id and answered.status in ('paid', 'denied') and answered.answered_on >= aging.submitted_on
    anti join {{ ref('int_claims__unclear') }} as unclear on aging.claim_id = unclear.claim_id
    where aging.status <> 'reopened'
    group by aging.practice_id, aging.patient_id, aging.month, aging.claim_id, aging.submitted_on, aging.expected_payment
    union all
    select
        aging.practice_id,
        aging.patient_id,
        aging.month,
        aging.claim_id,
        coalesce(unclear.status_on, aging.submitted_on) as due_on,
        aging.expected_payment,
        strftime(aging.submitted_on, '%Y-%m-%d')
        || ', answered with ' || array_to_string(unclear.open_codes, ', ') || coalesce(strftime(unclear.status_on, ' on %Y-%m-%d'), '') as fact,
        ' (' || denials.cause || ')' as cause,
        denials.fix
    from {{ ref('claim_aging') }} as aging
    inner join {{ ref('int_claims__unclear') }} as unclear on aging.claim_id = unclear.claim_id
    inner join {{ ref('int_claims__denials') }} as denials on aging.practice_id = denials.practice_id and aging.claim_id = denials.claim_id
    where aging.status <> 'reopened'
),

-- The newest day on which the payer took decisions back, what it had paid by those, what it had ever paid, as it may have taken that back day by day, and
-- after how many days it is asked for another.
taken_back as (
    select
        reversals.claim_id,
        reversals.taken_back_on,
        reversals.paid_before,
        max(paid.paid_amount) as paid_at_most,
        min(buckets.days_from) as days
    from (
        select
            claim_id,
            payment_on as taken_back_on,
            -sum(paid_amount) as paid_before,
            row_number() over (partition by claim_id order by payment_on desc) as place
        from {{ ref('int_claim_postings') }}
        where posting = 'posted' and kind = 'reversal'
        group by claim_id, payment_on
    ) as reversals
    inner join {{ ref('rule_aging_buckets') }} as buckets
        on buckets.asks_for_work and {{ in_force('buckets', 'reversals.taken_back_on') }}
    left join {{ ref('int_claims__paid_by_day') }} as paid on reversals.claim_id = paid.claim_id
    where reversals.place = 1
    group by reversals.claim_id, reversals.taken_back_on, reversals.paid_before
),

-- Of claims that nothing stands of since. What the payer says by taking back can be appealed as a decision can.
reopened as (
    select
        claims.practice_id,
        claims.patient_id,
        claims.month,
        claims.claim_id,
        cast(taken_back.taken_back_on + cast(taken_back.days as integer) as date) as due_on,
        case when taken_back.paid_at_most > 0 then least(taken_back.paid_at_most, claims.may_be_paid) else claims.may_be_paid end as dollars,
        strftime(taken_back.taken_back_on, '%Y-%m-%d')
        || case when taken_back.paid_before > 0 then ' ($' || cast(taken_back.paid_before as varchar) || ')' else '' end as fact,
        {{ reopened_by('coalesce(answered.determined_on, taken_back.taken_back_on)') }} as reopened_by,
        taken_back.taken_back_on
        + cast({{ limit('notice_receipt', 'taken_back.taken_back_on') }} + {{ limit('appeal', 'taken_back.taken_back_on') }} as integer) as appealed_by,
        practices.newest_night
    from claims
    inner join taken_back on claims.claim_id = taken_back.claim_id
    inner join {{ ref('int_claims__answered') }} as answered on claims.claim_id = answered.claim_id
    inner join {{ ref('stg_practices') }} as practices on claims.practice_id = practices.practice_id
    where claims.status = 'reopened' and claims.amount_now > 0
)

select
    practice_id,
    patient_id,
    month,
    claim_id,
    due_on,
    greatest(reopened_by, coalesce(appealed_by, reopened_by)) as last_day,
    kind,
    dollars,
    fact,
    cause,
    fix,
    {{ ways('appealed_by', 'reopened_by', 'newest_night') }} as ways
from dated_disputes
union all
select
    waiting.practice_id,
    waiting.patient_id,
    waiting.month,
    waiting.claim_id,
    waiting.due_on,
    sent.filed_by as last_day,
    'unanswered_claim' as kind,
    waiting.expected_payment as dollars,
    waiting.fact,
    waiting.cause,
    waiting.fix,
    null as ways
from waiting
inner join (
    select
        claim_id,
        max(filed_by) as filed_by
    from (select distinct claim_id, {{ filed_by('service_date') }} as filed_by from {{ ref('int_claim_lines__sent') }}) as sent
    group by claim_id
) as sent on waiting.claim_id = sent.claim_id
-- Of a claim of which nothing may be billed any more, no decision is missing.
semi join (select practice_id, claim_id from claims where amount_now > 0) as standing
    on waiting.practice_id = standing.practice_id and waiting.claim_id = standing.claim_id
union all
select
    practice_id,
    patient_id,
    month,
    claim_id,
    due_on,
    greatest(reopened_by, appealed_by) as last_day,
    'taken_back_claim' as kind,
    dollars,
    fact,
    null as cause,
    null as fix,
    {{ ways('appealed_by', 'reopened_by', 'newest_night') }} as ways
from reopened
union all
select
    claims.practice_id,
    claims.patient_id,
    claims.month,
    claims.claim_id,
    decided.paid_back_by as due_on,
    decided.paid_back_by as last_day,
    'overpaid_claim' as kind,
    claims.may_be_paid - claims.fee_amount as dollars,
    strftime(decided.last_paid_on, '%Y-%m-%d') as fact,
    null as cause,
    null as fix,
    null as ways
from claims
inner join decided on claims.claim_id = decided.claim_id
-- What became too much by what is known now has an item of its own.
where
    claims.status = 'paid'
    and coalesce(claims.change <> 'refund', true)
    and claims.fee_amount - claims.may_be_paid >= {{ office_limit('underpaid') }}
union all
select
    changes.practice_id,
    changes.patient_id,
    changes.month,
    changes.claim_id,
    changes.due_on,
    case changes.kind when 'refund' then changes.due_on else changes.latest_due_on end as last_day,
    case changes.kind when 'refund' then 'refund_due' else 'reopening_due' end as kind,
    -- What was paid for a day on which it could not be claimed is what may be lost.
    case when changes.claimed_codes = changes.codes_now then -claims.paid_amount else changes.amount_now - changes.claimed_amount end as dollars,
    array_to_string(changes.claimed_codes, ', ')
    || case when changes.claimed_service_date <> changes.service_date_now then ' on ' || cast(changes.claimed_service_date as text) else '' end
    || ' claimed, '
    || case when len(changes.codes_now) = 0 then 'nothing' else array_to_string(changes.codes_now, ', ') end
    || case when changes.claimed_service_date <> changes.service_date_now then ' on ' || cast(changes.service_date_now as text) else '' end
    || ' may be'
    || case when len(changes.reasons) > 0 then ': ' || array_to_string(changes.reasons, ', ') else '' end as fact,
    null as cause,
    concat_ws(
        '',
        ' A row could not be taken in and may say otherwise (' || unread.fact
        || '): correct it at the source if it does, or accept it (ccm accept) if it does not, before you '
        || case changes.kind when 'refund' then 'pay back.' else 'ask.' end,
        case
            when todays.claim_id is not null
                then
                    coalesce(
                        ' The panel and the care team said otherwise when the claim went out (' || todays.said || ')',
                        ' The panel says so as of now and may have said otherwise when the claim went out'
                    )
                    || ': see what changed (ccm diff) before you ' || case changes.kind when 'refund' then 'pay back.' else 'ask.' end
            when list_contains(changes.reasons, 'already_claimed')
                then ' The practice''s own system lists another bill of the month (claim_audit names the service): if that one is wrong, have it taken back there.'
        end,
        case
            when changes.kind = 'refund' and claims.status = 'paid' and claims.deductible_too_much > 0
                then
                    ' Medicare left $' || cast(cast(claims.deductible_too_much as decimal(12, 2)) as varchar)
                    || ' of it to the patient''s deductible: ask for a reopening, so that it no longer counts there, and give back what was collected of it.'
        end
    ) as fix,
    null as ways
from {{ ref('post_close_changes') }} as changes
inner join claims on changes.practice_id = claims.practice_id and changes.claim_id = claims.claim_id
left join {{ ref('int_post_close_changes__of_today') }} as todays on changes.practice_id = todays.practice_id and changes.claim_id = todays.claim_id
left join unread on changes.practice_id = unread.practice_id and changes.claim_id = unread.claim_id
where
    case changes.kind
        -- Paid back, taken back or never paid by a payer that has decided, nor left to the patient: nothing is owed.
        when 'refund'
            then
                claims.status in ('submitted', 'accepted')
                or claims.fee_amount - claims.may_be_paid >= {{ office_limit('underpaid') }}
                or (claims.status = 'paid' and claims.deductible_too_much >= {{ office_limit('underpaid') }})
        -- Of what was denied its own item says what to ask for; what the payer has paid since is done. A date it may have corrected without a word.
        else
            claims.status <> 'denied'
            and (changes.claimed_codes = changes.codes_now or claims.status <> 'paid' or claims.may_be_paid - claims.fee_amount >= {{ office_limit('underpaid') }})
    end
