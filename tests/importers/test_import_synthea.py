"""A Synthea export becomes the landing folders of real-looking practices, and what it lacks is told."""

from __future__ import annotations

import csv
import stat
from collections import Counter
from datetime import date
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from synthea_export import DIABETES, EMPLOYED, PEOPLE, UNHEARD_OF, write_export

from orchestration.contracts import extract_contracts
from orchestration.house import House, HouseError
from orchestration.importers import ImportReport, import_synthea, sites
from orchestration.importers.export import MAPS
from orchestration.practices import load_practices

FIRST, LAST = date(2026, 8, 3), date(2026, 10, 9)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, ImportReport]:
    folder = tmp_path_factory.mktemp("synthea")
    house = House(folder / "home")
    return house, import_synthea(write_export(folder / "csv"), house, first_night=FIRST, last_night=LAST)


def landed(house: House, table: str, night: date = LAST) -> list[dict[str, str]]:
    rows = []
    for path in sorted(house.landing.glob(f"*/{night}/{table}.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows += [{"practice_id": path.parts[-3], **row} for row in csv.DictReader(file)]
    return rows


def sent(house: House, table: str) -> list[dict[str, str]]:
    """All rows of a scheduling or time-log table over all nights."""
    nights = sorted({path.name for path in house.landing.glob("*/*")})
    return [row for night in nights for row in landed(house, table, date.fromisoformat(night))]


def bytes_of(house: House) -> dict[str, bytes]:
    files = [house.practices_yaml, *house.landing.rglob("*.csv")]
    return {str(path.relative_to(house.root)): path.read_bytes() for path in sorted(files)}


def test_a_site_with_a_post_box_and_no_telephone_still_makes_a_practice_that_is_taken() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            """
            create table sites as select 's' as site_id, 'Clinic' as name, 'PO Box  12' as address, 'PITTSBURGH' as city, 'PA' as state_code,
                '15213' as zip, '0000000000' as phone, '12502' as mac, '01' as locality, 'America/New_York' as time_zone;
            create table map_contractors as select '12' as mac_prefix, 'CONTRACTOR' as contractor;
            """
        )
        settings = sites._practice(connection, 1, ["s"]).settings
    assert settings.address.line1 == "Address unknown" and settings.phone.strip("0")


def test_sites_become_practices_with_a_gpci_key(made: tuple[House, ImportReport]) -> None:
    house, report = made
    practices = load_practices(house.practices_yaml)
    assert list(practices) == list(report.practices)
    assert len(practices) == 3
    assert {(p.mac, p.address.state, p.locality) for p in practices.values()} == {("12502", "PA", "01")}
    assert {p.time_zone for p in practices.values()} == {"America/New_York"}
    assert practices["philadelphia-1"].name == "NORTH STREET FAMILY PRACTICE"


def test_every_required_cell_is_filled(made: tuple[House, ImportReport]) -> None:
    house, report = made
    for practice_id in report.practices:
        for night in report.nights:
            for table, contract in extract_contracts().items():
                if contract.is_optional:
                    continue
                with (house.landing / practice_id / str(night) / f"{table}.csv").open(encoding="utf-8") as file:
                    rows = list(csv.DictReader(file))
                assert all(tuple(row) == contract.names for row in rows)
                required = [column.name for column in contract.columns if column.required]
                assert not [name for row in rows for name in required if not row[name]]


def test_a_patient_belongs_to_the_practice_and_clinician_of_most_visits(made: tuple[House, ImportReport]) -> None:
    patients = {row["patient_id"]: row for row in landed(made[0], "patients")}
    assert patients["pat-00"]["practice_id"] == "philadelphia-1"
    assert patients["pat-00"]["billing_practitioner_id"] == "doc-north"
    assert patients["pat-03"]["billing_practitioner_id"] == "doc-south"
    assert patients["pat-05"]["billing_practitioner_id"] == "doc-east"
    assert patients["pat-00"]["state"] == "PA"


def test_who_is_in_no_panel_is_counted(made: tuple[House, ImportReport]) -> None:
    report = made[1]
    assert report.count("patients", "died before the first night's month") == 1
    assert report.count("patients", "no office visit in the export") == 1
    assert report.count("patients", "primary care at a federal (VA) site, which bills no Medicare") == 1
    ever = {row["patient_id"] for night in report.nights for row in landed(made[0], "patients", night)}
    assert len(ever) == PEOPLE - 3


def test_a_death_in_the_range_becomes_known_after_it(made: tuple[House, ImportReport]) -> None:
    def died(night: date) -> str:
        return next(row["deceased_date"] for row in landed(made[0], "patients", night) if row["patient_id"] == "pat-32")

    assert died(date(2026, 9, 7)) == ""
    assert died(LAST) == "2026-09-20"


def coverage_of(house: House, patient_id: str) -> set[tuple[str, str, str]]:
    return {
        (row["coverage_type"], row["effective_date"], row["termination_date"])
        for row in landed(house, "coverages")
        if row["patient_id"] == patient_id and row["coverage_type"] != "medicare_advantage"
    }


def test_payers_become_coverage_types(made: tuple[House, ImportReport]) -> None:
    house = made[0]
    assert coverage_of(house, "pat-06") == {
        (kind, "2020-06-01", "") for kind in ("medicare_part_a", "medicare_part_b", "qmb", "medicaid")
    }
    assert ("medigap", "2020-06-01", "") in coverage_of(house, "pat-07")
    assert ("commercial", "2020-06-09", "") in coverage_of(house, "pat-04")


def test_renewals_are_one_coverage_and_medicare_begins_on_the_first(made: tuple[House, ImportReport]) -> None:
    house = made[0]
    assert ("medicare_part_b", "2020-06-01", "") in coverage_of(house, "pat-08")
    assert coverage_of(house, "pat-05") >= {
        ("commercial", "2020-06-09", "2026-08-31"), ("medicare_part_b", "2026-09-01", ""),
    }  # fmt: skip


def test_nobody_known_to_be_uninsured_gets_medicare(made: tuple[House, ImportReport]) -> None:
    house, report = made
    covered = {row["patient_id"] for night in report.nights for row in landed(house, "coverages", night)}
    assert covered.isdisjoint({"pat-02", "pat-03"})
    consented = {row["patient_id"] for row in landed(house, "consents")}
    assert consented.isdisjoint({"pat-02", "pat-03", "pat-04"})
    assert report.count("payers", "payer not in maps/payers.csv or not in the export's") == 1


def test_numbers_are_well_formed_and_unique(made: tuple[House, ImportReport]) -> None:
    mbis = Counter(
        (row["patient_id"], row["member_id"]) for row in landed(made[0], "coverages") if row["coverage_type"] == "medicare_part_b"
    )
    assert len({number for _, number in mbis}) == len({patient for patient, _ in mbis}) == len(mbis)
    assert all(len(number) == 11 for _, number in mbis)


def test_the_problem_list_is_in_icd10cm_and_the_rest_is_counted(made: tuple[House, ImportReport]) -> None:
    house, report = made
    rows = [row for row in landed(house, "conditions") if row["patient_id"] == "pat-01"]
    assert sorted(row["icd10_code"][:3] for row in rows) == ["E11", "I10"]
    assert {row["clinical_status"] for row in rows} == {"active"}
    reasons = {one.reason: one for one in report.unmapped if one.what == "conditions"}
    finding = next(one for reason, one in reasons.items() if "finding" in reason)
    disorder = next(one for reason, one in reasons.items() if "diagnosis" in reason)
    assert finding.rows == PEOPLE - 3
    assert disorder.rows == 1
    assert disorder.detail == "1 SNOMED CT codes"
    assert DIABETES != EMPLOYED != UNHEARD_OF


def test_visits_become_appointments_and_services(made: tuple[House, ImportReport]) -> None:
    house, report = made
    services = {row["service_id"]: row for row in sent(house, "services")}
    appointments = {row["appointment_id"]: row for row in sent(house, "appointments")}
    wellness = services["pat-01-w0-1"]
    assert (wellness["procedure_code"], wellness["billed_by"], wellness["member_id"]) == (
        "G0439", "own_practice", "doc-north",
    )  # fmt: skip
    assert wellness["appointment_id"] == "pat-01-w0"
    assert appointments["pat-01-w0"]["visit_type"] == "annual_wellness"
    assert services["pat-04-w0-1"]["procedure_code"] == "99397"  # no Medicare
    assert services["pat-01-amb-1"]["procedure_code"] == "99214"
    emergency = services["er-1-1"]
    assert (emergency["billed_by"], emergency["member_id"], emergency["appointment_id"]) == ("other_practice", "", "")
    assert "er-1" not in appointments
    assert "odd-1-1" not in services
    assert appointments["odd-1"]["visit_type"] == "visit"
    assert report.count("encounters", "code not in encounter_codes.csv: no service") == 1


def test_the_service_date_is_local(made: tuple[House, ImportReport]) -> None:
    services = {row["service_id"]: row for row in sent(made[0], "services")}
    appointments = {row["appointment_id"]: row for row in sent(made[0], "appointments")}
    assert services["late-1-1"]["service_date"] == "2026-08-12"
    assert appointments["late-1"]["scheduled_start"] == "2026-08-12T23:30:00-04:00"


def test_hospital_and_nursing_stays_are_known_as_they_happen(made: tuple[House, ImportReport]) -> None:
    house = made[0]
    assert {(row["stay_id"], row["stay_type"], row["discharged_on"]) for row in landed(house, "stays")} == {
        ("stay-1", "inpatient", "2026-08-24"), ("stay-2", "snf_part_a", "2026-09-10"),
    }  # fmt: skip
    assert landed(house, "stays", date(2026, 8, 17)) == []
    assert {row["discharged_on"] for row in landed(house, "stays", date(2026, 9, 7)) if row["stay_id"] == "stay-2"} == {""}


def test_care_plans_leave_when_they_end(made: tuple[House, ImportReport]) -> None:
    house, report = made

    def plans(night: date) -> set[str]:
        return {row["care_plan_id"] for row in landed(house, "care_plans", night) if row["patient_id"] == "pat-08"}

    assert plans(date(2026, 9, 7)) == {"pat-08-plan0", "pat-08-plan2"}
    assert plans(LAST) == {"pat-08-plan0"}
    assert report.count("care plans", "ended before the first night's month") > 0


def test_the_month_is_closable_and_the_report_says_what_is_made_up(made: tuple[House, ImportReport]) -> None:
    house, report = made
    assert date(2026, 9, 1) in report.closable
    assert date(2026, 10, 1) not in report.closable
    assert report.panel["philadelphia-1"]["consented"] > 0
    assert len(sent(house, "time_entries")) == sum(counts["time_entries"] for counts in report.rows.values()) > 0
    text = report.to_text()
    for made_up in ("consents", "time logs", "MBI", "Medicare Advantage"):
        assert made_up in text
    assert "pat-" not in text
    assert "Last1" not in text
    assert report.to_json()["nights"][0] == "2026-08-03"


def test_the_files_are_private(made: tuple[House, ImportReport]) -> None:
    house = made[0]
    for path in house.root.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert not list(house.root.glob(".*.tmp"))


def test_the_same_export_gives_the_same_bytes(tmp_path: Path, made: tuple[House, ImportReport]) -> None:
    again = House(tmp_path / "again")
    import_synthea(write_export(tmp_path / "csv"), again, first_night=FIRST, last_night=LAST)
    assert bytes_of(again) == bytes_of(made[0])
    other = House(tmp_path / "other")
    import_synthea(tmp_path / "csv", other, seed=7, first_night=FIRST, last_night=LAST)
    assert bytes_of(other) != bytes_of(again)


@pytest.mark.long
def test_the_same_import_again_writes_nothing_and_another_is_refused(tmp_path: Path) -> None:
    source, house = write_export(tmp_path / "csv"), House(tmp_path / "home")
    first = import_synthea(source, house, first_night=FIRST, last_night=LAST)
    before = {path: path.stat().st_mtime_ns for path in house.landing.rglob("*")}
    again = import_synthea(source, house, first_night=FIRST, last_night=LAST)
    assert again.was_there and not first.was_there
    assert again.rows == first.rows
    assert {path: path.stat().st_mtime_ns for path in house.landing.rglob("*")} == before
    with pytest.raises(HouseError, match="other arguments"):
        import_synthea(source, house, seed=7, first_night=FIRST, last_night=LAST)


def test_a_home_with_landed_files_of_others_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path / "home").prepare()
    (house.landing / "lakeside").mkdir()
    with pytest.raises(HouseError, match="never overwritten"):
        import_synthea(write_export(tmp_path / "csv"), house)
    assert [path.name for path in house.landing.iterdir()] == ["lakeside"]


