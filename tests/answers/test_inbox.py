"""Taking inbox/ in: every content once, nothing lost, nothing half done, whatever lies there."""

from __future__ import annotations

import hashlib
import os
import stat
from decimal import Decimal

import duckdb
import pyarrow.parquet as pq
import pytest

from orchestration.house import PROJECT_ROOT, House, HouseError
from orchestration.payers import inbox
from orchestration.payers.inbox import TABLES, batch_folder, batch_numbers, ledger, original_path, pending, take_in_answers
from orchestration.payers.waiting import waiting
from tests.answers.letters import MARKER, acknowledgment, claim_statuses, file, paid_in_full, remittance

SAMPLES = PROJECT_ROOT.parent / "shared" / "data" / "x12"

PAID = file("835", remittance(paid_in_full("CCM1")))
TAKEN = file("277", claim_statuses("0000000070001", [("CCM1", "A2:20:PR", "WQ")]), number=901)
ACK = file("999", acknowledgment(7, {1: "A"}, "A"), number=902)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "home").prepare()


def put(house: House, **files: str | bytes) -> None:
    for name, text in files.items():
        (house.inbox / name).write_bytes(text.encode("latin-1") if isinstance(text, str) else text)


def rows(house: House, table: str) -> list[dict[str, object]]:
    with duckdb.connect() as con:
        cursor = con.execute(f"select * from read_parquet('{house.lake}/answers/batches/*/{table}.parquet') order by all")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def outcomes(house: House) -> dict[str, str]:
    return {record.file_name: record.outcome for record in ledger(house)}


def test_a_link_is_left_alone_and_named_and_nothing_of_what_it_leads_to_is_kept(house, tmp_path):
    (tmp_path / "elsewhere").write_text("a secret of this machine")
    (house.inbox / "link").symlink_to(tmp_path / "elsewhere")
    taken = take_in_answers(house)
    assert (
        taken and taken.files == [] and taken.notes == ["inbox/link: is a link, not a file; left alone; put the file itself there"]
    )
    put(house, a=PAID)
    taken = take_in_answers(house)
    assert taken and [one.file_name for one in taken.files] == ["a"] and len(taken.notes) == 1
    assert not [path for path in house.lake.rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


def test_a_file_is_taken_in_once_by_its_content_and_its_original_is_kept(house):
    put(house, a=PAID)
    taken = take_in_answers(house)
    assert taken and [one.outcome for one in taken.files] == ["read"]
    sha256 = hashlib.sha256(PAID.encode()).hexdigest()
    assert original_path(house, sha256).read_text() == PAID
    assert take_in_answers(house) is None, "nothing is new"
    put(house, b_copy=PAID)
    os.utime(house.inbox / "a")  # touched, not changed
    again = take_in_answers(house)
    assert {one.file_name: (one.outcome, one.first_file_id) for one in again.files} == {
        "a": ("repeated", 1_000_000), "b_copy": ("repeated", 1_000_000),
    }  # fmt: skip
    assert len(rows(house, "claim_payments")) == 1
    assert sorted(path.name for path in house.inbox.iterdir()) == ["a", "b_copy"], "the inbox is its owner's"


def test_no_name_or_member_id_of_a_patient_goes_past_the_original_and_all_is_for_its_owner_alone(house):
    put(house, a=PAID, b=TAKEN, c=PAID.replace("CLP*CCM1*", f"CLP*{MARKER * 9}*").replace("*95*", f"*{MARKER}*"))
    take_in_answers(house)
    for path in (house.lake / "answers" / "batches").rglob("*.parquet"):
        columns = [set(map(str, values)) for values in pq.read_table(path).to_pydict().values()]
        assert not any(MARKER in text and "claim_id" not in path.stem for column in columns for text in column if len(text) < 60), (
            path
        )
    assert "no amount" in rows(house, "transactions")[-1]["reason"] and MARKER not in str(rows(house, "transactions"))
    for path in (house.lake / "answers").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


BAD = {
    "empty": (b"", "empty"),
    "text": (b"Dear customer, your claims are denied.", "does not begin with ISA"),
    "zip": (b"PK\x03\x04rest", "does not begin with ISA"),
    "cut_in_isa": (PAID[:80].encode(), "cut short"),
    "unpadded_isa": (PAID.replace(" ", "", 8).encode(), "fixed length"),
    "no_transaction": (file("999").encode(), "no transaction"),
    "nul": (b"\x00" * 500, "empty"),
}


@pytest.mark.parametrize(("content", "why"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_quarantined_with_the_reason_and_the_original_kept(house, content, why):
    put(house, bad=content, good=PAID)
    take_in_answers(house)
    (record,) = [record for record in ledger(house) if record.file_name == "bad"]
    assert record.outcome == "quarantined" and why in record.reason
    assert original_path(house, record.sha256).read_bytes() == content
    assert outcomes(house)["good"] == "read" and len(rows(house, "claim_payments")) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text[: text.index("SE*")], "no SE"),
        (lambda text: text.replace("TRN*1*EFT1*", "TRN*1**"), "TRN02"),
        (lambda text: text.replace("BPR*I*91.39", "BPR*I*9x.39"), "BPR02"),
        (lambda text: text.replace("CLP*CCM1*1*170*91.39", "CLP*CCM1*1*170*91.395"), "CLP04 of claim 1"),
        (lambda text: text.replace("CLP*CCM1*", "CLP**"), "CLP01"),
        (lambda text: text.replace("CAS*CO*45*28.87", "CAS*CO*45*1e3"), "CAS03"),
        (lambda text: text.replace("SVC*HC:99490*95*51.85", "SVC*HC:99490*95*99999999999999"), "SVC03 of line 1"),
    ],
)
def test_a_transaction_that_cannot_be_posted_is_quarantined_alone(house, change, why):
    put(house, both=change(PAID) + ACK)
    take_in_answers(house)
    found = {row["kind"]: row for row in rows(house, "transactions")}
    assert found["835"]["outcome"] == "quarantined" and why in found["835"]["reason"]
    assert found["999"]["outcome"] == "read" and rows(house, "claim_payments") == []
    assert len(rows(house, "acknowledgments")) == 2


