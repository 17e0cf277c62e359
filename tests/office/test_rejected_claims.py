"""What a claim that the payer turned back asks for, also where the practice's own system lists it as a service of the month."""

from __future__ import annotations

from datetime import date

import pytest

from orchestration.transform import compiled
from tests.holds.bench import build, rows
from tests.holds.clinic import Clinic, configure

pytestmark = pytest.mark.xdist_group("holds")

CLAIMS = """
    create table intermediate.int_claims__history as
    select 'alpha' as practice_id, patient_id, date '2026-10-01' as month, 'C-' || patient_id as claim_id, 1 as close_version, 'rejected' as status,
        97.22 as billed_amount, 0.00 as paid_amount, cast([] as varchar[]) as denial_codes, cast([] as varchar[]) as remark_codes,
        ['A7:164'] as rejection_codes, date '2026-11-04' as claimed_on, date '2026-11-08' as answered_on, cast(null as varchar) as check_number, 0 as reversals
    from (values ('1-P01'), ('1-P02')) as patients (patient_id)
"""
ITEMS = """
    select items.*, chosen.allowed_amount, decisions.decision, decisions.reason
    from marts.worklist as items
    inner join marts.patient_month_decisions as decisions using (practice_id, patient_id, month)
    inner join intermediate.int_tracks__chosen as chosen using (practice_id, patient_id, month)
    where items.kind in ('rejected_claim', 'late_claim') and chosen.scenario = 'actual'
    order by items.patient_id
"""


def test_a_rejected_claim_that_the_practices_own_system_lists_stays_on_the_work_list_and_says_what_bars_another(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=2)
    configure(home, [clinic])
    (visit, *_) = visits = clinic.visits()
    listed = {**visit, "service_id": "OWN", "procedure_code": "99490", "service_date": "2026-10-31", "ccm_discussed": ""}
    entries = [*clinic.log(date(2026, 10, 13)), *clinic.log(date(2026, 10, 15))]
    spoil = {"time_entries": lambda _: entries, "services": lambda _: [*visits, listed]}
    for night in (date(2026, 10, 5), date(2026, 11, 10)):
        clinic.land_night(home, night, spoil, as_panel=True)
    with build(home, ()) as con:
        con.execute(CLAIMS)
        compiled.run(con, home, compiled.in_order(("worklist", "patient_month_decisions"), given={"int_claims__history"}))
        barred, free = rows(con, ITEMS)
    assert (barred["decision"], barred["reason"]) == ("not_claimable", "already_claimed") and free["decision"] == "claimable"
    for item in (barred, free):
        assert item["item_id"] == f"rejected_claim:C-{item['patient_id']}" and "again by 2027-10-31" in item["detail"]
        assert item["dollars_at_stake"] == item["allowed_amount"] > 0
    assert "have it taken back there if it is the rejected claim itself. Close the month" in barred["detail"]
    assert "taken back" not in free["detail"]


@pytest.mark.long
def test_a_rejected_claim_of_which_nothing_may_be_billed_by_now_says_why_and_asks_whether_that_is_right(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=2)
    configure(home, [clinic])
    # The visit that made the month billable is gone.
    for night in (date(2026, 10, 5), date(2026, 11, 10)):
        clinic.land_night(home, night, {"time_entries": lambda _: []}, as_panel=True)
    with build(home, ()) as con:
        con.execute(CLAIMS)
        compiled.run(con, home, compiled.in_order(("worklist",), given={"int_claims__history"}))
        items = rows(con, "select patient_id, detail from marts.worklist where kind = 'rejected_claim' order by patient_id")
    assert [item["patient_id"] for item in items] == ["1-P01", "1-P02"]
    assert "nothing may be billed of the month by what is known now (no_initiating_visit: " in items[0]["detail"]
    assert "again by 2027-10-31" in items[0]["detail"]
