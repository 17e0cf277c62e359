-- Whose claims each answer names: by claim id, or by the control numbers of our own files.
with acknowledged as (
    select
        acknowledgments.transaction_id,
        acknowledgments.control_number,
        transactions.interchange_on,
        transactions.usage_indicator,
        transactions.answered_guide,
        unnest(acknowledgments.submitter_ids) as submitter_id
    from {{ ref('stg_acknowledgments') }} as acknowledgments
    inner join {{ ref('stg_answer_transactions') }} as transactions on acknowledgments.transaction_id = transactions.transaction_id
),

statuses as (
    select
        statuses.*,
        transactions.interchange_on,
        transactions.usage_indicator,
        transactions.answered_guide
    from {{ ref('stg_payer_statuses') }} as statuses
    inner join {{ ref('stg_answer_transactions') }} as transactions on statuses.transaction_id = transactions.transaction_id
),

batches as (
    select
        * exclude (submitter_ids),
        unnest(submitter_ids) as submitter_id
    from statuses
    where batch_reference is not null
),

files as (
    select distinct
        practice_id,
        submitter_id,
        control_number,
        usage_indicator,
        claimed_on,
        {{ batch_reference('control_number', 'transaction_number') }} as batch_reference
    from {{ ref('int_claims__sent') }}
)

select acknowledged.transaction_id, files.practice_id
from acknowledged
inner join files
    on
        acknowledged.submitter_id = files.submitter_id
        and acknowledged.control_number = files.control_number
        and {{ may_answer('acknowledged', 'files') }}
union
select batches.transaction_id, files.practice_id
from batches
inner join files
    on
        batches.submitter_id = files.submitter_id
        and batches.batch_reference = files.batch_reference
        and {{ may_answer('batches', 'files') }}
union
select statuses.transaction_id, sent.practice_id
from statuses
inner join {{ ref('int_claims__sent') }} as sent on statuses.claim_id = sent.claim_id and {{ may_answer('statuses', 'sent') }}
union
select transaction_id, practice_id
from {{ ref('int_claim_postings') }}
where practice_id is not null
union
select transaction_id, practice_id
from {{ ref('int_coverage_answers__received') }}
where is_own
