"""practices.yaml: what is wrong is refused, naming file, practice and key."""

from __future__ import annotations

import csv
import json
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
import yaml

from orchestration.close.x12.writer import plain
from orchestration.code_forms import is_valid_npi
from orchestration.house import DBT_PROJECT, HouseError
from orchestration.practices import FROZEN, Practice, fee_state, load_practices, next_month
from orchestration.transform import configuration
from orchestration.transform.closes import Closes
from orchestration.transform.configuration import configuration_tables

GOOD = {
    "practice_id": "lakeside",
    "name": "Lakeside Family Medicine",
    "npi": "1234567893",
    "tax_id": "123456789",
    "taxonomy_code": "207Q00000X",
    "address": {"line1": "100 Main St", "city": "Springfield", "state": "IL", "postal_code": "627010001"},
    "phone": "2175550100",
    "time_zone": "America/Chicago",
    "place_of_service": "11",
    "mac": "06102",
    "locality": "99",
    "submitter_id": "LAKESIDE01",
    "receiver": {"id": "06102", "name": "NGS MEDICARE"},
    "payer": {"id": "06102", "name": "MEDICARE PART B"},
}


UNWRITABLE = ["X" * 16, "X", "CHANGE_HC", "A*B", "A:B", "A~B", "李氏", " 06102", "A  B", "06102\n"]


def written(tmp_path, *entries):
    path = tmp_path / "practices.yaml"
    path.write_text(yaml.safe_dump({"practices": list(entries)}))
    return path


def test_a_practice_is_read_with_the_promised_defaults(tmp_path):
    practice = load_practices(written(tmp_path, GOOD))["lakeside"]
    assert (practice.track_policy, practice.service_date_policy, practice.facility_type) == (
        "documented",
        "month_end",
        "physician_office",
    )
    assert (practice.close.first_day, practice.close.final_day, practice.qualifying_apm_participant) == (3, 20, False)
    assert practice.first_close_day(date(2026, 12, 1)) == date(2027, 1, 3)


@pytest.mark.parametrize(
    ("change", "key", "word"),
    [
        ({"npi": "1234567890"}, "npi", "Luhn"),
        ({"time_zone": "America/Springfield"}, "time_zone", "IANA"),
        ({"time_zone": "localtime"}, "time_zone", "IANA"),
        ({"locality": "98"}, "key locality: ", "GPCI"),
        ({"place_of_service": "97"}, "key place_of_service: ", "CMS's list"),
        *(
            ({"address": {**GOOD["address"], "line1": box}}, "key address.line1: ", "post box")
            for box in ("PO Box 12", "P.O. box 12", "Post  Office Box 12", "1 Main St, po box 12")
        ),
        *(({"name": name}, "key name: ", "no letter from A to Z") for name in ("\u674e\u6c0f", "-", "\u00a9 (\u00ae)")),
        ({"address": {**GOOD["address"], "city": "\u6771\u4eac"}}, "key address.city: ", "no letter from A to Z"),
        ({"receiver": {"id": "06102", "name": "\u674e"}}, "key receiver.name: ", "no letter from A to Z"),
        ({"payer": {"id": "06102", "name": "..."}}, "key payer.name: ", "no letter from A to Z"),
        ({"address": {**GOOD["address"], "postal_code": "000000000"}}, "key address.postal_code: ", "all zeros"),
        ({"tax_id": "000000000"}, "key tax_id: ", "all zeros"),
        ({"phone": "0000000000"}, "key phone: ", "all zeros"),
        ({"colour": "blue"}, "colour", "no known key"),
        (
            {"claim_file": {"usage_indicator": "T", "first_control_number": 900000001}},
            "key claim_file.first_control_number: ",
            "is no known key there: first_control_number is a key of the practice itself",
        ),
        ({"mac": 6102}, "mac", "quoted"),
        ({"close": {"standing_approver": "  "}}, "close.standing_approver", "is blank"),
        ({"close": {"standing_approver": "\u200b"}}, "close.standing_approver", "is blank"),
        ({"charges": {99490: 95.0}}, "charges", "quoted"),
        ({"charges": {"99490": -1}}, "charges", "positive"),
        ({"charges": {"99490": 10**30}}, "charges", "99490: a claim holds at most 99999999.99"),
        ({"charges": {"99490": str(10**30)}}, "charges", "99490: a claim holds at most 99999999.99"),
        ({"practice_id": "../other"}, "practice_id", "match"),
        ({"close": {"first_day": 21, "final_day": 20}}, "close", "final_day"),
        ({"address": {**GOOD["address"], "postal_code": "62701"}}, "address.postal_code", "match"),
        ({"track_policy": "dearest"}, "track_policy", "documented"),
        ({"mappings": {"appointments": "../x"}}, "key mappings.appointments: ", "match"),
        ({"mappings": {"appointments": {date(2026, 1, 1): "../x"}}}, "key mappings.appointments.2026-01-01: ", "match"),
        *(({"receiver": {"id": wrong, "name": "N"}}, "key receiver.id: ", "2 to 15 ") for wrong in UNWRITABLE),
        *(({"payer": {"id": wrong, "name": "N"}}, "key payer.id: ", "2 to 80 ") for wrong in (*UNWRITABLE[1:], "X" * 81)),
    ],
)
def test_a_wrong_value_is_refused_with_file_practice_and_key(tmp_path, change, key, word):
    path = written(tmp_path, {**GOOD, **change})
    with pytest.raises(HouseError) as refused:
        load_practices(path)
    message = str(refused.value)
    assert str(path) in message and key in message and word in message
    assert "lakeside" in message or change.get("practice_id", "") in message


