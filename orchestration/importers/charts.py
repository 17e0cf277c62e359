"""Panels and charts out of an export whose sites and visits are laid out: rows of the extract tables, set by set."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import duckdb

from orchestration.demo.tables import COLUMNS, Row
from orchestration.house import DBT_PROJECT
from orchestration.importers.report import Unmapped
from orchestration.sql import literal

_SNOMED_MAP = DBT_PROJECT / "seeds" / "reference" / "rule_snomed_to_icd10cm.csv"

# A patient belongs to the practice with most of their office visits, and there to the clinician with most of these.
_PANEL = """
create table people as
select
    p.*, local_day(p.deathdate, (select mode(time_zone order by time_zone) from sites)) as died_on,
    try_cast(left(p.birthdate, 10) as date) as born_on
from patients p
qualify row_number() over (partition by p.id order by p.birthdate) = 1;

create table panel as
with seen as (
    select
        v.patient_id, ps.practice_id, v.member_id,
        count(*) as visits, max(v.day) as last_day, min(v.day) as first_day
    from visits v join practice_sites ps using (site_id)
    where v.is_office_visit and v.day <= $last_night
    group by all
),
at_practice as (
    select patient_id, practice_id, min(first_day) as first_seen
    from seen group by patient_id, practice_id
    qualify row_number() over (
        partition by patient_id order by sum(visits) desc, max(last_day) desc, practice_id
    ) = 1
),
clinicians as (
    select s.patient_id, s.practice_id, s.member_id, a.first_seen
    from seen s join at_practice a using (patient_id, practice_id)
    qualify row_number() over (partition by s.patient_id order by s.visits desc, s.last_day desc, s.member_id) = 1
)
select c.*, p.died_on, r.time_zone
from clinicians c
join people p on p.id = c.patient_id
join (
    select practice_id, min(time_zone) as time_zone from practice_sites join sites using (site_id) group by all
) r using (practice_id)
where p.born_on is not null and (p.died_on is null or p.died_on >= $first_day);
"""

_LEFT_OUT = """
select
    case
        when p.born_on is null then 'birth date cannot be read'
        when p.died_on < $first_day then 'died before the first night''s month'
        when not exists (select 1 from visits v where v.patient_id = p.id and v.is_office_visit)
            then 'no office visit in the export'
        when exists (
            select 1 from visits v join sites s using (site_id)
            where v.patient_id = p.id and v.is_primary_care and s.excluded is not null
        ) then 'primary care at ' || (
            select min(s.excluded) from visits v join sites s using (site_id)
            where v.patient_id = p.id and v.is_primary_care and s.excluded is not null
        )
        else 'seen only at sites that make up no practice'
    end as reason,
    count(*)
from people p where p.id not in (select patient_id from panel)
group by all order by 2 desc, 1
"""

_PATIENTS = """
select
    p.id as patient_id, p.first as first_name, p.last as last_name, p.middle as middle_name, p.born_on as birth_date,
    case upper(left(p.gender, 1)) when 'F' then 'F' when 'M' then 'M' else 'U' end as sex,
    p.address as address_line1, p.city, s.state, nullif(regexp_extract(p.zip, '^[0-9]{5}'), '') as postal_code,
    n.member_id as billing_practitioner_id, p.died_on as deceased_date
from panel n
join people p on p.id = n.patient_id
left join map_states s on upper(p.state) = s.state or lower(p.state) = lower(s.name)
where n.practice_id = $practice_id
order by p.id
"""

# One row per unbroken run of a coverage type.
_COVERAGES = """
with kinds as (
    select
        p.patient_id, k.coverage_type, k.priority,
        -- a Medicare number is not in the source
        case when k.coverage_type like 'medicare%' then null else p.member_id end as member_id, p.first_day, p.end_day
    from periods p join payer_kinds k using (payer_id)
    where k.coverage_type is not null
    union all
    select p.patient_id, 'medigap', 2, p.member_id, p.first_day, p.end_day
    from periods p
    join payer_kinds k on k.payer_id = p.payer_id and k.coverage_type = 'medicare_part_b'
    where p.secondary_payer in (select payer_id from payer_kinds where coverage_type = 'commercial')
),
marked as (
    select kinds.*, coalesce(max(coalesce(end_day, date '9999-12-31')) over (
        partition by patient_id, coverage_type, priority order by first_day
        rows between unbounded preceding and 1 preceding
    ) < first_day, true) as is_new_run
    from kinds
),
runs as (
    select *, count(*) filter (is_new_run) over (
        partition by patient_id, coverage_type, priority order by first_day, end_day nulls last
    ) as run
    from marked
)
select
    patient_id, coverage_type, arg_max(r.member_id, r.first_day) as member_id, priority,
    min(r.first_day) as effective_date,
    case when bool_or(end_day is null) then null else max(end_day) - 1 end as termination_date