def test_a_transaction_over_which_the_reader_itself_breaks_is_quarantined_alone_and_its_file_is_named(house, monkeypatch):
    with monkeypatch.context() as patch:
        real = inbox.rows_of

        def breaks(transaction, *given):
            if transaction.set_id == "835":
                raise IndexError(f"list index of {MARKER}")
            return real(transaction, *given)

        patch.setattr(inbox, "rows_of", breaks)
        put(house, both=PAID + ACK, other=TAKEN)
        take_in_answers(house)
    assert [row["outcome"] for row in rows(house, "transactions")] == ["quarantined", "read", "read"]
    assert rows(house, "claim_payments") == [] and len(rows(house, "acknowledgments")) == 2 and rows(house, "claim_statuses")
    told = "IndexError in transaction 1: this is a defect of ccm, not of the file; the details are in .state/ccm-errors.log; "
    assert rows(house, "transactions")[0]["reason"].startswith(told)
    assert {one.file_name: bool(one.reason and one.reason.startswith(told)) for one in ledger(house)} == {
        "both": True,
        "other": False,
    }
    assert waiting(house).unread == 1
    log = (house.state / "ccm-errors.log").read_text()
    assert "inbox/both in transaction 1: IndexError" in log and "in breaks" in log
    assert MARKER not in log + str(rows(house, "transactions")) + str(rows(house, "files"))

    # With the defect mended the same file is taken in again; what was posted of it is repeated (test_posting.py).
    os.utime(house.inbox / "both")
    take_in_answers(house)
    os.utime(house.inbox / "both")
    take_in_answers(house)
    assert [one.outcome for one in ledger(house) if one.file_name == "both"] == ["read", "read", "repeated"]
    assert len(rows(house, "claim_payments")) == 1


def test_a_file_that_cannot_even_be_taken_apart_keeps_no_other_from_being_read(house, monkeypatch):
    real = inbox.take_apart
    monkeypatch.setattr(inbox, "take_apart", lambda content: real(content if b"ST*835" in content else None))
    put(house, a=ACK, b=PAID)
    take_in_answers(house)
    assert outcomes(house) == {"a": "quarantined", "b": "read"}
    assert "AttributeError: this is a defect of ccm" in ledger(house)[0].reason


def test_a_count_of_thousands_of_digits_is_a_wrong_count(house):
    put(house, a=PAID.replace("IEA*1*", f"IEA*{'9' * 5000}*"), b=PAID.replace("GE*1*", "GE*01*"))
    take_in_answers(house)
    assert outcomes(house) == {"a": "read", "b": "read"}
    assert [row["faults"] for row in rows(house, "files")] == [["interchange 1: IEA01 does not count its 1 groups"], []]


SMALL = {
    "wrong SE01": lambda text: text.replace("SE*", "SE*9"),
    "no PER": lambda text: text.replace("PER*BL*EDI DEPT*TE*5555550199~\n", ""),
    "wrong IEA02": lambda text: text.replace("IEA*1*000000900", "IEA*1*000000901"),
    "no IEA": lambda text: text[: text.index("IEA*")],
    "unknown segment": lambda text: text.replace("LX*1~\n", "LX*1~\nZZZ*1~\n"),
    "no LX": lambda text: text.replace("LX*1~\n", ""),
    "no BPR16": lambda text: text.replace("*98765*20261020", ""),
    "unknown guide": lambda text: text.replace("*X*005010X221A1", "*X*005010X999"),
    "blanks between segments": lambda text: text.replace("~\n", "~\r\n \n"),
    "a byte order mark and a trailing control-Z": lambda text: "\xef\xbb\xbf" + text + "\x1a",
}


