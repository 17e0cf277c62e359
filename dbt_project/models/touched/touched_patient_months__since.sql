-- The touched patient-months, and every later month of their patients: since when somebody stands where they stand, the months before say.
with starts as (
    select
        practice_id,
        patient_id,
        min(month) as month
    from {{ ref('touched_patient_months') }}
    group by practice_id, patient_id
),

every as (
    select
        practice_id,
        patient_id,
        month
    from {{ ref('touched_patient_months') }}
    union
    select
        starts.practice_id,
        starts.patient_id,
        months.month
    from starts
    inner join {{ ref('int_months') }} as months on starts.practice_id = months.practice_id and starts.month < months.month
)

{{ with_moves('every') }}