@pytest.mark.long
def test_an_older_layout_gives_the_same_facts(tmp_path: Path, made: tuple[House, ImportReport]) -> None:
    house = House(tmp_path / "home")
    report = import_synthea(write_export(tmp_path / "old" / "csv", "old").parent, house, first_night=FIRST, last_night=LAST)

    def facts(of: House, table: str, *columns: str) -> set[tuple[str, ...]]:
        rows = sent(of, table) if table in ("services", "appointments") else landed(of, table)
        # what the overlay makes has the practice's name or the patient's before its ids
        return {tuple(row[c] for c in columns) for row in rows if not row[columns[0]].startswith("philadelphia")}

    for table, columns in (
        ("patients", ("patient_id", "practice_id", "billing_practitioner_id", "birth_date", "postal_code")),
        ("conditions", ("condition_id", "patient_id", "icd10_code", "clinical_status", "onset_date")),
        ("stays", ("stay_id", "stay_type", "admitted_on", "discharged_on")),
        ("appointments", ("appointment_id", "patient_id", "member_id", "scheduled_start")),
    ):
        assert facts(house, table, *columns) - facts(made[0], table, *columns) == set()
    assert ("medicare_part_b", "2020-01-01", "") in coverage_of(house, "pat-08")
    assert "all care plans: the export has no careplans.csv" in report.overlaid
    names = {row["name"] for row in landed(house, "care_team")}
    assert "Clinician doc-north" in names


