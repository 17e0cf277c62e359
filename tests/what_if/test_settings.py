"""Practices under other settings: judged by the model of practices.yaml, with the practice and the key named."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from orchestration import access
from orchestration.command.explain import explain
from orchestration.command.what_if import what_if_command
from orchestration.house import HouseError
from orchestration.practices import ClaimFileSettings, Practice
from orchestration.what_if.settings import parsed, with_settings
from tests.pipeline.homes import ccm

ENTRY = {
    "practice_id": "lakeside", "name": "Lakeside", "npi": "1234567893", "tax_id": "123456789", "taxonomy_code": "207Q00000X",
    "address": {"line1": "100 Main St", "city": "Springfield", "state": "IL", "postal_code": "627010001"}, "phone": "2175550100",
    "time_zone": "America/Chicago", "place_of_service": "11", "mac": "06102", "locality": "99", "submitter_id": "LAKESIDE01",
    "receiver": {"id": "06102", "name": "NGS MEDICARE"}, "payer": {"id": "06102", "name": "MEDICARE PART B"},
    "charges": {"99490": "95.00"}, "attestations": {"access_24_7": date(2026, 1, 1)},
}  # fmt: skip
PRACTICES = {"lakeside": Practice.model_validate(ENTRY)}


@pytest.fixture(autouse=True)
def recorded():
    """A command that is called here is one of this process, whose record of access would stay open for the tests behind it."""
    yield
    access.finish(0)


def changed(*settings: str) -> Practice:
    return with_settings(PRACTICES, [parsed(setting) for setting in settings])["lakeside"]


def test_without_a_setting_the_practices_are_the_same():
    assert with_settings(PRACTICES, []) == PRACTICES
    assert changed("track_policy=documented", "place_of_service=11") == PRACTICES["lakeside"]


def test_values_are_read_by_the_settings_type():
    practice = changed(
        "track_policy=highest_allowed", "place_of_service=22", "qualifying_apm_participant=true", "close.final_day=25",
        "charges.99439=72.50", "close.standing_approver=null",
    )  # fmt: skip
    assert (practice.track_policy, practice.place_of_service, practice.qualifying_apm_participant) == (
        "highest_allowed",
        "22",
        True,
    )
    assert (practice.close.first_day, practice.close.final_day) == (3, 25)
    assert practice.charges == {"99490": Decimal("95.00"), "99439": Decimal("72.50")}
    assert changed("charges={'99490': 80}").charges == {"99490": Decimal("80.00")}


def test_an_optional_section_that_the_practice_has_not_is_taken_with_its_defaults():
    assert PRACTICES["lakeside"].claim_file is None
    practice = changed("claim_file.usage_indicator=P", "claim_file.line_breaks=true")
    assert practice.claim_file == ClaimFileSettings(usage_indicator="P", line_breaks=True)
    assert changed("operations.nights=weekdays").operations.nights == "weekdays"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("trak_policy=documented", "practice lakeside, key trak_policy: is no known key"),
        ("track_policy=dearest", "practice lakeside, key track_policy: Input should be 'documented' or 'highest_allowed'"),
        ("npi=1234567890", "practice lakeside, key npi: is no NPI"),
        ("close.final_day=99", "practice lakeside, key close.final_day: "),
        ("close.last_day=9", "practice lakeside, key close.last_day: is no known key"),
        ("locality=77", "MAC 06102, state IL, locality 77 is in no GPCI release"),
        ("npi.first=1", "npi is no known setting with parts; docs/settings.md has the keys"),
        ("claim.usage_indicator=P", "claim is no known setting with parts"),
        ("close.standing_approver.name=Ann", "standing_approver is no known setting with parts"),
        ("claim_file.usage_indicator=X", "practice lakeside, key claim_file.usage_indicator: Input should be 'T' or 'P'"),
        ("claim_file.indicator=P", "practice lakeside, key claim_file.indicator: is no known key"),
        ("delivery.profile=west", "practice lakeside, key delivery.url: is missing"),
        ("charges={'99490'", "is not valid YAML"),
        ("charges={'99490': 80, '99490': 90}", "--practice-setting charges: line 1: '99490' stands twice; keep one"),
        ("attestations={access_24_7: 2026-02-30}", "practice lakeside, key attestations.access_24_7: "),
        ("time_zone=America/Denver", "the extracts' local times were read with it"),
        ("practice_id=other", "is no setting"),
        ("documented", "write it as key=value"),
    ],
)
def test_an_unknown_setting_or_a_bad_value_is_refused_by_name(setting, message):
    with pytest.raises(HouseError) as error:
        changed(setting)
    assert str(error.value).startswith("--practice-setting") and message in str(error.value)


@pytest.mark.long
def test_the_command_asks_what_is_other_and_takes_no_month_that_is_none(tmp_path):
    nothing = ccm("what-if", "--month", "2026-10", home=tmp_path)
    assert nothing.code == 1 and "say what is other than it is" in nothing.err
    month = ccm("what-if", "--month", "October", "--track-policy", "documented", home=tmp_path)
    assert month.code == 1 and "write the month as YYYY-MM" in month.err and "Traceback" not in month.err


def test_a_track_policy_that_is_none_is_refused_once_and_by_its_own_option():
    with pytest.raises(HouseError) as refused:
        what_if_command("2026-10", track_policy="highest")
    assert str(refused.value) == "--track-policy 'highest': is none; one of documented, highest_allowed"


def test_a_frozen_version_and_what_stands_now_are_not_asked_for_together():
    with pytest.raises(HouseError, match="--version and --live: "):
        explain("lakeside", "P1", "2026-10", version=1, live=True)
