-- To which practices a 271 speaks, subscriber by subscriber: to those whose NPI or submitter id it names, or names one that was theirs. Settings change, and
-- what the payer said of a patient does not: only a newer answer replaces it. Of answers that came again, too.
with named as (
    select
        transaction_id,
        subscriber_position,
        'npi' as kind,
        receiver_npi as identity
    from {{ from_coverage_answers() }}
    union
    select
        transaction_id,
        subscriber_position,
        'submitter_id' as kind,
        unnest(submitter_ids) as identity
    from {{ from_coverage_answers() }}
)

select
    named.transaction_id,
    named.subscriber_position,
    identities.practice_id,
    bool_or(identities.is_own) as is_own
from named
inner join {{ ref('int_practices__identities') }} as identities on named.kind = identities.kind and named.identity = identities.identity
group by named.transaction_id, named.subscriber_position, identities.practice_id
