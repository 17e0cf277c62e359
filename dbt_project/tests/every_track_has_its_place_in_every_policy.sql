-- A track that a policy does not place is chosen for nobody: its minutes would count for nothing, and the patient-month be told that it has too few.
{{ config(meta={'dagster': {'ref': {'name': 'rule_track_choice'}}}) }}
with codes as (
    {{ earned_codes() }}
),

policies as (select distinct track_policy from {{ ref('rule_track_choice') }}),

days as (
    {{ days_of_change('rule_track_choice') }}
    union
    select effective_from from codes
)

select distinct
    policies.track_policy,
    codes.program,
    codes.track,
    days.changed_on
from codes
inner join days on days.changed_on between codes.effective_from and codes.effective_to
cross join policies
left join {{ ref('rule_track_choice') }} as choice
    on
        policies.track_policy = choice.track_policy
        and codes.program = choice.program
        and codes.track = choice.track
        and {{ in_force('choice', 'days.changed_on') }}
where choice.track is null
