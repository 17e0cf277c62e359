-- Allowed amount per unit (rules.md A7): (work x GPCI + practice expense x GPCI + malpractice x GPCI) x conversion factor x the biller's share, rounded
-- once. One row per practice, code, service date and share in use; amounts are null where no release covers the date.
with base_codes as (
    {{ base_codes() }}
),

first_codes as (
    {{ first_codes() }}
),

wanted as (
    select distinct
        practice_id,
        procedure_code,
        service_date,
        payment_share
    from {{ ref('int_prices__wanted') }}
    union
    -- The base code at every month's end is the yardstick of the revenue gap.
    select
        months.practice_id,
        base.procedure_code,
        {{ month_end('months.month') }} as service_date,
        1 as payment_share
    from {{ ref('int_months') }} as months
    inner join base_codes as base on {{ in_force('base', month_end('months.month')) }}
    union
    -- The base code in the months ahead, for what enrollment would bring.
    select
        ahead.practice_id,
        base.procedure_code,
        ahead.price_day as service_date,
        1 as payment_share
    from {{ ref('int_months__ahead') }} as ahead
    inner join base_codes as base on {{ in_force('base', 'ahead.price_day') }}
    union
    -- What the first unit of a program's staff track would bring where it is not reached yet.
    select
        months.practice_id,
        first_codes.procedure_code,
        {{ month_end('months.month') }} as service_date,
        shares.payment_share
    from {{ ref('int_months') }} as months
    inner join (
        select distinct
            practice_id,
            coalesce(payment_share, 1) as payment_share
        from {{ ref('int_patient_months__basis') }}
    ) as shares on months.practice_id = shares.practice_id
    inner join first_codes on {{ in_force('first_codes', month_end('months.month')) }}
),

places as (
    select distinct
        wanted.practice_id,
        wanted.service_date,
        practices.place_of_service,
        practices.mac,
        practices.state,
        practices.locality,
        practices.qualifying_apm_participant
    from wanted
    inner join {{ ref('stg_practices') }} as practices on wanted.practice_id = practices.practice_id
),

{{ fees_on('wanted', 'places') }}

select
    wanted.practice_id,
    wanted.procedure_code,
    wanted.service_date,
    wanted.payment_share,
    rvus.work_rvu,
    {{ practice_expense_rvu() }} as practice_expense_rvu,
    rvus.malpractice_rvu,
    rvus.release as rvu_release,
    gpcis.work_gpci,
    gpcis.pe_gpci,
    gpcis.malpractice_gpci,
    gpcis.release as gpci_release,
    factors.conversion_factor,
    {{ unit_amount('practice_expense_rvu', 'wanted.payment_share', 'gpcis') }} as unit_amount,
    {{ unit_amount('practice_expense_rvu', 'wanted.payment_share') }} as national_unit_amount
from wanted
inner join places on wanted.practice_id = places.practice_id and wanted.service_date = places.service_date
left join {{ ref('rule_facility_places') }} as facility
    on places.place_of_service = facility.place_of_service and {{ in_force('facility', 'wanted.service_date') }}
left join rvus on wanted.procedure_code = rvus.procedure_code and wanted.service_date = rvus.service_date
left join gpcis
    on
        places.mac = gpcis.mac
        and places.state = gpcis.state
        and places.locality = gpcis.locality
        and wanted.service_date = gpcis.service_date
left join factors
    on places.qualifying_apm_participant = factors.qualifying_apm_participant and wanted.service_date = factors.service_date
