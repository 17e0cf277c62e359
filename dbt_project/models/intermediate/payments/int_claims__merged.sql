-- Claims of one month and tax id whose patients were two by their Medicare numbers then, and are one by the numbers that they have now: the later of each two,
-- and the night by which both charts had one number. Unsettled as long as both wait for the payer or are paid.
with pairs as (
    select
        later.practice_id,
        later.patient_id,
        later.month,
        later.claim_id,
        later.claimed_on,
        later.billed_amount,
        later.identity,
        later.waits_or_is_paid and earlier.waits_or_is_paid as is_unsettled,
        coalesce(later.beneficiary_key = later.identity, false) as is_as_claimed,
        earlier.practice_id as earlier_practice_id,
        earlier.patient_id as earlier_patient_id,
        earlier.claim_id as earlier_claim_id,
        earlier.claimed_on as earlier_claimed_on,
        coalesce(earlier.beneficiary_key = earlier.identity, false) as is_as_claimed_earlier
    from {{ ref('int_claims__identities') }} as later
    inner join {{ ref('int_claims__identities') }} as earlier
        on
            later.tax_id = earlier.tax_id
            and later.month = earlier.month
            and later.identity = earlier.identity
            and coalesce(later.beneficiary_key <> earlier.beneficiary_key, true)
            and (later.practice_id, later.patient_id) <> (earlier.practice_id, earlier.patient_id)
            and (later.practice_id, later.close_version, later.claim_id) > (earlier.practice_id, earlier.close_version, earlier.claim_id)
),

-- The first snapshot that lists such a number for such a patient; few are asked for.
listed as (
    select
        coverages.practice_id,
        coverages.patient_id,
        wanted.identity,
        min(coverages.extract_date) as listed_on
    from {{ ref('stg_coverages') }} as coverages
    inner join (
        select
            practice_id,
            patient_id,
            identity
        from pairs
        union
        select
            earlier_practice_id,
            earlier_patient_id,
            identity
        from pairs
    ) as wanted on coverages.practice_id = wanted.practice_id and coverages.patient_id = wanted.patient_id
    where
        coverages.coverage_type like 'medicare\_%' escape '\'
        and coverages.member_id is not null
        and {{ beneficiary_key('coverages.member_id') }} = wanted.identity
    group by coverages.practice_id, coverages.patient_id, wanted.identity
)

select
    pairs.practice_id,
    pairs.patient_id,
    pairs.month,
    pairs.claim_id,
    coalesce(
        min(pairs.earlier_practice_id || ' ' || pairs.earlier_claim_id) filter (where pairs.is_unsettled),
        min(pairs.earlier_practice_id || ' ' || pairs.earlier_claim_id)
    ) as earlier_claim,
    min(greatest(
        pairs.claimed_on,
        pairs.earlier_claimed_on,
        case when pairs.is_as_claimed then pairs.claimed_on else listed.listed_on end,
        case when pairs.is_as_claimed_earlier then pairs.earlier_claimed_on else listed_earlier.listed_on end
    )) as found_on,
    any_value(pairs.billed_amount) as billed_amount,
    bool_or(pairs.is_unsettled) as is_unsettled
from pairs
left join listed
    on pairs.practice_id = listed.practice_id and pairs.patient_id = listed.patient_id and pairs.identity = listed.identity
left join listed as listed_earlier
    on
        pairs.earlier_practice_id = listed_earlier.practice_id
        and pairs.earlier_patient_id = listed_earlier.patient_id
        and pairs.identity = listed_earlier.identity
group by pairs.practice_id, pairs.patient_id, pairs.month, pairs.claim_id
