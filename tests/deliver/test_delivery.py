"""Extracts fetched from servers: complete nights alone, each file once, proved; and one practice's trouble is its own."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import socket
import stat
import zipfile
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncssh
import pytest
import yaml
from botocore.exceptions import ClientError

from orchestration import storage
from orchestration.deliver import archives, fetch, sources
from orchestration.deliver.fetch import deliver, faults
from orchestration.house import House, HouseError
from orchestration.practices import Practice, load_practices, practices_of
from orchestration.settings.operations import Delivery
from orchestration.take_in.lake import take_in
from tests.properties.strategies import write_home
from tests.storage.conftest import bucket, server  # noqa: F401
from tests.take_in.conftest import csv_of, row

from .sftp_server import Server

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NIGHT = "2026-11-23"
STAYS = csv_of("stays", [row("stays")])


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "home").prepare()


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The vendor's folder."""
    folder = tmp_path / "vendor" / "out"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def sftp(there: Path, tmp_path: Path):
    made = Server(there.parent, tmp_path)
    yield made
    made.close()


def put(folder: Path, name: str, content: str | bytes = STAYS, minutes_ago: float = 60) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    stamp = NOW.timestamp() - minutes_ago * 60
    os.utime(path, (stamp, stamp))
    return path


def practice(name: str = "lakeside", url: str = "", mappings: dict[str, str] | None = None, **delivery: object) -> Practice:
    return Practice.model_construct(
        practice_id=name,
        delivery=Delivery.model_validate({"url": url, **delivery}),
        mappings={table: {date.min: one} for table, one in (mappings or {}).items()},
        operations=load_operations(),
        time_zone="America/Chicago",
    )


def load_operations():
    return Practice.model_fields["operations"].get_default(call_default_factory=True)


def over_sftp(at: Server, name: str = "lakeside", **other: object) -> Practice:
    given = {"known_hosts": at.known_hosts, "private_key_file": at.client_key_path, **other}
    return practice(name, f"sftp://clinic@127.0.0.1:{at.port}/out", **{key: value for key, value in given.items() if value})


def fetched(house: House, *practices: Practice):
    return deliver(house, {one.practice_id: one for one in practices}, NOW)


def landed(house: House, name: str = "lakeside") -> list[str]:
    root = house.landing / name
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("by", ["private_key_file", "password_file", "password_env"])
def test_a_complete_night_comes_over_sftp_once_and_is_taken_in(house, sftp, there, by, monkeypatch):
    monkeypatch.setenv("ZQX_PASSWORD", sftp.password)
    other = {"password_file": {"private_key_file": None, "password_file": sftp.password_path},
             "password_env": {"private_key_file": None, "password_env": "ZQX_PASSWORD"}}.get(by, {})  # fmt: skip
    put(there, f"{NIGHT}/stays.csv")
    one = over_sftp(sftp, **other)
    [outcome] = fetched(house, one)
    assert outcome.fault is None and outcome.fetched == (f"{NIGHT}/stays.csv",)
    assert landed(house) == [f"{NIGHT}/_SUCCESS", f"{NIGHT}/stays.csv"]
    kept = json.loads((house.state / "deliveries" / "lakeside.json").read_text())["files"][f"{NIGHT}/stays.csv"]
    assert kept["sha256"] == hashlib.sha256(STAYS.encode()).hexdigest()
    assert fetched(house, one)[0].fetched == ()
    assert [record.outcome for record in take_in(house, {"lakeside": "America/Chicago"}).files] == ["accepted"]
    for path in house.root.rglob("*"):
        assert not path.is_file() or sftp.password.encode() not in path.read_bytes()
    put(there, f"{NIGHT}/stays.csv", STAYS + "\n", minutes_ago=30)
    assert fetched(house, one)[0].fetched == (f"{NIGHT}/stays.csv",)


def test_a_server_with_another_host_key_or_none_known_gets_nothing(house, sftp, there):
    put(there, f"{NIGHT}/stays.csv")
    sftp.trust(asyncssh.generate_private_key("ssh-ed25519"))
    assert "another host key" in fetched(house, over_sftp(sftp))[0].fault
    sftp.known_hosts.write_text("")
    assert "its host key is not in" in fetched(house, over_sftp(sftp))[0].fault
    assert landed(house) == []


