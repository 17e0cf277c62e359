-- Every transaction of every answer file. What was said before, in whatever envelope, is said once; but what an acknowledgment answers is told by its
-- envelope, too: the same words of another day, or as a test, may be of another file.
select
    transactions.*,
    envelopes.usage_indicator,
    envelopes.answered_guide,
    transactions.outcome = 'read' and row_number() over (
        partition by
            transactions.kind, transactions.outcome, transactions.content_sha256,
            case when transactions.kind in ('999', 'TA1', '277CA') then envelopes.usage_indicator end,
            case when transactions.kind = '999' then transactions.interchange_on end
        order by transactions.transaction_id
    ) = 1 as is_first
from {{ from_answers('transactions') }} as transactions
left join {{ from_answers('envelopes') }} as envelopes on transactions.transaction_id = envelopes.transaction_id