from runs r join panel using (patient_id)
where practice_id = $practice_id
group by patient_id, coverage_type, priority, run
order by patient_id, min(r.first_day), coverage_type, priority
"""

_CONDITIONS = f"""
create table problems as
select
    c.patient as patient_id, n.practice_id, c.code as snomed_code, m.icd10_code,
    local_day(c.start, n.time_zone) as started, local_day(c.stop, n.time_zone) as ended,
    c.stop is not null as has_ended,
    n.patient_id || '-D' || lpad(cast(row_number() over (
        partition by c.patient order by c.start, c.code, c.encounter, c.stop
    ) as varchar), 4, '0') as condition_id,
    case
        when c.system is not null and upper(c.system) not like '%SNOMED%' then 'coded in another system than SNOMED CT'
        when local_day(c.start, n.time_zone) is null then 'start date cannot be read'
        when m.icd10_code is not null then null
        when regexp_matches(c.description, '\\((finding|situation|person|context-dependent category)\\)\\s*$')
            then 'a finding or situation without an ICD-10-CM code in rule_snomed_to_icd10cm.csv'
        else 'a diagnosis without an ICD-10-CM code in rule_snomed_to_icd10cm.csv'
    end as reason
from conditions c
join panel n on n.patient_id = c.patient
left join (
    select * from read_csv({literal(_SNOMED_MAP)}, all_varchar = true, header = true)
    where cast(effective_from as date) <= $last_night
        and (effective_to is null or cast(effective_to as date) >= $last_night)
    qualify row_number() over (partition by snomed_code order by effective_from desc, icd10_code) = 1
) m on m.snomed_code = c.code;
"""

_PROBLEM_LIST = """
select
    condition_id, patient_id, icd10_code, case when has_ended then 'resolved' else 'active' end as clinical_status,
    started as onset_date, started as recorded_date,
    case when has_ended then greatest(coalesce(ended, started), started) end as resolved_date
from problems where practice_id = $practice_id and reason is null
order by condition_id
"""

_CARE_PLANS = """
select
    c.id as care_plan_id, c.patient as patient_id, local_day(c.start, n.time_zone) as established_on,
    local_day(c.stop, n.time_zone) as ended_on
from careplans c join panel n on n.patient_id = c.patient
where n.practice_id = $practice_id and local_day(c.start, n.time_zone) is not null
    and (c.stop is null or local_day(c.stop, n.time_zone) > $first_day)
qualify row_number() over (partition by c.id order by c.start) = 1
order by c.id
"""

_STAYS = """
select
    encounter_id as stay_id, patient_id, stay_type, day as admitted_on,
    case when stop is null then null else greatest(local_day(stop, v.time_zone), day) end as discharged_on
from visits v join panel n using (patient_id)
where n.practice_id = $practice_id and stay_type is not null and day is not null
order by encounter_id
"""

# The instants as the source has them, in UTC. A visit that has a date only stands in no calendar.
_APPOINTMENTS = """
select
    v.encounter_id as appointment_id, v.patient_id, v.member_id, coalesce(v.visit_type, 'visit') as visit_type,
    'completed' as status, strftime(timezone('UTC', instant_of(v.start)), '%Y-%m-%dT%H:%M:%SZ') as scheduled_start,
    strftime(timezone('UTC', case when instant_of(v.stop) > instant_of(v.start) then instant_of(v.stop)
        else instant_of(v.start) + interval 15 minutes end), '%Y-%m-%dT%H:%M:%SZ') as scheduled_end
from visits v
join panel n using (patient_id)
join practice_sites ps on ps.site_id = v.site_id and ps.practice_id = n.practice_id
where n.practice_id = $practice_id and v.is_office_visit and length(v.start) > 10 and v.day is not null
order by v.encounter_id
"""

_SERVICES = """
select
    v.encounter_id || '-1' as service_id, v.patient_id,
    case when ps.site_id is not null then v.member_id end as member_id,
    v.procedure_code, v.day as service_date, 1 as units,
    case when ps.site_id is not null and v.is_office_visit and length(v.start) > 10 then v.encounter_id end
        as appointment_id,
    case when ps.site_id is null then 'other_practice' else 'own_practice' end as billed_by
from visits v
join panel n using (patient_id)
left join practice_sites ps on ps.site_id = v.site_id and ps.practice_id = n.practice_id
where n.practice_id = $practice_id and v.procedure_code is not null and v.day is not null
order by v.encounter_id
"""

_UNMAPPED = """
select 'conditions' as what, reason, count(*) as n, count(distinct snomed_code) || ' SNOMED CT codes' as detail
from problems where reason is not null group by reason
union all
select 'encounters', reason, count(*), string_agg(distinct label, ', ' order by label) from (
    select
        case
            when v.day is null and v.site_id is null then 'organization not in organizations.csv'
            when v.day is null then 'start cannot be read'
            when not v.is_known_class then 'class not in encounter_classes.csv'
            when v.stay_type is not null then null
            when not v.is_known_code then 'code not in encounter_codes.csv: no service'
            when v.procedure_code is null then 'no procedure code on purpose: no service'
        end as reason,
        v.encounter_class || case when v.is_known_class then ' ' || coalesce(v.snomed_code, '') else '' end as label
    from visits v join panel using (patient_id)
) where reason is not null group by reason
union all
select 'encounters', 'a date without a time of day: no appointment', count(*), null
from visits v
join panel n using (patient_id)
join practice_sites ps on ps.site_id = v.site_id and ps.practice_id = n.practice_id
where v.is_office_visit and length(v.start) <= 10 having count(*) > 0
union all
select 'payers', 'payer not in maps/payers.csv or not in the export''s',
    count(*), count(distinct t.patient) || ' patients'