def test_a_wrong_password_is_told_without_it(house, sftp, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("zqx-wrong")
    fault = fetched(house, over_sftp(sftp, private_key_file=None, password_file=wrong))[0].fault
    assert "refuses the user or its key" in fault and "zqx" not in fault


def test_one_practices_unreachable_server_stops_no_other_and_is_told_once(house, sftp, there, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = free.getsockname()[1]
    put(there, f"{NIGHT}/stays.csv")
    lost = practice("hilltop", f"sftp://a@127.0.0.1:{nobody}/", known_hosts=sftp.known_hosts, private_key_file=sftp.client_key_path)
    told = []
    monkeypatch.setattr(fetch, "tell", lambda house, practices, notice: told.append((notice.kind, notice.practice_ids)))
    for _ in range(2):
        outcomes = {one.practice_id: one for one in fetched(house, over_sftp(sftp), lost)}
    assert outcomes["lakeside"].fault is None and landed(house) == [f"{NIGHT}/_SUCCESS", f"{NIGHT}/stays.csv"]
    assert "cannot be reached" in outcomes["hilltop"].fault and told == [("delivery_failed", ("hilltop",))]
    assert list(faults(house, {"lakeside": over_sftp(sftp), "hilltop": lost})) == ["hilltop"]


@pytest.mark.parametrize("trouble", ["a name of another encoding", "broke off", "closed", "state"])
def test_whatever_one_practices_server_does_the_others_have_their_files(house, sftp, there, tmp_path, trouble, monkeypatch):
    put(there, f"{NIGHT}/stays.csv")
    put(tmp_path / "other", f"{NIGHT}/stays.csv")
    said = "holds a name that is not UTF-8"
    if trouble == "a name of another encoding":
        (there / os.fsdecode(b"caf\xe9.csv")).write_text("x")
    elif trouble in ("broke off", "closed"):
        entries = sources._Server._entries

        def broken(server, folder):
            if folder.endswith(NIGHT):
                underneath = server.channel.get_channel()
                underneath.close() if trouble == "closed" else underneath.get_transport().sock.close()
            return entries(server, folder)

        monkeypatch.setattr(sources._Server, "_entries", broken)
        said = "broke off"
    else:
        state = house.state / "deliveries" / "lakeside.json"
        state.parent.mkdir()
        state.write_text("{")
        said = "cannot be read; remove it"
    good = practice("hilltop", (tmp_path / "other").as_uri())
    for again in (False, True):
        outcomes = {one.practice_id: one for one in fetched(house, over_sftp(sftp), good)}
        assert outcomes["hilltop"].fetched == (() if again else (f"{NIGHT}/stays.csv",)) and outcomes["hilltop"].fault is None
        assert said in outcomes["lakeside"].fault and landed(house) == []
        found = faults(house, {"lakeside": over_sftp(sftp), "hilltop": good})
        assert list(found) == ["lakeside"] and said in found["lakeside"]


@pytest.mark.parametrize(
    ("key", "content", "what"),
    [
        (
            "known_hosts",
            b"files.vendor.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI\n",
            "a line of it cannot be read (InvalidHostKey)",
        ),
        ("known_hosts", b"# M\xfcller\n", "a line of it cannot be read (UnicodeDecodeError)"),
        ("known_hosts", None, "write the server's host key there"),
        ("private_key_file", None, "make it a file that this user may read"),
        ("known_hosts", "~nobody-zqx/known_hosts", "is no path here"),
        ("private_key_file", "~nobody-zqx/key", "is no path here"),
        ("password_file", "~nobody-zqx/password", "the secret cannot be read"),
        ("passphrase_file", "~nobody-zqx/passphrase", "the secret cannot be read"),
    ],
    ids=[
        "a cut key",
        "another encoding",
        "none",
        "no key",
        "of nobody",
        "key of nobody",
        "password of nobody",
        "passphrase of nobody",
    ],
)
def test_a_setting_that_cannot_be_read_is_named_and_stops_no_other_practice(house, sftp, there, tmp_path, key, content, what):
    put(there, f"{NIGHT}/stays.csv")
    put(tmp_path / "other", f"{NIGHT}/stays.csv")
    path = Path(content) if isinstance(content, str) else tmp_path / "setting"
    if isinstance(content, bytes):
        path.write_bytes(content + sftp.known_hosts.read_bytes())
    good = practice("hilltop", (tmp_path / "other").as_uri())
    outcomes = {one.practice_id: one for one in fetched(house, over_sftp(sftp, **{key: path}), good)}
    assert outcomes["hilltop"].fetched == (f"{NIGHT}/stays.csv",)
    assert f"{path}: " in outcomes["lakeside"].fault and what in outcomes["lakeside"].fault and landed(house) == []


def test_a_key_file_that_holds_something_else_is_no_trouble_of_the_network(house, sftp, tmp_path):
    path = tmp_path / "key.der"
    path.write_bytes(bytes(range(256)))
    assert "the key's form" in fetched(house, over_sftp(sftp, private_key_file=path))[0].fault


def test_a_defect_over_one_practices_delivery_stops_no_other_and_is_told_without_a_value(house, there, tmp_path, monkeypatch):
    put(there, f"{NIGHT}/stays.csv")
    listed = sources._Folder.listed

    def broken(source):
        if source.root == tmp_path:
            raise ZeroDivisionError("z" + "qx")
        return listed(source)

    monkeypatch.setattr(sources._Folder, "listed", broken)
    practices = practice("hilltop", tmp_path.as_uri()), practice(url=there.as_uri())
    outcomes = {one.practice_id: one for one in fetched(house, *practices)}
    assert outcomes["lakeside"].fetched == (f"{NIGHT}/stays.csv",)
    assert "a defect of ccm" in outcomes["hilltop"].fault and tmp_path.as_uri() in outcomes["hilltop"].fault
    kept = (house.state / "ccm-errors.log").read_text()
    assert "ZeroDivisionError" in kept and "zqx" not in outcomes["hilltop"].fault + kept


@pytest.fixture(params=["file", "sftp"])
def source(request, there) -> Practice:
    if request.param == "file":
        return practice(url=there.as_uri(), mappings={"time_entries": "task_timer"})
    made = request.getfixturevalue("sftp")
    return over_sftp(made, mappings={"time_entries": "task_timer"})


def test_a_night_that_is_still_being_dropped_waits_and_a_mark_ends_the_wait(house, source, there):
    put(there, f"{NIGHT}/stays.csv", minutes_ago=3)
    put(there, "2026-11-22/stays.csv", minutes_ago=30)
    [outcome] = fetched(house, source)
    assert outcome.waiting == (NIGHT,) and outcome.fetched == ("2026-11-22/stays.csv",)
    put(there, f"{NIGHT}/_SUCCESS", "", minutes_ago=4)  # older than the file: not of this drop
    assert fetched(house, source)[0].waiting == (NIGHT,)
    put(there, f"{NIGHT}/_SUCCESS", "", minutes_ago=2)
    assert fetched(house, source)[0].fetched == (f"{NIGHT}/stays.csv",)


def test_a_file_with_a_time_ahead_of_our_clock_is_waited_for_from_when_it_was_first_seen(house, source, there):
    put(there, f"{NIGHT}/stays.csv")
    put(there, f"{NIGHT}/care_team.csv", "x", minutes_ago=-10 * 365 * 24 * 60)
    put(there, f"{NIGHT}/_SUCCESS", "", minutes_ago=30)

    def after(minutes):
        return deliver(house, {"lakeside": source}, NOW + timedelta(minutes=minutes))[0]

    assert after(0).waiting == after(14).waiting == (NIGHT,)
    put(there, f"{NIGHT}/care_team.csv", "longer", minutes_ago=-10 * 365 * 24 * 60)  # it is still being written
    assert after(15).waiting == after(29).waiting == (NIGHT,)
    assert after(30).fetched == (f"{NIGHT}/care_team.csv", f"{NIGHT}/stays.csv")
    assert after(31).fetched == ()


def test_a_mark_behind_the_first_sight_of_a_time_ahead_ends_the_wait_and_the_servers_clock_orders_its_own(house, source, there):
    put(there, f"{NIGHT}/stays.csv", minutes_ago=-99)
    assert fetched(house, source)[0].waiting == (NIGHT,)
    put(there, f"{NIGHT}/_SUCCESS", "", minutes_ago=-98)  # by its own clock before the file, by ours not before it
    assert fetched(house, source)[0].waiting == (NIGHT,)
    later = NOW + timedelta(minutes=5)
    put(there, f"{NIGHT}/_SUCCESS", "", minutes_ago=-4)
    assert deliver(house, {"lakeside": source}, later)[0].fetched == (f"{NIGHT}/stays.csv",)
    put(there, "2026-11-22/stays.csv", minutes_ago=-7)
    put(there, "2026-11-22/_SUCCESS", "", minutes_ago=-7)
    assert fetched(house, source)[0].fetched == ("2026-11-22/stays.csv",)


def test_a_vendors_names_beside_the_folders_are_of_the_night_that_they_say(house, source, there):
    put(there, "task_timer_20261123.csv", "x")
    put(there, "readme.txt", "x")
    put(there, f"{NIGHT}/recipes.csv", "x")
    [outcome] = fetched(house, source)
    assert outcome.fetched == (f"{NIGHT}/task_timer_20261123.csv",)
    assert sorted(one.partition(":")[0] for one in outcome.left_alone) == [f"{NIGHT}/recipes.csv", "readme.txt"]


def test_a_file_that_is_not_what_its_checksum_says_is_not_taken(house, source, there):
    path = put(there, f"{NIGHT}/stays.csv")
    put(there, f"{NIGHT}/stays.csv.sha256", f"{'0' * 64}  stays.csv\n")
    assert "its SHA-256 is not the one" in fetched(house, source)[0].fault and landed(house) == []
    put(there, f"{NIGHT}/stays.csv.sha256", f"{hashlib.sha256(path.read_bytes()).hexdigest()}  stays.csv\n")
    assert fetched(house, source)[0].fault is None and f"{NIGHT}/stays.csv" in landed(house)


def test_a_link_is_no_file(house, source, there, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("x")
    (there / NIGHT).mkdir()
    (there / NIGHT / "stays.csv").symlink_to(secret)
    assert fetched(house, source)[0].fetched == ()


def refused(monkeypatch, *, file: str = "\0", folder: str = "\0") -> None:
    """From now on no source gives a file, or lists a folder, whose path has this in it."""
    opened, scanned, served, walked = Path.open, os.scandir, asyncssh.SFTPServer.open, asyncssh.SFTPServer.scandir

    def open_file(path, *given, **named):
        if file in str(path) and "vendor" in path.parts:
            raise PermissionError(13, "Permission denied")
        return opened(path, *given, **named)

    def scandir(path="."):
        if folder in str(path):
            raise PermissionError(13, "Permission denied")
        return scanned(path)

    def serve(self, path, *given):
        if file.encode() in path:
            raise asyncssh.SFTPPermissionDenied("zqx")
        return served(self, path, *given)

    async def walk(self, path):
        if folder.encode() in path:
            raise asyncssh.SFTPPermissionDenied("zqx")
        async for one in walked(self, path):
            yield one

    monkeypatch.setattr(Path, "open", open_file)
    monkeypatch.setattr(sources.os, "scandir", scandir)
    monkeypatch.setattr(asyncssh.SFTPServer, "open", serve)
    monkeypatch.setattr(asyncssh.SFTPServer, "scandir", walk)


def test_a_night_with_a_file_that_may_not_be_read_stays_out_alone_until_it_may(house, source, there, monkeypatch):
    for night in ("2026-11-21", "2026-11-22", NIGHT):
        put(there, f"{night}/stays.csv")
    put(there, "2026-11-21/services.csv")
    with monkeypatch.context() as patch:
        refused(patch, file="2026-11-21/services.csv")
        [outcome] = fetched(house, source)
    assert outcome.fetched == ("2026-11-22/stays.csv", f"{NIGHT}/stays.csv")
    assert "2026-11-21/services.csv: cannot be read" in outcome.fault and "check its rights" in outcome.fault
    assert "zqx" not in outcome.fault and not (house.landing / "lakeside" / "2026-11-21").exists()
    assert fetched(house, source)[0].fetched == ("2026-11-21/services.csv", "2026-11-21/stays.csv")


def test_a_nights_folder_that_may_not_be_listed_keeps_its_night_alone_and_what_lies_beside_it_waits(
    house, source, there, monkeypatch
):
    put(there, "2026-11-22/stays.csv")
    put(there, f"{NIGHT}/stays.csv")
    put(there, "task_timer_20261123.csv", "x")
    with monkeypatch.context() as patch:
        refused(patch, folder=NIGHT)
        [outcome] = fetched(house, source)
    assert outcome.fetched == ("2026-11-22/stays.csv",) and f"{NIGHT}: cannot be listed" in outcome.fault
    assert fetched(house, source)[0].fetched == (f"{NIGHT}/stays.csv", f"{NIGHT}/task_timer_20261123.csv")


def test_folders_that_are_no_nights_are_named_and_never_opened(house, source, there, monkeypatch):
    put(there, f"{NIGHT}/stays.csv")
    for name in ("lost+found", ".ssh", "20261122"):
        (there / name).mkdir()
    with monkeypatch.context() as patch:
        refused(patch, folder="lost+found")
        refused(patch, folder=".ssh")
        [outcome] = fetched(house, source)
    assert outcome.fault is None and outcome.fetched == (f"{NIGHT}/stays.csv",)
    assert outcome.left_alone == tuple(f"{name}: is no folder of a night (YYYY-MM-DD)" for name in ("20261122", "lost+found"))


def test_a_night_that_is_cleared_between_listing_and_reading_stops_no_other_night(house, source, there, monkeypatch):
    put(there, "2026-11-22/stays.csv")
    put(there, f"{NIGHT}/stays.csv")
    listed = sources._Folders.listed

    def cleared(source):
        found = listed(source)
        (there / "2026-11-22" / "stays.csv").unlink()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(sources._Folders, "listed", cleared)
        [outcome] = fetched(house, source)
    assert outcome.fetched == (f"{NIGHT}/stays.csv",) and "2026-11-22/stays.csv: cannot be read" in outcome.fault
    assert fetched(house, source)[0].fault is None


def test_a_file_that_is_renamed_while_its_folder_is_listed_is_no_trouble_of_our_disk(house, there, monkeypatch):
    put(there, f"{NIGHT}/stays.csv")
    part = put(there, f"{NIGHT}/services.csv.part")
    scanned = os.scandir

    @contextmanager
    def scandir(path):
        with scanned(path) as entries:
            found = list(entries)
        if part.exists() and part.parent == path:
            part.rename(part.with_suffix(""))
        yield found

    with monkeypatch.context() as patch:
        patch.setattr(sources.os, "scandir", scandir)
        found = sources._Folder(there).listed()
    assert [one.path for one in found.files] == [f"{NIGHT}/stays.csv"] and not (found.unread or found.left_alone)
    assert fetched(house, practice(url=there.as_uri()))[0].fetched == (f"{NIGHT}/services.csv", f"{NIGHT}/stays.csv")


def test_a_server_that_falls_silent_is_given_up_at_once_and_not_night_by_night(house, sftp, there, monkeypatch):
    import paramiko

    put(there, "2026-11-22/stays.csv")
    put(there, f"{NIGHT}/stays.csv")
    listed, asked = paramiko.SFTPClient.listdir_attr, []

    def silent(client, path="."):
        asked.append(path)
        if path.count("/") > 1:
            raise TimeoutError
        return listed(client, path)

    monkeypatch.setattr(paramiko.SFTPClient, "listdir_attr", silent)
    assert "the connection broke off (TimeoutError)" in fetched(house, over_sftp(sftp))[0].fault
    assert asked == ["/out", "/out/2026-11-22"]


def test_all_that_is_left_alone_is_named_with_the_reason_as_a_terminal_may_show_it(house, source, there, tmp_path):
    put(there, f"{NIGHT}/stays.csv")
    put(there, f"{NIGHT}/patients\u00a0.csv")
    put(there, f"{NIGHT}/{'x' * 210}.csv")
    put(there, f"{NIGHT}/.stays.csv.swp")
    put(there, "2026-11-22/extracts/stays.csv")
    put(there, "2026-11-22/extracts/services.csv")
    (there / NIGHT / "services.csv").symlink_to(there / NIGHT / "stays.csv")
    (there / "2026-11-21").symlink_to(tmp_path)
    os.mkfifo(there / NIGHT / "care_team.csv")
    [outcome] = fetched(house, source)
    assert outcome.fetched == (f"{NIGHT}/stays.csv",) and outcome.fault is None
    named = "has a slash, a sign that is not seen or more than 200 bytes in its name; have it renamed"
    assert outcome.left_alone == (
        "2026-11-21: is a link; put the file itself there",
        "2026-11-22/extracts: is a folder within a night's; put its files into that",
        f"{NIGHT}/care_team.csv: is no regular file",
        f"{NIGHT}/patients\\xa0.csv: {named}",
        f"{NIGHT}/services.csv: is a link; put the file itself there",
        f"{NIGHT}/{'x' * 89}...: {named}",
    )


def test_a_name_that_a_server_makes_up_leads_nowhere(house, sftp, there, monkeypatch):
    import paramiko

    put(there, f"{NIGHT}/stays.csv")
    listed = paramiko.SFTPClient.listdir_attr

    def made_up(client, path="."):
        found = listed(client, path)
        for one in found:
            one.filename = one.filename.replace("stays", "../2026-11-22/stays")
        return found

    monkeypatch.setattr(paramiko.SFTPClient, "listdir_attr", made_up)
    assert fetched(house, over_sftp(sftp))[0].fetched == ()
    made = sources.Listing()
    made.add("", f"{NIGHT}/stays.csv", stat.S_IFREG)
    assert made.files == [] and len(made.left_alone) == 1


@pytest.mark.parametrize("level", ["practice", "night"])
def test_nothing_is_fetched_through_a_link_in_landing_and_it_comes_once_that_is_a_folder(house, there, tmp_path, level):
    put(there, f"{NIGHT}/stays.csv")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / ".delivery.tmp").mkdir(parents=True)  # another practice's, which fetches at the same time
    link = house.landing / "lakeside" / (NIGHT if level == "night" else "")
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(elsewhere)
    [outcome] = fetched(house, practice(url=there.as_uri()))
    assert outcome.fetched == () and "is a link" in outcome.fault and "make it a folder" in outcome.fault
    assert [path.name for path in elsewhere.iterdir()] == [".delivery.tmp"]
    link.unlink()
    link.mkdir()
    assert fetched(house, practice(url=there.as_uri()))[0].fetched == (f"{NIGHT}/stays.csv",)


def test_the_landing_of_another_practice_is_no_source(house, tmp_path):
    put(house.landing / "hilltop", f"{NIGHT}/stays.csv")
    (tmp_path / "drop").symlink_to(house.landing / "hilltop")
    for folder in (house.landing / "hilltop", tmp_path / "drop"):
        [outcome] = fetched(house, practice(url=folder.as_uri()))
        assert outcome.fetched == () and "name the folder that the sender drops into" in outcome.fault


def zipped(*members: tuple[str, bytes | str], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", kind) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return held.getvalue()


def from_folder(there: Path, **more: object) -> Practice:
    return practice(url=there.as_uri(), archive="extracts_{YYYYMMDD}.zip", **more)


def test_an_archive_gives_its_files_without_their_folders(house, there):
    put(there, "extracts_20261123.zip", zipped(("out/2026/stays.csv", STAYS), ("__MACOSX/x", ""), ("out/notes.doc", "x")))
    [outcome] = fetched(house, from_folder(there))
    assert outcome.fetched == (f"{NIGHT}/stays.csv",) and (house.landing / "lakeside" / NIGHT / "stays.csv").read_text() == STAYS
    assert outcome.left_alone == ("extracts_20261123.zip, notes.doc: no extract table",)
    assert not list((house.landing / "lakeside").glob(".delivery*"))


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("stays.csv")
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (zipped(("stays.csv", b"0" * 50_000)), "unpacks to more than is allowed"),
        (zipped(*((f"x{n}.csv", "") for n in range(11))), "holds more than 10 files"),
        (zipped(("a/stays.csv", "x"), ("b/STAYS.csv", "x")), "two files of one name"),
        (zipped((link(), "/etc/passwd")), "holds a link"),
        (zipped(("stays\x1b.csv", "x")), "holds a link or a name"),
        (zipped(("stays.csv", STAYS * 40))[:-200], "cannot be unpacked"),
        (b"no archive", "cannot be unpacked"),
    ],
    # Not by their bytes: an archive has the time in it at which it was made, and the workers of one run would name it in two ways.
    ids=["too large", "too many", "one name twice", "a link", "a name that may not be", "cut off", "no archive"],
)
def test_an_archive_that_may_do_harm_is_refused_whole(house, there, content, what, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 40_000)
    monkeypatch.setattr(archives, "MOST_FILES", 10)
    put(there, f"{NIGHT}/all.zip", content)
    put(there, "2026-11-22/stays.csv")
    [outcome] = fetched(house, from_folder(there))
    assert what in outcome.fault and landed(house) == ["2026-11-22/_SUCCESS", "2026-11-22/stays.csv"]


def packed(kind: int, name: str = "stays.csv", spoil: bool = False) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", kind) as archive:
        archive.writestr(name, STAYS * 20)
    content = bytearray(made.getvalue())
    if spoil:
        content[len(name) + 40 : len(name) + 50] = b"\xff" * 10
    return bytes(content)


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_night_that_is_damaged_says_so_and_the_other_nights_come_all_the_same(house, there, kind):
    put(there, "x_20261121.zip", packed(kind, spoil=True))
    put(there, "x_20261122.zip", packed(kind))
    put(there, f"{NIGHT}/stays.csv")
    put(there, f"{NIGHT}/stays.csv.sha256", "0" * 64)
    put(there, "2026-11-24/stays.csv")
    [outcome] = fetched(house, practice(url=there.as_uri(), archive="x_{YYYYMMDD}.zip"))
    assert outcome.fetched == ("2026-11-22/stays.csv", "2026-11-24/stays.csv")
    assert (
        "x_20261121.zip: cannot be unpacked" in outcome.fault and f"{NIGHT}/stays.csv: its SHA-256 is not the one" in outcome.fault
    )
    assert not (house.landing / "lakeside" / "2026-11-21").exists() and not (house.landing / "lakeside" / NIGHT).exists()


def test_a_name_that_no_disk_takes_is_refused_with_its_archive(house, there):
    put(there, "x_20261123.zip", packed(zipfile.ZIP_DEFLATED, "é" * 150 + ".csv"))
    assert "a name that is no file's" in fetched(house, practice(url=there.as_uri(), archive="x_{YYYYMMDD}.zip"))[0].fault


def test_no_name_in_an_archive_leads_out_of_the_night(house, there, tmp_path):
    names = ("../../../../evil/stays.csv", "/evil/services.csv", "..\\..\\evil\\outreach.csv")
    put(there, f"{NIGHT}/all.zip", zipped(*((name, "x") for name in names)))
    before = {path for path in tmp_path.rglob("*") if house.root not in path.parents}
    assert fetched(house, from_folder(there))[0].fault is None
    assert landed(house) == [f"{NIGHT}/{name}" for name in ("_SUCCESS", "outreach.csv", "services.csv", "stays.csv")]
    assert {path for path in tmp_path.rglob("*") if house.root not in path.parents} == before


def test_a_night_comes_from_s3_and_a_replaced_object_comes_again(house, bucket):  # noqa: F811
    bucket.put(f"out/{NIGHT}/stays.csv", STAYS.encode())
    bucket.put("out/deep/er/stays.csv", b"x")
    one = practice(url=f"s3://{bucket.name}/out")
    late = datetime.now(UTC)
    assert deliver(house, {"lakeside": one}, late)[0].waiting == (NIGHT,)
    bucket.put(f"out/{NIGHT}/_SUCCESS", b"")
    assert deliver(house, {"lakeside": one}, late)[0].fetched == (f"{NIGHT}/stays.csv",)
    assert deliver(house, {"lakeside": one}, late)[0].fetched == ()
    bucket.put(f"out/{NIGHT}/stays.csv", STAYS.encode() + b"\n")
    bucket.put(f"out/{NIGHT}/_SUCCESS", b"")
    assert deliver(house, {"lakeside": one}, late)[0].fetched == (f"{NIGHT}/stays.csv",)
    assert "no such bucket" in deliver(house, {"lakeside": practice(url="s3://nobodys-bucket/x")}, late)[0].fault


def test_an_object_that_may_not_be_read_keeps_its_night_alone_and_deeper_ones_are_named_by_their_folder(house, bucket):  # noqa: F811
    for name in ("2026-11-22/stays.csv", "2026-11-22/_SUCCESS", f"{NIGHT}/stays.csv", f"{NIGHT}/_SUCCESS"):
        bucket.put(f"out/{name}", STAYS.encode() if name.endswith("csv") else b"")
    for name in (
        f"{NIGHT}/x/1.csv",
        f"{NIGHT}/x/2.csv",
        "deep/er/stays.csv",
        ".hidden/stays.csv",
        f"{NIGHT}/.hidden/x.csv",
        "deep/",
    ):
        bucket.put(f"out/{name}", b"x")
    client = storage.client_of(None)
    get = client.get_object

    def denied(**given):
        if "2026-11-22" in given["Key"]:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "zqx"}}, "GetObject")
        return get(**given)

    one, late = practice(url=f"s3://{bucket.name}/out"), datetime.now(UTC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "get_object", denied)
        [outcome] = deliver(house, {"lakeside": one}, late)
    assert outcome.fetched == (f"{NIGHT}/stays.csv",) and "zqx" not in outcome.fault
    assert "2026-11-22/stays.csv: the account may not do this; give it the rights" in outcome.fault
    assert outcome.left_alone == (
        "deep: is no folder of a night (YYYY-MM-DD)",
        f"{NIGHT}/x: is a folder within a night's; put its files into that",
    )
    assert deliver(house, {"lakeside": one}, late)[0].fetched == ("2026-11-22/stays.csv",)


