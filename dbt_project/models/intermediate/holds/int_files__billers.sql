{{ config(meta={'touched_by': 'files'}) }}
-- Of a care team file in force: the members with a credential that may bill on its night, and whether their NPI is one.
with members as (
    select
        team.practice_id,
        team.file_id,
        team.line_number,
        team.member_id,
        team.npi,
        {{ is_valid_npi('team.npi') }} as has_valid_npi
    from {{ ref('stg_care_team') }} as team
    {{ only_touched('files', 'team') }}
    inner join {{ ref('rule_credentials') }} as credentials
        on team.credential = credentials.credential and credentials.may_bill and {{ in_force('credentials', 'team.extract_date') }}
)

select
    practice_id,
    file_id,
    line_number,
    member_id,
    has_valid_npi,
    npi is not null and not has_valid_npi as has_wrong_npi
from members
