{{ config(meta={'touched_by': 'landed_time_entries'}) }}
{{ change_rows(
    'time_entries', 'entry_id', [
        'entry_id', 'patient_id', 'member_id', 'program', 'activity', 'started_at', 'ended_at',
        'duration_seconds', 'entry_method', 'face_to_face', 'note_id', 'note_length', 'note_sha256',
        'recorded_at', 'updated_at', 'voided'
    ]
) }}