@pytest.mark.parametrize(
    ("delivery", "what"),
    [
        ({"url": "ftp://host/x"}, "begins with sftp://"),
        ({"url": "sftp://a:secret@host/x"}, "holds a password"),
        ({"url": "sftp://host/x"}, "sftp://user@host/folder"),
        ({"url": "sftp://a@host:2222x/x"}, "no number from 1 to 65535"),
        ({"url": "sftp://a@host:0/x"}, "no number from 1 to 65535"),
        ({"url": "sftp://a@host/x"}, "known_hosts is missing"),
        ({"url": "sftp://a@host/x", "known_hosts": "k"}, "wants private_key_file"),
        ({"url": "s3://B/x"}, "s3://bucket/prefix"),
        ({"url": "file:///x", "archive": "all.zip"}, "with the night in braces"),
    ],
)
def test_a_delivery_that_could_not_work_is_refused_with_practice_and_key(tmp_path, delivery, what):
    home = write_home(tmp_path, seed=8, practices=1, defects=False)
    content = json.loads((home / "practices.yaml").read_text())
    content["practices"][0]["delivery"] = delivery
    with pytest.raises(HouseError, match=r"practices.yaml: practice s8-01, key delivery") as told:
        practices_of(Path("practices.yaml"), content)
    assert what in str(told.value) and "secret" not in str(told.value)


