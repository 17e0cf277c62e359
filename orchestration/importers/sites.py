"""Which sites of the export give primary care to people with Medicare, and the two or three practices they make up."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from orchestration.code_forms import is_post_box
from orchestration.demo.identifiers import npi
from orchestration.demo.tables import Row
from orchestration.house import HouseError
from orchestration.practices import Practice

MOST_PRACTICES = 3
_FIRST_NPI = 99_600_000  # of made-up ones; the demo's begin at 99,500,000
_UNKNOWN_ZIP4 = "9998"  # what a claim takes where nobody knows the last four
_NO_PHONE = "8005550100"

# One instant or day in whatever form a vintage writes it; the day is that of the zone. Null where it cannot be read.
_MACROS = """
create macro instant_of(text) as try_cast(text as timestamptz);
create macro local_day(text, zone) as
    case when length(text) <= 10 then try_cast(text as date)
    else cast(timezone(zone, try_cast(text as timestamptz)) as date) end;
"""

_SITES = """
create table sites as
with stated as (
    select o.*, s.state as state_code, s.time_zone, regexp_extract(o.zip, '^[0-9]{5}') as zip5
    from organizations o
    left join map_states s on upper(o.state) = s.state or lower(o.state) = lower(s.name)
    qualify row_number() over (partition by o.id order by o.name) = 1
),
located as (
    select d.*, l.mac || ' ' || l.locality as place
    from stated d
    left join map_zip_localities l on d.zip5 between l.zip_from and l.zip_to and l.state = d.state_code
    qualify row_number() over (partition by d.id order by l.mac, l.locality) = 1
),
-- localities are made of counties: all of a town is in that of most of its sites (some ZIP codes are wrong)
placed as (
    select *, coalesce(mode(place order by place) over (partition by state_code, upper(city)), place) as found
    from located
)
select
    id as site_id, regexp_replace(name, '\\s+', ' ', 'g') as name, address, city, state_code, zip, phone, zip5,
    split_part(found, ' ', 1) as mac, split_part(found, ' ', 2) as locality,
    coalesce(time_zone, mode(time_zone order by time_zone) over (), 'America/New_York') as time_zone,
    (select min(x.reason) from map_excluded_sites x where regexp_matches(lower(p.name), x.name_pattern)) as excluded
from placed p;
"""

# A payer's periods, cut where the next one begins. Medicare begins on the first of a month, whatever the source says.
_PERIODS = """
create table payer_kinds as
with named as (select p.id, coalesce(m.payer_name, '*') as payer_name, p.ownership from payers p left join
    (select distinct payer_name from map_payers) m on lower(m.payer_name) = lower(p.name))
select n.id as payer_id, k.payer_name is not null as is_known, k.coverage_type, cast(k.priority as integer) as priority
from named n
left join map_payers k on k.payer_name = n.payer_name and (k.ownership = 'any' or k.ownership = upper(n.ownership));

create table periods as
with zoned as (select mode(time_zone order by time_zone) as zone from sites),
medicare as (select distinct payer_id from payer_kinds where coverage_type = 'medicare_part_b'),
told as (
    select
        t.patient as patient_id, t.payer as payer_id, t.secondary_payer, t.memberid as member_id,
        case when length(t.start) = 4 then try_cast(t.start || '-01-01' as date)
             else local_day(t.start, z.zone) end as told_start,
        case when length(t.stop) = 4 then try_cast(t.stop || '-12-31' as date) + 1
             else local_day(t.stop, z.zone) end as told_end
    from payer_transitions t, zoned z
),
begun as (
    select told.*,
        cast(case when payer_id in (select payer_id from medicare) then date_trunc('month', told_start)
            else told_start end as date) as first_day
    from told where told_start is not null
),
cut as (
    select *, lead(first_day) over (
        partition by patient_id order by first_day, told_end nulls last, payer_id, member_id
    ) as next_day
    from begun
)
select
    patient_id, payer_id, secondary_payer, member_id, first_day,
    -- the last period of all, or one that ends after the export does, is open
    case when next_day is not null and (told_end is null or next_day <= told_end) then next_day
         when told_end <= $as_of then told_end end as end_day
