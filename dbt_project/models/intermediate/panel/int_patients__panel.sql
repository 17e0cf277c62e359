{{ config(meta={'keeps_last_night': true}) }}
-- What the panel says of each patient, as numbers to compare with those of the night before, by the month from which on it matters. Which file says so does
-- not matter. is_known: the panel has or had the patient.
{#- Of each table: the day before which a fact matters to no month (nothing: it matters to all of them), and the day on which it ends, to which no month
    before it pays any heed. Whoever reads a fact otherwise must say so here (docs/adr/0021). -#}
{%- set tables = {
    'patients': (none, 'deceased_date'),
    'coverages': (none, 'termination_date'),
    'conditions': (none, none),
    'consents': ('consented_on', 'revoked_on'),
    'care_plans': (none, none),
    'assessments': ('assessed_on', none),
    'stays': ('admitted_on', 'discharged_on'),
    'outreach': ("cast(attempted_at - interval 1 day as date)", none),
} %}
with facts as (
    {% for table, (begins_on, ends_on) in tables.items() %}
    {%- set left_out = 'file_id, line_number' ~ (', extract_date, last_seen_on, patient_number' if table == 'patients' else '') %}
    select
        facts.practice_id,
        facts.patient_id,
        {{ 'coalesce(' ~ begins_on ~ ', ' ~ always() ~ ')' if begins_on else always() }} as matters_from,
        hash('{{ table }}', facts) as number,
        {{ 'true' if table == 'patients' else 'false' }} as is_known
    from (
        select * exclude ({{ left_out }}{{ ', ' ~ ends_on if ends_on }})
        from {{ ref('int_' ~ table ~ '__current') }}
    ) as facts
    union all
    {%- if ends_on %}
    select
        facts.practice_id,
        facts.patient_id,
        facts.{{ ends_on }} as matters_from,
        hash('{{ table }} that end', facts) as number,
        false as is_known
    from (
        select * exclude ({{ left_out }})
        from {{ ref('int_' ~ table ~ '__current') }}
        where {{ ends_on }} is not null
    ) as facts
    union all
    {%- endif %}
    {%- endfor %}
    -- What the payers say of it counts as well.
    select
        answers.practice_id,
        answers.patient_id,
        {{ always() }} as matters_from,
        hash('coverage_answers', answers) as number,
        false as is_known
    from {{ ref('int_coverage_answers') }} as answers
)

select
    practice_id,
    patient_id,
    {{ month_of('matters_from') }} as matters_from,
    count(*) as facts,
    bit_xor(number) as odd_number,
    sum(number) as number,
    bool_or(is_known) as is_known
from facts
group by practice_id, patient_id, {{ month_of('matters_from') }}
