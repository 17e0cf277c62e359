{{ config(meta={'touched_by': 'patient_months'}) }}
-- Patient-months with a note that stands for two patients of the practice's month, or for too many entries of the one patient (rules.md A3).
{#- Asked for on every night, so that dbt knows of the edges. -#}
{%- set judged, of_touched = time_pieces('judged'), only_touched('patient_months', 'pieces') %}
{%- set touched_months = ref('touched_months') %}
with
{% if is_touched_night() -%}
-- Notes of what is decided again in months that the calendar does not move; in those that it moves everything is.
own as (
    select
        pieces.practice_id,
        pieces.month,
        pieces.note_number
    from {{ judged }} as pieces
    {{ of_touched }}
    anti join {{ touched_months }} as months on pieces.practice_id = months.practice_id and pieces.month = months.month
    where pieces.note_number is not null
),

{{ pieces_of('pieces_of_own', ['note_number'], 'own') }},

{% endif -%}
-- Other patients' notes count, whether this night touches them or not.
noted as (
    select
        pieces.practice_id,
        pieces.patient_id,
        pieces.month,
        pieces.note_number,
        hash(pieces.practice_id, pieces.month, pieces.note_number) as number
    {%- if is_touched_night() %}
    from {{ time_pieces(days='touched_months') }} as pieces
    semi join {{ touched_months }} as months on pieces.practice_id = months.practice_id and pieces.month = months.month
    where pieces.note_number is not null
    union all
    select
        pieces.practice_id,
        pieces.patient_id,
        pieces.month,
        pieces.note_number,
        hash(pieces.practice_id, pieces.month, pieces.note_number) as number
    from pieces_of_own as pieces
    semi join own on pieces.practice_id = own.practice_id and pieces.month = own.month and pieces.note_number = own.note_number
    {%- else %}
    from {{ time_pieces() }} as pieces
    where pieces.note_number is not null
    {%- endif %}
),

-- Most notes have one piece: what may stand too often is found by one number, and counted then.
repeated as (
    select number
    from noted
    group by number
    having count(*) > 1
),

-- Notes whose number stands too often, with credited time or without.
alike as (
    select
        practice_id,
        month,
        note_number
    from noted
    where number in (select repeated.number from repeated)
    group by practice_id, month, note_number
    having count(distinct patient_id) > 1 or count(*) > {{ limit('cloned_note_per_patient', month_end('month')) }}
),

-- The number only found them: what is one note is said by its hash.
suspects as materialized (
    select
        entries.practice_id,
        entries.entry_id,
        entries.patient_id,
        entries.note_sha256
    from {{ whole('stg_time_entries') }} as entries
    semi join alike on entries.practice_id = alike.practice_id and entries.note_number = alike.note_number
    where entries.is_current and entries.note_number in (select sought.note_number from alike as sought)
),

credited as materialized (
    select
        ledger.practice_id,
        ledger.entry_id,
        ledger.patient_id,
        ledger.month,
        suspects.note_sha256
    from {{ whole('minute_ledger') }} as ledger
    inner join suspects on ledger.practice_id = suspects.practice_id and ledger.entry_id = suspects.entry_id
    where
        ledger.disposition = 'credited'
        and ledger.seconds > 0
        {%- if is_touched_night() %}
        and hash(ledger.practice_id, ledger.patient_id) in (select hash(sought.practice_id, sought.patient_id) from suspects as sought)
        {%- endif %}
),

notes as (
    select
        credited.practice_id,
        credited.patient_id,
        credited.month,
        credited.note_sha256,
        count(*) as entries
    from credited
    group by credited.practice_id, credited.patient_id, credited.month, credited.note_sha256
),

counted as (
    select
        *,
        count(*) over (partition by practice_id, month, note_sha256) as patients
    from notes
)

select distinct
    counted.practice_id,
    counted.patient_id,
    counted.month
from counted
{{ only_touched('patient_months', 'counted') }}
where counted.patients > 1 or counted.entries > {{ limit('cloned_note_per_patient', month_end('counted.month')) }}
