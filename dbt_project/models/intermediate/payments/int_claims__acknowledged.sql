-- What the newest 999 or TA1 says of each claim: it went in, or its whole transaction, group or interchange was turned back.
with named as (
    select
        acknowledgments.* exclude (submitter_ids),
        unnest(acknowledgments.submitter_ids) as submitter_id,
        codes.outcome,
        transactions.interchange_on
    from {{ ref('stg_acknowledgments') }} as acknowledgments
    inner join {{ ref('stg_answer_transactions') }} as transactions on acknowledgments.transaction_id = transactions.transaction_id
    inner join {{ ref('rule_acknowledgment_codes') }} as codes
        on
            acknowledgments.level = codes.level
            and acknowledgments.outcome_code = codes.outcome_code
            and coalesce({{ in_force('codes', 'transactions.interchange_on') }}, true)
    where codes.outcome <> 'by_transaction'
),

judged as (
    select
        claims.practice_id,
        claims.claim_id,
        named.transaction_id,
        named.interchange_on,
        bool_or(named.outcome = 'rejected') as is_rejected,
        max(
            case named.level when 'interchange' then 'TA1' else '999' end
            || case when len(named.error_codes) > 0 then ':' || array_to_string(named.error_codes, '+') else '' end
        ) filter (where named.outcome = 'rejected') as rejection_code
    from named
    inner join {{ ref('int_claims__sent') }} as claims
        on named.submitter_id = claims.submitter_id and named.control_number = claims.control_number
    where named.transaction_number is null or named.transaction_number = claims.transaction_number
    group by claims.practice_id, claims.claim_id, named.transaction_id, named.interchange_on
)

select *
from judged
qualify row_number() over (partition by claim_id order by interchange_on desc nulls last, is_rejected desc, transaction_id) = 1
