-- Allowed amount per unit (rules.md A7): (work x GPCI + practice expense x GPCI + malpractice x GPCI) x conversion factor x the biller's share, rounded
-- once. One row per practice, code, service date and share in use; amounts are null where no release covers the date.
with wanted as (
    select distinct
        candidates.practice_id,
        candidates.procedure_code,
        dated.service_date,
        coalesce(basis.payment_share, 1) as payment_share
    from {{ ref('int_candidates') }} as candidates
    inner join {{ ref('int_candidates__dated') }} as dated using (scenario, practice_id, patient_id, month, track)
    inner join {{ ref('int_patient_months__basis') }} as basis using (practice_id, patient_id, month)
    where dated.service_date is not null
    union
    -- The base code at every month's end is the yardstick of the revenue gap.
    select
        practice_id,
        '99490' as procedure_code,
        {{ month_end('month') }} as service_date,
        1 as payment_share
    from {{ ref('int_months') }}
    union
    -- What the first unit of a program's staff track would bring where it is not reached yet.
    select
        months.practice_id,
        bands.procedure_code,
        {{ month_end('months.month') }} as service_date,
        shares.payment_share
    from {{ ref('int_months') }} as months
    inner join (
        select distinct
            practice_id,
            coalesce(payment_share, 1) as payment_share
        from {{ ref('int_patient_months__basis') }}
    ) as shares on months.practice_id = shares.practice_id
    cross join {{ ref('rule_programs') }} as programs
    inner join {{ ref('rule_bands') }} as bands
        on
            programs.program = bands.program
            and programs.staff_track = bands.track
            and bands.is_base
            and {{ in_force('bands', month_end('months.month')) }}
)

select
    wanted.practice_id,
    wanted.procedure_code,
    wanted.service_date,
    wanted.payment_share,
    rvus.work_rvu,
    case when facility.place_of_service is null then rvus.nonfacility_pe_rvu else rvus.facility_pe_rvu end as practice_expense_rvu,
    rvus.malpractice_rvu,
    rvus.release as rvu_release,
    gpcis.work_gpci,
    gpcis.pe_gpci,
    gpcis.malpractice_gpci,
    gpcis.release as gpci_release,
    factors.conversion_factor,
    cast({{ round_half_up(
        "(rvus.work_rvu * gpcis.work_gpci"
        " + case when facility.place_of_service is null then rvus.nonfacility_pe_rvu else rvus.facility_pe_rvu end * gpcis.pe_gpci"
        " + rvus.malpractice_rvu * gpcis.malpractice_gpci) * factors.conversion_factor * wanted.payment_share"
    ) }} as decimal(12, 2)) as unit_amount,
    cast({{ round_half_up(
        "(rvus.work_rvu + case when facility.place_of_service is null then rvus.nonfacility_pe_rvu else rvus.facility_pe_rvu end"
        " + rvus.malpractice_rvu) * factors.conversion_factor * wanted.payment_share"
    ) }} as decimal(12, 2)) as national_unit_amount
from wanted
inner join {{ ref('stg_practices') }} as practices on wanted.practice_id = practices.practice_id
left join {{ ref('rule_facility_places') }} as facility
    on practices.place_of_service = facility.place_of_service and {{ in_force('facility', 'wanted.service_date') }}
left join {{ ref('rule_rvus') }} as rvus
    on wanted.procedure_code = rvus.procedure_code and {{ in_force('rvus', 'wanted.service_date') }}
left join {{ ref('rule_gpcis') }} as gpcis
    on
        practices.mac = gpcis.mac
        and practices.state = gpcis.state
        and practices.locality = gpcis.locality
        and {{ in_force('gpcis', 'wanted.service_date') }}
left join {{ ref('rule_conversion_factors') }} as factors
    on
        practices.qualifying_apm_participant = factors.qualifying_apm_participant
        and {{ in_force('factors', 'wanted.service_date') }}
