{{ config(meta={'touched_by': 'patient_months', 'is_of_tonight': true, 'is_numbered': true}) }}
-- Step 6: of what runs beside other time of the patient's day, the seconds that an earlier-starting entry (ties: the smaller entry_id) already counts
-- are concurrent, the rest is credited (R-TIME-3). What runs beside none is credited as it is (minute_ledger). By numbers, as int_time_segments.
with beside as (
    select
        segments.*,
        entries.entry_id,
        entries.start_at as entry_start_at,
        max(segments.end_at) over (
            partition by segments.patient_number, segments.local_day
            order by segments.start_at, segments.end_at rows between unbounded preceding and 1 preceding
        ) as earlier_end
    from {{ ref('int_time_segments') }} as segments
    inner join {{ judged_entries() }} as entries on segments.file_id = entries.file_id and segments.line_number = entries.line_number
    where segments.is_beside
),

-- What begins and ends alike may lie in another order here than it did above: it has one number by its order alone, not row by row.
clustered as (
    select
        *,
        sum(case when earlier_end > start_at then 0 else 1 end) over (
            partition by patient_number, local_day
            order by start_at, end_at range between unbounded preceding and current row
        ) as cluster
    from beside
),

counted as (
    select
        *,
        count(*) over (partition by patient_number, local_day, cluster) as segments_in_cluster
    from clustered
),

edges as (
    select
        patient_number,
        local_day,
        cluster,
        start_at as moment
    from counted
    where segments_in_cluster > 1
    union
    select
        patient_number,
        local_day,
        cluster,
        end_at as moment
    from counted
    where segments_in_cluster > 1
),

slices as (
    select
        patient_number,
        local_day,
        cluster,
        moment as start_at,
        lead(moment) over (partition by patient_number, local_day, cluster order by moment) as end_at
    from edges
),

ranked as (
    select
        counted.file_id,
        counted.line_number,
        counted.patient_number,
        counted.member_number,
        counted.month,
        counted.local_day,
        slices.start_at,
        slices.end_at,
        row_number() over (
            partition by counted.patient_number, slices.start_at order by counted.entry_start_at, counted.entry_id
        ) as place
    from counted
    inner join slices
        on
            counted.patient_number = slices.patient_number
            and counted.local_day = slices.local_day
            and counted.cluster = slices.cluster
            and counted.start_at <= slices.start_at
            and slices.end_at <= counted.end_at
    where counted.segments_in_cluster > 1
)

select
    file_id,
    line_number,
    patient_number,
    member_number,
    month,
    local_day,
    start_at,
    end_at,
    seconds,
    'credited' as disposition
from counted
where segments_in_cluster = 1
union all
select
    file_id,
    line_number,
    patient_number,
    member_number,
    month,
    local_day,
    start_at,
    end_at,
    {{ seconds_between('start_at', 'end_at') }} as seconds,
    case when place = 1 then 'credited' else 'concurrent' end as disposition
from ranked
