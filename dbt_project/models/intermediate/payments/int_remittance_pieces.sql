-- What each 835 says, piece by piece: its claims and its adjustments of the provider. The same piece in another file of the payment counts once.
select
    claims.transaction_id,
    heads.check_key,
    heads.payment_key,
    claims.content_sha256 || '|' || claims.occurrence as piece,
    claims.paid_amount as amount,
    true as is_claim,
    claims.claim_id,
    claims.payer_claim_number,
    claims.claim_status_code,
    coalesce(statuses.kind = 'reversal', false) as is_reversal
from {{ ref('stg_claim_payments') }} as claims
inner join {{ ref('int_remittances__named') }} as heads on claims.transaction_id = heads.transaction_id
left join {{ ref('rule_remittance_claim_statuses') }} as statuses
    on
        claims.claim_status_code = statuses.claim_status_code
        and {{ in_force('statuses', 'heads.payment_on') }}
union all
select
    adjustments.transaction_id,
    heads.check_key,
    heads.payment_key,
    -- One without a reason is a piece, too.
    'PLB|' || coalesce(adjustments.reason_code, '') || '|' || adjustments.adjustment_amount || '|' || row_number() over (
        partition by adjustments.transaction_id, adjustments.reason_code, adjustments.adjustment_amount
        order by adjustments.position
    ) as piece,
    -adjustments.adjustment_amount as amount,
    false as is_claim,
    null as claim_id,
    null as payer_claim_number,
    null as claim_status_code,
    false as is_reversal
from {{ ref('stg_provider_adjustments') }} as adjustments
inner join {{ ref('int_remittances__named') }} as heads on adjustments.transaction_id = heads.transaction_id
