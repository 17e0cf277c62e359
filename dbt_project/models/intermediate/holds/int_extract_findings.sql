-- Every measure that is out of the ordinary by drift_limits, told in a sentence with its numbers.
with matched as (
    select
        measures.*,
        limits.sentence,
        coalesce(measures.compared < limits.harmful_below, false) or coalesce(measures.compared > limits.harmful_above, false) as is_harmful,
        coalesce(measures.compared < limits.noticed_below, false) or coalesce(measures.compared > limits.noticed_above, false) as is_noticed
    from {{ ref('int_extract_measures') }} as measures
    inner join {{ ref('drift_limits') }} as limits
        on
            measures.measure = limits.measure
            and limits.table_name in (measures.table_name, '*')
            and limits.column_name in (measures.column_name, '*')
    where measures.basis >= limits.basis_at_least
    -- The limit of the very table and column comes before that of all.
    qualify row_number() over (
        partition by measures.practice_id, measures.table_name, measures.extract_date, measures.measure, measures.column_name
        order by limits.table_name = '*', limits.column_name = '*'
    ) = 1
)

select
    matched.practice_id,
    matched.table_name,
    matched.extract_date,
    matched.measure,
    matched.column_name,
    matched.value,
    matched.usual,
    case when matched.compared <> 1 or matched.usual is not null then matched.compared end as share,
    matched.is_harmful,
    matched.is_snapshot,
    matched.newest_file_night,
    matched.content,
    -- A snapshot stands for itself, whichever night brought it; of changes the night is part of what they are.
    {{ hold_id(
        'matched.practice_id', "'drift'", 'matched.table_name', 'matched.measure', 'matched.column_name',
        "case when matched.is_snapshot then '' else cast(matched.extract_date as varchar) end", 'matched.content'
    ) }} as hold_id,
    replace(replace(replace(replace(replace(replace(replace(
        matched.sentence,
        '{value}', {{ shown_number('matched.value') }}),
        '{usual}', coalesce({{ shown_number('matched.usual') }}, 'not known')),
        '{percent}', {{ shown_percent('matched.value') }}),
        '{usual_percent}', coalesce({{ shown_percent('matched.usual') }}, 'not known')),
        '{percent_compared}', {{ shown_percent('matched.compared') }}),
        '{column}', matched.column_name),
        '{names}', matched.names) as explanation
from matched
where matched.is_noticed or matched.is_harmful
