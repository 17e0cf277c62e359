-- What someone should do next: of all that could be mended, what can be mended still.
-- Only in these months can time and charts be mended and claims be filed: which of them a kind of item has is said below.
with months as (
    select *
    from {{ ref('int_months__close') }}
    where is_open or not {{ is_filed_late('month_end', 'newest_night') }}
),

items as (
    select
        practice_id,
        patient_id,
        month,
        kind,
        item_id,
        member_id,
        minutes,
        dollars_at_stake,
        fact,
        month_end,
        billing_practitioner_id,
        decision
    from {{ ref('int_work_items') }}
    where kind <> 'denied_claim'
    union all
    select
        practice_id,
        patient_id,
        month,
        'late_claim' as kind,
        'late_claim:' || patient_id || strftime(month, ':%Y-%m') as item_id,
        null as member_id,
        null as minutes,
        -- Null where no release of the fee schedule is there yet: the close says so of the claim.
        cast(coalesce(allowed_amount, 0) as decimal(12, 2)) as dollars_at_stake,
        null as fact,
        month_end,
        billing_practitioner_id,
        decision
    from {{ ref('int_patient_months__late') }}
),

-- A claim that has yet to go out is filed in time by its service date, which may lie before the month's end.
service_dates as (
    select
        codes.practice_id,
        codes.patient_id,
        codes.month,
        min(codes.service_date) as service_date
    from {{ ref('claimable_codes') }} as codes
    semi join items
        on
            codes.practice_id = items.practice_id
            and codes.patient_id = items.patient_id
            and codes.month = items.month
            and items.kind in ('claim_error', 'late_claim', 'rejected_claim')
    group by codes.practice_id, codes.patient_id, codes.month
),

dated_items as (
    select
        items.*,
        kinds.owner,
        kinds.sentence,
        months.close_opens_on,
        months.newest_night,
        case kinds.exists_in
            when 'newest_month' then items.month_end
            when 'until_filed'
                then case
                    when items.decision <> 'claimed' and items.dollars_at_stake > 0 then {{ filed_by('items.month_end') }}
                    else months.close_ends_on - 1
                end
            else {{ filed_by('coalesce(dates.service_date, items.month_end)') }}
        end as last_day
    from items
    inner join {{ ref('rule_worklist_kinds') }} as kinds on items.kind = kinds.kind
    inner join months on items.practice_id = months.practice_id and items.month = months.month
    left join service_dates as dates on items.practice_id = dates.practice_id and items.patient_id = dates.patient_id and items.month = dates.month
),

open_items as (
    select *
    from dated_items
    where newest_night <= last_day
),

owned as (
    select
        items.*,
        case items.owner
            when 'entry_member' then items.member_id
            when 'practitioner' then items.billing_practitioner_id
            when 'billing_office' then null
            else coalesce(present.member_id, usual.member_id, items.billing_practitioner_id)
        end as owner_id
    from open_items as items
    left join {{ ref('int_members__present') }} as present
        on items.practice_id = present.practice_id and items.member_id = present.member_id
    left join {{ ref('int_patients__usual_member') }} as usual
        on items.practice_id = usual.practice_id and items.patient_id = usual.patient_id
),

-- Why a claim was denied or turned back, and what helps.
denials as (
    select
        claims.practice_id,
        claims.patient_id,
        claims.month,
        claims.claim_id,
        array_to_string(list_sort(list(distinct denials.likely_cause)), '; ')
        || case when len(claims.remark_codes) > 0 then ' (remark codes ' || array_to_string(claims.remark_codes, ', ') || ')' else '' end as cause,
        array_to_string(list_sort(list(distinct denials.fix)), '; ') as fix,
        bool_or(denials.is_appealable) as is_appealable
    from {{ ref('claims') }} as claims
    inner join {{ ref('claim_denials') }} as denials on claims.practice_id = denials.practice_id and claims.claim_id = denials.claim_id
    group by claims.practice_id, claims.patient_id, claims.month, claims.claim_id, claims.remark_codes
),

