-- What the payer denied of claims, by line: a line that got nothing by what it was claimed at, another by what it got too little. Not of a claim that was
-- paid in full all the same: the payer may have put the money of several lines into one (bundled, CARC 94 and 97).
select
    practice_id,
    claim_id,
    sum(
        case when len(denial_codes) = 0 then 0 when status = 'denied' then allowed_amount else greatest(-difference_amount, 0) end
    ) as denied_amount
from {{ ref('claim_line_payments') }}
group by practice_id, claim_id
having bool_or(len(denial_codes) > 0) and -sum(difference_amount) >= {{ office_limit('underpaid') }}
