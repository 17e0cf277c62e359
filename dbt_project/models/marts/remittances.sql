-- Every payment that an 835 told, once: what it pays is what was posted to our claims, what belongs to strangers' claims, what the payer adjusted
-- for the provider as a whole, and what is held because its file does not add up.
with judged as (
    select *
    from {{ ref('int_remittances__judged') }}
    where outcome <> 'repeated'
),

heads as (
    select
        judged.remittance_id,
        -- A part that comes to nothing may be held where its payment is posted.
        case when bool_or(judged.outcome = 'posted') then 'posted' else any_value(judged.outcome order by judged.transaction_id) end as status,
        any_value(heads.payer_id order by judged.transaction_id) as payer_id,
        any_value(heads.payer_name order by judged.transaction_id) as payer_name,
        any_value(heads.check_number order by judged.transaction_id) as check_number,
        any_value(heads.payment_on order by judged.transaction_id) as payment_on,
        any_value(heads.payment_method order by judged.transaction_id) as payment_method,
        any_value(heads.payee_npi order by judged.transaction_id) as payee_npi,
        any_value(heads.payee_tax_id order by judged.transaction_id) as payee_tax_id,
        any_value(heads.total_amount order by judged.transaction_id) as total_amount,
        any_value(judged.out_of_balance_amount order by judged.transaction_id) as out_of_balance_amount,
        count(*) as transactions
    from judged
    inner join {{ ref('stg_remittances') }} as heads on judged.transaction_id = heads.transaction_id
    group by judged.remittance_id
),

claims as (
    select
        remittance_id,
        list_sort(list(distinct practice_id) filter (where practice_id is not null)) as practice_ids,
        count(*) filter (where posting = 'posted') as claims_posted,
        count(*) filter (where posting = 'unmatched') as claims_unmatched,
        count(*) filter (where posting = 'held') as claims_held,
        sum(paid_amount) filter (where posting = 'posted') as posted_amount,
        sum(paid_amount) filter (where posting = 'unmatched') as unmatched_amount
    from {{ ref('int_claim_postings') }}
    group by remittance_id
),

-- An adjustment that stands in two parts of one payment counts once.
adjusted as (
    select
        remittance_id,
        sum(amount) as provider_adjustment_amount
    from (
        select
            judged.remittance_id,
            pieces.amount,
            row_number() over (partition by judged.remittance_id, pieces.piece order by judged.transaction_id) = 1 as is_new
        from judged
        inner join {{ ref('int_remittance_pieces') }} as pieces on judged.transaction_id = pieces.transaction_id
        where judged.outcome = 'posted' and not pieces.is_claim
    )
    where is_new
    group by remittance_id
),

by_npi as (
    select
        identity as npi,
        min(practice_id) as practice_id
    from {{ ref('int_practices__identities') }}
    where kind = 'npi' and is_own
    group by identity
),

by_tax_id as (
    select
        tax_id,
        min(practice_id) as practice_id
    from {{ from_configuration('practices') }}
    group by tax_id
)

select
    -- A payment for the claims of several practices is no single one's.
    case
        when len(claims.practice_ids) > 1 then null
        else coalesce(claims.practice_ids[1], by_npi.practice_id, by_tax_id.practice_id)
    end as practice_id,
    heads.remittance_id,
    heads.payer_id,
    heads.payer_name as payer,
    heads.check_number,
    heads.payment_on,
    heads.payment_method,
    heads.status,
    cast(heads.total_amount as decimal(12, 2)) as total_amount,
    cast(coalesce(claims.posted_amount, 0) as decimal(12, 2)) as posted_amount,
    cast(coalesce(claims.unmatched_amount, 0) as decimal(12, 2)) as unmatched_amount,
    cast(coalesce(adjusted.provider_adjustment_amount, 0) as decimal(12, 2)) as provider_adjustment_amount,
    cast(case when heads.status = 'posted' then 0 else heads.total_amount end as decimal(12, 2)) as held_amount,
    cast(heads.out_of_balance_amount as decimal(12, 2)) as out_of_balance_amount,
    cast(coalesce(claims.claims_posted, 0) as bigint) as claims_posted,
    cast(coalesce(claims.claims_unmatched, 0) as bigint) as claims_unmatched,
    cast(coalesce(claims.claims_held, 0) as bigint) as claims_held,
    cast(heads.transactions as bigint) as transactions,
    coalesce(claims.practice_ids, cast([] as varchar[])) as practice_ids
from heads
left join claims on heads.remittance_id = claims.remittance_id
left join adjusted on heads.remittance_id = adjusted.remittance_id
left join by_npi on heads.payee_npi = by_npi.npi
left join by_tax_id on case when heads.payee_npi is null then heads.payee_tax_id end = by_tax_id.tax_id