@pytest.mark.parametrize("change", SMALL.values(), ids=SMALL)
def test_a_payers_small_faults_are_told_and_its_payment_is_read_all_the_same(house, change):
    put(house, a=change(PAID))
    take_in_answers(house)
    (transaction,) = rows(house, "transactions")
    assert transaction["outcome"] == "read"
    (claim,) = rows(house, "claim_payments")
    assert (claim["claim_id"], str(claim["paid_amount"])) == ("CCM1", "91.39")
    lines = rows(house, "service_payments")
    assert [(line["line_id"], line["procedure_code"]) for line in lines] == [("CCM101", "99490"), ("CCM102", "99439")]
    assert len(rows(house, "adjustments")) == 6
    told = [*transaction["faults"], *rows(house, "files")[0]["faults"]]
    assert told or change(PAID).count("\r") or change(PAID).endswith("\x1a")


def test_several_interchanges_of_several_kinds_and_delimiters_in_one_file_are_each_read(house):
    put(house, all=PAID + TAKEN.translate(str.maketrans("*:~", "|>'")) + "\r\n\r\n" + ACK + "Kind regards")
    take_in_answers(house)
    assert [(row["kind"], row["outcome"]) for row in rows(house, "transactions")] == [
        ("835", "read"),
        ("277CA", "read"),
        ("999", "read"),
    ]
    assert rows(house, "claim_statuses")[-1]["claim_id"] == "CCM1"
    assert rows(house, "files")[0]["faults"] == ["12 characters after interchange 3 are no interchange; not read"]


def test_a_file_that_is_still_being_written_is_read_again_when_it_is_whole(house):
    put(house, growing=PAID[:-300])
    take_in_answers(house)
    assert rows(house, "transactions")[0]["outcome"] == "quarantined"
    put(house, growing=PAID)
    take_in_answers(house)
    assert [row["outcome"] for row in rows(house, "transactions")] == ["quarantined", "read"]
    assert len(rows(house, "claim_payments")) == 1


