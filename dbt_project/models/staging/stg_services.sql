{{ config(meta={'touched_by': 'landed_services'}) }}
{{ change_rows(
    'services', 'service_id', [
        'service_id', 'patient_id', 'member_id', 'procedure_code', 'service_date', 'units', 'appointment_id',
        'billed_by', 'ccm_discussed', 'updated_at'
    ]
) }}
