-- What someone should do next: of all that could be mended, what can be mended still.
-- Only in these months can time and charts be mended and claims be filed: which of them a kind of item has is said below.
with months as (
    select *
    from {{ ref('int_months__close') }}
    where is_open or not {{ is_filed_late('month_end', 'newest_night') }}
),

quarantined_time as (
    select
        *,
        'quarantined_time:' || patient_id || strftime(extract_date, ':%Y-%m-%d')
        || case when takes_back then strftime(month, ':%Y-%m') else '' end as item_id,
        strftime(extract_date, '%Y-%m-%d') || ', line ' || first_line || {{ and_more('row_count') }} as fact
    from {{ ref('int_quarantined_time') }}
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
        decision,
        reason
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
        decision,
        null as reason
    from {{ ref('int_patient_months__late') }}
    union all
    select
        practice_id,
        patient_id,
        month,
        'quarantined_time' as kind,
        item_id,
        null as member_id,
        null as minutes,
        -- How many minutes they are was not read.
        cast(0 as decimal(12, 2)) as dollars_at_stake,
        fact,
        month_end,
        billing_practitioner_id,
        decision,
        null as reason
    from quarantined_time
    where not takes_back
    union all
    select
        practice_id,
        patient_id,
        month,
        'quarantined_row' as kind,
        'quarantined_row:' || patient_id || strftime(month, ':%Y-%m') as item_id,
        null as member_id,
        null as minutes,
        -- What a claim would bring is not known before the row is.
        cast(0 as decimal(12, 2)) as dollars_at_stake,
        fact,
        month_end,
        billing_practitioner_id,
        decision,
        null as reason
    from {{ ref('int_quarantined_facts__barring') }}
),

-- A claim that has yet to go out is filed in time by its service date, which may lie before the month's end.
service_dates as (
    select
        chosen.practice_id,
        chosen.patient_id,
        chosen.month,
        chosen.service_date
    from {{ ref('int_tracks__chosen') }} as chosen
    semi join items
        on
            chosen.practice_id = items.practice_id
            and chosen.patient_id = items.patient_id
            and chosen.month = items.month
            and items.kind in ('claim_error', 'diagnosis_category', 'late_claim', 'rejected_claim')
    where chosen.scenario = 'actual' and chosen.place = 1
),

sent as (
    select
        claims.practice_id,
        claims.patient_id,
        claims.month,
        {{ reopened_by('coalesce(answered.determined_on, claims.claimed_on)') }} as reopened_by
    from {{ ref('int_claims__current') }} as claims
    left join {{ ref('int_claims__answered') }} as answered on claims.claim_id = answered.claim_id
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
                    when items.dollars_at_stake <= 0 then months.close_ends_on - 1
                    -- What it brings beside a claim that went out is had by a reopening.
                    when items.decision = 'claimed' then coalesce(sent.reopened_by, months.close_ends_on - 1)
                    else {{ filed_by('items.month_end') }}
                end
            else {{ filed_by('coalesce(dates.service_date, items.month_end)') }}
        end as last_day
    from items
    inner join months on items.practice_id = months.practice_id and items.month = months.month
    -- A kind that no rule speaks of stays, so that a test says so (every_kind_in_use_is_in_the_rules).
    left join {{ ref('rule_worklist_kinds') }} as kinds on items.kind = kinds.kind
    left join sent on items.practice_id = sent.practice_id and items.patient_id = sent.patient_id and items.month = sent.month
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
            when 'entry_member' then present.member_id
            when 'practitioner' then coalesce(practitioners.member_id, usual.member_id)
            when 'billing_office' then null
            else coalesce(present.member_id, usual.member_id, practitioners.member_id)
        end as owner_id
    from open_items as items
    left join {{ ref('int_members__present') }} as present
        on items.practice_id = present.practice_id and items.member_id = present.member_id
    left join {{ ref('int_members__present') }} as practitioners
        on items.practice_id = practitioners.practice_id and items.billing_practitioner_id = practitioners.member_id
    left join {{ ref('int_patients__usual_member') }} as usual
        on items.practice_id = usual.practice_id and items.patient_id = usual.patient_id
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
        case when owned.kind = 'quarantined_time' then 'count for nobody' else denials.cause end as cause,
        concat_ws(
            '; ',
            denials.fix,
            case
                when owned.kind <> 'rejected_claim' or owned.decision = 'claimable' then null
                when owned.reason <> 'already_claimed'
                    then
                        'first see whether it is right that nothing may be billed of the month by what is known now (' || owned.reason
                        || coalesce(': ' || reasons.remedy, '') || '), and put this off if it is'
                else
                        'first see to the service of this month that the practice''s own system lists and that bars another claim: have it taken back there '
                        || 'if it is the rejected claim itself'
            end
        ) as fix,
        null as ways
    from owned
    left join {{ ref('int_claims__denials') }} as denials
        on
            owned.kind = 'rejected_claim'
            and owned.practice_id = denials.practice_id
            and owned.patient_id = denials.patient_id
            and owned.month = denials.month
    left join {{ ref('rule_decision_reasons') }} as reasons on owned.reason = reasons.reason
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
    from (
        select * from {{ ref('int_claims__unsettled') }}
        union all
        select * from {{ ref('int_claims__doubled') }}
        union all
        select * from {{ ref('int_claims__merged_unsettled') }}
    ) as changes
    inner join {{ ref('stg_practices') }} as practices on changes.practice_id = practices.practice_id
    left join {{ ref('rule_worklist_kinds') }} as kinds on changes.kind = kinds.kind
    where coalesce(kinds.exists_in, 'always') = 'always' or changes.last_day >= practices.newest_night
    union all
    -- What may take back time that stands waits as long as it may be claimed, and where it was, as long as the claim stands: what is paid for it may be
    -- owed back, and the days for that are counted from the night that said so.
    select
        bad.practice_id,
        bad.patient_id,
        bad.month,
        'quarantined_time' as kind,
        bad.item_id,
        null as owner_id,
        null as minutes,
        cast(0 as decimal(12, 2)) as dollars_at_stake,
        bad.fact,
        kinds.sentence,
        closes.newest_night,
        case
            when bad.decision = 'claimed' then cast(bad.extract_date + cast({{ limit('refund', 'bad.extract_date') }} as integer) as date)
            else cast(closes.close_opens_on - 1 as date)
        end as due_on,
        case
            when bad.decision = 'claimed' then cast(bad.extract_date + cast({{ limit('refund', 'bad.extract_date') }} as integer) as date)
            when bad.decision = 'not_claimable' then cast(closes.close_ends_on - 1 as date)
            else {{ filed_by('bad.month_end') }}
        end as last_day,
        case
            when bad.decision = 'claimed' then 'may take back time that was claimed'
            else 'may change time that counts, so that a claim of ' || strftime(bad.month, '%Y-%m') || ' waits'
        end as cause,
        ', or accept them (ccm accept)' as fix,
        null as ways
    from quarantined_time as bad
    inner join {{ ref('int_months__close') }} as closes on bad.practice_id = closes.practice_id and bad.month = closes.month
    left join {{ ref('rule_worklist_kinds') }} as kinds on kinds.kind = 'quarantined_time'
    where bad.takes_back and (bad.decision <> 'not_claimable' or closes.is_open)
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
