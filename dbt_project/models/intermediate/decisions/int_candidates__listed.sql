{{ config(meta={'touched_by': 'patient_months'}) }}
-- What a patient-month's time could be claimed as, in the order of choice. A statement of its own, and so are the findings: lists that grow cannot leave
-- memory, and those of millions of patient-months side by side did not fit into it.
select
    priced.practice_id,
    priced.patient_id,
    priced.month,
    to_json({{ list_in_order(
        "{
            'track': priced.track,
            'place': chosen.place,
            'procedure_code': priced.procedure_code,
            'units': priced.units,
            'is_capped': priced.is_capped,
            'minutes': priced.minutes_used,
            'service_date': priced.service_date,
            'unit_amount': priced.unit_amount,
            'allowed_amount': priced.allowed_amount,
            'national_amount': priced.national_amount
        }",
        "{'place': chosen.place, 'further': not priced.is_base, 'code': priced.procedure_code}"
    ) }}) as candidates
from {{ ref('int_candidates__priced') }} as priced
inner join {{ ref('int_tracks__chosen') }} as chosen using (scenario, practice_id, patient_id, month, track)
where priced.scenario = 'actual'
group by priced.practice_id, priced.patient_id, priced.month
