"""A whole made-up home (practices.yaml, lake), seeded, straight from DuckDB SQL: what the benchmark of the nights reads; and one more night of it as
landed files, to be taken in as any other.

Ten time entries per patient-month. A nurse has 70 patients and works through them in slots of a quarter of an hour, so that by themselves no two
entries overlap. Then 5% of the entries overlap another: half of them the nurse's last one (another patient), half one of the same patient by the
practitioner. 2% have no note, 1% is wild (no end, twelve hours, an end before the start, voided). All is a function of the numbers asked for.

The first batch has the first month, every further month is a batch of its own: the panel of one night, and the time of the month before it.
"""

from __future__ import annotations

import csv
import hashlib
from datetime import date, timedelta
from pathlib import Path

import duckdb
import yaml

from orchestration.contracts import extract_contracts, lake_columns
from orchestration.demo.demo_practices import DEMO_PRACTICES
from orchestration.demo.identifiers import npi
from orchestration.house import House
from orchestration.practices import next_month
from orchestration.take_in.lake import take_in

PER_PRACTICE, PER_NURSE, PER_MONTH, LAST_MONTH = 700, 70, 10, date(2026, 10, 1)

_PATIENTS = f"""
create temp table people as
select n, 'P' || n as patient_id, 'bench-' || lpad(cast(n // $size as varchar), 4, '0') as practice_id,
    'N' || (n % $size) // {PER_NURSE} as nurse, n % {PER_NURSE} as seat, hash(n, 1) % 1000 as die, hash(n, 2) % 1000 as second
from range($patients) as t (n);
"""
# Columns of each table; its rows are ordered by practice, night and the order given here.
_TABLES = {
    "patients": """select people.*, 'Name' || die as first_name, 'Patient' || n as last_name, null as middle_name,
        date '1935-01-01' + cast(hash(n, 4) % 9000 as integer) as birth_date, case when die % 2 = 0 then 'F' else 'M' end as sex,
        n || ' Elm St' as address_line1,
        'Springfield' as city, 'IL' as state, '62701' as postal_code, null as phone, 'MD' as billing_practitioner_id, null as deceased_date from people""",
    "coverages": """select people.*, 'medicare_part_b' as coverage_type,
        cast(1 + n % 9 as varchar) || 'EG' || n // 9 % 10 || 'TE' || n // 90 % 10
        || 'ACDEFGHJKM'[cast(1 + n // 900 % 10 as integer)] || 'ACDEFGHJKM'[cast(1 + n // 9000 % 10 as integer)]
        || lpad(cast(n // 90000 % 100 as varchar), 2, '0')
            as member_id, 1 as priority, date '2015-01-01' as effective_date, null as termination_date from people""",
    "conditions": """select people.*, 'C' || n || '-' || k as condition_id, ['E119', 'I10', 'J449'][k] as icd10_code, 'active' as clinical_status,
        date '2018-01-01' as onset_date, date '2018-02-01' as recorded_date, null as resolved_date
        from people cross join (select unnest([1, 2, 3]) as k)""",
    "consents": """select people.*, 'K' || n as consent_id, 'ccm' as program, date '2020-01-01' as consented_on, 'written' as method, true as documented,
        'MD' as obtained_by, 'MD' as billing_practitioner_id, null as revoked_on from people""",
    "care_plans": """select people.*, 'L' || n as care_plan_id, date '2020-01-02' as established_on, date '2026-01-02' as last_reviewed_on,
        date '2020-01-03' as copy_given_on from people""",
    "care_team": """select distinct practice_id, nurse as member_id, 'Nurse ' || nurse as name, 'RN' as credential, null as npi, null as taxonomy_code,
        date '2015-01-01' as active_from, null as active_to from people
        union all by name
        select distinct practice_id, 'MD' as member_id, 'Jane Doe, MD' as name, 'MD' as credential, '1245319599' as npi, '207Q00000X' as taxonomy_code,
        date '2015-01-01' as active_from from people""",
    # The visit before the consent, on the first night alone: it is no snapshot.
    "services": """select people.*, 'S' || n as service_id, 'MD' as member_id, 'G0439' as procedure_code, date '2019-12-16' as service_date, 1 as units,
        null as appointment_id, 'own_practice' as billed_by, true as ccm_discussed, timestamp '2019-12-17' as updated_at from people""",
}


