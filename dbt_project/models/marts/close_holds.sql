-- What keeps a practice's close, or one patient's claim, in the house until it is mended or accepted (`ccm accept`), and what was accepted. Who accepted
-- it and why stands in the record (closes/<practice_id>/acceptances.jsonl): no person's name is in a mart.
select
    practice_id,
    hold_id,
    kind,
    holds_what,
    table_name,
    extract_date,
    measure,
    column_name,
    line_number,
    patient_id,
    explanation,
    first_month_held,
    last_month_held,
    is_acceptable,
    is_accepted
from {{ ref('int_close_holds') }}
