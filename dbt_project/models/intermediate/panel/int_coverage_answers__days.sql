{{ config(meta={'touched_by': 'patient_months', 'is_of_tonight': true}) }}
-- The days of each month as the payers' answers have them, one bit per day; patient-months of patients of whom there is an answer. Null: it says nothing
-- of this. A cover without a first day has none; an end of it without a day counts from the answer. Part B that is told with dates has those, whatever
-- is told of it without (of one service type).
with masked as (
    select
        months.practice_id,
        months.patient_id,
        months.month,
        months.month_end,
        answers.meaning,
        answers.is_covered,
        answers.is_whole,
        answers.content_sha256,
        answers.answered_on,
        answers.starts_on is not null or answers.ends_on is not null as is_dated,
        {{ day_mask(
            'coalesce(answers.starts_on, case when answers.is_covered then months.month else answers.answered_on end)', 'answers.ends_on', 'months.month'
        ) }} as days,
        {{ day_mask('months.month', 'answers.starts_on', 'months.month') }} as days_until
    from {{ ref('int_patient_months') }} as months
    inner join {{ ref('int_coverage_answers') }} as answers
        on months.practice_id = answers.practice_id and months.patient_id = answers.patient_id
),

answers as (
    select
        practice_id,
        patient_id,
        month,
        content_sha256,
        bool_or(meaning = 'part_b') as tells_part_b,
        bool_or(meaning = 'part_b' and is_covered and is_dated) as has_dated_part_b,
        bit_or(case when meaning = 'part_b' and is_covered and is_dated then days else 0 end) as part_b_days,
        bit_or(case when meaning = 'part_b' and not is_covered then days else 0 end) as without_part_b_days,
        bit_or(case when meaning = 'medicare_advantage' and is_covered then days else 0 end) as advantage_days,
        bit_or(case when meaning = 'qmb' and is_covered then days else 0 end) as qmb_days,
        bit_or(case when meaning = 'hospice' and is_covered then days else 0 end) as hospice_days,
        bit_or(case when meaning = 'other_primary' and is_covered then days else 0 end) as other_primary_days,
        bit_and(case when meaning = 'deceased' then days_until end) as alive_days,
        max(answered_on) as answered_on,
        -- What a whole answer leaves out, it denies for the month in which it was given.
        bool_or(is_whole and answered_on between month and month_end) as is_whole_now
    from masked
    group by practice_id, patient_id, month, content_sha256
)

select
    practice_id,
    patient_id,
    month,
    bit_and(
        case
            when has_dated_part_b then part_b_days & ~without_part_b_days
            when tells_part_b then ~without_part_b_days
            when is_whole_now then 0
        end
    ) as part_b_days,
    bit_or(advantage_days) as advantage_days,
    bit_or(qmb_days) as qmb_days,
    bit_or(hospice_days) as hospice_days,
    bit_or(other_primary_days) as other_primary_days,
    bit_and(alive_days) as alive_days,
    max(answered_on) as answered_on,
    bool_or(is_whole_now) as is_whole_now,
    bool_or(is_whole_now and not tells_part_b) as leaves_out_part_b
from answers
group by practice_id, patient_id, month
