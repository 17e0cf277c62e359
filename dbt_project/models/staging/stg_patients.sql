{{ config(meta={'touched_by': 'files'}) }}
{{ snapshot_rows(
    'patients', [
        'patient_id', 'first_name', 'last_name', 'middle_name', 'birth_date', 'sex', 'address_line1', 'city',
        'state', 'postal_code', 'billing_practitioner_id', 'deceased_date'
    ]
) }}