def _entries(people: str = "people", months: str = "months") -> str:
    """The entries of these people in these months (`month`, and the `night` they come with); with n and k, which name them in the history."""
    return f"""
with numbered as (
    select people.*, k, month, night, seat * {PER_MONTH} + k as place, hash(n, k, month) % 1000 as lot, hash(n, k, month, 7) as chance
    from {people} as people cross join range({PER_MONTH}) as t (k) cross join {months}
),
slotted as (
    -- The second half of what overlaps copies the slot of the patient's entry before it, by the practitioner.
    select *, lot between 25 and 49 and k > 0 as is_double,
        place - case when lot between 25 and 49 and k > 0 then 1 else 0 end as slot
    from numbered
),
timed as (
    select *,
        cast(month as timestamp) + to_days(cast(slot % 22 as integer)) + to_seconds(14 * 3600 + (slot // 22) * 900 + chance % 180)
            - case when lot < 25 then interval 14 minute else interval 0 minute end as starts,
        180 + chance // 1000 % 480 as seconds
    from slotted
)
select
    n, k, practice_id, night as extract_date, 'E' || n || '-' || strftime(month, '%y%m') || '-' || k as entry_id, patient_id,
    case when is_double then 'MD' else nurse end as member_id, 'ccm' as program, 'care coordination' as activity, starts as started_at,
    case
        when lot = 990 or lot = 991 then null
        when lot between 992 and 994 then starts + interval 12 hour
        when lot = 995 then starts - interval 5 minute
        else starts + to_seconds(seconds)
    end as ended_at,
    null as duration_seconds, 'timer' as entry_method, false as face_to_face,
    case when lot between 100 and 119 then null else 'T' || n || '-' || k end as note_id,
    case when lot between 100 and 119 then null else 40 + chance % 200 end as note_length,
    case when lot between 100 and 119 then null else lpad(to_hex(chance), 64, '0') end as note_sha256,
    starts + interval 1 hour as recorded_at, starts + interval 1 hour as updated_at, lot between 996 and 999 as voided
from timed
"""


