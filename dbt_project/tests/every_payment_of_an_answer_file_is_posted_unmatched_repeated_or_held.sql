{{ config(meta={'dagster': {'ref': {'name': 'answer_files'}}}) }}
select
    practice_id,
    file_id
from {{ ref('answer_files') }}
where
    claims_amount <> posted_amount + unmatched_amount + repeated_amount + held_amount
    or transactions <> transactions_posted + transactions_repeated + transactions_held + transactions_quarantined + transactions_other
