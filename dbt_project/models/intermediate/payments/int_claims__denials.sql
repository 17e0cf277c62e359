-- Why a claim was denied or turned back, and what helps.
select
    claims.practice_id,
    claims.patient_id,
    claims.month,
    claims.claim_id,
    array_to_string(list_sort(list(distinct denials.likely_cause)), '; ')
    || case when len(claims.remark_codes) > 0 then ' (remark codes ' || array_to_string(claims.remark_codes, ', ') || ')' else '' end as cause,
    array_to_string(list_sort(list(distinct denials.fix)), '; ') as fix,
    bool_or(denials.is_appealable) as is_appealable
from {{ ref('claims') }} as claims
inner join {{ ref('claim_denials') }} as denials on claims.practice_id = denials.practice_id and claims.claim_id = denials.claim_id
group by claims.practice_id, claims.patient_id, claims.month, claims.claim_id, claims.remark_codes