ARLINGTON = {
    **GOOD,
    "address": {"line1": "100 Main St", "city": "Arlington", "state": "VA", "postal_code": "222010001"},
    "mac": "12202",
    "locality": "01",
}


def test_a_locality_that_cms_has_under_another_state_asks_for_that_state(tmp_path):
    with pytest.raises(HouseError, match=r'MAC 12202, state VA, locality 01 is in no .* add gpci_state: "DC"'):
        load_practices(written(tmp_path, ARLINGTON))
    with pytest.raises(HouseError, match="state MD, locality 01 is in no"):
        load_practices(written(tmp_path, {**ARLINGTON, "gpci_state": "MD"}))


@pytest.mark.parametrize(
    ("state", "mac", "gpci_state"),
    [("VA", "12202", "DC"), ("MD", "12202", "DC"), *((s, "01212", "HI") for s in ("AS", "GU", "MP"))],
)
def test_a_practice_across_the_border_of_its_localitys_state_is_priced_there_and_keeps_its_address(
    tmp_path, state, mac, gpci_state
):
    entry = {**ARLINGTON, "address": {**ARLINGTON["address"], "state": state}, "mac": mac, "gpci_state": gpci_state}
    practice = load_practices(written(tmp_path, entry))["lakeside"]
    assert practice.address.state == state
    (row,) = configuration_tables({"lakeside": practice}, "", Closes())["practices"].to_pylist()
    assert (row["mac"], row["state"], row["locality"]) == (mac, gpci_state, "01")
    frozen = json.loads(practice.canonical_json())
    assert Practice.model_validate(frozen) == practice and fee_state(frozen) == practice.fee_state == gpci_state


def test_a_practice_without_a_state_of_its_gpcis_is_fingerprinted_as_before_there_was_one(tmp_path):
    practice = load_practices(written(tmp_path, GOOD))["lakeside"]
    frozen = json.loads(practice.canonical_json())
    assert "gpci_state" not in frozen and fee_state(frozen) == practice.fee_state == "IL"


def test_every_place_that_the_fee_schedule_knows_as_a_facility_is_taken(tmp_path):
    with (DBT_PROJECT / "seeds" / "reference" / "rule_facility_places.csv").open(encoding="utf-8", newline="") as handle:
        places = [row["place_of_service"] for row in csv.DictReader(handle)]
    entries = [{**GOOD, "practice_id": f"p{place}", "place_of_service": place} for place in places]
    assert len(load_practices(written(tmp_path, *entries))) == len(places) > 10


@pytest.mark.parametrize("street", ["12 Matlock Box Canyon Rd", "44 Campo Box St"])
def test_a_street_whose_name_ends_as_a_post_box_begins_is_none(street):
    assert Practice.model_validate({**GOOD, "address": {**GOOD["address"], "line1": street}}).address.line1 == street


def test_what_a_packet_froze_is_read_as_it_was_taken_then():
    then = {
        **GOOD,
        "name": "\u674e",
        "place_of_service": "97",
        "tax_id": "000000000",
        "address": {**GOOD["address"], "line1": "PO Box 12"},
    }
    assert Practice.model_validate(then, context=FROZEN).address.line1 == "PO Box 12"


def test_a_name_with_a_letter_that_a_claim_file_can_write_is_taken(tmp_path):
    for name in ("\u674e\u6c0f Clinic", "\u00d8", "\u00c9t\u00e9", "24/7"):
        assert load_practices(written(tmp_path, {**GOOD, "name": name}))["lakeside"].name == name


