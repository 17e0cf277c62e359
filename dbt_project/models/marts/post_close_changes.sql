with dated as (
    select
        changes.*,
        found.found_on,
        -- Of the same codes on another day nothing is owed back: the payer corrects the date on asking (rules.md B5 Corrections).
        case when changes.amount_now > changes.claimed_amount or changes.claimed_codes = changes.codes_now then 'reopen' else 'refund' end as kind
    from {{ ref('int_post_close_changes') }} as changes
    inner join {{ ref('int_post_close_changes__found') }} as found using (practice_id, patient_id, month)
),

days as (
    select
        *,
        found_on + cast({{ limit('refund', 'found_on') }} as integer) as refunded_by,
        -- Until the payer has decided there is nothing to reopen yet: the night the claim went out on comes before any determination.
        {{ reopened_by('coalesce(determined_on, closed_as_of)') }} as reopened_by
    from dated
),

deadlines as (
    select
        *,
        case kind
            when 'refund' then refunded_by
            -- What is paid for a day on which it could not be claimed is not owed until the day is corrected.
            else case when claimed_codes = codes_now then least(refunded_by, reopened_by) else reopened_by end
        end as due_on,
        case kind when 'refund' then found_on + cast({{ limit('refund_investigation', 'found_on') }} as integer) end as investigation_until_on
    from days
)

select
    practice_id,
    patient_id,
    month,
    claim_id,
    cast(claimed_amount as decimal(12, 2)) as claimed_amount,
    cast(amount_now as decimal(12, 2)) as amount_now,
    kind,
    found_on,
    due_on,
    claimed_codes,
    codes_now,
    reasons,
    claimed_service_date,
    service_date_now,
    investigation_until_on,
    coalesce(investigation_until_on + cast({{ limit('refund', 'found_on') }} as integer), reopened_by) as latest_due_on
from deadlines
