"""A row in quarantine that may hide a reason not to bill holds its patient's claim until it is mended or accepted, and a rebuild knows why."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from decimal import Decimal

import pytest

from orchestration.close import acceptances
from orchestration.close.claim_file import drafted
from orchestration.close.freeze import freeze
from orchestration.close.ground import Ground, accepted_holds, software_versions
from orchestration.close.manners import EVERY_MANNER
from orchestration.close.packet import compose
from orchestration.close.rebuild import _NEEDED, rebuild
from orchestration.house import House, write_private
from orchestration.practices import load_practices

from .bench import build, rows
from .clinic import NEWEST_NIGHT, PANEL_NIGHTS, Clinic, configure, path_of, write
from .test_drift import OCTOBER

pytestmark = pytest.mark.xdist_group("holds")

MODELS = (*_NEEDED, "close_holds", "extract_drift")


def spoil(row, column, value):
    return {**row, column: value}


@pytest.fixture
def home(tmp_path):
    """Six patients with one bad row each in the newest snapshots, one with a bad row in an older one, five without."""
    home, clinic = tmp_path / "home", Clinic("alpha", 1)
    configure(home, [clinic])
    clinic.land(home)
    panel = clinic.panel()
    for table, number, column, value in (
        ("coverages", 1, "effective_date", "soon"),
        ("consents", 2, "documented", "yes"),
        ("care_plans", 3, "established_on", ""),
        ("stays", 4, "stay_type", "rehab"),
        ("patients", 7, "birth_date", "unknown"),  # keeps the last good one: interface.md section 3
    ):
        panel[table] = [spoil(row, column, value) if row["patient_id"] == clinic.id(number) else row for row in panel[table]]
        write(home, "alpha", NEWEST_NIGHT, table, panel[table])
    # A third condition: the two that make the patient eligible stand.
    odd = {"condition_id": "odd", "patient_id": clinic.id(5), "icd10_code": "I10", "clinical_status": "maybe"}
    write(home, "alpha", NEWEST_NIGHT, "conditions", [*panel["conditions"], odd])
    older = [spoil(row, "admitted_on", "") if row["patient_id"] == clinic.id(6) else row for row in clinic.panel()["stays"]]
    write(home, "alpha", PANEL_NIGHTS[-2], "stays", older)
    return home


def close(home, con, waived=False, name="alpha", manners=EVERY_MANNER):
    """The files of the packet that a close would write now; with fewer manners, as a close of before wrote it."""
    practice = load_practices(home / "practices.yaml")[name]
    accepted = accepted_holds(con, practice, OCTOBER)
    ground = Ground(
        practice, practice.canonical_json(), OCTOBER, 1, waived, freeze(con, practice, OCTOBER, {}, accepted), {}, software_versions(),
        manners, accepted,
    )  # fmt: skip
    return compose(con, ground, drafted(con, ground), lambda: 7).files


def table(content):
    return list(csv.DictReader(io.StringIO(content.decode())))


def put_packet(files, folder):
    for name, content in files.items():
        write_private(folder / name, content)
    return folder


def test_the_claims_of_patients_with_quarantined_facts_are_held_by_name_of_the_row_and_worth(home):
    # A record that cannot be read accepts nothing and stops nobody.
    write_private(acceptances.path_of(House(home), "alpha"), '{"hold_id": "x", "by": "me"}\nnonsense\n')
    assert acceptances.in_force(House(home)) == []
    with build(home, MODELS) as con:
        files = close(home, con)
    held = {row["patient_id"]: row for row in table(files["held.csv"]) if row["reason"] == "quarantined_facts"}
    # 1, 2 and 3 have lost what a claim needs with the row: no claim is due.
    assert held.keys() == {"1-P04", "1-P05"}
    assert held["1-P04"]["detail"].startswith(
        "in quarantine: stays of 2026-11-04 line 5 (stay_type). Land a snapshot without the fault"
    )
    assert held["1-P05"]["detail"].startswith("in quarantine: conditions of 2026-11-04 line 26 (clinical_status).")
    claimed = {row["patient_id"] for row in table(files["claims.csv"])}
    assert claimed == {f"1-P{n:02d}" for n in (6, 7, 8, 9, 10, 11, 12)}
    allowed = {row["allowed_amount"] for row in table(files["claims.csv"])}
    assert allowed and Decimal(held["1-P04"]["dollars_at_stake"]) > 100
    assert b"rehab" not in files["held.csv"] and b"maybe" not in files["held.csv"]


@pytest.mark.long
def test_no_waiver_and_no_final_day_releases_them(home):
    practices = (home / "practices.yaml").read_text()
    (home / "practices.yaml").write_text(practices + "  close: {first_day: 1, final_day: 2}\n")
    with build(home, MODELS) as con:
        held = table(close(home, con, waived=True)["held.csv"])
    assert {row["patient_id"] for row in held} == {"1-P04", "1-P05"}


def test_a_later_snapshot_without_the_fault_releases_the_claim(home):
    write(home, "alpha", NEWEST_NIGHT, "stays", Clinic("alpha", 1).panel()["stays"])
    with build(home, MODELS) as con:
        files = close(home, con)
    assert {row["patient_id"] for row in table(files["held.csv"])} == {"1-P05"}
    assert "1-P04" in {row["patient_id"] for row in table(files["claims.csv"])}


@pytest.mark.long
def test_an_accepted_row_goes_out_the_manifest_says_who_accepted_it_and_the_packet_rebuilds_from_itself(home, tmp_path):
    with build(home, MODELS) as con:
        held_all = put_packet(close(home, con), tmp_path / "before")
        (hold,) = rows(con, "select hold_id from marts.close_holds where patient_id = '1-P04'")
    acceptances.record(House(home), "alpha", [{"hold_id": hold["hold_id"], "by": "R. Roe", "why": "a day clinic, no stay"}])
    with build(home, MODELS) as con:
        accepted = put_packet(close(home, con), tmp_path / "after")
    assert {row["patient_id"] for row in table((accepted / "held.csv").read_bytes())} == {"1-P05"}
    (said,) = json.loads((accepted / "manifest.json").read_text())["accepted"]
    assert (said["patient_id"], said["line_number"], said["accepted_by"], said["accepted_why"]) == (
        "1-P04",
        5,
        "R. Roe",
        "a day clinic, no stay",
    )
    assert "accepted" not in json.loads((held_all / "manifest.json").read_text())
    for packet in (held_all, accepted):
        assert rebuild(packet).is_same
    # Another file has other lines: the acceptance is not for them.
    path = path_of(home, "alpha", NEWEST_NIGHT, "stays")
    path.write_bytes(path.read_bytes() + b"\n")
    with build(home, MODELS) as con:
        assert "1-P04" in {row["patient_id"] for row in table(close(home, con)["held.csv"])}


@pytest.mark.long
def test_of_a_patient_who_left_the_last_snapshot_that_had_them_counts(home):
    clinic = Clinic("alpha", 1)
    write(home, "alpha", NEWEST_NIGHT, "patients", [row for row in clinic.panel()["patients"] if row["patient_id"] != clinic.id(6)])
    with build(home, MODELS) as con:
        assert "1-P06" in {row["patient_id"] for row in table(close(home, con)["held.csv"])}


def said_of_death(home, night, said):
    """That night's patients, whose faults and days of death are those of `said`: number of the patient -> changes of their row."""
    of = {f"1-P{number:02d}": changes for number, changes in said.items()}
    panel = Clinic("alpha", 1).panel()["patients"]
    write(home, "alpha", night, "patients", [{**row, **of.get(row["patient_id"], {})} for row in panel])