SFTP = {"known_hosts": "k", "private_key_file": "k"}


def two_deliveries(tmp_path: Path, one: dict[str, object], other: dict[str, object]) -> str | None:
    """What is said when two practices of a file have these settings; None when it is read."""
    home = write_home(tmp_path, seed=8, practices=2, defects=False)
    content = json.loads((home / "practices.yaml").read_text())
    for entry, more in zip(content["practices"], (one, other), strict=True):
        entry |= more
    path = tmp_path / "practices.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    try:
        load_practices(path)
    except HouseError as error:
        return str(error).replace(str(path), "practices.yaml")
    return None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"url": "file:///drop/x"}, {"url": "file:///drop//./y/../x/"}),
        ({"url": "file:///drop/a b"}, {"url": "file:///drop/a%20b"}),
        ({"url": "s3://drops/x"}, {"url": "s3://drops/x/"}),
        ({"url": "sftp://a@host/x", **SFTP}, {"url": "SFTP://a@HOST:22/x/", **SFTP, "known_hosts": "other"}),
        ({"url": "file:///x", "archive": "a_{YYYYMMDD}.zip"}, {"url": "file:///x"}),
        ({"url": "file:///x"}, {"url": "file:///x", "archive": "a_{YYYYMMDD}.zip"}),
    ],
)
def test_two_practices_that_would_fetch_the_very_same_files_are_refused_with_file_line_and_next_step(tmp_path, one, other):
    said = two_deliveries(tmp_path, {"delivery": one}, {"delivery": other})
    assert said is not None
    lines = [int(number) for number in re.findall(r"line (\d+)", said)]
    text = (tmp_path / "practices.yaml").read_text().splitlines()
    assert [text[line - 1].strip() for line in lines] == ["delivery:", "delivery:"] and lines[0] > lines[1]
    assert said.startswith(f"practices.yaml, line {lines[0]}: practice s8-02, key delivery: ") and "correct its url" in said
    assert "s8-01 (line" in said


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"delivery": {"url": "file:///x/a"}}, {"delivery": {"url": "file:///x/A"}}),
        ({"delivery": {"url": "s3://drops/x", "profile": "a"}}, {"delivery": {"url": "s3://drops/x", "profile": "b"}}),
        ({"delivery": {"url": "sftp://a@host/x", **SFTP}}, {"delivery": {"url": "sftp://b@host/x", **SFTP}}),
        ({"delivery": {"url": "sftp://a@host/x", **SFTP}}, {"delivery": {"url": "sftp://a@host:2222/x", **SFTP}}),
        ({"delivery": {"url": "file:///x", "archive": "a_{YYYYMMDD}.zip"}}, {"delivery": {"url": "file:///x", "archive": "b_{YYYYMMDD}.zip"}}),
        ({"delivery": {"url": "file:///x"}, "mappings": {"patients": "a"}}, {"delivery": {"url": "file:///x"}, "mappings": {"patients": "b"}}),
        ({"delivery": {"url": "file:///x"}}, {}),
    ],
)  # fmt: skip
def test_two_practices_with_files_of_their_own_in_one_place_are_read(tmp_path, one, other):
    assert two_deliveries(tmp_path, one, other) is None


