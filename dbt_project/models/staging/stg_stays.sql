{{ config(meta={'touched_by': 'files'}) }}
{{ snapshot_rows(
    'stays', [
        'stay_id', 'patient_id', 'stay_type', 'admitted_on', 'discharged_on'
    ]
) }}
