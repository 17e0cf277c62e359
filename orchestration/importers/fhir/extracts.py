"""The rows of the extract tables out of the newest versions: each resource judged once, with the reason why it gives nothing.

Macros and tables of `bulk` and `resources` are there. What names a person but lacks what its contract requires is landed all the same, its cell
empty: taking in quarantines it with line and reason, and holds the claims that it might forbid.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import duckdb

from orchestration.house import DBT_PROJECT
from orchestration.importers.fhir.bulk import Bulk
from orchestration.importers.fhir.resources import RESOURCES
from orchestration.importers.report import Unmapped
from orchestration.practices import Practice
from orchestration.sql import literal

_SNOMED_MAP = literal(DBT_PROJECT / "seeds" / "reference" / "rule_snomed_to_icd10cm.csv")
WITHDRAWN = "WITHDRAWN"
"""Procedure code of a service that its source took back: the services extract has no other way to say so, and no rule knows the code."""

_REFERRED = ("Organization", "Practitioner", "PractitionerRole", "Patient")

_MACROS = """
create macro day_of(text) as first_day(text, getvariable('zone'));
create macro day_until(text) as last_of(text, getvariable('zone'));
create macro day_at(moment) as cast(timezone(getvariable('zone'), moment) as date);
create macro changed(moment) as utc(coalesce(moment, getvariable('as_of')));
-- the day of a moment, that of the export where none is known
create macro ended_at(moment) as day_at(coalesce(moment, getvariable('as_of')));
-- what is over on a day that cannot be read is not open: no date at all, so that the row is quarantined and its claims wait
create macro end_of(text, known) as case
    when text <> '' and day_until(text) is null then 'day not readable: ' || left(text, 40) else cast(known as varchar) end;
-- no quantity is one; what is no number of units is not, so that the row is quarantined
create macro units_of(quantity) as case when quantity is not null then coalesce(
    cast(try_cast(round(try_cast(quantity as double)) as bigint) as varchar), 'quantity not readable: ' || left(quantity, 40)) end;
-- a refusal by its words, where no provision says whether it denies or permits
create macro takes_back(refusal, provision_type) as coalesce(refusal = 'refused' and provision_type is null, false);
create macro patient_fault(ref, found, landed) as case
    when ref is null then 'names no patient'
    when ref = '#' then 'its patient is a contained resource'
    when found is null then 'its patient is not in the export, or the reference cannot be resolved'
    when landed is null then 'its patient is not landed' end;
"""

# Who is meant by a reference, whatever form it has. An identifier that two resources have resolves to none.
_TARGETS = """
create table organization_refs as select ref, id as organization_id from targets where type = 'Organization';

create table member_refs as
with roles as (
    select r.id, t.id as practitioner_id from PractitionerRole r join targets t on t.ref = r.practitioner_ref and t.type = 'Practitioner'
)
select ref, id as member_id from targets where type = 'Practitioner'
union all
select t.ref, r.practitioner_id from targets t join roles r on r.id = t.id where t.type = 'PractitionerRole';

create table patient_refs as
with recursive replaced as (
    select p.id, t.id as new_id from Patient p join targets t on t.ref = p.replaced_by_ref and t.type = 'Patient' where t.id <> p.id
),
followed (id, new_id, steps) as (
    select id, new_id, 1 from replaced
    union all
    select f.id, r.new_id, f.steps + 1 from followed f join replaced r on r.id = f.new_id where f.steps < 10
),
last_step as (select id, arg_max(new_id, steps) as new_id from followed group by id)
select t.ref, coalesce(l.new_id, t.id) as patient_id, l.id is not null as is_replaced
from targets t left join last_step l using (id) where t.type = 'Patient';
"""


# Since when what is over by its state alone is over. `first_at`: of the earliest version from which on all say that it is over (a server may stamp such a
# resource anew whenever it likes); `is_told`: that version has a lastUpdated of its own, and one before it was in force, so that it is the day;
# `seen_at`: when one before it was last seen in force; `exported_at`: of the export that brought it. A folder that knows no version in force, or only
# when an export ran, does not say the day.
def _endings(resource_type: str, is_over: str, never_in_force: str = "false") -> str:
    return f"""
create table ends_{resource_type} as
with every as (
    select id, place, last_updated, exported_at, {is_over} as is_over, not is_deleted and not ({is_over}) and not ({never_in_force}) as is_in_force
    from (
        select * from "{resource_type}" union all by name select * from older_{resource_type}
    )
),
last_before as (
    select id, min(place) filter (where not is_over) as place, max(greatest(last_updated, exported_at)) filter (where is_in_force) as seen_at
    from every group by id
)
select e.id, coalesce(e.last_updated, e.exported_at) as first_at, case when b.seen_at is not null then least(b.seen_at, first_at) end as seen_at,
    e.last_updated is not null and b.seen_at is not null as is_told, e.exported_at
from every e join last_before b using (id)
where e.is_over and e.place < coalesce(b.place, 9223372036854775807)
qualify row_number() over (partition by e.id order by e.place desc) = 1;
"""


_ENDINGS = (
    _endings("Practitioner", "coalesce(active = 'false', false)")
    + _endings("PractitionerRole", "coalesce(active = 'false', false)")
    + _endings("Coverage", "coalesce(status = 'cancelled', false)", "coalesce(status in ('draft', 'entered-in-error'), false)")
    + _endings(
        "Consent",
        "coalesce(status = 'inactive' or takes_back(refusal, provision_type), false)",
        "coalesce(status in ('draft', 'proposed', 'rejected', 'entered-in-error') or provision_type = 'deny', false)",
    )
    + """
