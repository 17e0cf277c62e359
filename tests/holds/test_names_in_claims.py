"""A practitioner's name goes out without brackets and dashes, and only where its last name has a letter and is sure; a packet of before comes out as it was."""

from __future__ import annotations

import pytest

from orchestration.close.manners import EVERY_MANNER, Manner
from orchestration.close.rebuild import rebuild

from .bench import build
from .clinic import NEWEST_NIGHT, Clinic, configure, write
from .test_quarantined_facts import MODELS, close, put_packet, table

pytestmark = pytest.mark.xdist_group("holds")


@pytest.mark.parametrize(
    ("name", "now", "before"),
    [
        pytest.param("Jane Doe (MD)", "DOE*JANE", "(MD)*JANE", marks=pytest.mark.long),
        pytest.param("-", None, "-*", marks=pytest.mark.long),
    ],
    ids=["brackets", "no letter"],
)
def test_a_name_is_split_without_what_stands_around_it_and_a_packet_of_before_comes_out_as_it_was(tmp_path, name, now, before):
    home, clinic = tmp_path / "home", Clinic("alpha", 1)
    configure(home, [clinic])
    clinic.land(home)
    team = [{**row, "name": name} if row["member_id"] == clinic.md else row for row in clinic.panel()["care_team"]]
    write(home, "alpha", NEWEST_NIGHT, "care_team", team)
    with build(home, MODELS) as con:
        files, older = close(home, con), close(home, con, manners=EVERY_MANNER - {Manner.NAMES})
    assert f"~NM1*82*1*{before}*".encode() in older["claims.837"] and b'"names"' not in older["manifest.json"]
    if now:
        assert f"~NM1*82*1*{now}*".encode() in files["claims.837"] and b"(MD)" not in files["claims.837"]
    else:
        assert "claims.837" not in files
        assert {row["reason"] for row in table(files["held.csv"])} == {"claim_error"}
        assert all("no letter" in row["detail"] for row in table(files["held.csv"]))
    for folder, packet in (("now", files), ("before", older)):
        made = rebuild(put_packet(packet, tmp_path / folder))
        assert made.is_same, [file for file, (then, new) in made.files.items() if then != new]


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "manner", "before", "told"),
    [
        ("Jane Doe M D", Manner.SURE_NAMES, b"~NM1*82*1*D*JANE*", "the first name in full"),
        ("Jane Doe 2nd", Manner.PLAIN_NAMES, b"~NM1*82*1*2ND*JANE*", "an address or a number"),
    ],
    ids=["a degree in letters", "a number"],
)
def test_a_name_whose_last_is_not_sure_holds_the_claim_and_a_packet_of_before_comes_out_as_it_was(
    tmp_path, name, manner, before, told
):
    home, clinic = tmp_path / "home", Clinic("alpha", 1)
    configure(home, [clinic])
    clinic.land(home)
    team = [{**row, "name": name} if row["member_id"] == clinic.md else row for row in clinic.panel()["care_team"]]
    write(home, "alpha", NEWEST_NIGHT, "care_team", team)
    with build(home, MODELS) as con:
        files, older = close(home, con), close(home, con, manners=EVERY_MANNER - {manner})
    assert before in older["claims.837"] and "claims.837" not in files
    held = table(files["held.csv"])
    assert {row["reason"] for row in held} == {"claim_error"} and all(
        "'Last, First'" in row["detail"] and told in row["detail"] for row in held
    )
    for folder, packet in (("now", files), ("before", older)):
        made = rebuild(put_packet(packet, tmp_path / folder))
        assert made.is_same, [file for file, (then, new) in made.files.items() if then != new]