noticed as (
    select
        answered.claim_id,
        answered.determined_on,
        min(standing.payment_on) as noticed_on
    from {{ ref('int_claims__answered') }} as answered
    inner join {{ ref('int_claims__standing') }} as standing on answered.claim_id = standing.claim_id
    group by answered.claim_id, answered.determined_on
),

-- Until when a decision can be put right: an appeal goes by the day on which its notice is taken to have come, a reopening by the first decision's day.
decided as (
    select
        claim_id,
        {{ reopened_by('determined_on') }} as reopened_by,
        noticed_on + cast({{ limit('notice_receipt', 'noticed_on') }} + {{ limit('appeal', 'noticed_on') }} as integer) as appealed_by
    from noticed
),

-- Claims that were denied, and claims that were paid less than the fee schedule says for no reason that the payer gave.
disputed as (
    select
        items.practice_id,
        items.patient_id,
        items.month,
        items.kind,
        items.subject_id as claim_id,
        items.dollars_at_stake as dollars,
        items.fact,
        coalesce(denials.cause, 'the payer gave no reason') as cause,
        coalesce(denials.fix, 'ask the payer') as fix,
        coalesce(denials.is_appealable, true) as is_appealable
    from {{ ref('int_work_items') }} as items
    left join denials on items.practice_id = denials.practice_id and items.subject_id = denials.claim_id
    where items.kind = 'denied_claim'
    union all
    select
        lines.practice_id,
        lines.patient_id,
        lines.month,
        'underpaid_claim' as kind,
        lines.claim_id,
        -sum(lines.difference_amount + greatest(lines.other_amount, 0)) as dollars,
        array_to_string(list_sort(list(lines.procedure_code)), ', ') as fact,
        null as cause,
        null as fix,
        true as is_appealable
    from {{ ref('claim_line_payments') }} as lines
    semi join {{ ref('claims') }} as claims on lines.practice_id = claims.practice_id and lines.claim_id = claims.claim_id
    where lines.status = 'paid' and len(lines.denial_codes) = 0 and lines.difference_amount + greatest(lines.other_amount, 0) < 0
    group by lines.practice_id, lines.patient_id, lines.month, lines.claim_id
    -- A payer that rounds in another order than the fee schedule's is a cent or two away.
    having -sum(lines.difference_amount + greatest(lines.other_amount, 0)) >= {{ office_limit('underpaid') }}
),

dated_disputes as (
    select
        disputed.*,
        cast(months.close_opens_on - 1 as date) as due_on,
        decided.reopened_by,
        case when disputed.is_appealable then decided.appealed_by end as appealed_by,
        months.newest_night
    from disputed
    inner join {{ ref('int_months__close') }} as months on disputed.practice_id = months.practice_id and disputed.month = months.month
    inner join decided on disputed.claim_id = decided.claim_id
),

