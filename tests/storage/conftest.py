"""An S3 server on this machine, and the settings that a user would make for it."""

from __future__ import annotations

import uuid
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

SECRET = "zqxSecretKeyThatMustNotBeWritten0123456789"  # of a server that lives for the tests


@pytest.fixture(scope="session")
def server():
    made = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    made.start()
    host, port = made.get_host_and_port()
    yield f"http://{host}:{port}"
    made.stop()


class Bucket:
    """A bucket of its own, and short words for what lies in it."""

    def __init__(self, endpoint: str) -> None:
        self.name = f"ccm-{uuid.uuid4().hex[:12]}"
        self.client = boto3.client("s3", endpoint_url=endpoint)
        self.client.create_bucket(Bucket=self.name)

    def names(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", ())]

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def land(self, landing: Path) -> None:
        """Everything of a landing folder, under the prefix `drops`."""
        for path in landing.glob("*/*/*.*"):
            self.put(f"drops/{path.relative_to(landing).as_posix()}", path.read_bytes())


@pytest.fixture
def bucket(server, monkeypatch):
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL_S3": server,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAZQXTESTS",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    made = Bucket(server)
    monkeypatch.setenv("CCM_LANDING", f"s3://{made.name}/drops")
    monkeypatch.setenv("CCM_LAKE", f"s3://{made.name}/clinic/lake")
    return made