def test_how_extracts_come_is_no_part_of_what_a_claim_depends_on(tmp_path):
    home = write_home(tmp_path, seed=8, practices=1, defects=False)
    [plain] = load_practices(home / "practices.yaml").values()
    other = plain.model_copy(
        update={"delivery": Delivery.model_validate({"url": "file:///x"}), "mappings": {"stays": {date.min: "x"}}}
    )
    assert other.fingerprint() == plain.fingerprint()


def test_the_sensor_makes_the_check_red_once_and_fetches_when_the_server_is_back(tmp_path, monkeypatch):
    import dagster as dg

    from orchestration.operate import sensors

    home, vendor = tmp_path / "home", tmp_path / "vendor"
    write_home(home, seed=8, practices=1, defects=False)
    content = json.loads((home / "practices.yaml").read_text())
    content["practices"][0]["delivery"] = {"url": vendor.as_uri()}
    (home / "practices.yaml").write_text(json.dumps(content))
    monkeypatch.setenv("CCM_HOME", str(home))
    monkeypatch.setattr(sensors, "now", lambda: NOW)
    cursor = None
    for is_there, wanted in ((False, [False]), (False, []), (True, [True])):
        if is_there:
            put(vendor, f"{NIGHT}/stays.csv")
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance=instance, cursor=cursor)
            data = sensors.deliveries_sensor.evaluate_tick(context)
            cursor = data.cursor
        assert [event.passed for event in data.asset_events] == wanted
    assert (home / "landing" / "s8-01" / NIGHT / "stays.csv").exists()
