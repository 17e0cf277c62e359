-- Under which NPIs and submitter ids each practice is known to the payers, or ever was. is_own: the identity is none of another practice today. What was
-- once typed by mistake may be.
with practices as (
    select
        practice_id,
        npi,
        upper(submitter_id) as submitter_id
    from {{ from_configuration('practices') }}
),

today as (
    select
        practice_id,
        'npi' as kind,
        npi as identity
    from practices
    union all
    select
        practice_id,
        'submitter_id',
        submitter_id
    from practices
),

ever as (
    select
        practice_id,
        'npi' as kind,
        npi as identity
    from {{ from_configuration('identities') }}
    union
    select
        practice_id,
        'submitter_id',
        upper(submitter_id)
    from {{ from_configuration('identities') }}
)

select
    ever.practice_id,
    ever.kind,
    ever.identity,
    coalesce(bool_or(today.practice_id = ever.practice_id), true) as is_own
from ever
left join today on ever.kind = today.kind and ever.identity = today.identity
where ever.practice_id in (select practices.practice_id from practices)
group by ever.practice_id, ever.kind, ever.identity
