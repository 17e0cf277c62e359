{{ config(meta={'touched_by': 'patient_months'}) }}
-- What a patient-month's time could be claimed as, in the order of choice. A statement of its own, and so are the findings: lists that grow cannot leave
-- memory, and those of millions of patient-months side by side did not fit into it. For the same reason each candidate is text before it is listed, two
-- fields and not thirteen; of a track the base code comes first, the others by their text, in which the code is the first that differs.
select
    priced.practice_id,
    priced.patient_id,
    priced.month,
    cast(
        '[' || array_to_string(
            {{ list_in_order(
                "cast(to_json({
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
                }) as varchar)",
                "2 * chosen.place + case when priced.is_base then 0 else 1 end"
            ) }},
            ','
        ) || ']' as json
    ) as candidates
from {{ ref('int_candidates__priced') }} as priced
inner join {{ ref('int_tracks__chosen') }} as chosen using (scenario, practice_id, patient_id, month, track)
where priced.scenario = 'actual'
group by priced.practice_id, priced.patient_id, priced.month
