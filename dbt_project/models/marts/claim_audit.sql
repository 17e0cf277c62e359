-- What the OIG found in care management claims (rules.md B7), looked for in every claim ever closed. A claim rejected unprocessed claims nothing.
with lines as (
    select
        lines.*,
        turned_back.claim_id is not null as was_rejected,
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
    left join {{ ref('int_claims__turned_back') }} as turned_back on lines.claim_id = turned_back.claim_id
    left join {{ ref('rule_bands') }} as bands
        on lines.procedure_code = bands.procedure_code and {{ in_force('bands', month_end('lines.month')) }}
    left join {{ ref('rule_caps') }} as caps
        on lines.procedure_code = caps.procedure_code and {{ in_force('caps', month_end('lines.month')) }}
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
        was_rejected,
        sum(charge_amount) as charge_amount,
        count(distinct track) as tracks
    from lines
    group by practice_id, patient_id, month, claim_id, close_version, tax_id, beneficiary_key, was_rejected
),

-- The first claim of a patient-month, and of a beneficiary's month among the practices of one tax id, is nobody's duplicate. Where all of them but one were
-- turned back at some time, each went out because nothing of the month was claimed by then: that a payer took one in after all is no fault of a close.
duplicates as (
    select
        *,
        count(*) filter (where not was_rejected) over same_patients as claimed_by_patient,
        case when beneficiary_key is not null then count(*) filter (where not was_rejected) over same_beneficiaries else 0 end as claimed_by_beneficiary,
        first_value(claim_id) over same_patient as first_of_patient,
        case when beneficiary_key is not null then first_value(practice_id || ' ' || claim_id) over same_beneficiary end as first_of_beneficiary
    from claims
    window
        same_patients as (partition by practice_id, patient_id, month),
        same_beneficiaries as (partition by tax_id, beneficiary_key, month),
        same_patient as (partition by practice_id, patient_id, month order by close_version, claim_id),
        same_beneficiary as (partition by tax_id, beneficiary_key, month order by practice_id, close_version, claim_id)
),

-- Of each month of a beneficiary that was claimed under several tax ids, a claim of two of them; under those first that have one that waits or is paid: whoever
-- has another is told of that.
under_tax_ids as (
    select
        identity,
        month,
        min(tax_id) filter (where place = 1) as first_tax_id,
        min(claim) filter (where place = 1) as first_claim,
        min(claim) filter (where place = 2) as second_claim,
        bool_or(waits_or_is_paid) filter (where place = 1) as first_waits_or_is_paid,
        bool_or(waits_or_is_paid) filter (where place = 2) as second_waits_or_is_paid
    from (
        select
            *,
            row_number() over (partition by identity, month order by waits_or_is_paid desc, tax_id) as place
        from (
            select
                identity,
                month,
                tax_id,
                coalesce(min(practice_id || ' ' || claim_id) filter (where waits_or_is_paid), min(practice_id || ' ' || claim_id)) as claim,
                bool_or(waits_or_is_paid) as waits_or_is_paid
            from {{ ref('int_claims__identities') }}
            group by identity, month, tax_id
        )
    ) as of_tax_ids
    group by identity, month
    having count(*) > 1
),

overlapping as (
    select practice_id, patient_id, month, service_id, finding
    from {{ ref('int_services__beside_claims') }}
    where finding = 'already_claimed' or starts_with(finding, 'conflict_')
),

found as (
    select
        practice_id,
        case when claimed_by_patient <= 1 and claimed_by_beneficiary <= 1 then 'resent_duplicate' else 'same_period_duplicate' end as finding,
        patient_id,
        month,
        claim_id,
        '' as line_id,
        case when claim_id <> first_of_patient then practice_id || ' ' || first_of_patient else first_of_beneficiary end as detail,
        charge_amount,
        cast(null as boolean) as is_unsettled
    from duplicates
    where claim_id <> first_of_patient or practice_id || ' ' || claim_id <> first_of_beneficiary
    union all
    -- Two charts of one beneficiary, which by their numbers at the time of the claims were two.
    select
        practice_id,
        'merged_beneficiary',
        patient_id,
        month,
        claim_id,
        '',
        earlier_claim,
        billed_amount,
        is_unsettled
    from {{ ref('int_claims__merged') }}
    union all
    -- Medicare pays the month to one of them. Which, no close can know: each is told of the other.
    select
        practice_id,
        'other_tax_id_duplicate',
        patient_id,
        month,
        claim_id,
        '',
        coalesce(min(other_claim) filter (where is_unsettled), min(other_claim)),
        any_value(billed_amount),
        bool_or(is_unsettled)
    from (
        select
            claims.practice_id,
            claims.patient_id,
            claims.month,
            claims.claim_id,
            claims.billed_amount,
            case when claims.tax_id = others.first_tax_id then others.second_claim else others.first_claim end as other_claim,
            claims.waits_or_is_paid
            and case when claims.tax_id = others.first_tax_id then others.second_waits_or_is_paid else others.first_waits_or_is_paid end as is_unsettled
        from {{ ref('int_claims__identities') }} as claims
        inner join under_tax_ids as others on claims.identity = others.identity and claims.month = others.month
    ) as of_numbers
    group by practice_id, patient_id, month, claim_id
    union all
    select
        practice_id,
        'two_tracks',
        patient_id,
        month,
        claim_id,
        '',
        tracks || ' tracks on one claim',
        charge_amount,
        null
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
        any_value(claims.charge_amount),
        null
    from claims
    inner join overlapping as services
        on
            claims.practice_id = services.practice_id
            and claims.patient_id = services.patient_id
            and claims.month = services.month
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
        lines.charge_amount,
        null
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
        charge_amount,
        null
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
    cast(charge_amount as decimal(12, 2)) as billed_amount,
    is_unsettled
from found
