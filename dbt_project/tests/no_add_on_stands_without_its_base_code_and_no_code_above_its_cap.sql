{{ config(meta={'touched_by': 'patient_months', 'dagster': {'ref': {'name': 'claimable_codes'}}}) }}
select
    codes.practice_id,
    codes.patient_id,
    codes.month
from {{ ref('claimable_codes') }} as codes
left join {{ ref('rule_bands') }} as bands
    on codes.procedure_code = bands.procedure_code and {{ in_force('bands', month_end('codes.month')) }}
left join {{ ref('rule_caps') }} as caps
    on codes.procedure_code = caps.procedure_code and {{ in_force('caps', month_end('codes.month')) }}
group by codes.practice_id, codes.patient_id, codes.month
having
    count(*) filter (where coalesce(bands.is_base, true)) <> 1
    or bool_or(codes.units > coalesce(caps.max_units, 0))
    or count(distinct codes.service_date) <> 1
