-- Where it is written what a payer said of a claim: the file by its hash, the transaction in it and, of an 835, the claim in that. Of acknowledgments the one
-- that counts.
with said as (
    select
        practice_id,
        claim_id,
        transaction_id,
        claim_position,
        payment_on as answered_on,
        kind as said,
        posting,
        [claim_status_code] as codes,
        paid_amount,
        check_number
    from {{ ref('int_claim_postings') }}
    union all
    select
        practice_id,
        claim_id,
        transaction_id,
        0 as claim_position,
        coalesce(status_on, interchange_on) as answered_on,
        outcome as said,
        'posted' as posting,
        coalesce(rejection_codes, cast([] as varchar[])) || coalesce(open_codes, cast([] as varchar[])) as codes,
        null as paid_amount,
        null as check_number
    from {{ ref('int_claims__statuses') }}
    union all
    select
        practice_id,
        claim_id,
        transaction_id,
        0 as claim_position,
        interchange_on as answered_on,
        case when is_rejected then 'rejected' when is_taken_in then 'accepted' else 'none' end as said,
        'posted' as posting,
        case when rejection_code is null then cast([] as varchar[]) else [rejection_code] end as codes,
        null as paid_amount,
        null as check_number
    from {{ ref('int_claims__acknowledged') }}
)

select
    said.practice_id,
    said.claim_id,
    sent.patient_id,
    sent.month,
    transactions.kind,
    said.said,
    said.posting,
    said.answered_on,
    said.codes,
    cast(said.paid_amount as decimal(12, 2)) as paid_amount,
    said.check_number,
    files.sha256,
    cast(transactions.ordinal as integer) as transaction_ordinal,
    transactions.transaction_control_number,
    cast(said.claim_position as integer) as claim_position
from said
-- A stranger's claim is none of ours.
inner join {{ ref('int_claims__sent') }} as sent on said.claim_id = sent.claim_id
inner join {{ ref('stg_answer_transactions') }} as transactions on said.transaction_id = transactions.transaction_id
inner join {{ ref('stg_answer_files') }} as files on transactions.file_id = files.file_id
