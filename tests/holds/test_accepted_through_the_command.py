"""From the refused close to the accepted one, as the office does it: `ccm nightly`, `ccm close`, `ccm accept`, `ccm close`."""

from __future__ import annotations

import csv
import json
from datetime import timedelta

import pytest

from tests.pipeline.homes import ccm, rows

from .clinic import NEWEST_NIGHT, Clinic, configure, write

pytestmark = pytest.mark.xdist_group("holds")

CLOSE = ("close", "--month", "2026-10", "--approved-by", "Ann Lee", "--json")


def column(path, name):
    with path.open() as handle:
        return {row[name] for row in csv.DictReader(handle)}


@pytest.mark.long
def test_a_harmful_drift_and_an_unreadable_row_wait_for_a_name_and_a_reason(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1)
    configure(home, [clinic])
    clinic.land(home)
    panel = clinic.panel()
    # The newest night: a stay without a type, and a column of the consents that no longer comes.
    faulty = [{**row, "stay_type": "rehab"} if row["patient_id"] == clinic.id(4) else row for row in panel["stays"]]
    write(home, "alpha", NEWEST_NIGHT, "stays", faulty)
    write(home, "alpha", NEWEST_NIGHT, "consents", panel["consents"], without=("revoked_on",))
    night = ccm("nightly", home=home)
    assert night.code == 0 and "Holds the close" in night.out, night.out + night.err

    refused = ccm(*CLOSE, home=home)
    reasons = json.loads(refused.out)[0]["reasons"]
    assert refused.code == 3 and any("revoked_on" in reason and "ccm accept" in reason for reason in reasons)
    waiting = {(one["table_name"], one["line_number"]) for one in json.loads(ccm("accept", "--list", "--json", home=home).out)}
    assert ("consents", None) in waiting and "stays" in {table for table, _ in waiting}

    said = ("--practice", "alpha", "--night", str(NEWEST_NIGHT), "--by", "R. Roe")
    done = ccm("accept", *said, "--table", "consents", "--reason", "the EHR moved it; nobody revoked", home=home)
    assert done.code == 0, done.err
    closed = json.loads(ccm(*CLOSE, home=home).out)[0]
    assert closed["outcome"] == "closed" and closed["held"] >= 1, closed
    folder = home / "closes" / "alpha" / "2026-10" / "v1"
    with (folder / "held.csv").open() as handle:
        held = {row["patient_id"]: row for row in csv.DictReader(handle)}
    assert held[clinic.id(4)]["reason"] == "quarantined_facts" and "stays" in held[clinic.id(4)]["detail"]
    assert clinic.id(4) not in column(folder / "claims.csv", "patient_id")
    assert json.loads((folder / "manifest.json").read_text())["accepted"]

    # No waiver lets it go; whoever has looked at the row does.
    waived = json.loads(ccm(*CLOSE, "--waive", "we are sure", home=home).out)[0]
    assert clinic.id(4) not in set().union(
        *(column(path, "patient_id") for path in home.glob("closes/alpha/2026-10/v*/claims.csv"))
    ), waived
    done = ccm("accept", *said, "--table", "stays", "--reason", "a day clinic, no stay", home=home)
    assert done.code == 0, done.err
    again = json.loads(ccm(*CLOSE, home=home).out)[0]
    assert again["outcome"] == "closed" and again["claims"] >= 1, again
    assert clinic.id(4) in column(home / "closes" / "alpha" / "2026-10" / f"v{again['version']}" / "claims.csv", "patient_id")
    for version in range(1, again["version"] + 1):
        rebuilt = ccm("rebuild", "--practice", "alpha", "--month", "2026-10", "--version", str(version), home=home)
        assert rebuilt.code == 0, rebuilt.out
    names = [json.loads(line)["by"] for line in (home / "closes" / "alpha" / "acceptances.jsonl").read_text().splitlines()]
    assert names == ["R. Roe"] * len(names) and len(names) >= 2
    assert rows(home, "select count(*) as n from close_holds where not is_accepted")[0]["n"] == 0


@pytest.mark.long
def test_the_claim_of_who_may_be_dead_goes_out_once_a_good_row_says_that_they_live(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=3)
    configure(home, [clinic])
    clinic.land(home)
    dead = [{**row, "deceased_date": "yes"} if row["patient_id"] == clinic.id(2) else row for row in clinic.panel()["patients"]]
    write(home, "alpha", NEWEST_NIGHT, "patients", dead)
    assert ccm("nightly", home=home).code == 0
    first = json.loads(ccm(*CLOSE, home=home).out)[0]
    assert (first["outcome"], first["held"]) == ("closed", 1), first
    folder = home / "closes" / "alpha" / "2026-10"
    assert column(folder / "v1" / "claims.csv", "patient_id") == {clinic.id(1), clinic.id(3)}
    assert column(folder / "v1" / "held.csv", "reason") == {"quarantined_facts"}

    clinic.land_night(home, NEWEST_NIGHT + timedelta(days=1), as_panel=True)
    assert ccm("nightly", home=home).code == 0
    again = json.loads(ccm(*CLOSE, home=home).out)[0]
    assert again["outcome"] == "closed", again
    assert column(folder / "v2" / "claims.csv", "patient_id") == {clinic.id(2)}
    for version in ("1", "2"):
        rebuilt = ccm("rebuild", "--practice", "alpha", "--month", "2026-10", "--version", version, home=home)
        assert rebuilt.code == 0, rebuilt.out
