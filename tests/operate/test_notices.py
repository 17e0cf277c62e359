"""Notices go to real servers on the loopback, say what happened and what to do, and name no patient."""

from __future__ import annotations

import socket
import threading
from datetime import date

import pytest
import yaml
from aiosmtpd.controller import Controller

from orchestration.house import House, HouseError
from orchestration.notices import Notice, tell, tell_of_closes
from orchestration.practices import load_practices
from tests.properties.strategies import write_home


@pytest.fixture
def mailbox():
    received = []

    class Box:
        async def handle_DATA(self, server, session, envelope):
            received.append(envelope)
            return "250 taken"

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(Box(), hostname="127.0.0.1", port=port)
    controller.start()
    yield port, received
    controller.stop()


def configured(tmp_path, notices, notify=()):
    write_home(tmp_path / "home", seed=8, practices=2, defects=False)
    house = House(tmp_path / "home")
    content = yaml.safe_load(house.practices_yaml.read_text())
    content["practices"][0]["operations"] = {"notify": list(notify)}
    if notices:
        content["notices"] = notices
    house.practices_yaml.write_text(yaml.safe_dump(content))
    return house, load_practices(house.practices_yaml)


OUTCOMES = {"state": "proposed v1", "claims": 12, "allowed": "804.36", "held": 2, "proposal": "closes/p/2026-10/proposals/001.json"}


def test_a_proposal_reaches_the_practice_s_office_and_the_operator_by_mail(tmp_path, mailbox):
    port, received = mailbox
    smtp = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "ccm@example.org"}
    house, practices = configured(tmp_path, {"smtp": smtp, "to": ["operator@example.org"]}, ["office@example.org"])
    name = next(iter(practices))
    tell_of_closes(house, practices, date(2026, 10, 1), {name: OUTCOMES})
    assert received[0].rcpt_tos == ["office@example.org", "operator@example.org"]
    text = received[0].content.decode()
    assert f"[CCM] {name} 2026-10 proposed v1" in text
    assert "12 claims, $804.36 allowed, 2 held" in text and f"--practice {name} --approved-by NAME" in text


def test_a_refusal_reaches_a_webhook_with_its_reason_and_its_token(tmp_path, hook):
    port, received = hook
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    house, practices = configured(tmp_path, {"webhook": {"url": f"http://127.0.0.1:{port}/ok", "token_file": str(token)}})
    name = next(iter(practices))
    tell_of_closes(house, practices, date(2026, 10, 1), {name: {"state": "refused", "reason": "no night came"}})
    authorization, body = received[0]
    assert authorization == "Bearer s3cret" and body["practices"] == [name]
    assert body["kind"] == "refused" and "Why: no night came" in body["text"]


def test_a_notice_that_cannot_be_delivered_stops_nothing_and_is_logged_without_its_text(tmp_path, hook, caplog):
    port, _ = hook
    smtp = {"host": "127.0.0.1", "port": 1, "security": "none", "sender": "ccm@example.org"}
    house, practices = configured(
        tmp_path, {"smtp": smtp, "webhook": {"url": f"http://127.0.0.1:{port}/broken"}, "to": ["operator@example.org"]}
    )
    assert tell(house, practices, Notice("test", (), "subject", ("the text",))) == 0
    assert "ConnectionRefusedError" in caplog.text and "the webhook answered 500" in caplog.text and "the text" not in caplog.text


def test_a_server_that_speaks_no_http_and_a_secret_that_fits_in_no_header_stop_nothing_and_are_not_quoted(tmp_path, caplog):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with server.accept()[0] as client:
                client.recv(65536)
                client.sendall(b"220 no web server\r\n")

        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/hook"
        house, practices = configured(tmp_path / "a", {"webhook": {"url": url}})
        assert tell(house, practices, Notice("test", (), "subject", ("the text",))) == 0
    (tmp_path / "token").write_text("two\nlines")
    house, practices = configured(tmp_path / "b", {"webhook": {"url": url, "token_file": str(tmp_path / "token")}})
    assert tell(house, practices, Notice("test", (), "subject", ())) == 0
    assert "BadStatusLine" in caplog.text and "ValueError" in caplog.text
    assert "two" not in caplog.text and "no web server" not in caplog.text


def test_without_settings_nothing_is_sent_and_nothing_fails(tmp_path):
    house, practices = configured(tmp_path, None)
    assert tell(house, practices, Notice("test", (), "subject", ())) == 0


def test_a_webhook_in_the_clear_is_refused(tmp_path):
    with pytest.raises(HouseError, match=r"key notices\.webhook\.url"):
        configured(tmp_path, {"webhook": {"url": "http://example.org/hook"}})


def test_how_nights_are_run_changes_no_packet(tmp_path):
    _, plain = configured(tmp_path / "a", None)
    _, other = configured(tmp_path / "b", None, ["office@example.org"])
    assert [p.fingerprint() for p in plain.values()] == [p.fingerprint() for p in other.values()]
