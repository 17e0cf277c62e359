{{ config(meta={'touched_by': 'files'}) }}
{{ snapshot_rows(
    'consents', [
        'consent_id', 'patient_id', 'program', 'consented_on', 'method', 'documented', 'obtained_by',
        'billing_practitioner_id', 'revoked_on'
    ]
) }}
