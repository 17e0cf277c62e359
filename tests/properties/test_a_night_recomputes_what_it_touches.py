"""A night that recomputes only what it touches gives, row for row, what building everything gives."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random

import duckdb
import pytest

from orchestration.answer import publish as publication
from orchestration.engine import open_warehouse
from orchestration.house import House, write_private
from orchestration.take_in.lake import take_in
from orchestration.transform import build, compiled, dbt, project_files, rebuild, standing
from orchestration.transform.state import build_inputs
from tests.holds.clinic import FIRST_NIGHT, Clinic, Spoil, configure, nights
from tests.pipeline.homes import Ran, copy
from tests.properties.nights import (
    SETS,
    Compared,
    build_touched,
    build_whole,
    compare,
    differing,
    in_parts,
    one_night_more,
    tell_the_models,
    warehouse,
)
from tests.properties.orders import deliveries_of, one_by_one
from tests.properties.strategies import Fact, population

pytestmark = pytest.mark.xdist_group("orders")


def test_after_late_and_corrected_nights_settings_and_claims_every_table_is_that_of_a_whole_build(
    demo: tuple[Path, Ran], tmp_path: Path
) -> None:
    clinics = population(5, 2)
    deliveries = deliveries_of(clinics)
    plan = in_parts(one_by_one(deliveries), sorted(one.night for one in deliveries)[len(deliveries) // 2])
    found = compare(tmp_path, demo[0] / "marts.duckdb", clinics, plan, Random(5), nights=3, only_last=True)
    assert found.differences == []
    assert found.nights == 2 and 0 < found.decided_again < found.patient_months


@pytest.mark.long
def test_a_month_that_an_entry_is_dated_ahead_into_moves_with_the_nights(demo: tuple[Path, Ran], tmp_path: Path) -> None:
    # Drawn by make fuzz-nights: an entry of a month that the newest night has not reached.
    clinics = population(22, 3)
    plan = sorted(one_by_one(deliveries_of(clinics)), key=lambda run: (run[0].night, run[0].version))
    found = compare(tmp_path, demo[0] / "marts.duckdb", clinics, plan, Random(22), nights=4, only_last=True)
    assert found.differences == [] and found.nights == 3


@pytest.mark.long
def test_another_credential_of_a_member_reaches_every_entry_of_theirs(demo: tuple[Path, Ran], tmp_path: Path) -> None:
    clinics = population(5, 2)
    for clinic in clinics:
        newest = len(clinic.nights) - 1
        for fact in [fact for fact in clinic.members if fact.row["credential"] == "RN" and fact.last > newest]:
            clinic.members.append(Fact({**fact.row, "credential": "LPN"}, first=newest))
            fact.last = newest - 1
    deliveries = deliveries_of(clinics)
    nights = sorted({one.night for one in deliveries})
    plan = [[one for one in deliveries if (one.night == nights[-1]) is is_newest] for is_newest in (False, True)]
    found = compare(tmp_path, demo[0] / "marts.duckdb", clinics, plan, Random(5), nights=2)
    assert found.differences == [] and found.nights >= 1


@pytest.mark.long
def test_a_panel_moves_no_month_before_its_day_and_a_correction_only_whose_time_the_member_had_beside_it(
    demo: tuple[Path, Ran], tmp_path: Path
) -> None:
    found = one_night_more(tmp_path, demo[0] / "marts.duckdb", seed=7)
    assert found.differences == [] and found.nights == 1
    assert 0 < found.share["h7"] < 0.7 and 0 < found.share["c7"] < 0.4


@pytest.mark.long
def test_time_whose_claim_would_come_too_late_is_worth_nothing_from_that_night_on(demo: tuple[Path, Ran], tmp_path: Path) -> None:
    # Found by make fuzz (seed 712). 18 minutes, and 5 of the next day that nobody documented: with them the claim's service date is the 8th, a year from which
    # it may be filed; without, the month's last day.
    clinic = Clinic("alpha", 1, patients=2, settings={"service_date_policy": "threshold_day"})
    configure(tmp_path, [clinic])
    house = House(tmp_path).prepare()
    row = clinic.log(date(2026, 9, 22))[0]
    times = [
        {**row, "entry_id": "T1", "note_id": "N1", "started_at": "2026-10-07T15:00:00Z", "ended_at": "2026-10-07T15:18:00Z"},
        {**row, "entry_id": "T2", "note_id": "", "started_at": "2026-10-08T15:00:00Z", "ended_at": "2026-10-08T15:05:00Z"},
    ]
    worth, found = [], Compared()
    with warehouse(demo[0] / "marts.duckdb") as con:
        for night in (date(2026, 11, 10), date(2027, 10, 8), date(2027, 10, 9), date(2027, 11, 1)):
            spoiled: dict[str, Spoil] = {
                "time_entries": (lambda _: []) if worth else (lambda _: times),
                "services": lambda _: clinic.visits(),
            }
            clinic.land_night(tmp_path, night, spoiled, as_panel=True)
            take_in(house, {"alpha": "America/Chicago"})
            tell_the_models(house, [])
            (build_touched if worth else build_whole)(con, house)
            if worth:
                with warehouse(demo[0] / "marts.duckdb") as other:
                    build_whole(other, house)
                    assert list(differing(con, other, found)) == []
            worth += [dollars for (dollars,) in con.execute("select dollars_at_stake from marts.undocumented_time").fetchall()]
    assert worth[0] == worth[1] > 60 and worth[2:] == [0, 0]


@pytest.mark.long
def test_a_care_team_and_a_void_that_nobody_can_read_and_those_that_come_right_touch_what_they_change(
    demo: tuple[Path, Ran], tmp_path: Path
) -> None:
    clinic = Clinic("alpha", 1, patients=3)
    configure(tmp_path, [clinic])
    house = House(tmp_path).prepare()
    *_, nurse = team = clinic.panel()["care_team"]
    log = clinic.log(date(2026, 10, 6))
    voids = [{**row, "voided": "yes", "updated_at": "2026-11-20T00:00:00Z"} for row in log[:2]]
    no_care = [{**log[0], "activity": "billing", "updated_at": "2026-11-21T00:00:00Z"}]
    nobodys, theirs = {**team[0], "member_id": ""}, {**team[0], "active_from": "soon"}
    gone, found = [], Compared()

    def built(con: duckdb.DuckDBPyConnection, build: Callable[[duckdb.DuckDBPyConnection, House], None]) -> None:
        take_in(house, {"alpha": "America/Chicago"})
        tell_the_models(house, [])
        build(con, house)

    with warehouse(demo[0] / "marts.duckdb") as con:
        for night in nights(FIRST_NIGHT, date(2026, 10, 13)):
            clinic.land_night(tmp_path, night, as_panel=True)
        built(con, build_whole)
        for night, members, times in (
            (date(2026, 10, 20), [theirs, nurse], []),
            (date(2026, 11, 10), [nurse], voids),
            (date(2026, 12, 1), [nurse], no_care),
            (date(2026, 11, 10), [nobodys, nurse], voids),
            (date(2026, 10, 13), [theirs, nurse], []),
            (date(2026, 10, 20), [nurse], []),
        ):
            clinic.land_night(
                tmp_path, night, {"care_team": lambda _, now=members: now, "time_entries": lambda _, now=times: now}, as_panel=True
            )
            built(con, build_touched)
            with warehouse(demo[0] / "marts.duckdb") as other:
                build_whole(other, house)
                assert list(differing(con, other, found)) == []
            asked = "select cast(gone_on as text) from intermediate.int_members__current where member_id = '1-MD'"
            gone += [day for (day,) in con.execute(asked).fetchall()]
    assert gone == [None, "2026-11-10", "2026-11-10", "2026-12-01", "2026-12-01", "2026-10-20"]


def test_of_files_that_count_as_before_only_those_with_time_of_somebody_who_is_known_since_are_looked_at_again() -> None:
    sql = compiled.models("touched")["touched_files__of_unknown"].sql
    with duckdb.connect() as con:
        compiled.prepare(con)
        con.execute("create schema touched")
        panel = "(practice_id text, patient_id text, matters_from date, is_known boolean)"
        for table in ("touched.int_patients__panel__before", "intermediate.int_patients__panel"):
            con.execute(f"create table {table} {panel}")
            # Who is known has more rows than one: what matters to every month, and what matters from a month on.
            con.execute(f"insert into {table} values ('north', 'p', '0001-01-01', true), ('north', 'p', '2026-03-01', false)")
        con.execute("insert into intermediate.int_patients__panel values ('north', 'new', '0001-01-01', true)")
        con.execute("insert into touched.int_patients__panel__before values ('north', 'new', '2026-03-01', false)")
        for table in ("touched.int_members__current__before", "intermediate.int_members__current"):
            con.execute(f"create table {table} as select 'north' as practice_id, 'RN' as member_id")
        con.execute("create table touched.touched_files as select 9 as file_id")
        con.execute(
            "create table staging.stg_time_entries as select * from (values ('north', 'p', 'RN', 1), ('north', 'new', 'RN', 2)) "
            "as t (practice_id, patient_id, member_id, file_id)"
        )
        found = con.execute(f"select file_id from ({sql}) order by 1").fetchall()
    assert found == [(2,), (9,)]


def test_a_revocation_and_a_doctor_who_left_touch_the_months_from_their_own_on_and_where_a_payer_was_asked_every_month() -> None:
    sql = compiled.models("touched")["touched_patients"].sql
    with duckdb.connect() as con:
        compiled.prepare(con)
        con.execute("create schema touched")
        con.execute(
            "create table touched.int_patients__panel__before (practice_id text, patient_id text, matters_from date, facts int, number int)"
        )
        con.execute("alter table touched.int_patients__panel__before add column odd_number int default 0")
        con.execute(
            "insert into touched.int_patients__panel__before select 'north', unnest(['p', 'asked', 'same']), '0001-01-01', 3, 7, 0"
        )
        con.execute("create table intermediate.int_patients__panel as from touched.int_patients__panel__before")
        for who in ("p", "asked", "new"):
            con.execute("insert into intermediate.int_patients__panel values ('north', ?, '2026-11-01', 1, 5, 0)", [who])
        con.execute("insert into intermediate.int_patients__panel values ('north', 'new', '0001-01-01', 3, 7, 0)")
        con.execute("create table intermediate.int_coverage_answers as select 'north' as practice_id, 'asked' as patient_id")
        con.execute(
            "create table intermediate.int_patients__current as select 'north' as practice_id, 'his' as patient_id, 'MD' as billing_practitioner_id"
        )
        con.execute("create table intermediate.int_patient_months as from intermediate.int_patients__current limit 0")
        con.execute(
            "create table touched.int_members__current__before as select 'north' as practice_id, 'MD' as member_id, null::date as gone_on, "
            "date '2026-09-22' as extract_date"
        )
        con.execute(
            "create table intermediate.int_members__current as select 'north' as practice_id, 'MD' as member_id, date '2026-09-29' as gone_on, "
            "date '2026-09-22' as extract_date"
        )
        con.execute("create table staging.stg_services as select '' as practice_id, '' as patient_id, '' as member_id limit 0")
        con.execute("create table touched.touched_members as select '' as practice_id, '' as member_id limit 0")
        con.execute("create table touched.touched_practices as select '' as practice_id limit 0")
        ask = f"select patient_id, cast(since as text) from ({sql}) order by 1"
        found = con.execute(ask).fetchall()
        # Gone as before, but last seen on another day.
        con.execute("update touched.int_members__current__before set gone_on = '2026-09-29', extract_date = '2026-09-15'")
        again = con.execute(ask).fetchall()
    assert found == again == [("asked", "0001-01-01"), ("his", "2026-09-01"), ("new", "0001-01-01"), ("p", "2026-11-01")]


@pytest.fixture(scope="module")
def stood(next_night: Path, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A copy of the home on which the second night recomputed what it touched."""
    return House(copy(next_night, tmp_path_factory.mktemp("stood") / "home")).prepare()


