-- Who usually works with a patient: the member, still in the care team, with the most credited time in the newest month and the three before it.
with months as (
    select
        months.practice_id,
        months.month
    from {{ ref('int_months') }} as months
    inner join {{ ref('stg_practices') }} as practices on months.practice_id = practices.practice_id
    where months.month >= {{ month_of('practices.newest_night') }} - interval 1 month * cast({{ office_limit('usual_member') }} as integer)
),

credited as (
    select
        ledger.practice_id,
        ledger.patient_id,
        ledger.member_id,
        sum(ledger.seconds) as seconds
    from {{ ref('minute_ledger') }} as ledger
    semi join months on ledger.practice_id = months.practice_id and ledger.month = months.month
    where ledger.disposition = 'credited'
    group by ledger.practice_id, ledger.patient_id, ledger.member_id
)

select
    credited.practice_id,
    credited.patient_id,
    credited.member_id
from credited
inner join {{ ref('int_members__present') }} as members
    on credited.practice_id = members.practice_id and credited.member_id = members.member_id
qualify row_number() over (
    partition by credited.practice_id, credited.patient_id order by credited.seconds desc, credited.member_id
) = 1
