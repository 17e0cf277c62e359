-- A month that the practice has billed by one code it does not bill by another, and what one code of a program bars at others (another practice's bill of the
-- month, a claim of another program) every code of that program bars: a code that no conflict names would be billed twice.
{{ config(meta={'dagster': {'ref': {'name': 'rule_conflicts'}}}) }}
with codes as (
    {{ earned_codes() }}
),

days as (
    {{ days_of_change('rule_conflicts') }}
    union
    select effective_from from codes
),

earned as (
    select distinct
        codes.program,
        codes.procedure_code,
        days.changed_on
    from codes
    inner join days on days.changed_on between codes.effective_from and codes.effective_to
    -- Before the first conflict of all no month is decided.
    where days.changed_on >= (select min(effective_from) from {{ ref('rule_conflicts') }})
),

wanted as (
    select
        earned.program,
        earned.changed_on,
        conflicts.program as barred_program,
        conflicts.billed_by,
        conflicts.kind,
        conflicts.finding
    from earned
    inner join {{ ref('rule_conflicts') }} as conflicts
        on earned.procedure_code = conflicts.procedure_code and {{ in_force('conflicts', 'earned.changed_on') }}
    union
    select program, changed_on, program as barred_program, 'own_practice', 'reason', 'already_claimed'
    from earned
)

select
    earned.procedure_code,
    wanted.barred_program,
    wanted.billed_by,
    wanted.finding,
    earned.changed_on
from earned
inner join wanted on earned.program = wanted.program and earned.changed_on = wanted.changed_on
left join {{ ref('rule_conflicts') }} as conflicts
    on
        earned.procedure_code = conflicts.procedure_code
        and wanted.barred_program = conflicts.program
        and wanted.billed_by = conflicts.billed_by
        and wanted.kind = conflicts.kind
        and wanted.finding = conflicts.finding
        and {{ in_force('conflicts', 'earned.changed_on') }}
where conflicts.procedure_code is null
