{{ config(meta={'touched_by': 'patient_months'}) }}
-- Patient-months that lack nothing but minutes (reason below_threshold), with what the first unit of the program's staff track would bring: the
-- patient-month decided with just enough minutes, on the month's last day and with the biller's share.
select
    stages.practice_id,
    stages.patient_id,
    stages.month,
    stages.program,
    stages.credited_seconds,
    stages.logged_seconds,
    minutes.credited_minutes,
    bands.first_unit_minutes - minutes.credited_minutes as minutes_to_first_unit,
    bands.procedure_code,
    prices.unit_amount
from {{ ref('int_patient_months__stages') }} as stages
inner join {{ ref('patient_month_minutes') }} as minutes using (practice_id, patient_id, month)
inner join {{ ref('rule_bands') }} as bands
    on
        stages.program = bands.program
        and stages.staff_track = bands.track
        and bands.is_base
        and {{ in_force('bands', 'stages.month_end') }}
left join {{ ref('int_prices') }} as prices
    on
        stages.practice_id = prices.practice_id
        and bands.procedure_code = prices.procedure_code
        and stages.month_end = prices.service_date
        and coalesce(stages.payment_share, 1) = prices.payment_share
where stages.reason = 'below_threshold' and stages.needs_minutes
