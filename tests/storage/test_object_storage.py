"""Landing and the lake's batches in object storage: the same marts and packets as on disk, and nothing half written ever counts."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from datetime import UTC, date, datetime, timedelta

import pytest
from jinja2 import Environment, FileSystemLoader

from orchestration import lake_batches, lake_owner, storage
from orchestration.contracts import extract_contracts
from orchestration.engine import connect
from orchestration.house import DBT_PROJECT, PROJECT_ROOT, House, HouseError
from orchestration.operate.backup import backup, restore, snapshots
from orchestration.operate.doctor import examine
from orchestration.operate.drops import drops
from orchestration.practices import load_practices
from orchestration.take_in.lake import take_in
from orchestration.take_in.landing import discover
from orchestration.take_in.ledger import ledger
from tests.one_practice import forget_practice, give_practice
from tests.pipeline.homes import ccm, copy
from tests.pipeline.homes import rows as published_rows
from tests.properties.strategies import write_home
from tests.storage.conftest import SECRET

MACROS = DBT_PROJECT / "macros"

CHICAGO = {"lakeside": "America/Chicago"}


@pytest.mark.long
def test_a_night_in_object_storage_publishes_what_a_lake_on_disk_holds_and_keeps_no_credential(bucket, tmp_path, monkeypatch):
    away = tmp_path / "away"
    write_home(away, seed=8, practices=1, defects=False)
    disk = House(copy(away, tmp_path / "disk"))
    bucket.land(away / "landing")
    shutil.rmtree(away / "landing")
    ran = ccm("nightly", home=away)
    assert ran.code == 0, ran.err + ran.out
    take_in(disk, {name: practice.time_zone for name, practice in load_practices(disk.practices_yaml).items()})
    on_disk = [(one.file_name, one.sha256, one.outcome, one.rows_accepted) for one in ledger(disk)]
    seen = House.at(away)
    assert [(one.file_name, one.sha256, one.outcome, one.rows_accepted) for one in ledger(seen)] == on_disk
    with connect(seen) as con:
        for table in ("patients", "time_entries", "quarantine"):
            rows = [con.execute("from read_parquet(?)", [lake_batches.table(house, 1, table)]).fetchall() for house in (disk, seen)]
            assert rows[0] == rows[1], table
    published = (
        "select (select sum(rows_accepted) from row_accounting) as n, (select count(*) from patient_month_decisions) as months"
    )
    found = published_rows(away, published)[0]
    assert found["n"] == sum(one[3] for one in on_disk) and found["months"] > 0
    # The data is where it was asked for, and only there.
    assert not (away / "lake" / "batches").exists() and not list((away / "landing").iterdir())
    assert not [path for path in (away / ".state" / "landing").rglob("*") if path.is_file()]
    # No credential has been written anywhere: not to dbt's target, the logs, or Dagster's event log.
    for path in away.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    # A home that has forgotten where its lake is says so instead of looking empty.
    monkeypatch.delenv("CCM_LAKE")
    with pytest.raises(HouseError, match="set CCM_LAKE to it"):
        ledger(House.at(away))


@pytest.fixture
def house(bucket, tmp_path):
    return House.at(tmp_path / "home").prepare()


def land(bucket, text="1,2026-02-01\n", night="2026-02-01", practice="lakeside", form="csv"):
    data = f"patient_id,extract_date\n{text}".encode()
    bucket.put(f"drops/{practice}/{night}/patients.{form}", gzip.compress(data) if form == "csv.gz" else data)


def test_a_lake_in_object_storage_without_a_batch_can_be_parsed():
    """As `ccm nightly` finds it on a new installation, whose project nobody has parsed before."""
    for batches, files in (("", []), ("0-1,3-3", ["000000", "000001", "000003"])):
        environment = Environment(loader=FileSystemLoader(MACROS), extensions=["jinja2.ext.do"])
        given = {"CCM_LAKE_PREFIX": "s3://bucket/lake/batches", "CCM_LAKE_BATCHES": batches}
        environment.globals["env_var"] = lambda name, default="", given=given: given.get(name, default)
        said = environment.get_template("lake.sql").module.batches_of("patients")
        assert re.findall(r"batches/(\d+)/patients", said) == files and said.strip().startswith("[")


@pytest.mark.long
def test_what_is_as_it_was_is_not_fetched_again_and_a_changed_object_is_a_new_version(bucket, house, monkeypatch):
    land(bucket)
    land(bucket, night="2026-02-02", form="csv.gz")
    report = take_in(house, CHICAGO)
    assert [record.version for record in report.files] == [1, 1] and all(record.sha256 for record in report.files)
    fetched = []
    whole = storage.chunks
    monkeypatch.setattr(storage, "chunks", lambda one: fetched.append(one.key) or whole(one))
    assert take_in(house, CHICAGO) is None and not [key for key in fetched if key.startswith("drops/")]
    # Nor are the same bytes put again: their ETag is the same. Other bytes are a new version.
    bucket.put("drops/lakeside/2026-02-02/patients.csv.gz", bucket.get("drops/lakeside/2026-02-02/patients.csv.gz"))
    assert take_in(house, CHICAGO) is None
    land(bucket, text="2,2026-02-01\n")
    report = take_in(house, CHICAGO)
    assert [(record.version, record.file_name) for record in report.files] == [(2, "lakeside/2026-02-01/patients.csv")]
    assert {key for key in fetched if key.startswith("drops/")} == {"drops/lakeside/2026-02-01/patients.csv"}


def test_a_writer_killed_before_the_ledger_leaves_nothing_that_counts_and_the_next_night_sweeps_it(bucket, house, monkeypatch):
    land(bucket)
    take_in(house, CHICAGO)
    land(bucket, night="2026-02-02")

    def killed(*arguments, **settings):
        raise KeyboardInterrupt

    client = storage._client()
    put = client.put_object
    with monkeypatch.context() as patch:
        patch.setattr(client, "put_object", lambda **given: killed() if given["Key"].endswith("files.parquet") else put(**given))
        with pytest.raises(KeyboardInterrupt):
            take_in(house, CHICAGO)
    left = bucket.names("clinic/lake/batches/000002/")
    assert left and not any(name.endswith("files.parquet") for name in left)
    assert lake_batches.batch_numbers(house) == [0, 1] and len(ledger(house)) == 1
    bucket.put("clinic/lake/batches/000007/patients.parquet", b"left by a writer of old")
    report = take_in(house, CHICAGO)
    assert report.batch == 2 and lake_batches.batch_numbers(house) == [0, 1, 2]
    assert not bucket.names("clinic/lake/batches/000007/")


def test_one_practices_unreadable_object_or_prefix_stops_only_that_practice(bucket, house, monkeypatch):
    from botocore.exceptions import ClientError

    land(bucket)
    land(bucket, practice="hillside")
    land(bucket, practice="farside")
    client = storage._client()
    get, pages = client.get_object, client.get_paginator

    def denied(name):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": SECRET}}, name)

    class Pages:
        def paginate(self, **given):
            return denied("ListObjectsV2") if "/farside/" in given["Prefix"] else pages("list_objects_v2").paginate(**given)

    with monkeypatch.context() as patch:
        patch.setattr(client, "get_object", lambda **given: denied("GetObject") if "/hillside/" in given["Key"] else get(**given))
        patch.setattr(client, "get_paginator", lambda name: Pages())
        report = take_in(house, CHICAGO | {"hillside": "America/Chicago", "farside": "America/Chicago"})
    said = {record.practice_id: record.reason for record in report.files}
    assert said.keys() == {"lakeside", "hillside"} and "AccessDenied" in said["hillside"]
    assert any("farside: cannot be listed" in note for note in report.notes)
    assert SECRET not in f"{said}{report.notes}"
    # Once it may be read it is taken in, though nothing of the object has changed.
    report = take_in(house, CHICAGO | {"hillside": "America/Chicago", "farside": "America/Chicago"})
    assert {record.practice_id: record.version for record in report.files} == {"farside": 1, "hillside": 2}


@pytest.mark.parametrize("cuts", [2, 3])
def test_a_transfer_that_breaks_off_is_tried_again_and_then_told_as_the_networks_and_taken_in_by_the_next_run(
    bucket, house, monkeypatch, cuts
):
    from botocore.exceptions import IncompleteReadError

    land(bucket)
    client = storage._client()
    get, asked = client.get_object, []

    def cut(**given):
        if given["Key"].startswith("drops/"):
            asked.append(given["Key"])
        if not given["Key"].startswith("drops/") or len(asked) > cuts:
            return get(**given)

        class Body:
            def iter_chunks(self, size):
                yield b"patient_id,"
                raise IncompleteReadError(actual_bytes=11, expected_bytes=99)

        return {"Body": Body()}

    monkeypatch.setattr(client, "get_object", cut)
    [record] = take_in(house, CHICAGO).files
    assert len(asked) == 3 and list((house.state / "landing").rglob("*.csv")) == []
    if cuts == 2:
        assert record.sha256 is not None and "cannot be fetched" not in (record.reason or "")
        return
    assert record.outcome == "rejected" and record.sha256 is None
    assert "the connection broke off" in record.reason and "check the network" in record.reason and "right" not in record.reason
    [record] = take_in(house, CHICAGO).files  # the object is as it was, and is asked for all the same
    assert record.version == 2 and record.sha256 is not None


def test_an_object_beside_the_nights_is_left_alone_and_named(bucket, house):
    land(bucket)
    for name in ("patients.csv", "2026-02-01/notes.txt", "1999-02-01/patients.csv", "2026-02-01/_SUCCESS", "2026-02-01/", ".keep"):
        bucket.put(f"drops/lakeside/{name}", b"x")
    notes: list[str] = []
    assert [one.file_name for one in discover(house, CHICAGO, notes=notes)] == ["lakeside/2026-02-01/patients.csv"]
    assert sorted(note.split(":")[0] for note in notes) == [
        "landing/lakeside/1999-02-01/patients.csv",
        "landing/lakeside/2026-02-01/notes.txt",
        "landing/lakeside/patients.csv",
    ]


def test_a_drop_in_object_storage_is_complete_when_it_is_marked_or_quiet(bucket, tmp_path, monkeypatch):
    write_home(tmp_path / "home", seed=8, practices=2, defects=False)
    home = House.at(tmp_path / "home")
    practices = load_practices(home.practices_yaml)
    first, second = sorted(practices)
    now = datetime.now(UTC)
    for name in practices:
        land(bucket, practice=name, night=f"{now:%Y-%m-%d}")

    def seen(after: timedelta = timedelta()):
        found = drops(home, practices, now + after)
        return found.practice_ids, list(found.still)

    assert seen() == ([], [first, second])
    assert seen(timedelta(minutes=practices[first].operations.quiet_minutes + 1)) == ([first, second], [])
    bucket.put(f"drops/{first}/{now:%Y-%m-%d}/_SUCCESS", b"")
    assert seen() == ([first], [second])
    # A night that may not be listed any more is its own practice's trouble.
    whole = storage.listed

    def denied(place, below, after=None):
        if below.startswith(f"{second}/") and below != f"{second}/":
            raise storage.StorageError(place.url(below), "AccessDenied")
        return whole(place, below, after)

    monkeypatch.setattr("orchestration.operate.drops.listed", denied)
    assert seen(timedelta(minutes=practices[first].operations.quiet_minutes + 1)) == ([first], [second])


def test_a_landing_in_object_storage_is_not_tidied_from_here_and_what_else_may_go_goes(bucket, tmp_path):
    home = tmp_path / "home"
    write_home(home, seed=8, practices=1, defects=False)
    ran = ccm("tidy", "--landing", "60", home=home)
    assert ran.code == 1 and "lifecycle rule" in ran.err
    # What deploy/systemd/ccm-tidy.service asks for, of a home with deploy/ccm.env.example's bucket.
    made = [backup(House.at(home), tmp_path / "backups", datetime(2026, 11, day, tzinfo=UTC)).folder for day in (1, 2)]
    asked = ("tidy", "--runs", "400", "--landing", "400", "--backups", str(tmp_path / "backups"), "--keep-backups", "1")
    ran = ccm(*asked, "--json", home=home)
    assert ran.code == 0 and "lifecycle rule" in ran.err and snapshots(tmp_path / "backups") == made[1:]
    assert json.loads(ran.out)["backups"] == 1 and "lifecycle rule" in json.loads(ran.out)["left"]


def test_an_object_that_changes_while_it_is_read_is_left_to_the_next_night(bucket, house, monkeypatch):
    land(bucket)
    listing = discover(house, CHICAGO)
    land(bucket, text="2,2026-02-01\n")
    monkeypatch.setattr("orchestration.take_in.lake.discover", lambda *given, **more: listing)
    assert take_in(house, CHICAGO) is None and lake_batches.batch_numbers(house) == [0]
    monkeypatch.undo()


@pytest.mark.long
def test_a_forgotten_practice_is_in_no_object(bucket, house):
    land(bucket)
    land(bucket, practice="hillside")
    take_in(house, CHICAGO | {"hillside": "America/Chicago"})
    assert forget_practice(house, "hillside")["files"] == 1
    assert {record.practice_id for record in ledger(house)} == {"lakeside"}


def test_an_encrypted_lake_leaves_the_machine_encrypted_and_its_ledger_open(bucket, house, monkeypatch, tmp_path):
    monkeypatch.setenv("CCM_ENCRYPTION_KEY", "k" * 40)
    land(bucket)
    take_in(house, CHICAGO)
    assert bucket.get("clinic/lake/batches/000001/patients.parquet")[:4] == b"PARE"
    assert bucket.get("clinic/lake/batches/000001/files.parquet")[:4] == b"PAR1"
    assert give_practice(house, "lakeside", tmp_path / "given")["files"] == 1
    monkeypatch.setenv("CCM_ENCRYPTION_KEY", "z" * 40)
    with pytest.raises(HouseError, match="does not open with the key"):
        take_in(house, CHICAGO)
    monkeypatch.delenv("CCM_ENCRYPTION_KEY")
    with pytest.raises(HouseError, match="is encrypted"):
        take_in(house, CHICAGO)


def test_a_second_home_cannot_write_the_same_lake(bucket, house, tmp_path):
    land(bucket)
    take_in(house, CHICAGO)
    with pytest.raises(HouseError, match="is the lake of another home"):
        take_in(House.at(tmp_path / "other").prepare(), CHICAGO)


@pytest.fixture
def restored(bucket, house, tmp_path):
    """A home with a night in object storage, and a snapshot of it."""
    house.practices_yaml.write_text("practices: []\n")
    land(bucket)
    take_in(house, CHICAGO)
    return backup(house, tmp_path / "backups").folder


@pytest.mark.long
def test_a_restored_home_writes_nothing_to_the_lake_of_the_home_that_it_was(bucket, house, restored, tmp_path):
    other = tmp_path / "copy"
    ran = ccm("restore", str(restored), home=other)
    assert ran.code == 0 and '"is_owner": true' in ran.err
    copied = House.at(other)
    bucket.put("clinic/lake/batches/000002/patients.parquet", b"production is half way through")
    land(bucket, night="2026-02-02")
    before = {name: bucket.get(name) for name in bucket.names("clinic/lake/")}
    for write in (
        lambda: take_in(copied, CHICAGO),
        lambda: forget_practice(copied, "lakeside"),
        lambda: lake_batches.sweep(copied),
    ):
        with pytest.raises(HouseError, match="is the lake of the home that this one was restored from"):
            write()
    assert {name: bucket.get(name) for name in bucket.names("clinic/lake/")} == before
    # What it holds can be asked, and the home that it was goes on.
    assert [one.extract_date for one in ledger(copied)] == [date(2026, 2, 1)]
    assert [one.state for one in examine(copied) if one.question == "lake"] == ["bad"]
    assert take_in(house, CHICAGO) is not None


@pytest.mark.long
def test_a_restored_home_goes_on_with_the_lake_when_told_to_take_it_over(bucket, house, restored, tmp_path):
    shutil.rmtree(house.root)
    ran = ccm("restore", str(restored), "--take-over-lake", home=house.root)
    assert ran.code == 0 and "is_owner" not in ran.err
    land(bucket, night="2026-02-02")
    assert [one.extract_date for one in take_in(house, CHICAGO).files] == [date(2026, 2, 2)]
    # A snapshot of a copy may be taken over as well, and one of an owner makes a copy again.
    copied = House.at(tmp_path / "copy")
    restore(backup(house, tmp_path / "later").folder, copied)
    again = House.at(tmp_path / "again")
    restore(backup(copied, tmp_path / "latest").folder, again, takes_over_lake=True)
    assert lake_owner.not_ours(copied) and lake_owner.not_ours(again) is None


def test_a_copy_has_a_lake_of_its_own_as_the_page_says(bucket, house, restored, tmp_path, monkeypatch):
    copied = House.at(tmp_path / "copy")
    restore(restored, copied)
    for name in bucket.names("clinic/lake/batches/"):
        path = copied.lake / name.removeprefix("clinic/lake/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bucket.get(name))
    (copied.lake / "where.json").unlink()
    monkeypatch.delenv("CCM_LAKE")
    before = bucket.names("clinic/lake/")
    own = House.at(copied.root)
    land(bucket, night="2026-02-02")
    assert [one.extract_date for one in take_in(own, CHICAGO).files] == [date(2026, 2, 2)]
    assert lake_batches.batch_numbers(own) == [0, 1, 2] and bucket.names("clinic/lake/") == before


@pytest.mark.long
def test_a_missing_bucket_and_a_key_that_is_not_known_are_named_with_what_to_do_and_no_secret(
    bucket, tmp_path, monkeypatch, server
):
    home = tmp_path / "home"
    write_home(home, seed=8, practices=1, defects=False)
    with monkeypatch.context() as patch:
        patch.setenv("CCM_LANDING", "s3://no-such-bucket-here/drops")
        ran = ccm("nightly", home=home)
    assert ran.code != 0 and "there is no such bucket; make it, or correct the URL" in ran.err and "Traceback" not in ran.err
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        ran = ccm("nightly", home=home)
    assert ran.code != 0 and "cannot be reached; check AWS_ENDPOINT_URL_S3" in ran.err
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", "127.0.0.1:9000")
        ran = ccm("nightly", home=home)
    assert ran.code != 0 and "AWS_ENDPOINT_URL_S3 is no address; write it like https://host:port" in ran.err
    with monkeypatch.context() as patch:
        import requests

        requests.post(f"{server}/moto-api/reset-auth", data="0", timeout=10).raise_for_status()
        try:
            ran = ccm("nightly", home=home)
        finally:
            requests.post(f"{server}/moto-api/reset-auth", data="inf", timeout=10).raise_for_status()
    assert ran.code != 0 and "the access key is not known there" in ran.err and SECRET not in ran.err + ran.out


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("CCM_LAKE", "/mnt/lake", "names no object storage"),
        ("CCM_LAKE", "s3://bucket/a*b", "is no URL like"),
        ("CCM_LANDING", "drops", "whole path"),
    ],
)
def test_a_setting_that_is_no_place_is_refused(name, value, says, tmp_path, monkeypatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(HouseError, match=says):
        House.at(tmp_path)


def test_landing_may_be_a_folder_on_another_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("CCM_LANDING", f"file://{tmp_path}/other%20disk")
    folder = tmp_path / "other disk" / "lakeside" / "2026-02-01"
    folder.mkdir(parents=True)
    (folder / "patients.csv").write_text("patient_id\n1\n")
    assert [one.extract_date for one in discover(House.at(tmp_path / "home"), CHICAGO)] == [date(2026, 2, 1)]


def test_the_page_counts_a_batchs_objects_as_they_are():
    objects = len(extract_contracts()) + 3  # and the ledger, the quarantine and the keys of its rows
    page = (PROJECT_ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
    assert re.findall(r"(\d+)\s+objects[);]", page) == [str(objects)] * 2
