"""Receivers differ: what a practice's `claim_file` settings make of a file, and what the close and `ccm scrub` make of a spoilt one."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import pickle
import subprocess
import sys
from datetime import date, timedelta
from itertools import product
from pathlib import Path

import pytest
import yaml
from claim_samples import assert_both_accept, claim, claim_file, line, many_claims, written, x12sdk_claims
from reference_writer import claim_table
from test_x12_scrub import GOOD, MATRIX, ONE, PHI

from orchestration.close.claim_file import _by_claim, _claim_file
from orchestration.close.manners import EVERY_MANNER
from orchestration.close.x12.claim_rules import of_rows, of_this_release
from orchestration.close.x12.scrub import scrub
from orchestration.close.x12.validate import judge
from orchestration.close.x12.writer import write_837p
from orchestration.house import DBT_PROJECT, HouseError
from orchestration.practices import ClaimFileSettings, Practice, load_practices

PRACTICE = {
    "practice_id": "lakeside", "name": "Lakeside", "npi": "1234567893", "tax_id": "123456789", "taxonomy_code": "207Q00000X",
    "address": {"line1": "100 Main St", "city": "Springfield", "state": "IL", "postal_code": "627010001"}, "phone": "2175550100",
    "time_zone": "America/Chicago", "place_of_service": "11", "mac": "06102", "locality": "99", "submitter_id": "LAKESIDE01",
    "receiver": {"id": "06102", "name": "NGS"}, "payer": {"id": "06102", "name": "MEDICARE"},
}  # fmt: skip


def made(settings: dict[str, object] | None, claims: int = 7) -> bytes:
    practice = Practice.model_validate(PRACTICE | ({"claim_file": settings} if settings is not None else {}))
    return write_837p(_claim_file(practice, claim_table(many_claims(claims)), date(2026, 11, 2), 41))


def test_without_settings_a_file_is_a_test_in_one_line_and_says_so():
    text = made(None).decode()
    assert (text[102], text[105], text.count("\n"), text.count("~ST*837*"), text[32:34], text[51:53]) == (
        "T",
        "~",
        0,
        1,
        "ZZ",
        "ZZ",
    )
    assert made(None) == made({})


@pytest.mark.parametrize(
    ("usage", "mark", "breaks", "size", "qualifiers"),
    list(product(("T", "P"), ("~", "|"), (False, True), (3, 5_000), (("ZZ", "ZZ"), ("30", "27")))),
)
def test_every_way_to_wrap_a_file_passes_the_scrub_and_pyx12(usage, mark, breaks, size, qualifiers):
    content = made(
        {
            "usage_indicator": usage, "segment_terminator": mark, "line_breaks": breaks, "claims_per_transaction": size,
            "sender_qualifier": qualifiers[0], "receiver_qualifier": qualifiers[1],
        }
    )  # fmt: skip
    text = content.decode()
    assert judge(content) == []
    assert (text[102], text[105], text[32:34], text[51:53]) == (usage, mark, *qualifiers)
    assert text.count(f"{mark}ST*837*") + text.count(f"{mark}\nST*837*") == (3 if size == 3 else 1)
    assert ("\n" in text) == breaks


def test_a_file_of_many_transactions_is_read_by_all_three_judges():
    content = made({"claims_per_transaction": 2, "usage_indicator": "P"})
    assert assert_both_accept(content) == 7 == x12sdk_claims(content)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"usage_indicator": "X"}, "usage_indicator"),
        ({"segment_terminator": "*"}, "segment_terminator"),
        ({"claims_per_transaction": 5001}, "claims_per_transaction"),
        ({"claims_per_transaction": 0}, "claims_per_transaction"),
        ({"sender_qualifier": 27}, "sender_qualifier"),
        ({"receiver_qualifier": "99"}, "receiver_qualifier"),
        ({"element_separator": "|"}, "element_separator"),
    ],
)
def test_a_setting_that_no_receiver_takes_is_refused_with_file_practice_and_key(tmp_path, settings, key):
    path = tmp_path / "practices.yaml"
    path.write_text(yaml.safe_dump({"practices": [PRACTICE | {"claim_file": settings}]}))
    with pytest.raises(HouseError, match=rf"practices.yaml: practice lakeside, key claim_file.{key}: "):
        load_practices(path)


def test_settings_count_in_the_fingerprint_only_where_there_are_any():
    plain = Practice.model_validate(PRACTICE)
    assert "claim_file" not in plain.canonical_json()
    settings = Practice.model_validate(PRACTICE | {"claim_file": {"usage_indicator": "P"}})
    assert '"usage_indicator":"P"' in settings.canonical_json() and settings.fingerprint() != plain.fingerprint()
    assert Practice.model_validate(json.loads(settings.canonical_json())) == settings
    # Where the numbers begin is said by the packet's own: packets of before there was such a setting are rebuilt as they were.
    for one in (plain, settings):
        assert one.model_copy(update={"first_control_number": 900_000_001}).canonical_json() == one.canonical_json()
    assert set(ClaimFileSettings.model_fields) == {field.name for field in dataclasses.fields(claim_file().envelope)}


@pytest.fixture(scope="module")
def scrubbed_by_command(tmp_path_factory):
    """The 30 spoilt files, judged by one call of `ccm scrub`."""
    folder = tmp_path_factory.mktemp("mutations")
    for name, change, *_ in MATRIX:
        (folder / f"{name[:2]}.837").write_text(change(GOOD))
    (folder / "good.837").write_text(GOOD)
    ccm = Path(sys.executable).with_name("ccm")
    ran = subprocess.run(
        [str(ccm), "scrub", "--json", *map(str, sorted(folder.iterdir()))],
        capture_output=True, text=True, check=False, env={**os.environ, "CCM_HOME": str(folder / "none")},
    )  # fmt: skip
    assert ran.returncode == 1, ran.stderr
    return {Path(path).stem: faults for path, faults in json.loads(ran.stdout).items()}


@pytest.mark.parametrize(("name", "change", "held", "field"), MATRIX, ids=[row[0] for row in MATRIX])
def test_ccm_scrub_and_the_close_catch_each_of_the_thirty_and_hold_that_claim_or_say_that_it_is_the_file(
    scrubbed_by_command, name, change, held, field
):
    faults = scrubbed_by_command[name[:2]]
    named = [fault for fault in faults if fault["claim_id"] == held and fault["field"] == field]
    assert named and all(field in fault["message"] and (held or "") in fault["message"] for fault in named), faults
    assert not any(secret in fault["message"].upper() for fault in faults for secret in PHI)
    if held is None:
        with pytest.raises(HouseError, match="belong to no single claim") as refused:
            _by_claim(judge(change(GOOD)), EVERY_MANNER)
        assert field in str(refused.value)
    else:
        by_claim = _by_claim(judge(change(GOOD)), EVERY_MANNER)
        assert set(by_claim) == {held} and field in by_claim[held]


def test_the_good_file_has_no_fault_by_the_command_either(scrubbed_by_command):
    assert scrubbed_by_command["good"] == [] and len(scrubbed_by_command) == 31


def test_caps_and_tracks_of_the_scrub_are_those_of_the_seeds():
    def seed(name: str) -> list[dict[str, str]]:
        with (DBT_PROJECT / "seeds" / "rules" / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))

    rules, october = of_this_release(), date(2026, 10, 31)
    for row in seed("rule_caps"):
        assert rules.most_units(row["procedure_code"], october) == int(row["max_units"])
    assert rules.base_of("99439", october) == rules.base_of("99490", october) == "99490"
    assert rules.base_of("99489", october) == "99487"
    assert rules.codes == {row["procedure_code"] for row in seed("rule_caps")}


def with_other(bands=None, caps=None):
    """The rules of this release, with other bands or caps."""
    of_bands, levels, of_caps = of_this_release().__reduce__()[1]
    return of_rows(tuple(bands(of_bands)) if bands else of_bands, levels, tuple(caps(of_caps)) if caps else of_caps)


def test_a_code_of_the_bands_that_has_no_cap_is_a_fault_of_its_line_and_no_crash():
    rules = with_other(caps=lambda caps: (cap for cap in caps if cap[0] != "99490"))
    fault, *others = scrub(written(), rules)
    assert (
        {other.rule for other in others} <= {fault.rule}
        and fault.rule == "unit-cap-unknown"
        and "the rules have no cap of 99490" in fault.message
    )


def test_the_base_code_of_a_track_is_that_of_the_months_last_day():
    """A year that replaces a base code (as G2065 was by 99426) leaves the claims of the year before as they were."""

    def replaced(bands):
        for program, track, code, is_base, begins, ends in bands:
            if code != "99490":
                yield program, track, code, is_base, begins, ends
            else:
                yield program, track, code, is_base, begins, date(2026, 12, 31)
                yield program, track, "99990", is_base, date(2027, 1, 1), ends

    rules = with_other(bands=replaced)
    assert [rules.base_of(code, date(2026, 12, 31)) for code in ("99490", "99439")] == ["99490", "99490"]
    assert [rules.base_of(code, date(2027, 1, 31)) for code in ("99990", "99439")] == ["99990", "99990"]
    assert scrub(written(), rules) == []


@pytest.mark.parametrize(
    ("first_day", "is_over"), [(date(2026, 10, 1), True), (date(2026, 10, 31), True), (date(2026, 11, 1), False)]
)
def test_a_cap_is_that_of_the_months_last_day_whenever_the_service_was(first_day, is_over):
    def lower(caps):
        for code, units, begins, ends in caps:
            if code != "99439":
                yield code, units, begins, ends
            else:
                yield code, units, begins, first_day - timedelta(1)
                yield code, 1, first_day, ends

    rules = with_other(caps=lower)
    early = (line("L1", service_date=date(2026, 10, 12)), line("L2", "99439", 2, "105.12", service_date=date(2026, 10, 12)))
    for text in (written(), written(claim(ONE, lines=early))):
        assert scrub(text) == []
        assert {fault.rule for fault in scrub(text, rules)} == ({"unit-cap"} if is_over else set())
    # In a process of its own they are the same: what was found out by them is not found out anew for each file.
    assert pickle.loads(pickle.dumps(rules)) is rules
