{{ config(meta={'touched_by': 'files'}) }}
{{ snapshot_rows(
    'care_team', [
        'member_id', 'name', 'credential', 'npi', 'taxonomy_code', 'active_from', 'active_to'
    ]
) }}