from payer_transitions t join panel n on n.patient_id = t.patient
where coalesce(t.payer, '') not in (select payer_id from payer_kinds where is_known) having count(*) > 0
union all
select 'payers', 'start of a period cannot be read', count(*), null
from payer_transitions t join panel n on n.patient_id = t.patient
where (length(t.start) = 4 and try_cast(t.start || '-01-01' as date) is null)
    or (length(t.start) <> 4 and local_day(t.start, 'UTC') is null) having count(*) > 0
union all
select 'care plans', 'start date cannot be read', count(*), null
from careplans c join panel n on n.patient_id = c.patient
where local_day(c.start, n.time_zone) is null having count(*) > 0
union all
select 'care plans', 'ended before the first night''s month', count(*), null
from careplans c join panel n on n.patient_id = c.patient
where c.stop is not null and local_day(c.stop, n.time_zone) <= $first_day having count(*) > 0
union all
select 'patients', 'state not known: address without a state', count(*), null
from people p join panel n on n.patient_id = p.id
where not exists (select 1 from map_states s where upper(p.state) = s.state or lower(p.state) = lower(s.name))
having count(*) > 0
order by what, n desc, reason
"""


@dataclass
class Charts:
    """One practice's rows as `overlay_months_of_care` takes them."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    arrivals: dict[str, date] = field(default_factory=dict)
    ended_plans: dict[str, date] = field(default_factory=dict)
    """Care plans that end after the first day, by id: they are in no snapshot from then on."""
    uninsured: set[str] = field(default_factory=set)
    """Patients of whom the source says that they have no coverage that a table of ours could hold."""


def empanel(connection: duckdb.DuckDBPyConnection, first_day: date, last_night: date) -> list[Unmapped]:
    """Makes the tables `people`, `panel` and `problems`; returns who is in no panel and why."""
    people, panel = (part for part in _PANEL.split(";\n") if part.strip())
    connection.execute(people)
    connection.execute(panel, {"last_night": last_night, "first_day": first_day})
    connection.execute(_CONDITIONS, {"last_night": last_night})
    rows = connection.execute(_LEFT_OUT, {"first_day": first_day}).fetchall()
    return [Unmapped("patients", reason, count) for reason, count in rows]


def unmapped(connection: duckdb.DuckDBPyConnection, first_day: date) -> list[Unmapped]:
    """What the charts of the panels lack."""
    rows = connection.execute(_UNMAPPED, {"first_day": first_day}).fetchall()
    return [Unmapped(what, reason, count, detail or "") for what, reason, count, detail in rows]


def charts_of(connection: duckdb.DuckDBPyConnection, practice_id: str, first_day: date) -> Charts:
    """The rows of one practice."""
    one, both = {"practice_id": practice_id}, {"practice_id": practice_id, "first_day": first_day}
    charts = Charts()
    for table, sql in (
        ("patients", _PATIENTS),
        ("coverages", _COVERAGES),
        ("conditions", _PROBLEM_LIST),
        ("stays", _STAYS),
        ("appointments", _APPOINTMENTS),
        ("services", _SERVICES),
    ):
        charts.tables[table] = _rows(table, connection.execute(sql, one))
    plans = connection.execute(_CARE_PLANS, both)
    charts.tables["care_plans"] = _rows("care_plans", plans, "ended_on")
    ended = "select id, ended_on from ({}) p (id, patient_id, established_on, ended_on) where ended_on is not null"
    charts.ended_plans = dict(connection.execute(ended.format(_CARE_PLANS), both).fetchall())
    came = "select patient_id, first_seen from panel where practice_id = $practice_id and first_seen > $first_day"
    charts.arrivals = dict(connection.execute(came, both).fetchall())
    told = "select distinct patient_id from periods join panel using (patient_id) where practice_id = $practice_id"
    insured = {row["patient_id"] for row in charts.tables["coverages"]}
    charts.uninsured = {patient_id for (patient_id,) in connection.execute(told, one).fetchall()} - insured
    return charts


def _rows(table: str, result: duckdb.DuckDBPyConnection, *others: str) -> list[Row]:
    """The result as rows of the table: columns that the export cannot fill are null, `others` are left out."""
    names = [column[0] for column in result.description or ()]
    empty: Row = dict.fromkeys(COLUMNS[table])
    rows = [empty | dict(zip(names, values, strict=True)) for values in result.fetchall()]
    return [{name: row[name] for name in row if name not in others} for row in rows]