-- What claims that went out owe, are owed or wait for: by its own days, whatever month it is of.
after_the_claim as (
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
        concat_ws(
            ', ',
            case when appealed_by >= newest_night then 'appeal by ' || strftime(appealed_by, '%Y-%m-%d') end,
            case when reopened_by >= newest_night then 'reopening by ' || strftime(reopened_by, '%Y-%m-%d') end
        ) as ways
    from dated_disputes
    union all
    select
        aging.practice_id,
        aging.patient_id,
        aging.month,
        aging.claim_id,
        cast(aging.submitted_on + cast(min(buckets.days_from) as integer) as date) as due_on,
        any_value(sent.filed_by) as last_day,
        'unanswered_claim' as kind,
        aging.expected_payment as dollars,
        strftime(aging.submitted_on, '%Y-%m-%d') as fact,
        null as cause,
        null as fix,
        null as ways
    from {{ ref('claim_aging') }} as aging
    inner join {{ ref('rule_aging_buckets') }} as buckets
        on buckets.asks_for_work and aging.days_waiting >= buckets.days_from and {{ in_force('buckets', 'aging.submitted_on') }}
    inner join (
        select distinct
            claim_id,
            {{ filed_by('service_date') }} as filed_by
        from {{ ref('int_claim_lines__sent') }}
    ) as sent on aging.claim_id = sent.claim_id
    -- Where no payer's answer is ever brought, every claim is unanswered, and that is nothing to ask of anybody claim by claim.
    semi join {{ ref('claims') }} as decided
        on aging.practice_id = decided.practice_id and decided.status in ('paid', 'denied') and decided.answered_on >= aging.submitted_on
    group by aging.practice_id, aging.patient_id, aging.month, aging.claim_id, aging.submitted_on, aging.expected_payment
    union all
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        changes.claim_id,
        changes.due_on,
        changes.due_on as last_day,
        case changes.kind when 'refund' then 'refund_due' else 'reopening_due' end as kind,
        changes.amount_now - changes.claimed_amount as dollars,
        array_to_string(changes.claimed_codes, ', ')
        || case when changes.claimed_service_date <> changes.service_date_now then ' on ' || cast(changes.claimed_service_date as text) else '' end
        || ' claimed, '
        || case when len(changes.codes_now) = 0 then 'nothing' else array_to_string(changes.codes_now, ', ') end
        || case when changes.claimed_service_date <> changes.service_date_now then ' on ' || cast(changes.service_date_now as text) else '' end
        || ' may be' as fact,
        null as cause,
        null as fix,
        null as ways
    from {{ ref('post_close_changes') }} as changes
    inner join {{ ref('claims') }} as claims using (practice_id, patient_id, month)
    -- Of what was denied nothing is owed back, and its own item says what to ask for.
    where claims.status <> 'denied'
),

all_items as (
    select
        owned.practice_id,
        owned.patient_id,
        owned.month,
        owned.kind,
        owned.item_id,
        owned.owner_id,
        owned.minutes,
        owned.dollars_at_stake,
        owned.fact,
        owned.sentence,
        owned.newest_night,
        cast(owned.close_opens_on - 1 as date) as due_on,
        owned.last_day,
        denials.cause,
        denials.fix,
        null as ways
    from owned
    left join denials
        on
            owned.kind = 'rejected_claim'
            and owned.practice_id = denials.practice_id
            and owned.patient_id = denials.patient_id
            and owned.month = denials.month
    union all
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        changes.kind,
        changes.kind || ':' || changes.claim_id as item_id,
        null as owner_id,
        null as minutes,
        cast(changes.dollars as decimal(12, 2)) as dollars_at_stake,
        changes.fact,
        kinds.sentence,
        practices.newest_night,
        changes.due_on,
        changes.last_day,
        changes.cause,
        changes.fix,
        changes.ways
    from after_the_claim as changes
    inner join {{ ref('rule_worklist_kinds') }} as kinds on changes.kind = kinds.kind
    inner join {{ ref('stg_practices') }} as practices on changes.practice_id = practices.practice_id
    where kinds.exists_in = 'always' or changes.last_day >= practices.newest_night
),

fingerprinted as (
    select
        *,
        md5(concat_ws('|', kind, patient_id, coalesce(owner_id, ''), coalesce(minutes, -1), dollars_at_stake, coalesce(fact, '')))
            as fact_fingerprint
    from all_items
)

select
    items.practice_id,
    items.item_id,
    items.month,
    items.patient_id,
    items.owner_id as member_id,
    items.kind,
    replace(
        replace(
            replace(
                replace(
                    replace(
                        replace(items.sentence, '{minutes}', coalesce(cast(items.minutes as varchar), '')), '{by}', strftime(items.last_day, '%Y-%m-%d')
                    ),
                    '{ways}', coalesce(items.ways, '')
                ),
                '{cause}', coalesce(items.cause, '')
            ),
            '{fix}', coalesce(items.fix, '')
        ),
        '{fact}', coalesce(items.fact, '')
    ) as detail,
    items.minutes,
    items.dollars_at_stake,
    items.due_on,
    items.last_day,
    items.fact_fingerprint,
    dismissals.dismissed_until
from fingerprinted as items
left join {{ from_configuration('dismissals') }} as dismissals
    on
        items.practice_id = dismissals.practice_id
        and items.item_id = dismissals.item_id
        and items.fact_fingerprint = dismissals.fact_fingerprint
        and dismissals.dismissed_until > items.newest_night
