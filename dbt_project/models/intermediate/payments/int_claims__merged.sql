-- Claims of one month and tax id whose patients were two by their Medicare numbers then, and are one by the numbers that they have now: the later of each two,
-- and the night since which both charts have had one number. Unsettled as long as both wait for the payer or are paid.
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

wanted as (
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
),

-- Snapshots that list such a number for such a patient; few are asked for.
listing as (
    select distinct
        wanted.practice_id,
        wanted.patient_id,
        wanted.identity,
        coverages.extract_date
    from wanted
    inner join {{ ref('stg_coverages') }} as coverages
        on wanted.practice_id = coverages.practice_id and wanted.patient_id = coverages.patient_id
    where
        {{ is_medicare('coverages.coverage_type') }}
        and coverages.member_id is not null
        and {{ beneficiary_key('coverages.member_id') }} = wanted.identity
),

-- The last that does not, of a night on which the panel had the patient: of who is not on it the facts of before hold.
without as (
    select
        wanted.practice_id,
        wanted.patient_id,
        wanted.identity,
        max(files.extract_date) as last_on
    from wanted
    inner join {{ ref('int_patients__presence') }} as presence
        on wanted.practice_id = presence.practice_id and wanted.patient_id = presence.patient_id
    inner join {{ ref('stg_files') }} as files
        on
            presence.practice_id = files.practice_id
            and presence.extract_date = files.extract_date
            and files.table_name = 'coverages'
            and files.is_in_force
    left join listing
        on
            wanted.practice_id = listing.practice_id
            and wanted.patient_id = listing.patient_id
            and wanted.identity = listing.identity
            and files.extract_date = listing.extract_date
    where listing.extract_date is null
    group by wanted.practice_id, wanted.patient_id, wanted.identity
),

-- Since when every snapshot has listed it.
listed as (
    select
        listing.practice_id,
        listing.patient_id,
        listing.identity,
        min(listing.extract_date) as listed_on
    from listing
    left join without
        on
            listing.practice_id = without.practice_id
            and listing.patient_id = without.patient_id
            and listing.identity = without.identity
    where coalesce(listing.extract_date > without.last_on, true)
    group by listing.practice_id, listing.patient_id, listing.identity
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