def make_home(folder: Path, patients: int, months: int = 1, per_practice: int = PER_PRACTICE) -> House:
    """A home under `folder` (new): the second of each month has the panel, and the time of the month before."""
    house = House(folder).prepare()
    practices = [_practice(number) for number in range(-(-patients // per_practice))]
    house.practices_yaml.write_text(yaml.safe_dump({"practices": practices}))
    take_in(house, {})
    firsts = _firsts(months)
    nights = [first + timedelta(days=1) for first in (*firsts, next_month(LAST_MONTH))]
    with _people(folder, patients, per_practice) as con:
        _batch(con, house, 1, firsts[:1], nights[:2])
        for number, (first, night) in enumerate(zip(firsts[1:], nights[2:], strict=True), start=2):
            _batch(con, house, number, [first], [night])
    return house


def _firsts(months: int) -> list[date]:
    firsts = [LAST_MONTH]
    for _ in range(months - 1):
        firsts.insert(0, (firsts[0] - timedelta(days=1)).replace(day=1))
    return firsts


def _people(folder: Path, patients: int, per_practice: int) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"memory_limit": "6GB", "temp_directory": str(folder / ".state")})
    con.execute("set TimeZone = 'UTC'")
    con.execute(_PATIENTS, {"size": per_practice, "patients": patients})
    con.execute(
        "create temp table practices as select distinct practice_id, dense_rank() over (order by practice_id) - 1 as place from people"
    )
    return con


def _batch(con: duckdb.DuckDBPyConnection, house: House, number: int, firsts: list[date], nights: list[date]) -> None:
    """One batch: the panel of each night, and the time of the months before the last ones."""
    batch = house.lake / "batches" / f"{number:06d}"
    batch.mkdir(mode=0o700)
    con.execute("create or replace temp table nights as select unnest(?::date[]) as night", [nights])
    con.execute(
        "create or replace temp table months as select unnest(?::date[]) as month, unnest(?::date[]) as night",
        [firsts, nights[-len(firsts) :]],
    )
    contracts = extract_contracts()
    tables = sorted(contracts)
    id_of = (
        f"cast({number}000000 + (practices.place * {len(nights)} + date_diff('month', date '{nights[0]}', {{night}})) * {len(tables)} "
        "+ {table} as bigint)"
    )
    # The visits come on the first night alone: they are no snapshot.
    made = {"time_entries", *_TABLES} - ({"services"} if number > 1 else set())
    for place, table in enumerate(tables):
        rows = (_entries() if table == "time_entries" else _panel(table)) if table in made else None
        columns = ", ".join(
            f"cast(null as {kind}) as {name}" if rows is None else f"cast(rows.{name} as {kind}) as {name}"
            for name, kind in lake_columns(contracts[table])
        )
        query = (
            f"select '' as practice_id, null::date as extract_date, 0::bigint as file_id, 0::bigint as line_number, {columns} limit 0"
            if rows is None
            else f"select rows.practice_id, rows.extract_date, {id_of.format(night='rows.extract_date', table=place)} as file_id, "
            f"2 + row_number() over (partition by rows.practice_id, rows.extract_date) as line_number, {columns} "
            f"from ({rows}) as rows inner join practices using (practice_id) order by rows.practice_id, rows.extract_date"
        )
        con.execute(f"copy ({query}) to '{batch / table}.parquet' (format parquet, compression zstd)")
    counted = " union all ".join(
        f"select practice_id, extract_date, '{table}' as table_name, count(*) as rows_accepted from '{batch / table}.parquet' group by all"
        for table in sorted(made)
    )
    # The files without a row (no outreach, no stay, ...) are there all the same.
    con.execute(f"""copy (
        select
            {id_of.format(night="night", table="t.number")} as file_id,
            practices.practice_id, night as extract_date, t.table_name, 1::bigint as version,
            practices.practice_id || '/' || night || '/' || t.table_name || '.csv' as file_name,
            'csv' as format, lpad(to_hex(hash(practices.practice_id, night, t.table_name)), 64, '0') as sha256, 1000::bigint as size_bytes,
            0::bigint as mtime_ns, 0::bigint as ctime_ns, 'America/Chicago' as time_zone, 'accepted' as outcome, null::varchar as reason,
            coalesce(rows_accepted, 0) as rows_received, coalesce(rows_accepted, 0) as rows_accepted, 0::bigint as rows_quarantined,
            0::bigint as rows_superseded, []::varchar[] as extra_columns, []::varchar[] as missing_columns
        from practices cross join nights
        cross join (select unnest({tables}) as table_name, unnest(range({len(tables)})) as number) as t
        left join ({counted}) as c on practices.practice_id = c.practice_id and nights.night = c.extract_date and t.table_name = c.table_name
        order by file_id
    ) to '{batch}/files.parquet' (format parquet, compression zstd)""")
    con.execute(f"copy (from '{house.lake}/batches/000000/quarantine.parquet') to '{batch}/quarantine.parquet' (format parquet)")


# --- one more night ---------------------------------------------------------------------------------------------------

# What a night brings besides the day's entries: of every 500 patients one whose entry of the last month is logged late and one whose entry is
# corrected, and of every thousand one with a correction somewhere in the history. They are as many however long the history is.
_OF_A_NIGHT = f"""
select * from ({_entries(months="day")}) as of_the_day where cast(started_at as date) = $night - 1
union all
select * replace (
    'late-' || strftime($night, '%m%d') || entry_id as entry_id, started_at + interval 5 hour as started_at, ended_at + interval 5 hour as ended_at,
    cast($night - 1 as timestamp) + interval 20 hour as recorded_at, cast($night - 1 as timestamp) + interval 20 hour as updated_at
) from ({_entries("late", "last")}) as late where k = 0
union all
select * replace (ended_at + interval 1 minute as ended_at, cast($night - 1 as timestamp) + interval 21 hour as updated_at)
from ({_entries("corrected", "last")}) as corrected where k = 1
union all
select * replace (ended_at + interval 1 minute as ended_at, cast($night - 1 as timestamp) + interval 21 hour as updated_at)
from ({_entries("long_ago", "months")}) as long_ago
where k = 2 and strftime(started_at, '%Y-%m') = strftime($firsts[1 + cast(hash(n, $night) % len($firsts) as integer)], '%Y-%m')
"""


def land_night(house: House, patients: int, months: int = 1, per_practice: int = PER_PRACTICE, number: int = 0) -> date:
    """Lands the files of a night behind those of the home that was made with the same numbers: the first (0), or a later one. Gives the night.
    Of every thousand patients one has revoked the consent since the night before, of two thousand one has left Medicare Part B."""
    night, firsts = next_month(LAST_MONTH) + timedelta(days=2 + number), _firsts(months)
    with _people(house.root, patients, per_practice) as con:
        con.execute("create temp table nights as select ?::date as night", [night])
        for name, which in (("day", [night.replace(day=1)]), ("last", [LAST_MONTH]), ("months", firsts)):
            con.execute(f"create temp table {name} as select unnest(?::date[]) as month, ?::date as night", [which, night])
        for name, who in (
            ("late", "hash(n, $night, 11) % 500"),
            ("corrected", "hash(n, $night, 12) % 500"),
            ("long_ago", "(n + day($night)) % 1000"),
        ):
            con.execute(f"create temp table {name} as select * from people where {who} = 0", {"night": night})
        contracts = extract_contracts()
        for table, contract in contracts.items():
            if table == "time_entries":
                rows, given = _OF_A_NIGHT, {"night": night, "firsts": firsts}
            elif table in _TABLES and table != "services":
                rows, given = _panel(table), {}
            else:
                rows, given = None, {}
            if rows is not None:
                con.execute(f"create or replace temp table landed as {rows}", given)
            changed = {
                "consents": {"revoked_on": f"case when (n + {number}) % 1000 = 7 then date '{night}' end"},
                "coverages": {"termination_date": f"case when (n + {number}) % 2000 = 5 then date '{night}' end"},
                "time_entries": {
                    "note_text": "case when note_id is not null then 'Called about the readings at home. ' || entry_id || ' ' || updated_at end"
                },
            }.get(table, {})
            columns = ", ".join(
                f"strftime({column.name}, '%Y-%m-%dT%H:%M:%SZ') as {column.name}"
                if column.kind == "instant"
                else f"{changed.get(column.name, column.name)} as {column.name}"
                for column in contract.columns
            )
            for (practice,) in con.execute("select practice_id from practices order by 1").fetchall():
                path = house.landing / practice / night.isoformat() / f"{table}.csv"
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                if rows is None:
                    with path.open("w", newline="") as out:
                        csv.writer(out).writerow(contract.names)
                else:
                    con.execute(
                        f"copy (select {columns} from landed where practice_id = '{practice}') to '{path}' (header, delimiter ',')"
                    )
    return night


def _panel(table: str) -> str:
    nights = "nights" if table != "services" else "(select min(night) as night from nights)"
    return f"select rows.*, night as extract_date from ({_TABLES[table]}) as rows cross join {nights} as nights"


def _practice(number: int) -> dict[str, object]:
    made = dict(DEMO_PRACTICES[0].configuration)
    digits = int(hashlib.sha256(str(number).encode()).hexdigest()[:8], 16) % 10**8
    return made | {
        "practice_id": f"bench-{number:04d}",
        "npi": npi(digits),
        "tax_id": f"{900000000 + number}",
        "submitter_id": f"BENCH{number:05d}",
    }