@pytest.fixture(scope="module")
def whole(next_night: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the second night with everything built and tested anew. Never changed by a test: copy it first."""
    house = House(copy(next_night, tmp_path_factory.mktemp("whole") / "home")).prepare()
    build_inputs(house)
    assert not any(result.is_bad for result in build.build(house, is_whole=True))
    return house.root


@pytest.fixture
def built(whole: Path, tmp_path: Path) -> House:
    """A copy of that home."""
    return House(copy(whole, tmp_path / "home")).prepare()


@pytest.mark.long
def test_the_next_night_decided_again_a_part_of_the_patient_months_and_a_whole_build_changes_no_row(stood: House) -> None:
    last = standing.last(stood)
    assert last is not None and not last.is_whole and 0 < last.patient_months < last.of_patient_months
    kept = shutil.copy(stood.warehouse, stood.state / "as_touched.duckdb")
    build_inputs(stood)
    results = build.build_models(stood, is_whole=True)
    assert not any(result.is_bad for result in results)
    found = Compared()
    with open_warehouse(stood) as whole, duckdb.connect(str(kept), read_only=True) as touched:
        assert list(differing(touched, whole, found)) == []
    assert found.rows > 10_000
    again = standing.last(stood)
    assert again is not None and again.is_whole


def test_entries_without_a_note_share_none(stood: House) -> None:
    with open_warehouse(stood) as warehouse:
        found = warehouse.execute(
            """
            select count(*), count(note_number) from staging.stg_time_entries where is_current and note_sha256 is null
            """
        ).fetchall()[0]
    assert found[0] > 0 and found[1] == 0


@pytest.mark.long
def test_deleted_rows_keep_their_places_until_half_as_many_as_there_are_could_be_won(tmp_path: Path) -> None:
    house = House(tmp_path / "home").prepare()
    with open_warehouse(house, read_only=False) as warehouse:
        warehouse.execute("create schema intermediate")
        warehouse.execute("create schema touched")
        warehouse.execute(
            "create table intermediate.int_patient_months as select 'p' as practice_id, cast(range as varchar) as patient_id, date '2026-10-01' as month "
            "from range(500000)"
        )
        warehouse.execute("create table touched.touched_patient_months as from intermediate.int_patient_months limit 0")
    places = []
    for night in range(8):
        with open_warehouse(house, read_only=False) as warehouse:
            # A tenth of the rows, from all over the table, and each night others: they are put behind the others.
            warehouse.execute(
                f"create temp table made as from intermediate.int_patient_months where hash(patient_id) % 10 = {night}"
            )
            warehouse.execute("delete from intermediate.int_patient_months where patient_id in (select patient_id from made)")
            warehouse.execute("insert into intermediate.int_patient_months from made")
        standing.finish(house, "project", "touched")
        with open_warehouse(house) as warehouse:
            found = warehouse.execute(
                "select estimated_size from duckdb_tables() where table_name = 'int_patient_months'"
            ).fetchall()
            places.append(found[0][0])
            assert warehouse.execute("select count(*) from intermediate.int_patient_months").fetchall() == [(500_000,)]
    assert places[:5] == sorted(places[:5]) and places[0] > 520_000  # no group was merged
    assert max(places) <= 770_000 and places[-1] < max(places)  # and then they were


@pytest.mark.long
def test_what_a_night_changed_is_published_as_if_everything_were(built: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(publication.LARGE, "0")
    publication.publish(built)
    # What every row has from its practice moves in those that no night touches, too: as if this one were the first to have this newest night.
    state = publication._published_state(built)
    with duckdb.connect(str(built.marts)) as marts:
        marts.execute("update patient_month_evidence set newest_night = newest_night - 1")
    write_private(standing.published_record(built), json.dumps({"state": state, **publication._stamp(built.marts)}))
    assert not any(result.is_bad for result in build.build_models(built))
    with open_warehouse(built) as warehouse:
        changes = standing.changes(warehouse, "warehouse")
    assert changes is not None and changes.upon is not None and changes.upon == publication._published_state(built)
    assert {("marts", "minute_ledger"), ("marts", "time_entry_facts")} <= set(changes.replaced)
    assert changes.replaced["marts", "patient_month_evidence"].follows_practice == ("newest_night",)
    publication.publish(built)
    assert publication._published_state(built) == changes.state
    with duckdb.connect() as con:
        con.execute(f"attach '{built.warehouse}' as warehouse (read_only)")
        con.execute(f"attach '{built.marts}' as marts (read_only)")
        every = "select schema_name, table_name from duckdb_tables() where database_name = 'warehouse' and schema_name in ('marts', 'rules')"
        tables = con.execute(every).fetchall()
        assert len(tables) > 60
        for schema, table in tables:
            one, other = f'warehouse.{schema}."{table}"', f'marts.main."{table}"'
            beside = f"(from {one} except all from {other}) union all (from {other} except all from {one})"
            assert con.execute(f"select count(*) from ({beside})").fetchall() == [(0,)], table
        sets = con.execute("select count(*) from duckdb_schemas() where database_name = 'warehouse' and schema_name = 'touched'")
        assert sets.fetchall() == [(0,)]


def test_a_published_file_that_is_another_than_was_written_is_written_anew(stood: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(publication.LARGE, "0")
    publication.publish(stood)
    assert publication._published_state(stood) is not None
    aside = stood.marts.with_name("aside.duckdb")
    shutil.copy(stood.marts, aside)
    aside.replace(stood.marts)
    assert publication._published_state(stood) is None


@pytest.mark.long
def test_a_test_that_a_row_fails_is_asked_of_every_row_until_none_does(built: House) -> None:
    name = next(
        key
        for key in project_files.load_manifest(dbt.ensure_manifest(built))["nodes"]
        if "minute_ledger_disposition_is_a_known_word" in key
    )
    assert name in standing.sound(built)
    with open_warehouse(built, read_only=False) as warehouse:
        # Of a month that no night moves.
        ((practice, month),) = warehouse.execute(
            "select practice_id, min(month) from marts.minute_ledger group by practice_id order by 1 limit 1"
        ).fetchall()
        changed = "update marts.minute_ledger set disposition = ? where practice_id = ? and month = ?"
        before = warehouse.execute(
            "select * from marts.minute_ledger where practice_id = ? and month = ?", [practice, month]
        ).to_arrow_table()
        warehouse.execute(changed, ["no such word", practice, month])
    standing.keep_sound(built, standing.sound(built) - {name})
    for _ in range(2):
        results = build.build(built)
        assert standing.is_touched(built)
        assert {result.status for result in results if result.unique_id == name} == {"fail"}
        assert name not in standing.sound(built) and len(standing.sound(built)) > 50
    with open_warehouse(built, read_only=False) as warehouse:
        warehouse.execute("delete from marts.minute_ledger where practice_id = ? and month = ?", [practice, month])
        warehouse.register("kept", before)
        warehouse.execute("insert into marts.minute_ledger by name from kept")
    results = build.build(built)
    assert {result.status for result in results if result.unique_id == name} == {"pass"} and name in standing.sound(built)


@pytest.mark.long
def test_a_row_that_stands_beside_one_made_tonight_under_its_key_is_found_and_in_a_month_that_moves_goes_with_it(
    built: House,
) -> None:
    name = next(
        key for key in project_files.load_manifest(dbt.ensure_manifest(built))["nodes"] if "minute_ledger_has_one_row" in key
    )
    assert name in standing.sound(built)
    with open_warehouse(built, read_only=False) as warehouse:
        for who, which in (("of a month that is over", "min"), ("of a month that moves", "max")):
            row = f"from marts.minute_ledger where month = (select {which}(month) from marts.minute_ledger) order by all limit 1"
            warehouse.execute(f"create or replace temp table one as {row}")
            if which == "min":  # its patient is touched
                warehouse.execute(
                    "update intermediate.int_patients__panel as panel set number = number + 1 from one "
                    "where panel.practice_id = one.practice_id and panel.patient_id = one.patient_id"
                )
            warehouse.execute("insert into marts.minute_ledger by name select * replace (? as patient_id) from one", [who])
    results = build.build(built)
    assert standing.is_touched(built)
    assert {result.status for result in results if result.unique_id == name} == {"fail"}
    with open_warehouse(built, read_only=False) as warehouse:
        beside = "from marts.minute_ledger where patient_id like 'of a month%'"
        assert warehouse.execute(f"select patient_id {beside}").fetchall() == [("of a month that is over",)]
        warehouse.execute(f"delete {beside}")
    assert {result.status for result in build.build(built) if result.unique_id == name} == {"pass"}


def test_what_a_night_left_unfinished_is_no_ground_for_the_next(stood: House) -> None:
    project = project_files.project_fingerprint()
    assert standing.stands(stood, project) and standing.stands(stood, "other models") is None
    standing.begin(stood)
    assert not standing.stands(stood, project)
    standing.finish(stood, project, "part")
    assert standing.stands(stood, project)


def test_a_lake_that_gave_a_number_to_other_files_is_built_anew(stood: House) -> None:
    project = project_files.project_fingerprint()
    standing.finish(stood, project, "whole")
    state = standing.stands(stood, project)
    ledger = max(stood.lake.glob("batches/*/files.parquet"))
    before = ledger.read_bytes()
    assert state
    try:
        # Lost, restored without it, and taken in again with the night that had landed meanwhile.
        ledger.write_bytes(before + b"other files")
        assert standing.stands(stood, project) is None
    finally:
        ledger.write_bytes(before)
    assert standing.stands(stood, project) == state


def test_every_model_built_for_touched_keys_comes_behind_the_set_of_them() -> None:
    models = compiled.models("touched")
    scoped = {name: model.meta["touched_by"] for name, model in models.items() if "touched_by" in model.meta}
    assert len(scoped) > 40 and set(scoped.values()) == set(SETS)
    for name, keys in scoped.items():
        behind = {model.name for model in compiled.in_order([name], night="touched")}
        assert SETS[keys][0] in behind, name


def test_what_a_night_has_for_itself_alone_is_read_on_such_nights_and_by_the_same_keys(stood: House) -> None:
    manifest = project_files.load_manifest(dbt.ensure_manifest(stood))
    nodes = manifest["nodes"]
    of_tonight = {
        name: node["config"]["meta"]["touched_by"] for name, node in nodes.items() if node["config"]["meta"].get("is_of_tonight")
    }
    assert "model.ccm.int_time_segments" in of_tonight
    tests, readers = set(), set()
    for name, node in nodes.items():
        for parent in of_tonight.keys() & set(node.get("depends_on", {}).get("nodes", [])):
            if node["resource_type"] == "test":
                tests.add(name)
            else:
                assert node["config"]["meta"].get("touched_by") == of_tonight[parent], (name, parent)
                readers.add(name.split(".")[-1])
    assert tests == build.OF_TONIGHT
    # Nothing of it is built for a close, an answer, an acceptance or a dismissal: then every row is wanted.
    sources = [name for name in manifest["sources"] if name.startswith(rebuild.ANSWERS)]
    for roots in (rebuild.AFTER_A_CLOSE, sources, ["source.ccm.configuration.acceptances"], ["model.ccm.worklist"]):
        below = set(build.hanging_on(manifest, roots))
        assert below and not below & readers, below & readers


@pytest.mark.long
def test_a_row_that_fails_a_test_of_what_a_night_has_for_itself_alone_is_built_again_until_it_does_not(built: House) -> None:
    assert standing.sound(built) >= build.OF_TONIGHT
    assert not any(result.is_bad for result in build.build(built)) and standing.is_touched(built)
    standing.keep_sound(built, standing.sound(built) - build.OF_TONIGHT)
    assert not any(result.is_bad for result in build.build(built)) and not standing.is_touched(built)
    assert standing.sound(built) >= build.OF_TONIGHT


def test_what_hangs_on_a_close_does_not_pass_through_the_sets_of_a_night(stood: House) -> None:
    manifest = project_files.load_manifest(dbt.ensure_manifest(stood))
    below = build.hanging_on(manifest, ["source.ccm.configuration.claim_lines"])
    assert "int_decisions" in below and "patient_month_decisions" in below
    assert not any(name.startswith(("stg_time", "int_patient_months__days", "touched")) for name in below)


def test_a_warehouse_of_a_release_without_states_is_published_whole_and_built_whole(stood: House) -> None:
    with open_warehouse(stood, read_only=False) as warehouse:
        warehouse.execute("create or replace table nights.finished as select fingerprint from nights.finished")
    assert standing.stands(stood, project_files.project_fingerprint()) is None and not standing.is_touched(stood)
    assert publication.publish(stood)["minute_ledger"] > 0