@pytest.mark.parametrize("absent", [("payers",), ("payer_transitions",), ("payers", "payer_transitions")], ids="-".join)
def test_an_export_without_payers_leaves_coverage_to_the_overlay_and_says_so(
    tmp_path: Path, made: tuple[House, ImportReport], absent: tuple[str, ...]
) -> None:
    source = write_export(tmp_path / "csv")
    for name in absent:
        (source / f"{name}.csv").unlink()
    house = House(tmp_path / "home")
    report = import_synthea(source, house, first_night=FIRST, last_night=LAST)
    assert any(line.startswith("coverage of every patient") for line in report.overlaid)
    assert not [one for one in report.unmapped if one.what == "payers"]
    # Medicare is by age: the same sites and panels, and everybody of 65 is covered.
    assert list(report.practices) == list(made[1].practices)
    people = {row["patient_id"] for row in landed(house, "patients")}
    assert people == {row["patient_id"] for row in landed(made[0], "patients")}
    covered = {row["patient_id"] for row in landed(house, "coverages") if row["coverage_type"].startswith("medicare")}
    assert covered == people


def test_an_export_of_the_young_alone_is_refused(tmp_path: Path) -> None:
    source = write_export(tmp_path / "csv")
    (source / "payers.csv").unlink()
    path = source / "patients.csv"
    path.write_text(path.read_text().replace(",194", ",200").replace(",195", ",200"))
    with pytest.raises(HouseError, match="generate older patients"):
        import_synthea(source, House(tmp_path / "home"))


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("encounters", "ENCOUNTERCLASS", "KIND", "has no column ENCOUNTERCLASS"),
        ("patients", "BIRTHDATE", "BORN", "has no column BIRTHDATE"),
    ],
)
def test_a_missing_column_is_named(tmp_path: Path, name: str, old: str, new: str, message: str) -> None:
    path = write_export(tmp_path / "csv") / f"{name}.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(HouseError, match=message):
        import_synthea(tmp_path / "csv", House(tmp_path / "home"))