@pytest.mark.parametrize("moment", ["original", "tables", "rename"])
def test_a_crash_at_any_moment_and_a_rerun_give_the_same_bytes_as_a_run_without(house, tmp_path, monkeypatch, moment):
    other = House(tmp_path / "calm").prepare()
    for home in (house, other):
        put(home, a=PAID, b=TAKEN, c=ACK, d="no X12", e=PAID)
        for path in home.inbox.iterdir():
            os.utime(path, (1_700_000_000, 1_700_000_000))
    with monkeypatch.context() as patch:

        def crash(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        if moment == "original":
            real, calls = inbox.write_private, []
            patch.setattr(inbox, "write_private", lambda *given: calls.append(1) or (crash() if len(calls) > 1 else real(*given)))
        elif moment == "tables":
            real_table, written = pq.write_table, []
            patch.setattr(
                pq,
                "write_table",
                lambda *given, **named: written.append(1) or (crash() if len(written) > 14 else real_table(*given, **named)),
            )
        else:
            real_move = inbox.move_into_place
            patch.setattr(
                inbox, "move_into_place", lambda scratch, final: crash() if final.name != "000000" else real_move(scratch, final)
            )
        with pytest.raises(KeyboardInterrupt):
            take_in_answers(house)
    assert [number for number in batch_numbers(house) if number] == []
    take_in_answers(house)
    take_in_answers(other)
    for table in TABLES:
        assert (batch_folder(house, 1) / f"{table}.parquet").read_bytes() == (
            batch_folder(other, 1) / f"{table}.parquet"
        ).read_bytes()
    assert not list((house.lake / "answers").glob(".*"))


def test_what_a_night_killed_at_the_first_empty_batch_left_is_gone_after_the_next_though_nothing_came(house):
    left = house.lake / "answers" / ".000000.4194304.tmp"
    left.mkdir(parents=True)
    (left / "answer_files.parquet").write_bytes(b"half")
    inbox.ensure_tables(house)
    assert sorted(path.name for path in (house.lake / "answers").iterdir()) == ["batches"]


def test_names_with_a_dot_before_them_and_folders_are_what_they_are(house):
    put(house, **{".upload": PAID})
    (house.inbox / "payer" / "october").mkdir(parents=True)
    (house.inbox / "payer" / "october" / "answers.835").write_text(PAID)
    assert [path.name for path in pending(house)] == ["answers.835"]
    take_in_answers(house)
    assert outcomes(house) == {"payer/october/answers.835": "read"}


def test_a_file_too_large_to_hold_is_kept_whole_and_told(house, monkeypatch):
    monkeypatch.setattr(inbox, "MOST_BYTES", len(PAID) - 1)
    put(house, a=PAID, b=ACK)
    take_in_answers(house)
    (record,) = [record for record in ledger(house) if record.file_name == "a"]
    assert record.outcome == "quarantined" and "split it" in record.reason
    assert original_path(house, record.sha256).read_text() == PAID
    assert outcomes(house)["b"] == "read"


def test_a_damaged_batch_is_told_with_its_path(house):
    put(house, a=PAID)
    take_in_answers(house)
    (batch_folder(house, 1) / "files.parquet").write_bytes(b"no parquet")
    with pytest.raises(HouseError, match=r"000001/files.parquet: cannot be read"):
        ledger(house)


# Every 999, 277CA and 835 of the public samples, and what becomes of it: kind, outcome, claims or statuses read, what is told of it.
EXPECTED = {
    "sample_277ca.x12": ("277CA", "read", 3, ""),
    "sample_835.x12": ("835", "read", 1, ""),
    "sample_999_accept.x12": ("999", "read", 2, ""),
    "sample_999_reject.x12": ("999", "read", 2, ""),
    "imsweb/x12_277CA_accepted.txt": ("277CA", "read", 2, "STC (segment 17"),
    "imsweb/x12_999_accepted.txt": ("999", "read", 2, "IEA02"),
    "imsweb/x12_277_x212.txt": ("other", "other", 0, "277 of guide 005010X212"),
    "linuxforhealth/277_005010X212__claim-level-status.277": ("other", "other", 0, "277 of guide 005010X212"),
    "linuxforhealth/277_005010X212__claim-level-status-ncpdp.277": ("other", "other", 0, "277 of guide 005010X212"),
    "linuxforhealth/277_005010X212__information-receiver-level-status.277": ("other", "other", 0, "277 of guide 005010X212"),
    "linuxforhealth/277_005010X212__provider-level-status.277": ("other", "other", 0, "277 of guide 005010X212"),
    "linuxforhealth/835_005010X221A1__cob-contractural-adjustment.835": ("835", "read", 1, "SVC (segment 19"),
    "linuxforhealth/835_005010X221A1__managed-care.835": (
        "835",
        "read",
        2,
        "BPR (segment 2 of its ST), element 16: is no real date",
    ),
    "linuxforhealth/835_005010X221A1__medicare-part-a.835": ("835", "read", 2, "TS3 (segment 11"),
    "linuxforhealth/835_005010X221A1__secondary-payment.835": ("835", "read", 2, "SVC (segment 27"),
    "linuxforhealth/835_005010X221A1__tertiary-payment.835": ("835", "read", 1, "charge less adjustments is not what is paid"),
    "moov/example_5010_835__sample1.txt": ("835", "read", 2, "charge less adjustments is not what is paid"),
    "moov/example_5010_835__sample2.txt": ("835", "read", 1, "charge less adjustments is not what is paid"),
}


@pytest.mark.skipif(not SAMPLES.exists(), reason="the public samples are not beside this checkout")
def test_every_999_277_and_835_of_the_public_samples_is_read_or_told_why_not(house):
    found = {path.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*") if path.is_file() and path.suffix != ".md"}
    assert {name for name in found if "837" not in name and name.split("/")[-1] not in ("x12_complex.txt", "x12_valid.txt")} == set(
        EXPECTED
    )
    for name in EXPECTED:
        target = house.inbox / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((SAMPLES / name).read_bytes())
    take_in_answers(house)
    names = {record.file_id: record for record in ledger(house)}
    counts: dict[int, int] = {}
    for table in ("acknowledgments", "claim_statuses", "claim_payments"):
        for row in rows(house, table):
            counts[row["transaction_id"] // 100_000] = counts.get(row["transaction_id"] // 100_000, 0) + 1
    seen = {}
    for row in rows(house, "transactions"):
        record = names[row["file_id"]]
        told = " | ".join([*record.faults, *row["faults"], row["reason"] or ""])
        before = seen.get(record.file_name, ("", "", 0, ""))[3]
        seen[record.file_name] = (row["kind"], row["outcome"], counts.get(row["file_id"], 0), before + told)
    for name, (kind, outcome, count, told) in EXPECTED.items():
        assert seen[name][:3] == (kind, outcome, count), name
        assert told in seen[name][3], name
        assert told or not seen[name][3].strip(" |"), name
    with duckdb.connect() as con:
        total = con.execute(
            f"select sum(paid_amount) from read_parquet('{house.lake}/answers/batches/*/claim_payments.parquet')"
        ).fetchall()
    by_hand = ("134.54", "34", "450", "495", "138018.40", "11980.33", "912", "310", "187.50", "0", "0", "4000")
    assert total[0][0] == sum(map(Decimal, by_hand)), "CLP04 of every claim of the nine 835s"
