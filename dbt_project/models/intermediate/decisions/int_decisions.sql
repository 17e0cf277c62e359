{{ config(meta={'touched_by': 'patient_months'}) }}
-- One decision per patient-month: claimed once is claimed for ever, else the first finding decides. Amounts only where there is a claim to make.
with first_findings as (
    select *
    from {{ ref('int_decision_findings') }}
    -- A reason that no rule speaks of comes before every other, and has no decision: nothing is claimed by it.
    qualify row_number() over (partition by practice_id, patient_id, month order by precedence nulls first, reason) = 1
),

claimed as (
    select
        practice_id,
        patient_id,
        month
    from {{ ref('int_claims__current') }}
    where status <> 'rejected'
),

decided as (
    select
        findings.practice_id,
        findings.patient_id,
        findings.month,
        case when claimed.practice_id is null then findings.decision else 'claimed' end as decision,
        case when claimed.practice_id is null then findings.reason else 'already_claimed' end as reason
    from first_findings as findings
    left join claimed using (practice_id, patient_id, month)
)

select
    decided.practice_id,
    decided.patient_id,
    decided.month,
    decided.decision,
    decided.reason,
    chosen.program,
    chosen.track,
    chosen.service_date,
    coalesce(chosen.is_capped, false) as is_capped,
    chosen.codes,
    case when chosen.practice_id is null then cast(0 as decimal(12, 2)) else cast(chosen.allowed_amount as decimal(12, 2)) end as allowed_amount
from decided
left join {{ ref('int_tracks__chosen') }} as chosen
    on
        decided.practice_id = chosen.practice_id
        -- Part of the key: a condition on the left side alone has DuckDB compare every row with every other.
        and case when decided.decision <> 'not_claimable' then decided.patient_id end = chosen.patient_id
        and decided.month = chosen.month
        and chosen.scenario = 'actual'
        and chosen.place = 1
