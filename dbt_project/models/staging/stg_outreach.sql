{{ config(meta={'touched_by': 'files'}) }}
{{ snapshot_rows(
    'outreach', [
        'outreach_id', 'patient_id', 'attempted_at', 'channel', 'outcome', 'member_id'
    ]
) }}
