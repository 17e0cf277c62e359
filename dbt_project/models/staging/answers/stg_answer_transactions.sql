-- Every transaction of every answer file. What was said before, in whatever envelope, is said once.
select
    *,
    outcome = 'read' and row_number() over (partition by kind, outcome, content_sha256 order by transaction_id) = 1 as is_first
from {{ from_answers('transactions') }}
