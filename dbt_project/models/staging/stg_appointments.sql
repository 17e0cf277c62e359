{{ config(meta={'touched_by': 'landed_appointments'}) }}
{{ change_rows(
    'appointments', 'appointment_id', [
        'appointment_id', 'patient_id', 'member_id', 'visit_type', 'status', 'scheduled_start',
        'scheduled_end', 'updated_at'
    ]
) }}
