-- Every panel fact and billed service in force of each patient, with the landed row that it stands in. No names, no member ids of payers.
select
    practice_id,
    patient_id,
    'patients' as table_name,
    patient_id as fact_id,
    cast(null as varchar) as kind,
    cast(null as date) as starts_on,
    deceased_date as ends_on,
    cast(null as boolean) as is_affirmed,
    billing_practitioner_id as member_id,
    cast([] as varchar[]) as condition_groups,
    file_id,
    line_number
from {{ ref('int_patients__current') }}
union all
select
    practice_id,
    patient_id,
    'coverages' as table_name,
    coverage_type || ':' || line_number as fact_id,
    coverage_type as kind,
    effective_date as starts_on,
    termination_date as ends_on,
    priority = 1 as is_affirmed,
    null as member_id,
    [] as condition_groups,
    file_id,
    line_number
from {{ ref('int_coverages__current') }}
union all
select
    conditions.practice_id,
    conditions.patient_id,
    'conditions',
    conditions.condition_id,
    conditions.icd10_code,
    coalesce(conditions.recorded_date, conditions.onset_date),
    conditions.resolved_date,
    conditions.clinical_status = 'active',
    null,
    coalesce(groups.condition_groups, []),
    conditions.file_id,
    conditions.line_number
from {{ ref('int_conditions__current') }} as conditions
-- Groups of whatever day: which hold in a month int_patient_months__conditions says.
left join (
    select
        icd10_code,
        list_sort(list(distinct condition_group)) as condition_groups
    from {{ ref('int_condition_codes__grouped') }}
    group by icd10_code
) as groups on conditions.icd10_code = groups.icd10_code
union all
select
    practice_id,
    patient_id,
    'consents' as table_name,
    consent_id as fact_id,
    program || ' ' || method as kind,
    consented_on as starts_on,
    revoked_on as ends_on,
    documented as is_affirmed,
    obtained_by as member_id,
    [] as condition_groups,
    file_id,
    line_number
from {{ ref('int_consents__current') }}
union all
select
    practice_id,
    patient_id,
    'care_plans' as table_name,
    care_plan_id as fact_id,
    'last reviewed ' || coalesce(cast(last_reviewed_on as varchar), 'never') as kind,
    established_on as starts_on,
    null as ends_on,
    copy_given_on is not null as is_affirmed,
    null as member_id,
    [] as condition_groups,
    file_id,
    line_number
from {{ ref('int_care_plans__current') }}
union all
select
    practice_id,
    patient_id,
    'assessments' as table_name,
    assessment_id as fact_id,
    mdm_level as kind,
    assessed_on as starts_on,
    null as ends_on,
    null as is_affirmed,
    member_id,
    [] as condition_groups,
    file_id,
    line_number
from {{ ref('int_assessments__current') }}
union all
select
    practice_id,
    patient_id,
    'stays' as table_name,
    stay_id as fact_id,
    stay_type as kind,
    admitted_on as starts_on,
    discharged_on as ends_on,
    null as is_affirmed,
    null as member_id,
    [] as condition_groups,
    file_id,
    line_number
from {{ ref('int_stays__current') }}
union all
select
    services.practice_id,
    services.patient_id,
    'services' as table_name,
    services.service_id as fact_id,
    services.procedure_code || ' ' || services.billed_by as kind,
    services.service_date as starts_on,
    null as ends_on,
    services.ccm_discussed as is_affirmed,
    services.member_id,
    [] as condition_groups,
    services.file_id,
    services.line_number
from {{ ref('stg_services') }} as services
inner join {{ ref('int_patients__current') }} as patients
    on services.practice_id = patients.practice_id and services.patient_id = patients.patient_id
where services.is_current
