"""`ccm diff` names the care team's row where what it says of who logged the time, or of whose visit it was, is what did it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from orchestration.answer.difference import _entries, _taxonomies
from orchestration.answer.explain.source import Source, _member_facts
from orchestration.close.freeze import Frozen, parquet
from orchestration.house import House

MONTH = date(2026, 10, 1)
SHA = "abcdef0123456789"
Team = dict[str, tuple[str, date | None, date | None]]
NURSE: Team = {"N2": ("RN", None, None)}
PROMOTED: Team = {"N2": ("ADMIN", None, None)}
RENEWED: Team = {"N2": ("RN", date(2026, 11, 1), None)}
ROW = f"p/2026-11-20/care_team.csv line 4 (sha256 {SHA[:12]})"


@pytest.fixture
def stack():
    with ExitStack() as made:
        yield made


def state(stack: ExitStack, team: Team | None, disposition: str, *, is_packet: bool = False, member: str = "N2") -> Source:
    """Entry E of N2's in October, as the care team has it. `team` None: marts of an earlier release."""
    con = stack.enter_context(duckdb.connect())
    con.execute(
        "create table minute_ledger as select 'p' as practice_id, date '2026-10-01' as month, 'E' as entry_id, ? as disposition, 1500 as seconds",
        [disposition],
    )
    con.execute(
        "create table time_entry_facts as select 'p' as practice_id, 'E' as entry_id, 'x' as patient_id, ? as member_id, ? as credential, 'ccm' as program, "
        "'call' as activity, false as is_face_to_face, null::timestamp as start_at, null::timestamp as end_at, 1500 as elapsed_seconds, "
        "true as is_documented, false as is_voided, 1 as file_id, 6 as line_number",
        [member, (team or NURSE)["N2"][0]],
    )  # fmt: skip
    con.execute(
        f"create table landed_files as select 'p' as practice_id, 1 as file_id, 'p/2026-11-05/time_entries.csv' as landed_path, '{SHA}' as sha256"
    )
    if team is None:
        return Source(House(Path("/nowhere")), con, {}, "marts.duckdb")
    if is_packet:
        _member_facts(con, frozen(team))
        return Source(House(Path("/nowhere")), con, {}, "v1", Path("v1"))
    con.execute(f"insert into landed_files values ('p', 2, 'p/2026-11-20/care_team.csv', '{SHA}')")
    con.execute(
        "create table member_facts (practice_id text, member_id text, credential text, active_from date, active_to date, file_id bigint, line_number bigint, "
        "taxonomy_code text)"
    )
    con.executemany("insert into member_facts values ('p', ?, ?, ?, ?, 2, 4, null)", [[name, *said] for name, said in team.items()])
    return Source(House(Path("/nowhere")), con, {}, "marts.duckdb")


def frozen(team: Team) -> Frozen:
    """A packet's care team: each member's last row, and a row of before."""
    rows = [
        {
            "practice_id": "p", "extract_date": night, "file_id": 2, "line_number": 3, "member_id": name, "credential": credential,
            "active_from": since, "active_to": until, "taxonomy_code": "207Q00000X",
        }
        for name, (last, since, until) in team.items()
        for night, credential in ((date(2026, 10, 5), "CHW"), (date(2026, 11, 5), last))
    ]  # fmt: skip
    days = [pa.field("active_from", pa.date32()), pa.field("active_to", pa.date32())]
    table = pa.table({name: [row[name] for row in rows] for name in rows[0]})
    for one in days:
        table = table.set_column(table.column_names.index(one.name), one, table[one.name].cast(pa.date32()))
    files = pa.table({"file_id": [2], "file_name": ["p/2026-11-05/care_team.csv"], "sha256": [SHA]})
    return Frozen({"lake/care_team.parquet": parquet(table), "lake/files.parquet": parquet(files)})


def told(before: Source, after: Source) -> list[str]:
    return _entries(before, after, "p", MONTH).get("x", [])


def test_another_credential_is_told_by_the_row_of_the_care_team(stack: ExitStack) -> None:
    packet = state(stack, NURSE, "credited", is_packet=True)
    assert told(packet, state(stack, PROMOTED, "nonclinical_staff")) == [
        "entry E counts otherwise: credited 1500 s -> nonclinical_staff 1500 s",
        f"care_team N2: credential RN -> ADMIN, {ROW}",
    ]


