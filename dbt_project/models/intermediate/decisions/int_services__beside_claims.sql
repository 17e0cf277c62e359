-- Services of the practice itself that a claim of the month does not go beside (rules.md A5), and that are not the claim: what its own system lists of what
-- was claimed here comes back as a service. None of a claim's codes is another bill; so is a code that is listed with more units than were claimed.
with claims as (
    select
        practice_id,
        patient_id,
        month,
        claim_id
    from {{ ref('int_claims__history') }}
    where status <> 'rejected'
),

claimed as (
    select
        claims.practice_id,
        claims.patient_id,
        claims.month,
        lines.procedure_code,
        sum(lines.units) as units
    from claims
    inner join {{ from_configuration('claim_lines') }} as lines on claims.practice_id = lines.practice_id and claims.claim_id = lines.claim_id
    group by claims.practice_id, claims.patient_id, claims.month, lines.procedure_code
),

listed as (
    select
        services.*,
        sum(coalesce(services.units, 1)) over (
            partition by services.practice_id, services.patient_id, services.month, services.procedure_code
        ) as listed_units
    from {{ ref('int_service_findings') }} as services
    semi join claims
        on services.practice_id = claims.practice_id and services.patient_id = claims.patient_id and services.month = claims.month
    where services.kind = 'reason' and services.finding = 'already_claimed'
)

select
    listed.practice_id,
    listed.patient_id,
    listed.month,
    listed.service_id,
    listed.finding
from listed
left join claimed
    on
        listed.practice_id = claimed.practice_id
        and listed.patient_id = claimed.patient_id
        and listed.month = claimed.month
        and listed.procedure_code = claimed.procedure_code
where listed.listed_units > coalesce(claimed.units, 0)