-- `said`: an end that the resource names, which counts where it had come when the resource was first over
create macro is_said(said, ends) as coalesce(said <= ended_at(ends.first_at), false);
create macro over_on(said, ends, unless_told) as case
    when is_said(said, ends) then said when ends.is_told then day_at(ends.first_at) else unless_told end;
"""
)

# Whose export it is: the organizations that the command names, else those with the practice's NPI or tax id, and what is part of them. Where the
# export says nothing of it, all of it is the practice's own.
_OWN = """
create table own_organizations as
with recursive named as (
    select id from Organization where not is_deleted and (
        case when len(getvariable('organizations')) > 0 then list_contains(getvariable('organizations'), id)
        else npi = getvariable('npi') or tin = getvariable('tin') end)
),
own (id) as (
    select id from named
    union
    select o.id from Organization o join organization_refs t on t.ref = o.part_of_ref join own on own.id = t.organization_id
    where not o.is_deleted
)
select distinct id as organization_id from own;

create macro has_own() as (select count(*) > 0 from own_organizations);

create table roles as
select r.*, m.member_id, t.organization_id, o.organization_id is not null as is_own,
    case
        when m.member_id is null then 'its practitioner is not in the export, or the reference cannot be resolved'
        when has_own() and t.organization_id is not null and o.organization_id is null then 'of another organization'
    end as reason
from PractitionerRole r
left join member_refs m on m.ref = r.practitioner_ref
left join organization_refs t on t.ref = r.organization_ref
left join own_organizations o using (organization_id)
where not r.is_deleted;

create table judged_Practitioner as
with of_roles as (
    select member_id, bool_or(is_own) as is_own, bool_or(organization_id is not null) as has_organization,
        min(specialty_taxonomy) as specialty_taxonomy, min(code_taxonomy) as code_taxonomy, string_agg(words, ' ' order by id) as words,
        min(day_of(period_start)) as active_from,
        case when bool_and(period_end is not null or active = 'false')
            then max(least(day_until(period_end), case when active = 'false' then ended_at(first_at) end)) end as active_to
    from roles left join ends_PractitionerRole using (id) where member_id is not null group by member_id
)
select p.id, p.npi, coalesce(p.name, 'Practitioner ' || left(p.id, 18)) as name,
    coalesce(r.specialty_taxonomy, r.code_taxonomy, p.taxonomy_code) as taxonomy_code,
    coalesce(credential_of(p.words), credential_of(r.words)) as credential, r.active_from,
    least(r.active_to, case when p.active = 'false' then ended_at(e.first_at) end) as active_to,
    case
        when has_own() and r.has_organization and not r.is_own then 'of another organization'
        when coalesce(credential_of(p.words), credential_of(r.words)) is null then 'no qualification, role or specialty that fhir_words.csv knows'
    end as reason
from Practitioner p left join of_roles r on r.member_id = p.id left join ends_Practitioner e on e.id = p.id
where not p.is_deleted;

create table members as select id as member_id from judged_Practitioner where reason is null;
"""

# `visits`: of the newest versions; `all_visits`: of all, to take back what the newest does not say any more.
_VISITS = """
create table all_visits as
with every as (
    select *, true as is_newest from Encounter union all by name select *, false as is_newest from older_Encounter
)
select e.id, e.changed_at, p.patient_id, e.patient_ref, e.status, day_of(e.period_start) as day, e.period_start, e.period_end, e.class_code,
    e.procedure_code, e.type_text, stay_of(e.words) as stay_type, visit_of(e.words) as place, nullif(appointment_of(e.words), 'none') as planned,
    t.organization_id, has_own() and t.organization_id is not null and o.organization_id is null as is_elsewhere,
    (
        select arg_min(m.member_id, a.ord)
        from unnest(e.member_refs) with ordinality as a (ref, ord) join member_refs r on r.ref = a.ref join members m using (member_id)
    ) as member_id,
    e.status in ('arrived', 'triaged', 'in-progress', 'onleave', 'finished', 'unknown') and not e.is_deleted as is_real, e.is_deleted, e.is_newest,
    max(coalesce(e.deleted_at, e.changed_at)) over (partition by e.id) as newest_at
from every e
left join patient_refs p on p.ref = e.patient_ref
left join organization_refs t on t.ref = e.organization_ref
left join own_organizations o using (organization_id);

create view visits as select * from all_visits where is_newest;

-- one that was done, or that its source says will not be: the latter takes back what may have been landed before
create macro is_told(visit) as visit.is_real or (visit.is_newest and (visit.is_deleted or visit.status in ('cancelled', 'entered-in-error')));
"""

# The billing practitioner: the patient's general practitioner, else primary care in a care team, else whom they saw most often.
# Who is gone leaves the panel once the months of before can be closed: until the end of the month after, and of that in which an export first said so, they
# are landed with the newest facts, or a claim would be made on what the snapshots of before say. Of the dead that holds for as long as the folder knew
# them alive or a claim can be filed; those whom it did not know, with no day, give nothing but the row that is quarantined.
_PATIENTS = (
    """
create macro is_elsewhere(ref) as has_own() and coalesce(ref in (
    select t.ref from organization_refs t where t.organization_id not in (select o.organization_id from own_organizations o)
), false);
"""
    + _endings("Patient", "(coalesce(active = 'false', false) or is_elsewhere(organization_ref))")
    + """
create table judged_CareTeam as
select c.id, p.patient_id,
    (
        select arg_min(m.member_id, a.ord)
        from unnest(c.participants) with ordinality as a (participant, ord)
        join member_refs r on r.ref = a.participant.ref join members m using (member_id)
        where role_of(a.participant.words) = 'pcp'
            and coalesce(day_until(a.participant.period_end) >= getvariable('night'), true)
    ) as member_id,
    c.changed_at,
    case
        when coalesce(c.status, 'active') not in ('active', 'suspended') then 'status ' || c.status
        else patient_fault(c.patient_ref, p.patient_id, p.patient_id)
    end as reason
