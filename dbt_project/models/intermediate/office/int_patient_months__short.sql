{{ config(meta={'touched_by': 'patient_months'}) }}
-- Patient-months that lack nothing but minutes (reason below_threshold), with what the first unit of the program's staff track would bring: the
-- patient-month decided with just enough minutes, on the month's last day and with the biller's share.
with first_codes as (
    {{ first_codes() }}
)

select
    stages.practice_id,
    stages.patient_id,
    stages.month,
    stages.program,
    stages.credited_seconds,
    stages.logged_seconds,
    minutes.credited_minutes,
    first_codes.first_unit_minutes - minutes.credited_minutes as minutes_to_first_unit,
    first_codes.procedure_code,
    prices.unit_amount
from {{ ref('int_patient_months__stages') }} as stages
inner join {{ ref('patient_month_minutes') }} as minutes using (practice_id, patient_id, month)
inner join first_codes on stages.program = first_codes.program and {{ in_force('first_codes', 'stages.month_end') }}
left join {{ ref('int_prices') }} as prices
    on
        stages.practice_id = prices.practice_id
        and first_codes.procedure_code = prices.procedure_code
        and stages.month_end = prices.service_date
        and coalesce(stages.payment_share, 1) = prices.payment_share
where stages.reason = 'below_threshold' and stages.needs_minutes
