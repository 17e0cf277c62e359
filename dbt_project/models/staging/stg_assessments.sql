{{ config(meta={'touched_by': 'files'}) }}
{{ snapshot_rows(
    'assessments', [
        'assessment_id', 'patient_id', 'assessed_on', 'mdm_level', 'member_id'
    ]
) }}
