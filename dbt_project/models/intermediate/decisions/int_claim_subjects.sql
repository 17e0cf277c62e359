{{ config(meta={'touched_by': 'patient_months'}) }}
-- Who a claim is about and who rendered it: the only model with names, birth dates and MBIs. Read by the close, published nowhere.
with members as (
    select
        codes.practice_id,
        codes.patient_id,
        codes.month,
        coverages.member_id
    from (
        select distinct practice_id, patient_id, month, service_date
        from {{ ref('claimable_codes') }}
    ) as codes
    inner join {{ ref('int_coverages__current') }} as coverages
        on
            codes.practice_id = coverages.practice_id
            and codes.patient_id = coverages.patient_id
            and {{ is_medicare('coverages.coverage_type') }}
            and coverages.member_id is not null
    -- The MBI of the Part B coverage on the service date, else of another Medicare coverage.
    qualify row_number() over (
        partition by codes.practice_id, codes.patient_id, codes.month
        order by
            coverages.coverage_type = 'medicare_part_b' desc,
            codes.service_date between coverages.effective_date and coalesce(coverages.termination_date, date '9999-12-31') desc,
            coverages.effective_date desc,
            coverages.member_id
    ) = 1
)

select
    basis.practice_id,
    basis.patient_id,
    basis.month,
    patients.first_name,
    patients.middle_name,
    patients.last_name,
    patients.birth_date,
    patients.sex,
    patients.address_line1,
    patients.city,
    patients.state,
    patients.postal_code,
    members.member_id as mbi,
    practitioners.name as practitioner_name,
    practitioners.npi as practitioner_npi,
    practitioners.taxonomy_code as practitioner_taxonomy_code,
    diagnoses.icd10_codes
from (select distinct practice_id, patient_id, month from {{ ref('claimable_codes') }}) as codes
inner join {{ ref('int_patient_months__basis') }} as basis using (practice_id, patient_id, month)
inner join {{ ref('int_patients__current') }} as patients using (practice_id, patient_id)
left join members using (practice_id, patient_id, month)
left join {{ ref('int_members__current') }} as practitioners
    on basis.practice_id = practitioners.practice_id and basis.billing_practitioner_id = practitioners.member_id
left join {{ ref('int_claim_diagnoses') }} as diagnoses using (practice_id, patient_id, month)
