{{ config(meta={'touched_by': 'landed_services'}) }}
{%- set columns = [
    'service_id', 'patient_id', 'member_id', 'procedure_code', 'service_date', 'units', 'appointment_id', 'billed_by', 'ccm_discussed', 'updated_at'
] %}
-- Codes as the rules write them: in capitals, without the blanks and modifiers that an export puts around them. As it was written, a `g0181` would bar
-- nothing.
with landed_services as (
    {{ change_rows('services', 'service_id', columns) }}
)

select
    practice_id,
    extract_date,
    file_id,
    line_number{% for column in columns %},
    {% if column == 'procedure_code' %}{{ without_modifiers(as_code('procedure_code')) }} as procedure_code{% else %}{{ column }}{% endif %}{% endfor %},
    is_current,
    is_only
from landed_services