from CareTeam c left join patient_refs p on p.ref = c.patient_ref
where not c.is_deleted;

update judged_CareTeam set reason = 'no practitioner of the practice in the role of primary care' where reason is null and member_id is null;

create table judged_Patient as
with team as (
    select patient_id, arg_max(member_id, (coalesce(changed_at, timestamptz '1900-01-01'), id)) as member_id
    from judged_CareTeam where reason is null group by all
),
seen as (
    select patient_id, member_id, count(*) as visits, max(day) as last_day
    from visits where is_real and place = 'office' and member_id is not null group by all
),
usual as (select patient_id, arg_max(member_id, (visits, last_day, member_id)) as member_id from seen group by all),
placed as (
    select p.* replace (coalesce(p.is_dead, false) as is_dead), e.seen_at is not null as was_here, day_of(p.deceased_at) as died_on,
        coalesce(p.active = 'false', false) as is_inactive, is_elsewhere(p.organization_ref) as is_elsewhere,
        -- on a day that nobody says: when they were last seen as the practice's own
        case when e.is_told then day_at(e.first_at) else day_at(e.seen_at) end as gone_on,
        greatest(last_day(ended_at(e.exported_at)), last_day(ended_at(e.first_at) + interval 1 month)) as landed_until,
        (
            select arg_min(m.member_id, a.ord)
            from unnest(p.general_practitioner_refs) with ordinality as a (ref, ord)
            join member_refs r on r.ref = a.ref join members m using (member_id)
        ) as general_practitioner
    from Patient p left join ends_Patient e on e.id = p.id
    where not p.is_deleted
)
select p.*, coalesce(p.general_practitioner, team.member_id, usual.member_id) as billing_practitioner_id,
    case
        when p.replaced_by_ref in (select ref from patient_refs) then 'replaced by another record of the same person'
        when p.was_here and (p.is_dead or getvariable('night') <= p.landed_until) then null
        when p.is_dead and not p.is_elsewhere and coalesce(p.died_on, ended_at(p.changed_at)) >= getvariable('night') - interval 1 year then null
        when p.is_inactive then 'no longer active'
        when p.is_elsewhere then 'of another organization'
    end as reason
from placed p left join team on team.patient_id = p.id left join usual on usual.patient_id = p.id;

create table panel as select id as patient_id, mbi, gone_on from judged_Patient
where reason is null and not (is_inactive and is_dead and died_on is null and not was_here);
"""
)

_FACTS = f"""
create table judged_Coverage as
with named as (
    select c.*, lower(concat_ws(' ', c.words, (
        select string_agg(o.name, ' ' order by a.ord)
        from unnest(c.payor_refs) with ordinality as a (ref, ord)
        join organization_refs t on t.ref = a.ref join Organization o on o.id = t.organization_id
    ))) as given
    from Coverage c where not c.is_deleted
),
-- of a status that FHIR does not have nobody knows whether it covers anything: as of a kind that nobody knows
known as (
    select *, coalesce(status, '') in ('active', 'cancelled') as has_status,
        case when has_status then coverage_of(concat_ws(' insurer:', given, insurer_of(given))) end as kinds,
        case when has_status then 'type and payer that fhir_words.csv does not know' else 'status ' || coalesce(status, 'not said') end as unknown
    from named
),
judged as (
    select c.id, n.patient_id, c.period_start, n.mbi, c.member_id, c.priority, c.kinds,
        -- cancelled on a day that nobody says: what pays ended on the first day possible, what forbids a claim on the last
        end_of(c.period_end, case when c.status = 'cancelled' then over_on(day_until(c.period_end), e, ended_at(e.first_at))
            else day_until(c.period_end) end) as termination_date,
        end_of(c.period_end, case when c.status = 'cancelled' then over_on(day_until(c.period_end), e, greatest(day_of(c.period_start), day_at(e.seen_at)))
            else day_until(c.period_end) end) as paid_until,
        c.status = 'cancelled' and not is_said(day_until(c.period_end), e) and not e.is_told as is_end_unsaid,
        not c.has_status as is_status_unknown,
        -- of what has been over for a year no month can be filed any more
        coalesce(try_cast(termination_date as date) < getvariable('night') - interval 1 year, false) as is_long_over,
        case
            when c.status in ('draft', 'entered-in-error') then 'status ' || c.status
            when coalesce(c.kinds, '') = 'none' then 'covers no care that is billed here'
            -- what nobody knows and may pay before Medicare, or in its place, waits; what pays after it takes nothing away
            when c.kinds is null and c.priority > 1 then c.unknown || ', paying after another'
            when c.kinds is null and is_long_over then c.unknown || ', over for a year'
            when c.kinds = 'hospice' and is_long_over then 'hospice, over for a year'
            else patient_fault(c.patient_ref, p.patient_id, n.patient_id)
        end as reason
    from known c left join ends_Coverage e on e.id = c.id
    left join patient_refs p on p.ref = c.patient_ref left join panel n on n.patient_id = p.patient_id
)
-- beside Medicare a private plan of which nobody says whether it pays first may do so, and waits
select *, reason is null and kinds = 'commercial' and priority is null and not is_long_over
    and coalesce(min(case when kinds like '%medicare_part_b%' and reason is null and not is_long_over then coalesce(priority, 0) <> 1 end)
        over (partition by patient_id), false) as is_order_unsaid
from judged;

