"""Notices to the office by mail or webhook: counts, dollars, practices, months and what to do. No patient is in them, not even by id.

Off by default. `notices:` of practices.yaml turns one or both on; a notice that cannot be delivered is logged and stops nothing.
"""

from __future__ import annotations

import json
import logging
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Protocol

from orchestration.house import House, HouseError
from orchestration.money import in_dollars
from orchestration.practices import Practice, load_notices
from orchestration.settings.operations import NoticeSettings, SmtpSettings, WebhookSettings

LOG = logging.getLogger(__name__)
SECONDS = 20


@dataclass(frozen=True)
class Notice:
    """`practice_ids`: whom it is about; `kind` for machines; `subject` one line; `lines` the rest."""

    kind: str
    practice_ids: tuple[str, ...]
    subject: str
    lines: tuple[str, ...]


class Channel(Protocol):
    """A way to the office. `send` raises when the notice could not be delivered; a HouseError says why."""

    def send(self, notice: Notice, to: Iterable[str]) -> None: ...


@dataclass(frozen=True)
class Mail:
    """One message for all recipients, over SMTP with STARTTLS or TLS."""

    settings: SmtpSettings

    def send(self, notice: Notice, to: Iterable[str]) -> None:
        recipients = sorted(set(to))
        if not recipients:
            return
        message = EmailMessage()
        message["Subject"] = f"[CCM] {notice.subject}"
        message["From"] = self.settings.sender
        message["To"] = ", ".join(recipients)
        message.set_content("\n".join(notice.lines) + "\n")
        context = ssl.create_default_context()
        try:
            if self.settings.security == "tls":
                server: smtplib.SMTP = smtplib.SMTP_SSL(self.settings.host, self.settings.port, timeout=SECONDS, context=context)
            else:
                server = smtplib.SMTP(self.settings.host, self.settings.port, timeout=SECONDS)
            with server:
                if self.settings.security == "starttls":
                    server.starttls(context=context)
                if self.settings.user:
                    server.login(self.settings.user, _secret(self.settings.password_file))
                server.send_message(message)
        except smtplib.SMTPException as error:
            # The server's answer may quote the message: only its kind is passed on.
            raise HouseError(f"the mail server {self.settings.host} refused the notice ({type(error).__name__})") from None


@dataclass(frozen=True)
class Webhook:
    """One POST of JSON: kind, practices, subject, text."""

    settings: WebhookSettings

    def send(self, notice: Notice, to: Iterable[str]) -> None:
        body = {"kind": notice.kind, "practices": notice.practice_ids, "subject": notice.subject, "text": "\n".join(notice.lines)}
        headers = {"Content-Type": "application/json", "User-Agent": "ccm-billing-capture"}
        if self.settings.token_file:
            headers["Authorization"] = f"Bearer {_secret(self.settings.token_file)}"
        request = urllib.request.Request(self.settings.url, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS):
                pass
        except urllib.error.HTTPError as error:
            raise HouseError(f"the webhook answered {error.code}") from None


def _secret(path: Path | None) -> str:
    if path is None:
        raise HouseError("practices.yaml: notices: a user needs a password_file")
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise HouseError(f"{path}: the secret of the notices cannot be read ({type(error).__name__})") from None


def channels(settings: NoticeSettings | None) -> list[Channel]:
    """Every way that is turned on; none by default."""
    found: list[Channel] = []
    if settings and settings.smtp:
        found.append(Mail(settings.smtp))
    if settings and settings.webhook:
        found.append(Webhook(settings.webhook))
    return found


def tell(house: House, practices: Mapping[str, Practice], notice: Notice) -> int:
    """Sends a notice by every way that is on, to the addresses of the practices it is about. Gives how many ways took it; never raises."""
    delivered = 0
    try:
        settings = load_notices(house.practices_yaml)
    except HouseError as error:
        LOG.warning("no notice was sent: %s", error)
        return 0
    operators = settings.to if settings else ()
    to = [
        *operators,
        *(address for name in notice.practice_ids if name in practices for address in practices[name].operations.notify),
    ]
    for channel in channels(settings):
        try:
            channel.send(notice, to)
            delivered += 1
        except Exception as error:
            # Whatever a server answers or a secret looks like: what the notice is about is done, and must not be undone by it. Its text may quote
            # the notice or the secret.
            LOG.warning(
                "a notice (%s) was not delivered: %s", notice.kind, error if isinstance(error, HouseError) else type(error).__name__
            )
    return delivered


def tell_of_closes(house: House, practices: Mapping[str, Practice], month: date, outcomes: Mapping[str, Mapping[str, Any]]) -> None:
    """One notice per practice: proposed, closed or refused, with counts and dollars, and what to do next."""
    for name, said in sorted(outcomes.items()):
        state = str(said["state"])
        if state.startswith("nothing new"):
            continue
        lines = [f"{practices[name].name}, {month:%Y-%m}: {state}."]
        if "claims" in said:
            lines.append(f"{said['claims']} claims, {in_dollars(said['allowed'])} allowed, {said['held']} held for documentation.")
        if state.startswith("proposed"):
            lines += [
                f"See it: {said['proposal']}",
                f"Let it go: ccm close --month {month:%Y-%m} --practice {name} --approved-by NAME",
            ]
        if "reason" in said:
            lines.append(f"Why: {said['reason']}")
        if said.get("held"):
            lines.append(f"What is held and why: ccm worklist --practice {name} --month {month:%Y-%m}")
        tell(house, practices, Notice(state.split()[0], (name,), f"{name} {month:%Y-%m} {state}", tuple(lines)))