def test_a_damaged_file_is_refused_without_quoting_it(tmp_path: Path) -> None:
    path = write_export(tmp_path / "csv") / "patients.csv"
    path.write_text(path.read_text() + 'pat-99,"1950-01-01,unclosed Secretname\n')
    with pytest.raises(HouseError, match=r"patients\.csv") as caught:
        import_synthea(tmp_path / "csv", House(tmp_path / "home"))
    assert "Secretname" not in str(caught.value)


def test_a_folder_without_an_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HouseError, match="no Synthea CSV export"):
        import_synthea(tmp_path / "nothing", House(tmp_path / "home"))


def test_nights_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HouseError, match="must come before"):
        import_synthea(write_export(tmp_path / "csv"), House(tmp_path / "home"), first_night=LAST, last_night=FIRST)


def _map(name: str) -> list[dict[str, str]]:
    with (MAPS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_of_a_map_has_its_citation() -> None:
    for path in MAPS.glob("*.csv"):
        if path.stem != "staff":
            assert all(row["citation"] for row in _map(path.stem)), path.name


def test_no_two_rows_of_the_crosswalk_apply_to_one_visit() -> None:
    def span(row: dict[str, str], first: str, last: str) -> tuple[str, str]:
        return row[first].rjust(10, "0") if row[first] else "", row[last].rjust(10, "0") if row[last] else "~"

    def meet(a: tuple[str, str], b: tuple[str, str]) -> bool:
        return a[0] <= b[1] and b[0] <= a[1]

    rows = _map("encounter_codes")
    for place, a in enumerate(rows):
        for b in rows[place + 1 :]:
            if (a["encounter_class"], a["snomed_code"]) != (b["encounter_class"], b["snomed_code"]):
                continue
            same_cover = "any" in (a["coverage"], b["coverage"]) or a["coverage"] == b["coverage"]
            spans = (
                ("effective_from", "effective_to"),
                ("age_from", "age_to"),
                ("medicare_month_from", "medicare_month_to"),
            )  # fmt: skip
            assert not (same_cover and all(meet(span(a, *ends), span(b, *ends)) for ends in spans)), (a, b)


def test_localities_do_not_overlap() -> None:
    rows = sorted(_map("zip_localities"), key=lambda row: row["zip_from"])
    assert all(a["zip_to"] < b["zip_from"] for a, b in pairwise(rows))