create table judged_Condition as
with crosswalk as (
    select * from read_csv({_SNOMED_MAP}, all_varchar = true, header = true)
    where cast(effective_from as date) <= getvariable('night')
        and (effective_to is null or cast(effective_to as date) >= getvariable('night'))
    qualify row_number() over (partition by snomed_code order by effective_from desc, icd10_code) = 1
)
select c.id, n.patient_id, c.snomed_code, coalesce(c.icd10_code, m.icd10_code) as icd10_code,
    case when c.clinical_status in ('inactive', 'remission', 'resolved') then 'resolved'
         when c.clinical_status is null and (c.has_abated or coalesce(day_of(c.abatement) <= getvariable('night'), c.abatement <> '')) then 'resolved'
         else 'active' end as clinical_status,
    day_of(c.onset) as onset_date, coalesce(day_of(c.recorded), day_of(c.onset), day_at(c.changed_at)) as recorded_date,
    day_until(c.abatement) as resolved_date,
    case
        when c.verification_status in ('entered-in-error', 'refuted') then 'verification status ' || c.verification_status
        when c.verification_status in ('unconfirmed', 'provisional', 'differential')
            then 'verification status ' || c.verification_status || ': not yet a diagnosis'
        when c.verification_status <> 'confirmed' then 'verification status ' || c.verification_status
        when c.clinical_status not in ('active', 'recurrence', 'relapse', 'inactive', 'remission', 'resolved')
            then 'clinical status ' || c.clinical_status
        when getvariable('has_problem_list') and list_contains(c.categories, 'encounter-diagnosis')
            and not list_has_any(c.categories, ['problem-list-item', 'health-concern']) then 'diagnosis of one visit, not on the problem list'
        when not c.is_coded then 'no code'
        when c.icd10_code is null and c.snomed_code is null then 'coded in neither ICD-10-CM nor SNOMED CT'
        when c.icd10_code is null and m.icd10_code is null then 'SNOMED CT code without an ICD-10-CM code in rule_snomed_to_icd10cm.csv'
        else patient_fault(c.patient_ref, p.patient_id, n.patient_id)
    end as reason
from Condition c
left join crosswalk m on m.snomed_code = c.snomed_code
left join patient_refs p on p.ref = c.patient_ref left join panel n on n.patient_id = p.patient_id
where not c.is_deleted;

create table judged_CarePlan as
select c.id, n.patient_id, day_of(c.established) as established_on,
    case
        -- one that ended or was completed was established all the same
        when coalesce(c.status, '') not in ('active', 'on-hold', 'completed') then 'status ' || coalesce(c.status, 'not said')
        when c.intent in ('proposal', 'option') then 'intent ' || c.intent
        when plan_of(c.words) = 'no' then 'category assess-plan alone: the plan of one note, not a comprehensive one'
        when plan_of(c.words) is null then 'category and title that fhir_words.csv does not know'
        else patient_fault(c.patient_ref, p.patient_id, n.patient_id)
    end as reason
from CarePlan c left join patient_refs p on p.ref = c.patient_ref left join panel n on n.patient_id = p.patient_id
where not c.is_deleted;

create table judged_Consent as
with stated as (
    select c.*, program_of(c.words) as program,
        -- of one that was in force before, the words say that it is over; else it never was
        takes_back(c.refusal, c.provision_type) and e.seen_at is not null as is_taken_back,
        coalesce(c.provision_type = 'deny', false) or (takes_back(c.refusal, c.provision_type) and e.seen_at is null) as is_refusal,
        -- words that refuse what a provision permits, or a provision within that denies something, say neither yes nor no; nor do words that nobody
        -- knows for an agreement, where no provision permits
        not takes_back(c.refusal, c.provision_type)
            and (coalesce(c.refusal <> 'unsaid' or c.provision_type is null and c.refusal is not null, false) or c.has_inner_deny) as is_in_doubt,
        -- in force from the later of its day and the first one of its provision
        case when coalesce(c.period_start, '') = '' or day_of(c.consented) is null then day_of(c.consented)
            when day_of(c.period_start) is not null then greatest(day_of(c.consented), day_of(c.period_start)) end as given_on
    from Consent c left join ends_Consent e on e.id = c.id where not c.is_deleted
),
refusals as (
    select c.id, n.patient_id, c.program, case when c.is_refusal then day_of(coalesce(c.consented, c.period_start))
        else over_on(null, e, greatest(c.given_on, day_at(e.seen_at))) end as refused_on
    from stated c join patient_refs p on p.ref = c.patient_ref join panel n on n.patient_id = p.patient_id left join ends_Consent e on e.id = c.id
    where (c.is_refusal or c.is_taken_back) and coalesce(c.status, '') not in ('draft', 'proposed', 'rejected', 'entered-in-error')
),
given as (
    select c.*, least(day_until(c.period_end), (
        select min(f.refused_on) from refusals f join patient_refs p on p.patient_id = f.patient_id
        where p.ref = c.patient_ref and f.program = c.program and f.refused_on >= day_of(c.consented) and f.id <> c.id
    )) as said
    from stated c
)
select c.id, n.patient_id, c.program, c.given_on as consented_on,
    case when c.is_written then 'written' else 'verbal' end as method, c.is_written or c.is_verified as documented,
    (
        select arg_min(m.member_id, a.ord)
        from unnest(c.member_refs) with ordinality as a (ref, ord) join member_refs r on r.ref = a.ref join members m using (member_id)
    ) as obtained_by,
    -- refused on a day that nobody says: before or after the consent, nobody knows, so that its row is quarantined
    coalesce(
        case when c.is_in_doubt then 'given or refused, not said' end,
        (select 'refused, day not said' from refusals f
            where f.patient_id = n.patient_id and f.program = c.program and f.refused_on is null limit 1),
        end_of(c.period_end, case when c.status = 'inactive' or c.is_taken_back
            -- since when nobody says: in force for no longer than it was seen in force, or not beyond its own day
            then least(over_on(c.said, e, greatest(c.given_on, day_at(e.seen_at))), n.gone_on) else least(c.said, n.gone_on) end)
    ) as revoked_on,
    (c.status = 'inactive' or c.is_taken_back) and not is_said(c.said, e) and not e.is_told as is_end_unsaid,
    case
        when coalesce(c.status, '') not in ('active', 'inactive') then 'status ' || coalesce(c.status, 'not said')
        when c.program is null then 'about no care management program that fhir_words.csv knows'
        when c.program = 'none' then 'about care management of another kind, none of the programs'
        else coalesce(patient_fault(c.patient_ref, p.patient_id, n.patient_id),
            case when c.provision_type = 'deny' then 'a refusal (provision deny): it ends the consents before it'
                when c.is_refusal then 'a refusal (by its words): it ends the consents before it' end)
    end as reason
