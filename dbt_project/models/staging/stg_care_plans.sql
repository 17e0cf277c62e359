{{ config(meta={'touched_by': 'files'}) }}
{{ snapshot_rows(
    'care_plans', [
        'care_plan_id', 'patient_id', 'established_on', 'last_reviewed_on', 'copy_given_on'
    ]
) }}
