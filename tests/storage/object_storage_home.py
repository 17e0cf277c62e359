"""`make object-storage`: a home in object storage beside one on disk, from the extracts to the packets: the same marts, the same bytes."""

from __future__ import annotations

import shutil

from tests.faults.harness import content, with_claims
from tests.pipeline.homes import ccm, copy


def test_a_home_in_object_storage_gives_the_marts_and_packets_of_one_on_disk(bucket, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.delenv("CCM_LANDING")
        patch.delenv("CCM_LAKE")
        landed, disk, month = with_claims(tmp_path, seed=8, practices=2)
        close = ("close", "--month", month, "--approved-by", "Ann Lee")
        assert ccm(*close, home=disk).code in (0, 3)
    away = copy(landed, tmp_path / "away")
    bucket.land(away / "landing")
    shutil.rmtree(away / "landing")
    for command in (("nightly",), close):
        ran = ccm(*command, home=away)
        assert ran.code in (0, 3), ran.err + ran.out
    expected, found = content(disk), content(away)
    assert any(name.endswith("claims.837") for name in expected) and "patient_month_decisions" in compared(expected)
    assert {name: expected[name] for name in compared(expected)} == {name: found[name] for name in compared(found)}


def compared(found: dict[str, object]) -> list[str]:
    """What both homes must have alike: marts and packets; when it was approved is the clock's."""
    return sorted(
        name for name in found if not name.startswith(("lake/", ".state", "landing")) and not name.endswith("approval.json")
    )
