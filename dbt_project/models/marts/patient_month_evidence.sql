{{ config(meta={'touched_by': 'patient_months', 'follows_practice': ['newest_night']}) }}
-- What the decision on a patient-month rests on, in one row: every reason that applies (not only the first), the consent, the visit, the days that
-- count (one bit per day, bit 0 = the first) and every track its minutes reach, also where another reason bars the claim.
with services as (
    select
        practice_id,
        patient_id,
        month,
        list_sort(list(distinct service_id)) as conflict_service_ids
    from {{ ref('int_service_findings') }}
    group by practice_id, patient_id, month
)

select
    basis.practice_id,
    basis.patient_id,
    basis.month,
    basis.program,
    findings.findings,
    practices.newest_night,
    basis.consent_id,
    basis.consented_on,
    service.service_starts_on,
    basis.initiating_service_id,
    basis.initiated_on,
    basis.billing_practitioner_id,
    basis.practitioner_npi,
    members.credential as practitioner_credential,
    cast(basis.payment_share as decimal(3, 2)) as payment_share,
    case when members.gone_on <= basis.month then members.extract_date end as practitioner_seen_on,
    case when members.gone_on <= basis.month then members.gone_on end as practitioner_gone_on,
    basis.has_care_plan,
    basis.has_complex_mdm,
    coalesce(services.conflict_service_ids, cast([] as varchar[])) as conflict_service_ids,
    cast(basis.month_days as bigint) as month_days,
    cast(basis.alive_days as bigint) as alive_days,
    cast(basis.part_b_days as bigint) as part_b_days,
    cast(basis.fee_for_service_days as bigint) as fee_for_service_days,
    cast(basis.qmb_days as bigint) as qmb_days,
    cast(basis.other_primary_days as bigint) as other_primary_days,
    cast(basis.facility_days as bigint) as facility_days,
    cast(basis.hospice_days as bigint) as hospice_days,
    cast(basis.review_days as bigint) as review_days,
    coalesce(candidates.candidates, cast('[]' as json)) as candidates
from {{ ref('int_patient_months__basis') }} as basis
inner join {{ ref('int_decision_findings__listed') }} as findings using (practice_id, patient_id, month)
inner join {{ ref('int_patient_months__service') }} as service using (practice_id, patient_id, month)
left join services using (practice_id, patient_id, month)
left join {{ ref('int_candidates__listed') }} as candidates using (practice_id, patient_id, month)
left join {{ ref('int_members__current') }} as members
    on basis.practice_id = members.practice_id and basis.billing_practitioner_id = members.member_id
inner join {{ ref('stg_practices') }} as practices on basis.practice_id = practices.practice_id