def test_an_entry_that_is_no_practice_is_refused_without_a_key(tmp_path):
    path = written(tmp_path, GOOD, "lakeside")
    with pytest.raises(HouseError) as refused:
        load_practices(path)
    assert str(refused.value).startswith(f"{path}: practice number 2: ")


def test_a_receiver_and_a_payer_that_are_taken_are_written_as_they_stand(tmp_path):
    for one in ("06102", "zz", "Acme & Sons-1/2", "X" * 15, "!\"&'()+,-./;?="):
        practice = load_practices(
            written(tmp_path, {**GOOD, "receiver": {"id": one, "name": "N"}, "payer": {"id": one, "name": "N"}})
        )
        assert (practice["lakeside"].receiver.id, practice["lakeside"].payer.id) == (one, one)
        assert plain(one) == one.upper()


def test_a_missing_key_two_of_one_id_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(HouseError, match=r"payer: is missing"):
        load_practices(written(tmp_path, {key: value for key, value in GOOD.items() if key != "payer"}))
    with pytest.raises(HouseError, match="key practices: practice_id Lakeside stands twice"):
        load_practices(written(tmp_path, GOOD, {**GOOD, "practice_id": "Lakeside"}))
    with pytest.raises(HouseError, match=r"there is no practices\.yaml"):
        load_practices(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    "text", ["", "# nothing yet\n", "practices:\n", "practices: []\n", "- practice_id: lakeside\n", "lakeside\n"]
)
def test_a_file_without_practices_is_told_what_is_missing_and_what_to_do(tmp_path, text):
    path = tmp_path / "practices.yaml"
    path.write_text(text)
    with pytest.raises(HouseError) as refused:
        load_practices(path)
    assert str(refused.value).startswith(f"{path}: has no practice; write `practices:` and below it ")


def test_broken_yaml_is_refused_with_its_line(tmp_path):
    path = tmp_path / "practices.yaml"
    path.write_text("practices:\n  - practice_id: 'open\n")
    with pytest.raises(HouseError, match=r"line \d+, column \d+"):
        load_practices(path)


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("attestations: {access_24_7: 2026-02-30}", "attestations.access_24_7"),
        ("attestations: {access_24_7: 2026-13-01}", "attestations.access_24_7"),
        ("attestations: {access_24_7: 2026-01-01 25:00:00}", "attestations.access_24_7"),
        ("mappings: {stays: {2026-02-30: other}}", "mappings.stays.2026-02-30"),
        ("close: {first_day: !!int x}", "close.first_day"),
        ("close: {first_day: 0x_}", "close.first_day"),
        ("qualifying_apm_participant: !!bool perhaps", "qualifying_apm_participant"),
    ],
)
def test_a_date_or_number_that_is_none_is_refused_with_file_practice_and_key(tmp_path, lines, key):
    path = written(tmp_path, GOOD)
    path.write_text(path.read_text() + f"  {lines}\n")
    with pytest.raises(HouseError) as refused:
        load_practices(path)
    assert str(refused.value).startswith(f"{path}: practice lakeside, key {key}: ")


