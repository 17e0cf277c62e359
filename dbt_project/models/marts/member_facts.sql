-- Each member of the care team as the last snapshot that had them says, with the landed row that says so. No names.
select
    practice_id,
    member_id,
    credential,
    taxonomy_code,
    active_from,
    active_to,
    file_id,
    line_number
from {{ ref('int_members__current') }}
