-- Services that a claim of the month does not go beside (rules.md A5), and that are not the claim: what the practice's own system lists of what was claimed
-- here comes back as a service, and is none whatever the program of the month is by now. What has none of a claim's codes is another bill; so is what is
-- listed of a code when as many units as were claimed have been. `listed_on`: since when the service says what it says.
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

services as (
    select
        findings.practice_id,
        findings.patient_id,
        findings.month,
        findings.service_id,
        findings.procedure_code,
        findings.units,
        findings.finding,
        min(versions.extract_date) as listed_on,
        bool_or(versions.is_current and versions.billed_by = 'own_practice') as is_own
    from {{ ref('int_service_findings') }} as findings
    semi join claims
        on findings.practice_id = claims.practice_id and findings.patient_id = claims.patient_id and findings.month = claims.month
    inner join {{ ref('stg_services') }} as versions
        on
            findings.practice_id = versions.practice_id
            and findings.patient_id = versions.patient_id
            and findings.service_id = versions.service_id
            and findings.procedure_code = versions.procedure_code
            and coalesce(findings.units, 1) = coalesce(versions.units, 1)
            and versions.service_date >= findings.month
            and versions.service_date < findings.month + interval 1 month
    where findings.kind = 'reason'
    group by
        findings.practice_id,
        findings.patient_id,
        findings.month,
        findings.service_id,
        findings.procedure_code,
        findings.units,
        findings.finding
),

listed as (
    select
        *,
        sum(coalesce(units, 1)) over (
            partition by practice_id, patient_id, month, procedure_code, is_own
            order by listed_on, service_id
            rows unbounded preceding
        ) as listed_units
    from services
)

select
    listed.practice_id,
    listed.patient_id,
    listed.month,
    listed.service_id,
    listed.finding,
    listed.listed_on
from listed
left join claimed
    on
        listed.practice_id = claimed.practice_id
        and listed.patient_id = claimed.patient_id
        and listed.month = claimed.month
        and listed.procedure_code = claimed.procedure_code
where not listed.is_own or listed.listed_units > coalesce(claimed.units, 0)
