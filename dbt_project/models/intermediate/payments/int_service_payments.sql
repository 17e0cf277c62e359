-- Whose line each service line of Medicare's postings is: by the line id that it gives back, else by its code. line_id is null where nobody can say.
select
    postings.transaction_id,
    postings.claim_position,
    services.line_position,
    coalesce(by_id.line_id, by_code.line_id) as line_id,
    services.paid_amount
from {{ ref('int_claim_postings') }} as postings
inner join {{ ref('stg_service_payments') }} as services
    on postings.transaction_id = services.transaction_id and postings.claim_position = services.claim_position
left join {{ ref('int_claim_lines__sent') }} as by_id
    on postings.claim_id = by_id.claim_id and services.line_id = by_id.line_id
left join {{ ref('int_claim_lines__sent') }} as by_code
    on postings.claim_id = by_code.claim_id and coalesce(services.submitted_code, services.procedure_code) = by_code.procedure_code
where postings.posting = 'posted' and postings.kind <> 'next_payer'
