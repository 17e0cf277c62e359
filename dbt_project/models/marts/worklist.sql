-- What someone should do next: of all that could be mended, what can be mended still.
-- Only in these months anything can be mended: which of them a kind of item has is said below.
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
    union all
    select
        practice_id,
        patient_id,
        month,
        'late_claim' as kind,
        'late_claim:' || patient_id || strftime(month, ':%Y-%m') as item_id,
        null as member_id,
        null as minutes,
        cast(allowed_amount as decimal(12, 2)) as dollars_at_stake,
        null as fact,
        month_end,
        billing_practitioner_id,
        decision
    from {{ ref('int_patient_months__late') }}
),

open_items as (
    select
        items.*,
        kinds.owner,
        kinds.sentence,
        months.close_opens_on,
        months.newest_night
    from items
    inner join {{ ref('rule_worklist_kinds') }} as kinds on items.kind = kinds.kind
    inner join months on items.practice_id = months.practice_id and items.month = months.month
    where
        case kinds.exists_in
            when 'newest_month' then months.newest_night <= items.month_end
            when 'until_filed'
                then months.is_open
                or (
                    items.decision <> 'claimed'
                    and items.dollars_at_stake > 0
                    and not {{ is_filed_late('items.month_end', 'months.newest_night') }}
                )
            else not {{ is_filed_late('items.month_end', 'months.newest_night') }}
        end
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

-- What claims that went out owe, are owed or wait for: by its own day, whatever month it is of.
after_the_claim as (
    select
        aging.practice_id,
        aging.patient_id,
        aging.month,
        aging.claim_id,
        cast(aging.submitted_on + cast(min(buckets.days_from) as integer) as date) as due_on,
        'unanswered_claim' as kind,
        aging.expected_payment as dollars,
        strftime(aging.submitted_on, '%Y-%m-%d') as fact
    from {{ ref('claim_aging') }} as aging
    inner join {{ ref('rule_aging_buckets') }} as buckets
        on buckets.asks_for_work and aging.days_waiting >= buckets.days_from and {{ in_force('buckets', 'aging.submitted_on') }}
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
        case changes.kind when 'refund' then 'refund_due' else 'reopening_due' end as kind,
        changes.amount_now - changes.claimed_amount as dollars,
        array_to_string(changes.claimed_codes, ', ')
        || ' claimed, '
        || case when len(changes.codes_now) = 0 then 'nothing' else array_to_string(changes.codes_now, ', ') end
        || ' may be' as fact
    from {{ ref('post_close_changes') }} as changes
    inner join {{ ref('claims') }} as claims using (practice_id, patient_id, month)
    -- Of what was denied nothing is owed back, and its own item says what to ask for.
    where claims.status <> 'denied'
),

all_items as (
    select
        practice_id,
        patient_id,
        month,
        kind,
        item_id,
        owner_id,
        minutes,
        dollars_at_stake,
        fact,
        sentence,
        newest_night,
        month_end as by_day,
        cast(close_opens_on - 1 as date) as due_on
    from owned
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
        changes.due_on as by_day,
        changes.due_on
    from after_the_claim as changes
    inner join {{ ref('rule_worklist_kinds') }} as kinds on changes.kind = kinds.kind
    inner join {{ ref('stg_practices') }} as practices on changes.practice_id = practices.practice_id
    where kinds.exists_in = 'always' or changes.due_on >= practices.newest_night
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
            replace(items.sentence, '{minutes}', coalesce(cast(items.minutes as varchar), '')),
            '{by}', strftime(items.by_day, '%Y-%m-%d')
        ),
        '{fact}', coalesce(items.fact, '')
    ) as detail,
    items.minutes,
    items.dollars_at_stake,
    items.due_on,
    items.fact_fingerprint,
    dismissals.dismissed_until
from fingerprinted as items
left join {{ from_configuration('dismissals') }} as dismissals
    on
        items.practice_id = dismissals.practice_id
        and items.item_id = dismissals.item_id
        and items.fact_fingerprint = dismissals.fact_fingerprint
        and dismissals.dismissed_until > items.newest_night
