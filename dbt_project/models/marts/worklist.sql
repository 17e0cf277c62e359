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

fingerprinted as (
    select
        *,
        md5(concat_ws('|', kind, patient_id, coalesce(owner_id, ''), coalesce(minutes, -1), dollars_at_stake, coalesce(fact, '')))
            as fact_fingerprint
    from owned
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
            '{by}', strftime(items.month_end, '%Y-%m-%d')
        ),
        '{fact}', coalesce(items.fact, '')
    ) as detail,
    items.minutes,
    items.dollars_at_stake,
    items.close_opens_on - 1 as due_on,
    items.fact_fingerprint,
    dismissals.dismissed_until
from fingerprinted as items
left join {{ from_configuration('dismissals') }} as dismissals
    on
        items.practice_id = dismissals.practice_id
        and items.item_id = dismissals.item_id
        and items.fact_fingerprint = dismissals.fact_fingerprint
        and dismissals.dismissed_until > items.newest_night
