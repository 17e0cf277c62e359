-- Where a post-close change may come from: the tables that tell of its reasons, and those that minutes, codes and days come from, where nothing stands
-- against the claim.
with changes as (
    select
        practice_id,
        patient_id,
        month,
        claimed_codes,
        reasons
    from {{ ref('int_post_close_changes') }}
)

select
    changes.practice_id,
    changes.patient_id,
    changes.month,
    rules.evidence as table_name
from changes
inner join {{ ref('rule_decision_reasons') }} as rules on list_contains(changes.reasons, rules.reason)
union
select
    changes.practice_id,
    changes.patient_id,
    changes.month,
    tables.table_name
from changes
cross join (values ('time_entries'), ('patients'), ('consents'), ('coverages'), ('stays'), ('assessments')) as tables (table_name)
where len(changes.reasons) = 0 or list_contains(changes.reasons, 'below_threshold')
union
-- Its level goes by the conditions.
select
    changes.practice_id,
    changes.patient_id,
    changes.month,
    'conditions' as table_name
from changes
inner join {{ ref('rule_apcm_levels') }} as levels on list_contains(changes.claimed_codes, levels.procedure_code || ' x 1')