def held_for_a_fact(files):
    return {row["patient_id"]: row["detail"] for row in table(files["held.csv"]) if row["reason"] == "quarantined_facts"}


@pytest.mark.long
def test_who_may_be_dead_waits_though_the_last_good_row_says_living(home, tmp_path):
    unsaid = {"deceased_date": "dead, date not said"}
    several = {**unsaid, "birth_date": "", "billing_practitioner_id": ""}  # of several faults the death is told
    said_of_death(home, NEWEST_NIGHT, {7: {"birth_date": "unknown"}, 8: unsaid, 9: several})
    with build(home, MODELS) as con:
        packet = put_packet(close(home, con), tmp_path / "held")
        found = rows(
            con, "select * from marts.close_holds where table_name = 'patients' and kind = 'quarantined_row' order by patient_id"
        )
    held = held_for_a_fact({"held.csv": (packet / "held.csv").read_bytes()})
    assert held.keys() == {"1-P04", "1-P05", "1-P08", "1-P09"}
    assert held["1-P08"].startswith("in quarantine: patients of 2026-11-04 line 9 (deceased_date). Land")
    claimed = {row["patient_id"] for row in table((packet / "claims.csv").read_bytes())}
    assert "1-P07" in claimed and not claimed & {"1-P08", "1-P09"}
    assert [(one["patient_id"], one["column_name"], one["holds_what"]) for one in found] == [
        ("1-P08", "deceased_date", "claim"), ("1-P09", "deceased_date", "claim"),
    ]  # fmt: skip
    assert rebuild(packet).is_same

    acceptances.record(House(home), "alpha", [{"hold_id": found[0]["hold_id"], "by": "R. Roe", "why": "a slip of the clerk"}])
    with build(home, MODELS) as con:
        accepted = put_packet(close(home, con), tmp_path / "accepted")
    claimed = {row["patient_id"] for row in table((accepted / "claims.csv").read_bytes())}
    assert "1-P08" in claimed and "1-P09" not in claimed
    assert rebuild(accepted).is_same