def test_dates_times_and_numbers_that_are_some_are_read_as_before(tmp_path):
    path = written(tmp_path, GOOD)
    path.write_text(
        path.read_text()
        + "  attestations: {access_24_7: 2026-02-28}\n  operations: {extracts_due: 06:00}\n  charges: {'99490': 99999999.99, '99491': 95.1}\n"
        + "  mappings: {stays: {2026-02-28: other}}\n  close: {first_day: 5}\n  qualifying_apm_participant: yes\n"
    )
    practice = load_practices(path)["lakeside"]
    assert practice.attestations == {"access_24_7": date(2026, 2, 28)} and practice.operations.extracts_due == "06:00"
    assert practice.charges == {"99490": Decimal("99999999.99"), "99491": Decimal("95.10")}
    assert practice.mappings == {"stays": {date(2026, 2, 28): "other"}}
    assert practice.close.first_day == 5 and practice.qualifying_apm_participant is True
    path.write_text(path.read_text().replace("extracts_due: 06:00", "extracts_due: 16:00"))  # minutes, as YAML reads it
    with pytest.raises(HouseError, match=r"operations\.extracts_due: must be quoted"):
        load_practices(path)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        *(
            (f"close: {{final_day: {wrong}}}", "close.final_day")
            for wrong in ("010", "0b11", "0x0F", "1_5", "0:15", "yes", "true", "15.0", "1.5e+1", "1e1", "'010'", "'1_5'", "'１５'")
        ),
        *(
            (f"charges: {{'99490': {wrong}}}", "charges")
            for wrong in ("95_00", "1:30", "1:30.5", "0x5F", "'1_000'", "'９５'", "১২", ".inf", "010", "1e2", "1.1e+2", "'1e2'")
        ),
        ("operations: {due_days_after: no}", "operations.due_days_after"),
        ("operations: {quiet_minutes: 1:30}", "operations.quiet_minutes"),
        ("claim_file: {claims_per_transaction: 0100}", "claim_file.claims_per_transaction"),
        ("first_control_number: 0500", "first_control_number"),
        ("first_control_number: 1000.0", "first_control_number"),
    ],
)
def test_a_number_that_yaml_or_python_reads_as_another_than_its_digits_say_is_refused(tmp_path, line, key):
    path = written(tmp_path, GOOD)
    path.write_text(path.read_text() + f"  {line}\n")
    with pytest.raises(HouseError) as refused:
        load_practices(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: practice lakeside, key {key}: ") and "plain number" in message


def test_a_number_in_plain_digits_is_read_however_it_stands(tmp_path):
    path = written(tmp_path, GOOD)
    whole = path.read_text()
    for text, days in (("{first_day: 03, final_day: 08}", (3, 8)), ("{first_day: '5', final_day: +9}", (5, 9))):
        path.write_text(whole + f"  close: {text}\n")
        close = load_practices(path)["lakeside"].close
        assert (close.first_day, close.final_day) == days
    for fee in ("95", "95.", "095", "+95.0", "'95.00'", "' 95 '", "!!float 95"):
        path.write_text(whole + f"  charges: {{'99490': {fee}}}\n")
        assert load_practices(path)["lakeside"].charges == {"99490": Decimal("95.00")}, fee
    path.write_text(whole.replace("mac: '06102'", "mac: 06102"))
    with pytest.raises(HouseError, match=r"key mac: must be quoted text"):
        load_practices(path)


def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path):
    path = written(tmp_path, GOOD, {**GOOD, "practice_id": "hillside"})
    whole = path.read_text()
    assert load_practices(path).keys() == {"lakeside", "hillside"}
    first, _, second = whole.rpartition("- ")
    path.write_text(f"{first}  {second}")  # two whole entries, the second without its dash
    with pytest.raises(HouseError) as refused:
        load_practices(path)
    line = first.count("\n") + 1
    assert str(refused.value) == f"{path}, line {line}: 'address' stands twice; keep one; another practice begins with '- '"
    path.write_text(whole + "  npi: '1245319599'\n")
    with pytest.raises(HouseError, match=rf", line {whole.count(chr(10)) + 1}: 'npi' stands twice"):
        load_practices(path)
    path.write_text(whole.replace("city:", "state: IL\n    city:", 1))
    with pytest.raises(HouseError, match="'state' stands twice"):
        load_practices(path)
    path.write_text(whole + "practices: []\n")
    with pytest.raises(HouseError, match="'practices' stands twice"):
        load_practices(path)


def test_what_an_entry_takes_over_from_another_does_not_stand_twice(tmp_path):
    path = tmp_path / "practices.yaml"
    path.write_text(
        "practices:\n- &first "
        + json.dumps(GOOD)
        + "\n- <<: *first\n  practice_id: hillside\n- {<<: *first, practice_id: valley}\n"
    )
    assert [practice.name for practice in load_practices(path).values()] == [GOOD["name"]] * 3


def test_an_unchanged_file_is_read_once_and_a_changed_one_anew(tmp_path):
    path = written(tmp_path, GOOD)
    first = load_practices(path)
    assert load_practices(path)["lakeside"] is first["lakeside"]
    assert load_practices(path) is not first  # whoever takes one out leaves the others' as they were
    written(tmp_path, {**GOOD, "phone": "2175550199"})
    assert load_practices(path)["lakeside"].phone == "2175550199"
    written(tmp_path, {**GOOD, "npi": "1234567890"})
    for _ in range(2):  # what is refused is refused again
        with pytest.raises(HouseError, match="Luhn"):
            load_practices(path)


def test_npi_check_digits():
    assert is_valid_npi("1234567893") and is_valid_npi("1245319599")
    assert not is_valid_npi("1234567890") and not is_valid_npi("123456789") and not is_valid_npi("9234567893")


def test_the_month_after_december_is_january():
    assert next_month(date(2026, 12, 15)) == date(2027, 1, 1)


def test_a_column_that_no_setting_of_a_practice_is_called_is_an_error(tmp_path, monkeypatch):
    practices = load_practices(written(tmp_path, GOOD))
    monkeypatch.setattr(configuration, "PRACTICES", configuration.PRACTICES.append(pa.field("track_polcy", pa.string())))
    with pytest.raises(AttributeError, match="track_polcy"):
        configuration_tables(practices, "", Closes())
