{{ config(meta={'keeps_last_night': true}) }}
-- What the panel says of each patient, as numbers to compare with those of the night before. Which file says so does not matter. is_known: the panel has or had
-- the patient.
{% set tables = ['patients', 'coverages', 'conditions', 'consents', 'care_plans', 'assessments', 'stays', 'outreach'] %}
with facts as (
    {% for table in tables %}
    select
        facts.practice_id,
        facts.patient_id,
        hash('{{ table }}', facts) as number,
        {{ 'true' if table == 'patients' else 'false' }} as is_known
    from (
        select * exclude (file_id, line_number{{ ', extract_date, last_seen_on, patient_number' if table == 'patients' }})
        from {{ ref('int_' ~ table ~ '__current') }}
    ) as facts
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
    union all
    -- What the payers say of it counts as well.
    select
        answers.practice_id,
        answers.patient_id,
        hash('coverage_answers', answers) as number,
        false as is_known
    from {{ ref('int_coverage_answers') }} as answers
)

select
    practice_id,
    patient_id,
    count(*) as facts,
    bit_xor(number) as odd_number,
    sum(number) as number,
    bool_or(is_known) as is_known
from facts
group by practice_id, patient_id
