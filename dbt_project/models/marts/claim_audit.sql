-- What the OIG found in care management claims (rules.md B7), looked for in every claim ever closed. A claim rejected unprocessed claims nothing.
with lines as (
    select
        lines.*,
        bands.track,
        bands.is_base,
        caps.max_units
    from {{ from_configuration('claim_lines') }} as lines
    inner join {{ ref('int_claims__history') }} as claims
        on
            lines.practice_id = claims.practice_id
            and lines.claim_id = claims.claim_id
            and lines.close_version = claims.close_version
            and claims.status <> 'rejected'
    left join {{ ref('rule_bands') }} as bands
        on lines.procedure_code = bands.procedure_code and {{ in_force('bands', 'lines.service_date') }}
    left join {{ ref('rule_caps') }} as caps
        on lines.procedure_code = caps.procedure_code and {{ in_force('caps', 'lines.service_date') }}
),

claims as (
    select
        practice_id,
        patient_id,
        month,
        claim_id,
        close_version,
        tax_id,
        beneficiary_key,
        sum(charge_amount) as charge_amount,
        count(distinct track) as tracks
    from lines
    group by practice_id, patient_id, month, claim_id, close_version, tax_id, beneficiary_key
),

-- The first claim of a patient-month, and of a beneficiary's month among the practices of one tax id, is nobody's duplicate.
duplicates as (
    select
        *,
        first_value(claim_id) over same_patient as first_of_patient,
        case when beneficiary_key is not null then first_value(practice_id || ' ' || claim_id) over same_beneficiary end as first_of_beneficiary
    from claims
    window
        same_patient as (partition by practice_id, patient_id, month order by close_version, claim_id),
        same_beneficiary as (partition by tax_id, beneficiary_key, month order by practice_id, close_version, claim_id)
),

found as (
    select
        practice_id,
        'same_period_duplicate' as finding,
        patient_id,
        month,
        claim_id,
        '' as line_id,
        case when claim_id <> first_of_patient then practice_id || ' ' || first_of_patient else first_of_beneficiary end as detail,
        charge_amount
    from duplicates
    where claim_id <> first_of_patient or practice_id || ' ' || claim_id <> first_of_beneficiary
    union all
    select
        practice_id,
        'two_tracks',
        patient_id,
        month,
        claim_id,
        '',
        tracks || ' tracks on one claim',
        charge_amount
    from claims
    where tracks > 1
    union all
    select
        claims.practice_id,
        'overlapping_service',
        claims.patient_id,
        claims.month,
        claims.claim_id,
        '',
        string_agg(distinct services.finding || ' ' || services.service_id, ', ' order by services.finding || ' ' || services.service_id),
        any_value(claims.charge_amount)
    from claims
    inner join {{ ref('int_service_findings') }} as services
        on
            claims.practice_id = services.practice_id
            and claims.patient_id = services.patient_id
            and claims.month = services.month
            and services.kind = 'reason'
            and starts_with(services.finding, 'conflict_')
    group by claims.practice_id, claims.patient_id, claims.month, claims.claim_id
    union all
    select
        lines.practice_id,
        'orphan_add_on',
        lines.patient_id,
        lines.month,
        lines.claim_id,
        lines.line_id,
        lines.procedure_code || ' without its base code',
        lines.charge_amount
    from lines
    left join lines as bases
        on lines.practice_id = bases.practice_id and lines.claim_id = bases.claim_id and lines.track = bases.track and bases.is_base
    where not lines.is_base and bases.claim_id is null
    union all
    select
        practice_id,
        'above_cap',
        patient_id,
        month,
        claim_id,
        line_id,
        procedure_code || ' x ' || units || ', cap ' || max_units,
        charge_amount
    from lines
    where units > max_units
)

select
    practice_id,
    finding,
    patient_id,
    month,
    claim_id,
    line_id,
    detail,
    cast(charge_amount as decimal(12, 2)) as billed_amount
from found
