"""Settings of how extracts come, when nights are due and whom notices go to. No claim depends on them, so no packet holds them."""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import normpath
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from orchestration.mapping.forms import file_form
from orchestration.settings.kinds import MailAddress, Strict, Text, Whole, quoted


class Operations(Strict):
    """How a practice's nights are run. No claim depends on it, so no packet holds it."""

    extracts_due: Annotated[str, BeforeValidator(quoted), Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "07:00"
    due_days_after: Whole = Field(default=1, ge=0, le=7)  # the folder of a day is due at extracts_due so many days later
    nights: Literal["every_day", "weekdays"] = "every_day"
    quiet_minutes: Whole = Field(
        default=15, ge=1, le=720
    )  # a night's folder without _SUCCESS is complete when nothing changed for so long
    notify: tuple[MailAddress, ...] = ()


class SmtpSettings(Strict):
    host: Text
    port: Whole = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: MailAddress
    user: Text | None = None
    password_file: Path | None = None


class WebhookSettings(Strict):
    url: Annotated[str, BeforeValidator(quoted), Field(pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])")]
    token_file: Path | None = None


class NoticeSettings(Strict):
    """Where notices go: `to` hears of every practice, a practice's own `operations.notify` of that practice. None: nothing is sent."""

    smtp: SmtpSettings | None = None
    webhook: WebhookSettings | None = None
    to: tuple[MailAddress, ...] = ()


class Delivery(Strict):
    """Where a practice's extracts are fetched from before a night. Secrets are in files of their own or in the environment, never here."""

    url: Annotated[str, BeforeValidator(quoted)]
    known_hosts: Path | None = None
    private_key_file: Path | None = None
    passphrase_file: Path | None = None
    password_file: Path | None = None
    password_env: Annotated[str, BeforeValidator(quoted), Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    profile: Text | None = None  # of ~/.aws; else what every AWS tool finds
    archive: Text | None = None  # the name of ZIP files beside the nights' folders, with the night in it

    @model_validator(mode="after")
    def _reachable(self) -> Delivery:
        parts = urlsplit(self.url)
        try:
            is_port = parts.port != 0
        except ValueError:
            is_port = False
        if not is_port:
            raise ValueError("url: its port is no number from 1 to 65535")
        if parts.scheme == "sftp":
            if parts.password is not None:
                raise ValueError("url: holds a password; put it into a file and name that with password_file")
            if not (parts.hostname and parts.username) or parts.query or parts.fragment:
                raise ValueError("url: write it like sftp://user@host/folder, or sftp://user@host:2222/folder")
            if self.known_hosts is None:
                raise ValueError(
                    "known_hosts is missing: the file with the server's host key (ssh-keyscan, compared with what the vendor says)"
                )
            if not (self.private_key_file or self.password_file or self.password_env):
                raise ValueError("wants private_key_file, password_file or password_env")
        elif parts.scheme == "s3":
            if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._=-]+)*/?", self.url):
                raise ValueError("url: write it like s3://bucket/prefix")
        elif parts.scheme != "file" or parts.netloc or not parts.path.startswith("/"):
            raise ValueError("url: begins with sftp://, s3:// or file:///")
        return self

    @property
    def place(self) -> tuple[str, ...]:
        """The folder that the URL names, in one form however it is written."""
        parts = urlsplit(self.url)
        if parts.scheme == "s3":  # a profile may be of another server, where a bucket of that name is another one
            return "s3", self.profile or "", parts.netloc, parts.path.strip("/")
        folder = normpath(f"/{unquote(parts.path).strip('/')}")
        return parts.scheme, unquote(parts.username or ""), parts.hostname or "", str(parts.port or 22), folder

    @field_validator("archive")
    @classmethod
    def _archive(cls, archive: str | None) -> str | None:
        if archive is not None and (file_form(archive).strptime is None or not archive.lower().endswith(".zip")):
            raise ValueError("write it with the night in braces and .zip at its end, such as extracts_{YYYYMMDD}.zip")
        return archive