from cut
where next_day is null or next_day > first_day;

create table part_b as
select patient_id, min(first_day) as first_day
from periods join payer_kinds using (payer_id)
where coverage_type = 'medicare_part_b'
group by patient_id;
"""

# Where the export tells of no payers: Medicare from the month of the 65th birthday on, as the overlay makes it.
_PART_B_BY_AGE = """
insert into part_b
select id, cast(date_trunc('month', min(try_cast(left(birthdate, 10) as date)) + interval 65 year) as date)
from patients
where try_cast(left(birthdate, 10) as date) is not null
group by id
"""

_VISITS = """
create table visits as
with placed as (
    select
        e.id as encounter_id, e.patient as patient_id,
        lower(e.encounterclass) as encounter_class, e.code as snomed_code,
        e.start, e.stop, s.site_id, s.time_zone, p.id as provider_id,
        local_day(e.start, s.time_zone) as day
    from encounters e
    left join (select * from providers qualify row_number() over (partition by id order by organization) = 1) p
        on p.id = e.provider
    left join sites s on s.site_id = coalesce(e.organization, p.organization, e.provider)
    qualify row_number() over (partition by e.id order by e.start) = 1
),
aged as (
    select placed.*,
        coalesce(b.first_day <= placed.day, false) as has_medicare,
        date_diff('month', b.first_day, placed.day) as medicare_months,
        date_diff('year', try_cast(left(t.birthdate, 10) as date), placed.day)
            - case when strftime(placed.day, '%m%d') < strftime(try_cast(left(t.birthdate, 10) as date), '%m%d')
              then 1 else 0 end as age
    from placed
    left join part_b b using (patient_id)
    left join patients t on t.id = placed.patient_id
)
select
    a.encounter_id, a.patient_id, a.encounter_class, a.snomed_code, a.start, a.stop, a.site_id, a.time_zone, a.day,
    a.has_medicare,
    -- an old export names the site where newer ones name the clinician
    coalesce(a.provider_id, 'clinician-' || a.site_id) as member_id,
    k.encounter_class is not null as is_known_class,
    coalesce(k.is_office_visit = 'true', false) as is_office_visit,
    case when a.has_medicare then k.stay_type_medicare else k.stay_type_other end as stay_type,
    c.snomed_code is not null as is_known_code, c.visit_type, c.procedure_code,
    coalesce(c.is_primary_care = 'true', false) as is_primary_care
from aged a
left join map_encounter_classes k on k.encounter_class = a.encounter_class
left join map_encounter_codes c
    on c.encounter_class = a.encounter_class and c.snomed_code = a.snomed_code
    and (c.coverage = 'any' or (c.coverage = 'medicare') = a.has_medicare)
    and (c.medicare_month_from is null or a.medicare_months >= cast(c.medicare_month_from as integer))
    and (c.medicare_month_to is null or a.medicare_months <= cast(c.medicare_month_to as integer))
    and (c.age_from is null or a.age >= cast(c.age_from as integer))
    and (c.age_to is null or a.age <= cast(c.age_to as integer))
    and cast(c.effective_from as date) <= a.day and (c.effective_to is null or cast(c.effective_to as date) >= a.day)
qualify row_number() over (partition by a.encounter_id order by c.procedure_code, c.visit_type) = 1;
"""

_PRIMARY = """
select s.site_id, s.mac, s.state_code, s.locality, count(distinct v.patient_id) as patients
from visits v
join sites s using (site_id)
where v.is_primary_care and v.has_medicare and v.day <= $last_night
    and s.excluded is null and s.mac is not null
