{{ config(materialized='ephemeral') }}
select
    file_id,
    sha256,
    outcome,
    reason,
    first_file_id,
    faults
from {{ from_answers('files') }}
