{{ config(meta={'touched_by': 'files'}) }}
{{ snapshot_rows(
    'conditions', [
        'condition_id', 'patient_id', 'icd10_code', 'clinical_status', 'onset_date', 'recorded_date',
        'resolved_date'
    ]
) }}
