{{ config(meta={'touched_by': 'patient_months_since'}) }}
-- Where a patient stands in a month, with the first month of the unbroken run of months in that stage and in that state.
{#- Asked for on every night, so that dbt knows of the edges. -#}
{%- set of_touched, since, months = only_touched('patient_months_since', 'standing'), ref('touched_patient_months__since'), ref('int_months') %}
-- A patient as one number, for this statement alone: months are put in their order by it at half of what names cost.
with patients as (
    select
        practice_id,
        patient_id,
        row_number() over (order by practice_id, patient_id) as number
    from {{ ref('int_patients__current') }}
),

standing as (
    select
        standing.*,
        cast(null as date) as stage_began_on,
        cast(null as date) as state_began_on
    from {{ ref('int_patient_months__standing') }} as standing
    {{ of_touched }}
    {%- if is_touched_night() %}
    union all by name
    -- Of each patient the last month before those: it stands as it stood, and knows since when.
    select known.*
    from {{ this }} as known
    inner join (
        select
            starts.practice_id,
            starts.patient_id,
            max(months.month) as month
        from (
            select
                practice_id,
                patient_id,
                min(month) as month
            from {{ since }}
            group by practice_id, patient_id
        ) as starts
        inner join {{ months }} as months on starts.practice_id = months.practice_id and months.month < starts.month
        group by starts.practice_id, starts.patient_id
    ) as before_them using (practice_id, patient_id, month)
    {%- endif %}
),

begun as (
    select
        standing.*,
        patients.number,
        coalesce(
            stage_began_on, case when coalesce(stage_reached <> lag(stage_reached) over patient_months, true) then month end
        ) as stage_begins_on,
        coalesce(state_began_on, case when coalesce(state <> lag(state) over patient_months, true) then month end) as state_begins_on
    from standing
    inner join patients on standing.practice_id = patients.practice_id and standing.patient_id = patients.patient_id
    window patient_months as (partition by patients.number order by standing.month)
)

select
    * exclude (number, stage_began_on, state_began_on, stage_begins_on, state_begins_on),
    max(stage_begins_on) over until_now as stage_began_on,
    max(state_begins_on) over until_now as state_began_on
from begun
window until_now as (partition by number order by month rows between unbounded preceding and current row)
