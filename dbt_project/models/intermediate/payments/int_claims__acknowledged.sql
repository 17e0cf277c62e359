-- What the 999s and TA1s say of each claim: it went in, or its whole transaction, group or interchange was turned back. A claim that a 999 took in
-- stays in: what turns the same file back later, or turned it back before, answers another sending of it. A TA1 says nothing of what is in the
-- interchange, so that it never takes back what a 999 said. One that calls the claim's file or transaction a duplicate says nothing of the first.
with meant as (
    select
        acknowledgments.*,
        codes.outcome,
        transactions.interchange_on,
        transactions.usage_indicator,
        transactions.answered_guide
    from {{ ref('stg_acknowledgments') }} as acknowledgments
    inner join {{ ref('stg_answer_transactions') }} as transactions on acknowledgments.transaction_id = transactions.transaction_id
    inner join {{ ref('rule_acknowledgment_codes') }} as codes
        on
            acknowledgments.level = codes.level
            and acknowledgments.outcome_code = codes.outcome_code
            and (codes.error_code is null or list_contains(acknowledgments.error_codes, codes.error_code))
            and coalesce({{ in_force('codes', 'transactions.interchange_on') }}, true)
    -- What the rules say of an error comes before what they say of its outcome.
    qualify row_number() over (partition by acknowledgments.transaction_id, acknowledgments.position order by codes.error_code nulls last) = 1
),

named as (
    select
        * exclude (submitter_ids),
        unnest(submitter_ids) as submitter_id
    from meant
    where outcome in ('accepted', 'rejected', 'repeated')
),

judged as (
    select
        claims.practice_id,
        claims.claim_id,
        named.transaction_id,
        named.interchange_on,
        bool_or(named.outcome = 'rejected') as is_rejected,
        bool_or(named.outcome = 'accepted' and named.level <> 'interchange') as is_taken_in,
        bool_or(named.level <> 'interchange') as is_by_999,
        max(
            case named.level when 'interchange' then 'TA1' else '999' end
            || case when len(named.error_codes) > 0 then ':' || array_to_string(named.error_codes, '+') else '' end
        ) filter (where named.outcome = 'rejected') as rejection_code
    from named
    inner join {{ ref('int_claims__sent') }} as claims
        on
            named.submitter_id = claims.submitter_id
            and named.control_number = claims.control_number
            and {{ may_answer('named', 'claims') }}
    where named.transaction_number is null or named.transaction_number = claims.transaction_number
    group by claims.practice_id, claims.claim_id, named.transaction_id, named.interchange_on
    having not bool_or(named.outcome = 'repeated')
)

select
    *,
    bool_or(is_rejected) over (partition by claim_id) as was_rejected,
    max(case when is_rejected then interchange_on end) over (partition by claim_id) as turned_back_on
from judged
qualify
    row_number() over (
        partition by claim_id
        order by is_taken_in and not is_rejected desc, is_by_999 desc, interchange_on desc nulls last, is_rejected desc, transaction_id
    ) = 1