from given c left join ends_Consent e on e.id = c.id
left join patient_refs p on p.ref = c.patient_ref left join panel n on n.patient_id = p.patient_id;

create table judged_Communication as
select c.id, n.patient_id, c.sent, channel_of(c.medium_words) as channel, outcome_of(c.outcome_words) as outcome, m.member_id,
    case
        when c.status in ('preparation', 'on-hold', 'entered-in-error', 'unknown') then 'status ' || c.status
        when c.sender_ref in (select ref from patient_refs) then 'sent by the patient'
        when program_of(c.words) is null then 'about no care management program that fhir_words.csv knows'
        when program_of(c.words) = 'none' then 'about care management of another kind, none of the programs'
        when channel_of(c.medium_words) is null then 'medium that fhir_words.csv does not know'
        when outcome_of(c.outcome_words) is null then 'outcome that fhir_words.csv does not know'
        else patient_fault(c.patient_ref, p.patient_id, n.patient_id)
    end as reason
from Communication c
left join patient_refs p on p.ref = c.patient_ref left join panel n on n.patient_id = p.patient_id
left join member_refs r on r.ref = c.sender_ref left join members m using (member_id)
where not c.is_deleted;
"""

# Appointments and services come as changes: what is gone says so in a row of its own. An encounter stands for its appointment only where the
# export has no Appointment at all, or it would be counted twice.
_CHANGES = """
create table judged_Appointment as
with every as (
    -- an actor who is an identifier alone, or a uuid, may be anybody: the patient is who is found as one
    select a.*, coalesce((
        select arg_min(x.ref, x.ord) from unnest(a.patient_refs) with ordinality as x (ref, ord) join patient_refs r on r.ref = x.ref
    ), a.patient_refs[1]) as patient_ref
    from (
        select *, true as is_newest from Appointment union all by name select *, false as is_newest from older_Appointment
    ) a
),
-- one that was planned and is only proposed again is cancelled, as the version said that planned it
standing as (
    select *, is_newest and not is_deleted and {status} is null as is_open
    from (select a.*, max(coalesce(a.deleted_at, a.changed_at)) over (partition by a.id) as newest_at from every a)
    where is_newest or {status} is not null
    qualify row_number() over (partition by id order by is_open, is_newest desc, changed_at desc nulls last) = 1
)
select a.id, n.patient_id, a.type_text, nullif(appointment_of(a.words), 'none') as planned, a.starts, a.newest_at as changed_at, a.is_deleted,
    case when a.is_deleted or not a.is_newest then 'cancelled' else {status} end as status,
    coalesce(instant_of(a.ends), instant_of(a.starts) + to_minutes(coalesce(a.minutes, 15))) as ends_at,
    (
        select arg_min(m.member_id, x.ord)
        from unnest(a.member_refs) with ordinality as x (ref, ord) join member_refs r on r.ref = x.ref join members m using (member_id)
    ) as member_id,
    case
        when not a.is_deleted and {status} is null then 'status ' || coalesce(a.status, 'missing') || ': not planned yet'
        else patient_fault(a.patient_ref, p.patient_id, n.patient_id)
    end as reason
from standing a left join patient_refs p on p.ref = a.patient_ref left join panel n on n.patient_id = p.patient_id;

update judged_Appointment set reason = 'no practitioner of the practice takes part' where reason is null and member_id is null;

create table offered as
with every_claim as (
    select *, true as is_newest from Claim union all by name select *, false as is_newest from older_Claim
),
claimed as (
    select c.id, c.patient_ref, unnest(c.items) as item, c.provider_ref, c.is_newest, c.changed_at,
        max(coalesce(c.deleted_at, c.changed_at)) over (partition by c.id) as newest_at,
        c.is_deleted or coalesce(c.status, '') in ('cancelled', 'entered-in-error') as is_withdrawn, c.member_refs, c.claim_use, c.status
    from every_claim c
),
billed as (
    select c.*, m.member_id as provider_id, t.organization_id, (
        select arg_min(x.member_id, a.ord)
        from unnest(c.member_refs) with ordinality as a (ref, ord) join member_refs r on r.ref = a.ref join members x using (member_id)
    ) as team_id
    from claimed c left join member_refs m on m.ref = c.provider_ref left join organization_refs t on t.ref = c.provider_ref
    where c.claim_use = 'claim' and coalesce(c.status, '') <> 'draft'
),
every_procedure as (
    select *, true as is_newest from "Procedure" union all by name select *, false as is_newest from older_Procedure
),
performed as (
    select p.*, max(coalesce(p.deleted_at, p.changed_at)) over (partition by p.id) as newest_at, v.organization_id, v.id as encounter_id, (
        select arg_min(x.member_id, a.ord)
        from unnest(p.member_refs) with ordinality as a (ref, ord) join member_refs r on r.ref = a.ref join members x using (member_id)
    ) as member_id
    from every_procedure p left join visits v on 'Encounter/' || v.id = p.encounter_ref
)
select 1 as rank, 'Claim-' || id || '-' || item.sequence as service_id, patient_ref, coalesce(team_id, provider_id) as member_id,
    organization_id, item.procedure_code, day_of(item.served) as service_date, units_of(item.quantity) as units, null as encounter_id,
    is_withdrawn, is_newest, changed_at, newest_at
