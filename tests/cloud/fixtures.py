"""Fixtures for every test that needs a cloud: an empty AWS, a seeded one, a broken one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.cloud.estate import load_estate
from tests.cloud.faults import FaultyProxy
from tests.cloud.model_server import ModelCloud, Record
from tests.cloud.seed import Seeded, seed
from tests.cloud.server import AwsServer

__all__ = ["aws_estate", "aws_faults", "aws_model", "aws_server", "model_estate"]


@pytest.fixture(scope="session")
def _aws_server() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def aws_server(_aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    """An empty AWS on loopback; the environment points the SDK to it, and nowhere else."""
    _aws_server.reset()
    _point_to(_aws_server.endpoint, monkeypatch)
    return _aws_server


CALLER = {
    "Account": "123456789012",
    "Arn": "arn:aws:iam::123456789012:user/scanner",
    "UserId": "AIDA",
}


class Quiet(WSGIRequestHandler):
    """Says nothing: a test run has thousands of requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  (its name)
        """Say nothing."""


def _point_to(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def _aws_model() -> Iterator[tuple[ModelCloud, str]]:
    cloud = ModelCloud()
    server = make_server("127.0.0.1", 0, cloud, threaded=True, request_handler=Quiet)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield cloud, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def model_estate(served: tuple[ModelCloud, str]) -> Iterator[ModelCloud]:
    """The cloud of ``_aws_model`` with nothing in it, and an environment that points to it."""
    cloud, endpoint = served
    cloud.reset()
    cloud.add([Record("sts", "CallerIdentity", "", CALLER)])
    with pytest.MonkeyPatch.context() as patch:
        _point_to(endpoint, patch)
        yield cloud


@pytest.fixture
def aws_model(_aws_model: tuple[ModelCloud, str]) -> Iterator[ModelCloud]:
    """A cloud without moto, that has what records say and answers from the service models."""
    with model_estate(_aws_model) as cloud:
        yield cloud


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
