-- Services that a claim of the month does not go beside (rules.md A5), and that are not the claim: what the practice's own system lists of what was claimed
-- here comes back as a service, and is none whatever the program of the month is by now. What has none of a claim's codes is another bill; so is what is
-- listed of a code when as many units as were claimed have been. `listed_on`: since when the service says what it says and, where the billing practitioner's
-- own bills alone are against the claim, the panel names them: what was said before, and otherwise in between, tells of nothing.
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

-- Of a bill that is against the claim only as the billing practitioner's own, with who that is.
found as (
    select
        findings.practice_id,
        findings.patient_id,
        findings.month,
        findings.service_id,
        findings.procedure_code,
        findings.units,
        findings.finding,
        services.billed_by,
        case when own_bills.finding is not null then services.member_id end as practitioner_id
    from {{ ref('int_service_findings') }} as findings
    semi join claims
        on findings.practice_id = claims.practice_id and findings.patient_id = claims.patient_id and findings.month = claims.month
    inner join {{ ref('stg_services') }} as services
        on findings.practice_id = services.practice_id and findings.service_id = services.service_id and services.is_current
    left join (
        select distinct finding
        from {{ ref('rule_conflicts') }}
        where kind = 'reason' and billed_by = 'billing_practitioner'
    ) as own_bills
        on findings.finding = own_bills.finding
    where findings.kind = 'reason'
),

-- What was known of a service on each night that brought a row of it.
nights as (
    select
        found.practice_id,
        found.patient_id,
        found.month,
        found.service_id,
        found.finding,
        versions.extract_date,
        max_by(
            coalesce(
                versions.patient_id = found.patient_id
                and versions.procedure_code = found.procedure_code
                and coalesce(versions.units, 1) = coalesce(found.units, 1)
                and versions.service_date >= found.month
                and versions.service_date < found.month + interval 1 month
                and versions.billed_by = found.billed_by
                and (found.practitioner_id is null or versions.member_id = found.practitioner_id),
                false
            ),
            (versions.updated_at, versions.extract_date, versions.line_number)
        ) over (
            partition by found.practice_id, found.patient_id, found.month, found.service_id, found.finding order by versions.extract_date
        ) as says_so
    from found
    inner join {{ ref('stg_services') }} as versions
        on found.practice_id = versions.practice_id and found.service_id = versions.service_id
),

said as (
    select
        practice_id,
        patient_id,
        month,
        service_id,
        finding,
        min(extract_date) as said_on
    from (
        select
            *,
            sum(case when says_so then 0 else 1 end) over (
                partition by practice_id, patient_id, month, service_id, finding order by extract_date desc
            ) as said_otherwise
        from nights
    )
    where said_otherwise = 0
    group by practice_id, patient_id, month, service_id, finding
),

named as (
    select
        practice_id,
        patient_id,
        min(extract_date) as named_on
    from (
        select
            patients.practice_id,
            patients.patient_id,
            patients.extract_date,
            sum(case when patients.billing_practitioner_id = found.practitioner_id then 0 else 1 end) over (
                partition by patients.practice_id, patients.patient_id order by patients.extract_date desc
            ) as named_another
        from {{ ref('stg_patients') }} as patients
        inner join (
            select distinct
                practice_id,
                patient_id,
                practitioner_id
            from found
            where practitioner_id is not null
        ) as found
            on patients.practice_id = found.practice_id and patients.patient_id = found.patient_id
    )
    where named_another = 0
    group by practice_id, patient_id
),

services as (
    select
        found.*,
        found.billed_by = 'own_practice' as is_own,
        case
            when found.practitioner_id is not null and named.named_on > said.said_on then named.named_on
            else said.said_on
        end as listed_on
    from found
    inner join said using (practice_id, patient_id, month, service_id, finding)
    left join named
        on found.practice_id = named.practice_id and found.patient_id = named.patient_id
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