group by all
order by patients desc, s.site_id
"""


@dataclass(frozen=True)
class FoundPractice:
    """Sites of one locality that make up a practice; that with the most people on Medicare gives name and address."""

    number: int
    practice_id: str
    site_ids: tuple[str, ...]
    configuration: dict[str, Any]

    @property
    def settings(self) -> Practice:
        return Practice.model_validate(self.configuration)


def lay_out(connection: duckdb.DuckDBPyConnection, as_of: Any, *, has_payers: bool = True) -> None:
    """Makes the tables `sites`, `payer_kinds`, `periods`, `part_b` and `visits`. Without payers what is told of coverage says nothing."""
    if not has_payers:
        connection.execute("delete from payer_transitions")
    connection.execute(_MACROS)
    connection.execute(_SITES)
    kinds, periods, part_b = (part for part in _PERIODS.split(";\n") if part.strip())
    connection.execute(kinds)
    connection.execute(periods, {"as_of": as_of})
    connection.execute(part_b)
    if not has_payers:
        connection.execute(_PART_B_BY_AGE)
    connection.execute(_VISITS)


def find_practices(connection: duckdb.DuckDBPyConnection, last_night: Any) -> list[FoundPractice]:
    """Groups the primary-care sites into at most three practices of about the same size, each within one locality.

    Makes the table `practice_sites`. Ownership is not in the source: the grouping is ours. Raises HouseError when
    there is no site with a visit of a person on Medicare.
    """
    rows = connection.execute(_PRIMARY, {"last_night": last_night}).fetchall()
    if not rows:
        raise HouseError(
            "this export has no primary-care site where people with Medicare were seen (wellness visits at an "
            "organization with a US ZIP code, payers and payer_transitions; see orchestration/importers/maps); "
            "generate older patients or another region"
        )
    groups = _groups([(tuple(key), site_id, patients) for site_id, *key, patients in rows])
    practices = [_practice(connection, number, sites) for number, sites in enumerate(groups, 1)]
    connection.execute("create table practice_sites (practice_id varchar, site_id varchar)")
    connection.executemany(
        "insert into practice_sites values (?, ?)",
        [(practice.practice_id, site) for practice in practices for site in practice.site_ids],
    )
    return practices


def _groups(sites: Sequence[tuple[tuple[str, ...], str, int]]) -> list[list[str]]:
    """Sites by practice. A locality gets a practice for each of the largest shares of people on Medicare; within it
    each site, the largest first, goes to the practice that has the fewest people so far."""
    by_locality: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for key, site_id, patients in sites:
        by_locality[key].append((site_id, patients))
    shares = dict.fromkeys(by_locality, 0)
    for _ in range(MOST_PRACTICES):
        open_to = [key for key in by_locality if shares[key] < len(by_locality[key])]
        if not open_to:
            break
        chosen = max(open_to, key=lambda key: (sum(n for _, n in by_locality[key]) / (shares[key] + 1), key))
        shares[chosen] += 1
    groups = []
    for key, count in shares.items():
        bins: list[list[str]] = [[] for _ in range(count)]
        sizes = [0] * count
        for site_id, patients in by_locality[key] if count else ():
            smallest = sizes.index(min(sizes))
            bins[smallest].append(site_id)
            sizes[smallest] += patients
        groups += bins
    return groups


def _practice(connection: duckdb.DuckDBPyConnection, number: int, site_ids: list[str]) -> FoundPractice:
    head = connection.execute(
        """
        select s.name, s.address, s.city, s.state_code, s.zip, s.phone, s.mac, s.locality, s.time_zone, c.contractor
        from sites s left join map_contractors c on c.mac_prefix = left(s.mac, 2) where s.site_id = $site
        """,
        {"site": site_ids[0]},
    ).fetchone()
    assert head is not None
    name, address, city, state, zip_code, phone, mac, locality, time_zone, contractor = head
    town = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in (city or state).lower())
    practice_id = f"{town.strip('-')}-{number}"
    digits = "".join(letter for letter in zip_code if letter.isdigit())
    called = "".join(letter for letter in phone or "" if letter.isdigit())
    street = " ".join((address or "").split())
    configuration = {
        "practice_id": practice_id,
        "name": name,
        "npi": npi(_FIRST_NPI + number),
        "tax_id": f"00{50 + number:02d}{99_600 + number:05d}",
        "taxonomy_code": "261QP2300X",  # NUCC: clinic, primary care
        "address": {
            "line1": street if street and not is_post_box(street.upper()) else "Address unknown",  # no claim takes a post box
            "city": (city or "Unknown").title(),
            "state": state,
            "postal_code": digits if len(digits) == 9 else digits[:5] + _UNKNOWN_ZIP4,
        },
        "phone": called if len(called) == 10 and called.strip("0") else _NO_PHONE,
        "time_zone": time_zone,
        "place_of_service": "11",
        "mac": mac,
        "locality": locality,
        "submitter_id": f"SYNTHEA{number:02d}",
        "receiver": {"id": mac, "name": contractor},
        "payer": {"id": mac, "name": "MEDICARE PART B"},
        "close": {"first_day": 3, "final_day": 20},
    }
    return FoundPractice(number, practice_id, tuple(site_ids), configuration)


_CARE_TEAM = """
with own as (
    select distinct v.member_id
    from visits v join practice_sites ps using (site_id)
    where ps.practice_id = $practice_id and v.is_office_visit and v.day <= $last_day
),
ranked as (
    select member_id, row_number() over (order by member_id) as rank from (select distinct member_id from visits)
)
select
    o.member_id, coalesce(p.name, 'Clinician ' || left(o.member_id, 18)) as name,
    coalesce(k.credential, u.credential) as credential, r.rank,
    coalesce(k.taxonomy_code, u.taxonomy_code) as taxonomy_code
