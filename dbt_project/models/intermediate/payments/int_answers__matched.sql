-- Whose claims each answer names: by claim id, or by the control numbers of our own files.
with acknowledged as (
    select
        transaction_id,
        control_number,
        unnest(submitter_ids) as submitter_id
    from {{ ref('stg_acknowledgments') }}
),

batches as (
    select
        transaction_id,
        batch_reference,
        unnest(submitter_ids) as submitter_id
    from {{ ref('stg_payer_statuses') }}
    where batch_reference is not null
),

files as (
    select distinct
        practice_id,
        submitter_id,
        control_number,
        {{ batch_reference('control_number', 'transaction_number') }} as batch_reference
    from {{ ref('int_claims__sent') }}
)

select acknowledged.transaction_id, files.practice_id
from acknowledged
inner join files on acknowledged.submitter_id = files.submitter_id and acknowledged.control_number = files.control_number
union
select batches.transaction_id, files.practice_id
from batches
inner join files on batches.submitter_id = files.submitter_id and batches.batch_reference = files.batch_reference
union
select statuses.transaction_id, sent.practice_id
from {{ ref('stg_payer_statuses') }} as statuses
inner join {{ ref('int_claims__sent') }} as sent on statuses.claim_id = sent.claim_id
union
select transaction_id, practice_id
from {{ ref('int_claim_postings') }}
where practice_id is not null
union
select answers.transaction_id, practices.practice_id
from {{ from_coverage_answers() }} as answers
inner join {{ from_configuration('practices') }} as practices
    on answers.receiver_npi = practices.npi or list_contains(answers.submitter_ids, upper(practices.submitter_id))
