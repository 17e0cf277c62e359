-- What the newest 277CA says of claims that it neither took in nor turned back, where somebody has to look: the payer has the claim already, cannot find
-- it, or says what no rule knows. That a claim which was taken in came a second time asks for nothing.
select
    practice_id,
    claim_id,
    coalesce(status_on, interchange_on) as status_on,
    open_codes
from (
    select
        *,
        bool_or(outcome = 'accepted') over (partition by claim_id) as was_accepted,
        row_number() over (
            partition by claim_id
            order by status_on desc nulls last, interchange_on desc nulls last, outcome desc, transaction_id
        ) as place
    from {{ ref('int_claims__statuses') }}
) as statuses
where place = 1 and outcome = 'none' and len(open_codes) > 0 and not (is_duplicate and was_accepted)
