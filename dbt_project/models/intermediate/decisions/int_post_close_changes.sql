-- Claims that went out, beside what would be claimed by what is known now: only those whose codes or units differ, those that were dated on a day on
-- which the service could not be claimed (a death that was learned of later, a stay, a corrected entry), and months that were paid twice (a
-- claim was turned back, went out again, and both were paid: the other claims' amounts are owed back, too). Of a patient-month that no extract
-- speaks of any more (its only entry was of another month, its snapshots landed again without the patient) nothing would be.
-- A claim whose codes and units still stand is held against them. Which of several tracks is claimed is the practice's policy: that another one is
-- chosen since, by a changed setting, makes no claim wrong. Only a track that was no alternative then (other facts: it did not qualify, or with other
-- units) may take its place. A claim that does not stand as it went out is held against what would be claimed now, on whichever track.
with claims as (
    select
        practice_id,
        patient_id,
        month,
        claim_id,
        close_version
    from {{ ref('int_claims__current') }}
    semi join {{ ref('stg_practices') }} using (practice_id)
    where status <> 'rejected'
),

claimed as (
    select
        practice_id,
        claim_id,
        sum(allowed_amount) as claimed_amount,
        max(service_date) as service_date,
        list_sort(list(procedure_code || ' x ' || units)) as codes,
        list(procedure_code) as procedure_codes,
        any_value(alternatives) as alternatives,
        any_value(place_of_service) as place_of_service,
        any_value(mac) as mac,
        any_value(state) as state,
        any_value(locality) as locality,
        any_value(qualifying_apm_participant) as qualifying_apm_participant
    from {{ from_configuration('claim_lines') }}
    group by practice_id, claim_id
),

claimed_prices as (
    select
        practice_id,
        claim_id,
        procedure_code,
        any_value(cast(allowed_amount / units as decimal(12, 2))) as unit_amount
    from {{ from_configuration('claim_lines') }}
    group by practice_id, claim_id, procedure_code
),

tracks as (
    select
        chosen.practice_id,
        chosen.patient_id,
        chosen.month,
        claims.claim_id,
        chosen.track,
        chosen.place,
        chosen.service_date,
        list_sort(list_transform(chosen.codes, lambda one: one.code || ' x ' || one.units)) as codes, -- noqa: RF01
        -- No code is of two tracks.
        len(list_filter(chosen.codes, lambda one: list_contains(claimed.procedure_codes, one.code))) > 0 as is_claimed, -- noqa: RF01
        claimed.alternatives,
        claimed.codes as claimed_codes,
        claimed.place_of_service,
        claimed.mac,
        claimed.state,
        claimed.locality,
        claimed.qualifying_apm_participant,
        coalesce(basis.payment_share, 1) as payment_share,
        -- The claimed day still may be the service date, whichever day the practice's policy would take: no other is asked for then.
        {{ has_day('basis.billable_days', 'claimed.service_date') }}
        and claimed.service_date >= coalesce(dated.threshold_on, claimed.service_date) as is_dated_well
    from {{ ref('int_tracks__chosen') }} as chosen
    inner join {{ ref('int_candidates__dated') }} as dated using (scenario, practice_id, patient_id, month, track)
    inner join {{ ref('int_patient_months__basis') }} as basis using (practice_id, patient_id, month)
    inner join claims
        on chosen.practice_id = claims.practice_id and chosen.patient_id = claims.patient_id and chosen.month = claims.month
    inner join claimed on claims.practice_id = claimed.practice_id and claims.claim_id = claimed.claim_id
    where chosen.scenario = 'actual'
),

judged as (
    select
        *,
        bool_or(is_claimed and codes = claimed_codes) over (partition by practice_id, patient_id, month) as still_stands,
        coalesce(list_contains(alternatives, array_to_string(codes, ', ')), false) as was_alternative
    from tracks
),

stands as (
    select *
    from judged
    where is_claimed or not still_stands or not was_alternative
    qualify row_number() over (partition by practice_id, patient_id, month order by place) = 1
),

-- At the prices of the claim, for codes that it has, and of others at those of its place of service and locality: what a practice's place, fees or
-- practitioner are by now makes no claim of then worth another sum.
priced as (
    select
        stands.practice_id,
        stands.patient_id,
        stands.month,
        sum(codes.units * coalesce(claimed_prices.unit_amount, as_claimed.unit_amount, codes.unit_amount)) as allowed_amount
    from stands
    inner join {{ ref('int_candidates__priced') }} as codes
        on
            stands.practice_id = codes.practice_id
            and stands.patient_id = codes.patient_id
            and stands.month = codes.month
            and stands.track = codes.track
            and codes.scenario = 'actual'
    left join claimed_prices
        on
            stands.practice_id = claimed_prices.practice_id
            and stands.claim_id = claimed_prices.claim_id
            and codes.procedure_code = claimed_prices.procedure_code
    left join {{ ref('int_prices__as_claimed') }} as as_claimed
        on
            stands.practice_id = as_claimed.practice_id
            and stands.place_of_service = as_claimed.place_of_service
            and stands.mac = as_claimed.mac
            and stands.state = as_claimed.state
            and stands.locality = as_claimed.locality
            and stands.qualifying_apm_participant = as_claimed.qualifying_apm_participant
            and stands.service_date = as_claimed.service_date
            and stands.payment_share = as_claimed.payment_share
            and codes.procedure_code = as_claimed.procedure_code
    group by stands.practice_id, stands.patient_id, stands.month
),

paid_again as (
    select
        others.practice_id,
        others.patient_id,
        others.month,
        sum(claimed.claimed_amount) as claimed_amount,
        list_sort(flatten(list(claimed.codes))) as codes
    from {{ ref('int_claims__history') }} as others
    anti join claims on others.claim_id = claims.claim_id
    inner join claimed on others.practice_id = claimed.practice_id and others.claim_id = claimed.claim_id
    where others.status = 'paid'
    group by others.practice_id, others.patient_id, others.month
),

reasons as (
    select findings.practice_id, findings.patient_id, findings.month, findings.reason
    from {{ ref('int_decision_findings') }} as findings
    -- That the claim went out, and is listed by the practice's own system since, is nothing against it: of services those beside the claim speak.
    anti join (select finding from {{ ref('rule_conflicts') }} where kind = 'reason') as conflicts on findings.reason = conflicts.finding
    union
    select practice_id, patient_id, month, finding
    from {{ ref('int_services__beside_claims') }}
    union
    -- That somebody has left the panel hides nothing that undoes the claim.
    select practice_id, patient_id, month, reason_but_for_panel
    from {{ ref('int_eligibility') }}
    where reason = 'left_panel'
),

against as (
    select
        reasons.practice_id,
        reasons.patient_id,
        reasons.month,
        {{ list_in_order('reasons.reason', 'rules.precedence') }} as reasons
    from reasons
    inner join {{ ref('rule_decision_reasons') }} as rules on reasons.reason = rules.reason and rules.undoes_a_claim
    group by reasons.practice_id, reasons.patient_id, reasons.month
),

compared as (
    select
        claims.*,
        claimed.claimed_amount + coalesce(paid_again.claimed_amount, 0) as claimed_amount,
        claimed.codes || coalesce(paid_again.codes, cast([] as varchar[])) as claimed_codes,
        claimed.service_date as claimed_service_date,
        coalesce(against.reasons, cast([] as varchar[])) as reasons,
        case
            when against.practice_id is null and stands.practice_id is not null then stands.codes
            else cast([] as varchar[])
        end as codes_now,
        case when against.practice_id is null then coalesce(priced.allowed_amount, 0) else 0 end as amount_now,
        case
            when against.practice_id is null then case when stands.is_dated_well then claimed.service_date else stands.service_date end
        end as service_date_now
    from claims
    inner join claimed on claims.practice_id = claimed.practice_id and claims.claim_id = claimed.claim_id
    left join paid_again
        on claims.practice_id = paid_again.practice_id and claims.patient_id = paid_again.patient_id and claims.month = paid_again.month
    left join against
        on claims.practice_id = against.practice_id and claims.patient_id = against.patient_id and claims.month = against.month
    left join stands
        on claims.practice_id = stands.practice_id and claims.patient_id = stands.patient_id and claims.month = stands.month
    left join priced
        on claims.practice_id = priced.practice_id and claims.patient_id = priced.patient_id and claims.month = priced.month
)

select
    compared.*,
    closes.newest_night as closed_as_of,
    answered.determined_on
from compared
inner join {{ ref('stg_closes') }} as closes
    on compared.practice_id = closes.practice_id and compared.month = closes.month and compared.close_version = closes.close_version
left join {{ ref('int_claims__answered') }} as answered on compared.claim_id = answered.claim_id
where compared.claimed_codes <> compared.codes_now or compared.claimed_service_date <> compared.service_date_now
