{{ config(meta={'touched_by': 'patient_months'}) }}
-- Candidate codes with dates and money: one row per scenario, patient-month, track and code. Products and sums of money are as wide as one machine word:
-- DuckDB would make them wider, and reads what is wider sixty times as slowly.
select
    candidates.scenario,
    candidates.practice_id,
    candidates.patient_id,
    candidates.month,
    candidates.program,
    candidates.track,
    candidates.procedure_code,
    candidates.is_base,
    candidates.units,
    candidates.is_capped,
    candidates.minutes_used,
    dated.service_date,
    prices.unit_amount,
    cast(prices.unit_amount * candidates.units as decimal(18, 2)) as allowed_amount,
    cast(prices.national_unit_amount * candidates.units as decimal(18, 2)) as national_amount,
    cast(coalesce(
        charges.charge_amount,
        cast({{ round_half_up("prices.unit_amount * " ~ limit('charge_without_own_fee', 'dated.service_date')) }} as decimal(12, 2))
    ) * candidates.units as decimal(18, 2)) as charge_amount
from {{ ref('int_candidates') }} as candidates
inner join {{ ref('int_candidates__dated') }} as dated using (scenario, practice_id, patient_id, month, track)
inner join {{ ref('int_patient_months__basis') }} as basis using (practice_id, patient_id, month)
left join {{ ref('int_prices') }} as prices
    on
        candidates.practice_id = prices.practice_id
        and candidates.procedure_code = prices.procedure_code
        and dated.service_date = prices.service_date
        and coalesce(basis.payment_share, 1) = prices.payment_share
left join {{ from_configuration('charges') }} as charges
    on candidates.practice_id = charges.practice_id and candidates.procedure_code = charges.procedure_code
where dated.service_date is not null
