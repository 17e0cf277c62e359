{{ config(meta={'touched_by': 'patient_months'}) }}
with alternatives as (
    select
        practice_id,
        patient_id,
        month,
        to_json(
            {{ list_in_order("{'track': track, 'minutes': minutes_used, 'codes': codes, 'allowed_amount': allowed_amount}", 'place') }}
        ) as alternatives
    from {{ ref('int_tracks__chosen') }}
    where scenario = 'actual'
    group by practice_id, patient_id, month
)

select
    decisions.practice_id,
    decisions.patient_id,
    decisions.month,
    decisions.decision,
    decisions.reason,
    coalesce(flags.flags, cast([] as varchar[])) as flags,
    decisions.track,
    coalesce(case when decisions.decision <> 'not_claimable' then alternatives.alternatives end, cast('[]' as json)) as alternatives,
    decisions.allowed_amount,
    (select rules.rules_version from {{ from_configuration('rules') }} as rules) as rules_version
from {{ ref('int_decisions') }} as decisions
left join {{ ref('int_decision_flags') }} as flags using (practice_id, patient_id, month)
left join alternatives using (practice_id, patient_id, month)