from own o
join ranked r using (member_id)
left join (select * from providers qualify row_number() over (partition by id order by organization) = 1) p
    on p.id = o.member_id
left join map_provider_specialities k on k.speciality = upper(p.speciality)
join map_provider_specialities u on u.speciality = '*'
order by o.member_id
"""


def care_team(connection: duckdb.DuckDBPyConnection, practice: FoundPractice, last_day: Any) -> tuple[list[Row], int]:
    """The clinicians of the practice's sites, then made-up staff; and how many of them are made up."""
    found = connection.execute(_CARE_TEAM, {"practice_id": practice.practice_id, "last_day": last_day}).fetchall()
    team = [
        _member(member_id, " ".join(name.split()), credential, npi(_FIRST_NPI + 1_000 + rank), taxonomy)
        for member_id, name, credential, rank, taxonomy in found
    ]
    staff = connection.execute(
        "select member_suffix, name, credential from map_staff where cast(practice_number as integer) = $number",
        {"number": practice.number},
    ).fetchall()
    team += [_member(f"{practice.practice_id}-{suffix}", name, credential) for suffix, name, credential in staff]
    return team, len(staff)


def _member(member_id: str, name: str, credential: str, number: str | None = None, taxonomy: str | None = None) -> Row:
    return {
        "member_id": member_id,
        "name": name,
        "credential": credential,
        "npi": number,
        "taxonomy_code": taxonomy,
        "active_from": None,
        "active_to": None,
    }


def practices_yaml(practices: Sequence[FoundPractice], comments: Sequence[str]) -> str:
    """practices.yaml under comment lines: all codes and numbers as quoted text (JSON is YAML)."""
    lines = [f"# {comment}" for comment in comments] + ["practices:"]
    for practice in practices:
        lead = "  - "
        for key, value in practice.configuration.items():
            lines.append(f"{lead}{key}: {json.dumps(value)}")
            lead = "    "
    return "\n".join(lines) + "\n"