def test_other_active_dates_are_told_by_the_row_of_the_care_team(stack: ExitStack) -> None:
    packet = state(stack, NURSE, "credited", is_packet=True)
    assert told(packet, state(stack, RENEWED, "inactive_member"))[1:] == [f"care_team N2: active_from None -> 2026-11-01, {ROW}"]


def test_dates_that_change_no_time_are_no_cause(stack: ExitStack) -> None:
    packet = state(stack, NURSE, "credited", is_packet=True)
    assert told(packet, state(stack, RENEWED, "credited")) == []


def test_backwards_the_packets_row_is_named(stack: ExitStack) -> None:
    packet = state(stack, NURSE, "credited", is_packet=True)
    assert told(state(stack, PROMOTED, "nonclinical_staff"), packet)[1:] == [
        f"care_team N2: credential ADMIN -> RN, p/2026-11-05/care_team.csv line 3 (sha256 {SHA[:12]})"
    ]


def test_marts_of_an_earlier_release_tell_the_credential_without_its_row(stack: ExitStack) -> None:
    packet = state(stack, PROMOTED, "nonclinical_staff", is_packet=True)
    assert told(packet, state(stack, None, "credited"))[1:] == ["care_team N2: credential ADMIN -> RN"]


def test_an_entry_of_another_member_now_is_its_own_rows_doing(stack: ExitStack) -> None:
    packet = state(stack, NURSE, "credited", is_packet=True)
    other = state(stack, PROMOTED, "nonclinical_staff", member="N3")
    assert told(packet, other) == [f"entry E: member_id N2 -> N3, p/2026-11-05/time_entries.csv line 6 (sha256 {SHA[:12]})"]


DOCTORS: Team = {"D1": ("MD", None, None), "D2": ("MD", None, None), "D3": ("MD", None, None), "N2": ("RN", None, None)}


def visited(source: Source, visit: str | None, billing: str = "D1") -> Source:
    """With what is taken for the initiating visit of x: V by D2, or none."""
    con = source.connection
    con.execute(
        "create table patient_month_evidence as select 'p' as practice_id, 'x' as patient_id, date '2026-10-01' as month, "
        "cast(? as varchar) as initiating_service_id, if(? is null, null, date '2026-03-02') as initiated_on, ? as billing_practitioner_id",
        [visit, visit, billing],
    )
    con.execute(
        "create table patient_facts as select 'p' as practice_id, 'x' as patient_id, 'services' as table_name, 'V' as fact_id, 'D2' as member_id"
    )
    return source


@pytest.mark.parametrize("member", ["D1", "D2"], ids=["the billing practitioner's", "the colleague's whose visit it was"])
def test_another_taxonomy_by_which_a_colleagues_visit_counts_no_more_is_told_by_the_row_of_the_care_team(
    stack: ExitStack, member: str
) -> None:
    packet = visited(state(stack, DOCTORS, "credited", is_packet=True), "V")
    now = visited(state(stack, DOCTORS, "credited"), None)
    now.connection.execute(
        "update member_facts set taxonomy_code = if(member_id in (?, 'D3'), '207R00000X', '207Q00000X')", [member]
    )
    assert _taxonomies(packet, now, "p", MONTH) == {"x": [f"care_team {member}: taxonomy_code 207Q00000X -> 207R00000X, {ROW}"]}
    assert _taxonomies(now, packet, "p", MONTH) == {
        "x": [f"care_team {member}: taxonomy_code 207R00000X -> 207Q00000X, p/2026-11-05/care_team.csv line 3 (sha256 {SHA[:12]})"]
    }


def test_another_taxonomy_that_leaves_the_visit_is_no_cause_nor_one_that_an_earlier_release_does_not_say(stack: ExitStack) -> None:
    packet = visited(state(stack, DOCTORS, "credited", is_packet=True), "V")
    assert _taxonomies(packet, visited(state(stack, DOCTORS, "credited"), "V"), "p", MONTH) == {}
    earlier = visited(state(stack, DOCTORS, "credited"), None)
    earlier.connection.execute("alter table member_facts drop column taxonomy_code")
    assert _taxonomies(packet, earlier, "p", MONTH) == {}
