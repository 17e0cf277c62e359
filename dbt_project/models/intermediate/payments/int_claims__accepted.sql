-- What the newest 277CA that decides something says of each claim.
select
    *,
    bool_or(outcome = 'rejected') over (partition by claim_id) as was_rejected,
    max(case when outcome = 'rejected' then coalesce(status_on, interchange_on) end) over (partition by claim_id) as turned_back_on
from {{ ref('int_claims__statuses') }}
where outcome <> 'none'
qualify
    row_number() over (
        partition by claim_id
        order by status_on desc nulls last, interchange_on desc nulls last, outcome desc, transaction_id
    ) = 1
