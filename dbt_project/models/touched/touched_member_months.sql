-- Member's months in which an entry changed: whose time ran beside whose is found again.
select distinct
    practice_id,
    member_id,
    month
from {{ ref('touched_pieces') }}
