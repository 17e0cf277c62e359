-- Whose each claim is, by the number that it went out under and by every Medicare number that its patient has now. A claim rejected unprocessed claims nothing.
with claims as (
    select
        lines.practice_id,
        lines.patient_id,
        lines.month,
        lines.claim_id,
        lines.close_version,
        lines.tax_id,
        lines.beneficiary_key,
        lines.claimed_on,
        sum(lines.charge_amount) as billed_amount,
        any_value({{ waits_or_is_paid('history') }}) as waits_or_is_paid
    from {{ from_configuration('claim_lines') }} as lines
    inner join {{ ref('int_claims__history') }} as history
        on
            lines.practice_id = history.practice_id
            and lines.claim_id = history.claim_id
            and lines.close_version = history.close_version
            and history.status <> 'rejected'
    group by
        lines.practice_id, lines.patient_id, lines.month, lines.claim_id, lines.close_version, lines.tax_id, lines.beneficiary_key, lines.claimed_on
)

select
    *,
    beneficiary_key as identity
from claims
where beneficiary_key is not null
union
select
    claims.*,
    {{ beneficiary_key('coverages.member_id') }} as identity
from claims
inner join {{ ref('int_coverages__current') }} as coverages
    on
        claims.practice_id = coverages.practice_id
        and claims.patient_id = coverages.patient_id
        and {{ is_medicare('coverages.coverage_type') }}
        and {{ is_mbi('coverages.member_id') }}