@pytest.mark.long
def test_a_death_that_can_be_read_holds_the_claim_though_its_row_is_in_quarantine_for_another_fault(home, tmp_path):
    dead = {"deceased_date": "2026-09-15"}
    said_of_death(
        home, NEWEST_NIGHT, {7: {"birth_date": "unknown"}, 8: {**dead, "sex": "female"}, 9: {**dead, "billing_practitioner_id": ""}}
    )
    with build(home, MODELS) as con:
        packet = put_packet(close(home, con), tmp_path / "held")
        reasons = rows(con, "select reason from staging.stg_quarantine where table_name = 'patients' order by line_number")
    held = held_for_a_fact({"held.csv": (packet / "held.csv").read_bytes()})
    assert held.keys() == {"1-P04", "1-P05", "1-P08", "1-P09"}
    assert held["1-P08"].startswith("in quarantine: patients of 2026-11-04 line 9 (sex). Land")
    claimed = {row["patient_id"] for row in table((packet / "claims.csv").read_bytes())}
    assert "1-P07" in claimed and not claimed & {"1-P08", "1-P09"}
    assert [row["reason"] for row in reasons] == [
        "not a date (YYYY-MM-DD); correct the row and land the file again",
        "not one of F, M, U (the row says deceased_date); correct the row and land the file again",
        "required and empty (the row says deceased_date); correct the row and land the file again",
    ]
    assert rebuild(packet).is_same


@pytest.mark.long
def test_a_row_of_patients_of_which_nothing_can_be_read_may_say_dead_and_waits_or_keeps_the_practice_where_it_is_nobodys(home):
    said_of_death(home, NEWEST_NIGHT, {8: {"birth_date": "1950-01-0\x00"}})
    with build(home, MODELS) as con:
        files = close(home, con)
        assert rows(con, "from marts.extract_drift where measure = 'rows_of_nobody'") == []
    assert held_for_a_fact(files)["1-P08"].startswith("in quarantine: patients of 2026-11-04 line 9. Land")
    path = path_of(home, "alpha", NEWEST_NIGHT, "patients")
    path.write_text(path.read_text().replace("\x00", "1") + "1-P08,Do")
    with build(home, MODELS) as con:
        files = close(home, con)
        (found,) = rows(con, "from marts.extract_drift where measure = 'rows_of_nobody'")
    assert found["table_name"] == "patients" and found["is_harmful"] and "1-P08" not in held_for_a_fact(files)