from billed where item.procedure_code is not null
union all
select 2, 'Procedure-' || id, patient_ref, member_id, organization_id, procedure_code, day_of(performed), null, encounter_id,
    is_deleted or status <> 'completed', is_newest, changed_at, newest_at
from performed
where procedure_code is not null
    and (status = 'completed' or (is_newest and (is_deleted or status not in ('preparation', 'in-progress'))))
union all
select 3, 'Encounter-' || id, patient_ref, member_id, organization_id, procedure_code, day, null, id, not is_real, is_newest, changed_at, newest_at
from all_visits v where procedure_code is not null and is_told(v);

create table services as
-- what an older version offers and the newest does not is taken back: an item that is gone, a visit that is only planned again
with standing as (
    select s.* replace (s.is_withdrawn or not s.is_newest as is_withdrawn), n.patient_id
    from offered s join patient_refs p on p.ref = s.patient_ref join panel n using (patient_id)
    qualify row_number() over (partition by s.service_id order by s.is_newest desc, s.changed_at desc nulls last, s.procedure_code) = 1
)
select s.* exclude (service_date, changed_at) replace (case when not s.is_withdrawn or s.units not like 'quantity not%' then s.units end as units),
    -- a day is required of what is withdrawn, too, though it means nothing there
    case when s.is_withdrawn then coalesce(s.service_date, ended_at(s.newest_at)) else s.service_date end as service_date,
    case when has_own() and coalesce(o.organization_id is null, true) and (s.organization_id is not null or m.member_id is null)
        then 'other_practice' else 'own_practice' end as billed_by
from standing s
left join own_organizations o using (organization_id)
left join members m on m.member_id = s.member_id
-- one service told by claim, procedure and encounter is one: the claim's. Another practice's is another service; what does not say whose it is, is not
qualify s.is_withdrawn or (
    s.rank = min(s.rank) filter (not s.is_withdrawn) over (partition by s.patient_id, s.procedure_code, s.service_date, billed_by)
    and (s.organization_id is not null or m.member_id is not null
        or s.rank = min(s.rank) filter (not s.is_withdrawn) over (partition by s.patient_id, s.procedure_code, s.service_date))
);

create table judged_Encounter as
select v.id, n.patient_id,
    case
        when not v.is_real then 'status ' || coalesce(v.status, 'missing') || ': has not taken place'
        when v.stay_type is null and v.place is null then 'class that fhir_words.csv does not know'
        when patient_fault(v.patient_ref, v.patient_id, n.patient_id) is not null then patient_fault(v.patient_ref, v.patient_id, n.patient_id)
        when v.stay_type is not null or v.procedure_code is not null then null
        when v.place = 'none' then 'neither a visit in the office nor a stay, and without a procedure code'
        when v.is_elsewhere then 'a visit to another organization without a procedure code'
        when getvariable('has_appointments') then 'a visit without a procedure code; the export has Appointments of its own'
        when v.member_id is null then 'no practitioner of the practice took part'
        when length(v.period_start) <= 10 or v.period_start is null then 'a date without a time of day: no appointment'
    end as reason
from visits v left join panel n using (patient_id) where not v.is_deleted;

create table judged_Claim as
select c.id, case
    when c.status <> 'active' then 'status ' || c.status
    when coalesce(c.claim_use, '') <> 'claim' then 'use ' || coalesce(c.claim_use, 'missing') || ': nothing was billed'
    when patient_fault(c.patient_ref, p.patient_id, n.patient_id) is not null then patient_fault(c.patient_ref, p.patient_id, n.patient_id)
    when not list_bool_or(list_transform(c.items, lambda i: i.procedure_code is not null)) or len(c.items) = 0 then 'no item with a CPT or HCPCS code'
    end as reason
from Claim c left join patient_refs p on p.ref = c.patient_ref left join panel n on n.patient_id = p.patient_id where not c.is_deleted;

create table judged_Procedure as
select c.id, case
    when c.status <> 'completed' then 'status ' || coalesce(c.status, 'missing')
    when c.procedure_code is null then 'coded in neither CPT nor HCPCS'
    else patient_fault(c.patient_ref, p.patient_id, n.patient_id) end as reason
from Procedure c left join patient_refs p on p.ref = c.patient_ref left join panel n on n.patient_id = p.patient_id where not c.is_deleted;

create table judged_PractitionerRole as select id, reason from roles;

create table judged_Organization as
select o.id, case when o.id not in (select organization_id from own_organizations)
    and o.id not in (select organization_id from organization_refs where ref in (select unnest(payor_refs) from Coverage))
    then 'neither the practice nor a payer' end as reason
