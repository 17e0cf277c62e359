-- What each 277CA says of each claim. What it says of the claim itself comes before what it says of the whole batch.
with statuses as (
    select
        statuses.*,
        transactions.interchange_on,
        transactions.usage_indicator,
        transactions.answered_guide,
        coalesce(exact.outcome, categories.outcome, 'none') as outcome,
        -- The payer has it already: another code beside that one says more of it, and turns nothing back.
        coalesce(exact.outcome = 'none', false) as is_duplicate,
        -- Somebody has to look at what no rule knows.
        coalesce(exact.asks_for_work, categories.asks_for_work, true) as asks_for_work
    from {{ ref('stg_payer_statuses') }} as statuses
    inner join {{ ref('stg_answer_transactions') }} as transactions on statuses.transaction_id = transactions.transaction_id
    left join {{ ref('rule_claim_status_categories') }} as categories
        on
            statuses.category_code = categories.category_code
            and categories.status_code is null
            and {{ in_force('categories', 'coalesce(statuses.status_on, transactions.interchange_on)') }}
    -- What the rules say of a status comes before what they say of its category.
    left join {{ ref('rule_claim_status_categories') }} as exact
        on
            statuses.category_code = exact.category_code
            and statuses.status_code = exact.status_code
            and {{ in_force('exact', 'coalesce(statuses.status_on, transactions.interchange_on)') }}
),

of_batches as (
    select
        * exclude (submitter_ids),
        unnest(submitter_ids) as submitter_id
    from statuses
    where level <> 'claim' and (outcome = 'rejected' or is_duplicate)
),

of_claims as (
    select
        claims.practice_id,
        claims.claim_id,
        1 as level_rank,
        statuses.transaction_id,
        statuses.interchange_on,
        statuses.status_on,
        statuses.outcome,
        statuses.is_duplicate,
        statuses.asks_for_work,
        statuses.category_code,
        statuses.status_code
    from statuses
    inner join {{ ref('int_claims__sent') }} as claims on statuses.claim_id = claims.claim_id and {{ may_answer('statuses', 'claims') }}
    where statuses.level = 'claim'
    union all
    select
        claims.practice_id,
        claims.claim_id,
        case of_batches.level when 'provider' then 2 else 3 end as level_rank,
        of_batches.transaction_id,
        of_batches.interchange_on,
        of_batches.status_on,
        of_batches.outcome,
        of_batches.is_duplicate,
        of_batches.asks_for_work,
        of_batches.category_code,
        of_batches.status_code
    from of_batches
    inner join {{ ref('int_claims__sent') }} as claims
        on
            of_batches.submitter_id = claims.submitter_id
            -- BHT03, as the writer makes it of the control number and the number of the ST
            and of_batches.batch_reference = {{ batch_reference('claims.control_number', 'claims.transaction_number') }}
            and {{ may_answer('of_batches', 'claims') }}
)

select
    practice_id,
    claim_id,
    transaction_id,
    level_rank,
    max(interchange_on) as interchange_on,
    max(status_on) as status_on,
    case
        when bool_or(outcome = 'rejected') and not bool_or(is_duplicate) then 'rejected'
        when bool_or(outcome = 'accepted') then 'accepted'
        else 'none'
    end as outcome,
    bool_or(is_duplicate) as is_duplicate,
    list_sort(
        list(distinct category_code || coalesce(':' || status_code, '')) filter (where outcome = 'rejected')
    ) as rejection_codes,
    -- What decides nothing, and somebody has to look at.
    list_sort(
        list(distinct category_code || coalesce(':' || status_code, '')) filter (where outcome = 'none' and asks_for_work)
    ) as open_codes
from of_claims
group by practice_id, claim_id, transaction_id, level_rank
qualify row_number() over (partition by claim_id, transaction_id order by level_rank) = 1
