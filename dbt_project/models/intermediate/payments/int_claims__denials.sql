-- Why a claim was denied or turned back, and what helps. The remark codes are those of what was denied: what is remarked of a line that was paid is no cause.
with denials as (
    select
        practice_id,
        patient_id,
        month,
        claim_id,
        array_to_string(list_sort(list(distinct likely_cause)), '; ') as causes,
        list_sort(list_distinct(flatten(list(remark_codes)))) as remark_codes,
        array_to_string(list_sort(list(distinct fix)), '; ') as fix,
        bool_or(is_appealable) as is_appealable
    from {{ ref('claim_denials') }}
    group by practice_id, patient_id, month, claim_id
)

select
    practice_id,
    patient_id,
    month,
    claim_id,
    causes || case when len(remark_codes) > 0 then ' (remark codes ' || array_to_string(remark_codes, ', ') || ')' else '' end as cause,
    fix,
    is_appealable
from denials