from Organization o where not o.is_deleted;
"""

_APPOINTMENT_STATUS = """case
    when status in ('pending', 'booked', 'arrived', 'checked-in') then 'scheduled' when status = 'fulfilled' then 'completed'
    when status in ('cancelled', 'entered-in-error') then 'cancelled' when status = 'noshow' then 'no_show' end"""

# Table: the resources of which at least one must be in the export for it to be landed, and its rows.
EXTRACTS: dict[str, tuple[tuple[str, ...], str]] = {
    "patients": (
        ("Patient",),
        """
        select id as patient_id, first_name, last_name, middle_name, birth_date,
            case lower(gender) when 'female' then 'F' when 'male' then 'M' else 'U' end as sex, address_line1, city,
            state, postal_code, phone, billing_practitioner_id,
            -- dead on a day that nobody says: no date at all, so that the row is quarantined and its claims wait
            coalesce(cast(day_of(deceased_at) as varchar), case when is_dead then 'dead, date not said' end) as deceased_date
        from judged_Patient where reason is null order by id""",
    ),
    "coverages": (
        ("Coverage",),
        """
        -- of a kind that nobody knows: landed without one, so that the row is quarantined and its claims wait
        with kinds as (select *, unnest(string_split(coalesce(kinds, ''), ';')) as coverage_type from judged_Coverage where reason is null)
        select patient_id, coverage_type,
            case when coverage_type in ('medicare_part_a', 'medicare_part_b') then coalesce(mbi, member_id) else member_id end as member_id,
            case when is_order_unsaid then 'order not said' else cast(priority as varchar) end as priority, day_of(period_start) as effective_date,
            case when coverage_type in ('medicare_part_a', 'medicare_part_b') then paid_until else termination_date end as termination_date
        from kinds order by patient_id, coverage_type, effective_date, id""",
    ),
    "conditions": (
        ("Condition",),
        """
        select id as condition_id, patient_id, icd10_code, clinical_status, onset_date, recorded_date, resolved_date
        from judged_Condition where reason is null order by id""",
    ),
    "consents": (
        ("Consent",),
        """
        select id as consent_id, patient_id, program, consented_on, method, documented, obtained_by,
            null as billing_practitioner_id, revoked_on
        from judged_Consent where reason is null order by id""",
    ),
    "care_plans": (
        ("CarePlan",),
        """
        select id as care_plan_id, patient_id, established_on, null as last_reviewed_on, null as copy_given_on
        from judged_CarePlan where reason is null order by id""",
    ),
    "stays": (
        ("Encounter",),
        """
        select v.id as stay_id, v.patient_id, v.stay_type, v.day as admitted_on,
            case when v.period_end <> '' then end_of(v.period_end, greatest(day_until(v.period_end), v.day)) end as discharged_on
        from visits v join judged_Encounter j using (id) where j.reason is null and v.stay_type is not null order by v.id""",
    ),
    "care_team": (
        ("Practitioner",),
        """
        select id as member_id, name, credential, npi, taxonomy_code, active_from, active_to
        from judged_Practitioner where reason is null order by id""",
    ),
    "outreach": (
        ("Communication",),
        """
        select id as outreach_id, patient_id, coalesce(utc(instant_of(sent)), sent) as attempted_at, channel, outcome, member_id
        from judged_Communication where reason is null order by id""",
    ),
    "appointments": (
        ("Appointment", "Encounter"),
        """
        select id as appointment_id, patient_id, member_id, coalesce(planned, type_text, 'visit') as visit_type, status,
            utc(instant_of(starts)) as scheduled_start, utc(ends_at) as scheduled_end, changed(changed_at) as updated_at
        from judged_Appointment where reason is null
        union all
        select 'Encounter-' || v.id, v.patient_id, v.member_id, coalesce(v.planned, v.type_text, 'visit'),
            case when v.is_real and v.is_newest then 'completed' else 'cancelled' end,
            utc(instant_of(v.period_start)), utc(coalesce(
                case when instant_of(v.period_end) > instant_of(v.period_start) then instant_of(v.period_end) end,
                instant_of(v.period_start) + interval 15 minutes)), changed(v.newest_at)
        from all_visits v join panel using (patient_id)
        where not getvariable('has_appointments') and is_told(v) and v.place = 'office' and v.stay_type is null and not v.is_elsewhere
            and v.member_id is not null and length(v.period_start) > 10
        qualify row_number() over (partition by v.id order by v.is_newest desc, v.changed_at desc nulls last) = 1
        order by 1""",
    ),
    "services": (
        ("Claim", "Procedure", "Encounter"),
        f"""
        select service_id, patient_id, case when billed_by = 'own_practice' then member_id end as member_id,
            case when is_withdrawn then '{WITHDRAWN}' else procedure_code end as procedure_code, service_date, units,
            case when encounter_id is not null and not getvariable('has_appointments') and billed_by = 'own_practice' then 'Encounter-' || encounter_id end
                as appointment_id, billed_by, null as ccm_discussed, changed(newest_at) as updated_at
        from services order by service_id""",
    ),
}  # fmt: skip


def judge(bulk: Bulk, practice: Practice, night: date, as_of: datetime, organizations: Sequence[str]) -> None:
    """Makes a table `judged_<Resource>` (id, reason) for every resource type, and what EXTRACTS read."""
    con = bulk.connection
    con.execute(_MACROS)
    for name, value in (
        ("night", night), ("as_of", as_of), ("npi", practice.npi), ("tin", practice.tax_id),
        ("organizations", list(organizations)), ("has_appointments", "Appointment" in bulk.present),
    ):  # fmt: skip
        kind = "::varchar[]" if name == "organizations" else ""  # an empty list has no type of its own
        con.execute(f"set variable {name} = $value{kind}", {"value": value})
    con.execute(
        "set variable has_problem_list = (select count(*) > 0 from Condition where not is_deleted and list_contains(categories, 'problem-list-item'))"
    )
    con.execute(_targets())
    for sql in (_TARGETS, _ENDINGS, _OWN, _VISITS, _PATIENTS, _FACTS, _CHANGES.replace("{status}", _APPOINTMENT_STATUS)):
        con.execute(sql)


def _targets() -> str:
    parts = []
    for name in _REFERRED:
        parts.append(f"select '{name}/' || id as ref, '{name}' as type, id from \"{name}\" where not is_deleted")
        each = f'(select id, unnest(identifiers) as i from "{name}" where not is_deleted)'
        parts.append(f"select '{name}?' || i.system || '|' || i.value, '{name}', id from {each}")
        parts.append(f"select '{name}?' || i.value, '{name}', id from {each}")
    return f"""
    create table targets as
    select ref, any_value(type) as type, min(id) as id from ({" union all ".join(parts)})
    where ref is not null group by ref having count(distinct id) = 1
    """


def used(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    """Resource type to (deleted, used)."""
    found = {}
    for name in RESOURCES:
        deleted = con.execute(f'select count(*) from "{name}" where is_deleted').fetchall()[0][0]
        kept = con.execute(f"select count(*) from judged_{name} where reason is null").fetchall()[0][0]
        found[name] = (deleted, kept)
    return found


def unmapped(con: duckdb.DuckDBPyConnection) -> list[Unmapped]:
    """Every resource that gives nothing, by type and reason, the most first."""
    found = []
    for name in RESOURCES:
        detail = "count(distinct snomed_code) || ' codes'" if name == "Condition" else "''"
        rows = con.execute(
            f"select reason, count(*) as n, case when reason like 'SNOMED%' then {detail} else '' end from judged_{name} where reason is not null "
            "group by reason order by n desc, reason"
        ).fetchall()
        found += [Unmapped(name, reason, count, more) for reason, count, more in rows]
    return found


_LACKING = """
select 'Patient' as what, 'no practitioner of the practice is known for them: landed without one, to be quarantined' as reason, count(*) as n
from judged_Patient where reason is null and billing_practitioner_id is null
union all
select 'Patient', 'no longer active, or of another organization: landed once more, for the months of before; consents are over on that day', count(*)
from judged_Patient where reason is null and (is_inactive or is_elsewhere)
union all
select 'Patient', 'dead, but the day is not said: landed without one, to be quarantined', count(*)
from judged_Patient where reason is null and is_dead and day_of(deceased_at) is null
union all
select 'Coverage', 'no first day: landed without one, to be quarantined', count(*)
from judged_Coverage where reason is null and day_of(period_start) is null
union all
select what, 'over on a day that cannot be read: landed without one, to be quarantined', count(*) from (
    select 'Coverage' as what from judged_Coverage where reason is null and termination_date like 'day not%'
    union all select 'Consent' from judged_Consent where reason is null and revoked_on like 'day not%'
    union all select 'Encounter' from visits join judged_Encounter j using (id)
        where j.reason is null and stay_type is not null and end_of(period_end, null) is not null
) group by what
union all
select 'Consent', 'no day: landed without one, to be quarantined', count(*) from judged_Consent where reason is null and consented_on is null
union all
select 'Consent', 'refused on a day that is not said: landed without one, to be quarantined', count(*)
from judged_Consent where reason is null and revoked_on like 'refused%'
union all
select 'Consent', 'given or refused, its words and provisions do not say: landed to be quarantined', count(*)
from judged_Consent where reason is null and revoked_on like 'given or%'
union all
select 'Coverage', 'cancelled on a day that is not said: what pays is landed as over on the first day possible, what forbids a claim on the last', count(*)
from judged_Coverage where reason is null and is_end_unsaid
union all
select 'Coverage', 'of a status that says neither that it is in force nor that it ended: landed without a kind, to be quarantined', count(*)
from judged_Coverage where reason is null and is_status_unknown
union all
select 'Consent', 'inactive since a day that is not said: landed as over on the first day possible', count(*)
from judged_Consent where reason is null and is_end_unsaid
union all
select 'Consent', 'neither its source nor a verification is in the resource: landed as not documented', count(*)
from judged_Consent where reason is null and not documented
union all
select 'CarePlan', 'no day: landed without one, to be quarantined', count(*) from judged_CarePlan where reason is null and established_on is null
union all
select 'Encounter', 'a stay without its first day: landed without one, to be quarantined', count(*)
from visits join judged_Encounter j using (id) where j.reason is null and stay_type is not null and day is null
union all
select 'Claim', 'items without a CPT or HCPCS code', count(*) from (
    select unnest(c.items) as item from Claim c join judged_Claim j using (id) where j.reason is null
) where item.procedure_code is null
union all
select 'Claim', 'items with a quantity that is no number of units: landed without one, to be quarantined', count(*)
from services where units like 'quantity not%'
union all
select 'references', 'to a practitioner who is not in the export, or cannot be resolved', count(*) from (
    select unnest(member_refs) as ref from Encounter where not is_deleted
    union all select ref from (select unnest(member_refs) as ref from Appointment where not is_deleted)
        where 'Patient' || substr(ref, 13) not in (select p.ref from patient_refs p)
    union all select unnest(member_refs) from Procedure where not is_deleted
    union all select unnest(member_refs) from Consent where not is_deleted
    union all select unnest(general_practitioner_refs) from Patient where not is_deleted
) where ref not in (select ref from member_refs) and ref not in (select ref from targets)
union all
select 'Coverage', 'type and payer that fhir_words.csv does not know: landed without a kind, to be quarantined', count(*)
from judged_Coverage where reason is null and kinds is null
union all
select 'Coverage', 'a private plan beside Medicare, but not which of them pays first (order): landed without it, to be quarantined', count(*)
from judged_Coverage where is_order_unsaid
union all
select 'Coverage', 'the Medicare hospice benefit, no kind of the contract: landed as it is, to be quarantined', count(*)
from judged_Coverage where reason is null and kinds = 'hospice'
union all
select 'references', 'to a payer who is not in the export, or cannot be resolved', count(*) from (
    select unnest(list_concat(payor_refs, lost_payors)) as ref from Coverage where not is_deleted
) where ref not in (select ref from targets) and ref not like 'RelatedPerson%'
union all
select 'services', 'withdrawn by their source: landed with the procedure code WITHDRAWN', count(*) from services where is_withdrawn
"""


def lacking(con: duckdb.DuckDBPyConnection) -> list[Unmapped]:
    """What resources that are used lack."""
    return [Unmapped(what, reason, count) for what, reason, count in con.execute(_LACKING).fetchall() if count]
