"""Fixtures for every test that needs a cloud: an empty AWS, a seeded one, a broken one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cloud.estate import load_estate
from tests.cloud.faults import FaultyProxy
from tests.cloud.seed import Seeded, seed
from tests.cloud.server import AwsServer

__all__ = ["aws_estate", "aws_faults", "aws_server"]


@pytest.fixture(scope="session")
def _aws_server() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def aws_server(_aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    """An empty AWS on loopback; the environment points the SDK to it, and nowhere else."""
    _aws_server.reset()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    environment = {
        "AWS_ENDPOINT_URL": _aws_server.endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return _aws_server


@pytest.fixture
def aws_estate(aws_server: AwsServer) -> Callable[[str], Seeded]:
    """``aws_estate("first-light")`` seeds an estate and says what a scan of it must find."""
    return lambda name: seed(aws_server.endpoint, load_estate(name))


@pytest.fixture
def aws_faults(aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """The same AWS behind a proxy that can be told to answer badly."""
    with FaultyProxy(aws_server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy
