{{ config(meta={'touched_by': 'files'}) }}
{{ snapshot_rows(
    'coverages', [
        'patient_id', 'coverage_type', 'member_id', 'priority', 'effective_date', 'termination_date'
    ]
) }}
