-- Members' days on which an entry changed that has a place on the clock: whose time ran beside whose is found again.
select distinct
    practice_id,
    member_id,
    local_day
from {{ ref('touched_pieces') }}
where start_at is not null