@pytest.mark.long
def test_a_service_that_cannot_be_read_holds_its_patients_claims_of_its_nights_month_and_before_until_it_comes_right_or_is_accepted(
    home, tmp_path
):
    def service(number, **said):
        one = {
            "service_id": f"X{number}",
            "patient_id": f"1-P{number:02d}",
            "procedure_code": "99490",
            "service_date": "2026-10-15",
        }
        return {**one, "units": "1", "billed_by": "other_practice", "updated_at": "2026-10-15T20:00:00Z", **said}

    night, before, after = date(2026, 10, 16), date(2026, 9, 24), date(2026, 11, 3)
    flu_shot = {"procedure_code": "90662"}
    # What was known of it before it could not be read says nothing of what it has become.
    write(home, "alpha", before, "services", [service(8, units="1.0"), service(10, updated_at="2026-09-24T20:00:00Z", **flu_shot)])
    write(
        home, "alpha", night, "services",
        [service(9, units="1.0"), service(10, units="1.0"), service(12, units="1.0"), service(99, units="1.0")],
    )  # fmt: skip
    # Sent again, by a later night: the rules know them now.
    write(home, "alpha", night + timedelta(days=1), "services", [service(9), service(12, **flu_shot), service(99)])
    write(home, "alpha", after, "services", [service(11, updated_at="3 Nov")])
    practices = (home / "practices.yaml").read_text()
    (home / "practices.yaml").write_text(practices + "  close: {first_day: 1, final_day: 2}\n")
    with build(home, MODELS) as con:
        packet = put_packet(close(home, con, waived=True), tmp_path / "held")
        found = rows(con, "from marts.close_holds where table_name = 'services' order by patient_id")
    assert [(one["patient_id"], one["last_month_held"], one["holds_what"]) for one in found] == [
        ("1-P08", date(2026, 9, 1), "claim"), ("1-P10", OCTOBER, "claim"), ("1-P11", date(2026, 11, 1), "claim"),
    ]  # fmt: skip
    held = held_for_a_fact({"held.csv": (packet / "held.csv").read_bytes()})
    assert held.keys() == {"1-P04", "1-P05", "1-P10", "1-P11"}
    assert held["1-P10"] == (
        "in quarantine: services of 2026-10-16 line 3 (units). Land a snapshot (of services: that night again, or the row in a later one) "
        "without the fault, or accept the row (ccm accept)"
    )
    claimed = {row["patient_id"] for row in table((packet / "claims.csv").read_bytes())}
    assert {"1-P08", "1-P12"} <= claimed and "1-P09" not in claimed
    assert rebuild(packet).is_same

    acceptances.record(House(home), "alpha", [{"hold_id": found[2]["hold_id"], "by": "R. Roe", "why": "a flu shot"}])
    write(home, "alpha", night, "services", [service(9), service(10, **flu_shot)])
    with build(home, MODELS) as con:
        mended = put_packet(close(home, con), tmp_path / "mended")
    assert held_for_a_fact({"held.csv": (mended / "held.csv").read_bytes()}).keys() == {"1-P04", "1-P05"}
    assert {"1-P10", "1-P11"} <= {row["patient_id"] for row in table((mended / "claims.csv").read_bytes())}
    assert rebuild(mended).is_same


def of_nobody(con):
    return {
        (row["table_name"], row["value"]): row for row in rows(con, "from marts.extract_drift where measure = 'rows_of_nobody'")
    }


