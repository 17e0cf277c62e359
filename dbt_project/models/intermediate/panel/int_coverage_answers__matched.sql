-- Whom each statement of a 271 is about, in which practice, and what it means: patient_id is null for a member whom the practice does not know, meaning for
-- a benefit that no rule names.
with members as (
    select distinct
        practice_id,
        patient_id,
        {{ beneficiary_key('member_id') }} as beneficiary_key
    from {{ ref('int_coverages__current') }}
    where {{ is_medicare('coverage_type') }} and member_id is not null
),

meant as (
    select
        answers.transaction_id,
        answers.position,
        rules.meaning,
        rules.is_covered
    from {{ ref('stg_coverage_answers') }} as answers
    inner join {{ ref('rule_benefit_codes') }} as rules
        on
            answers.benefit_code = rules.benefit_code
            and rules.service_type in ('*', coalesce(answers.service_type, 'none'))
            and rules.insurance_type in ('*', coalesce(answers.insurance_type, 'none'))
            and {{ in_force('rules', 'answers.answered_on') }}
    qualify row_number() over (partition by answers.transaction_id, answers.position order by rules.precedence, rules.meaning) = 1
)

select
    received.practice_id,
    answers.transaction_id,
    answers.position,
    answers.subscriber_position,
    members.patient_id,
    case when answers.deceased_on is not null then 'deceased' else meant.meaning end as meaning,
    answers.deceased_on is not null or coalesce(meant.is_covered, false) as is_covered,
    coalesce(answers.deceased_on, answers.starts_on) as starts_on,
    answers.ends_on,
    answers.plan_id,
    answers.reject_code,
    answers.content_sha256,
    answers.answered_on,
    answers.file_sha256
from {{ ref('stg_coverage_answers') }} as answers
inner join {{ ref('int_coverage_answers__received') }} as received
    on
        answers.transaction_id = received.transaction_id
        and answers.subscriber_position = received.subscriber_position
left join members on received.practice_id = members.practice_id and answers.beneficiary_key = members.beneficiary_key
left join meant on answers.transaction_id = meant.transaction_id and answers.position = meant.position
-- By a name that is another practice's today: only of patients whom this one has.
where received.is_own or members.patient_id is not null