@pytest.mark.long
def test_a_row_that_says_an_id_which_is_no_patients_keeps_the_practice_and_not_where_it_could_be_read_or_is_a_patients_first(home):
    stays, coverages = (path_of(home, "alpha", NEWEST_NIGHT, table) for table in ("stays", "coverages"))
    good = stays.read_text()
    stays.write_text(good + "1-P01,inpatient,2026-09-20,2026-11-02,\n")  # no stay_id: everything one to the left
    coverages.write_text(coverages.read_text() + "1-P02 ,medicare_advantage,H1,,01/01/2026,\n")
    with build(home, MODELS) as con:
        found = of_nobody(con)
        assert found.keys() == {("stays", 1), ("coverages", 1)} and all(row["is_harmful"] for row in found.values())
        assert found["stays", 1]["explanation"] == "1 rows in quarantine that cannot be laid to one of the practice's patients"
        assert "practice" in {row["holds_what"] for row in rows(con, "from marts.close_holds where measure = 'rows_of_nobody'")}
    stays.write_text(good + "S99,1-P99,inpatient,2026-09-20,2026-11-02\n")
    coverages.write_text("\n".join(line for line in coverages.read_text().splitlines() if "1-P02 " not in line) + "\n")
    path = path_of(home, "alpha", NEWEST_NIGHT, "patients")
    path.write_text(path.read_text() + "1-P99,Ada,New,,soon,F,,,,,,1-MD,\n")
    with build(home, MODELS) as con:
        assert of_nobody(con) == {}
        assert rows(con, "select patient_id from staging.stg_quarantine where patient_id = '1-P99'") != []


@pytest.mark.long
def test_a_member_of_whom_a_row_cannot_be_read_keeps_the_practice_until_a_later_team_has_it_or_somebody_accepts_it(home):
    team = Clinic("alpha", 1).panel()["care_team"]
    for night in PANEL_NIGHTS[-2:]:
        write(home, "alpha", night, "care_team", [team[0], {**team[1], "active_to": "09/30/2026"}])
    with build(home, MODELS) as con:
        held = rows(con, "from marts.close_holds where table_name = 'care_team'")
    assert [(one["extract_date"], one["measure"], one["holds_what"], one["is_acceptable"], one["is_accepted"]) for one in held] == [
        (NEWEST_NIGHT, "rows_of_nobody", "practice", True, False)
    ]
    acceptances.record(House(home), "alpha", [{"hold_id": held[0]["hold_id"], "by": "R. Roe", "why": "still here"}])
    with build(home, MODELS) as con:
        assert [one["is_accepted"] for one in rows(con, "from marts.close_holds where table_name = 'care_team'")] == [True]
    write(home, "alpha", NEWEST_NIGHT, "care_team", [team[0], {**team[1], "active_to": "2026-09-30"}])
    with build(home, MODELS) as con:
        assert rows(con, "from marts.close_holds where table_name = 'care_team'") == []


@pytest.mark.long
def test_a_later_good_row_says_whether_a_patient_lives(home):
    said_of_death(home, PANEL_NIGHTS[-2], {8: {"deceased_date": "yes"}, 9: {"deceased_date": "yes"}})
    said_of_death(home, NEWEST_NIGHT, {9: {"deceased_date": "2026-09-20"}})
    with build(home, MODELS) as con:
        files = close(home, con)
    assert not held_for_a_fact(files).keys() & {"1-P08", "1-P09"}
    claimed = {row["patient_id"] for row in table(files["claims.csv"])}
    assert "1-P08" in claimed and "1-P09" not in claimed


@pytest.mark.long
def test_a_packet_is_the_same_whatever_other_practices_landed_and_in_whatever_order_it_was_taken_in(home, tmp_path):
    with build(home, MODELS) as con:
        alone = close(home, con)
    # Before it in the alphabet, and taken in before it.
    other = tmp_path / "with_another"
    first = Clinic("aaron", 2)
    configure(other, [first, Clinic("alpha", 1)])
    first.land(other)
    build(other).close()
    for path in sorted((home / "landing" / "alpha").glob("*/*"), reverse=True):
        write_private(other / path.relative_to(home), path.read_bytes())
    with build(other, MODELS) as con:
        beside = close(other, con)
    assert {name for name in alone if alone[name] != beside[name]} == set()
