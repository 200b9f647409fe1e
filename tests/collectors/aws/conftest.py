"""A real AWS endpoint on loopback, and in front of it one that can be told to misbehave."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from moto.server import ThreadedMotoServer

from collectors.aws.guard import READS
from collectors.aws.session import Clients
from tests.cloud.model_request import understood
from tests.cloud.model_server import ModelCloud
from tests.cloud.server import in_moto

REGION = "us-east-1"
ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/x-amz-json-1.1"

    @classmethod
    def json(cls, body: Any, status: int = 200) -> Answer:
        return cls(status, json.dumps(body).encode())

    @classmethod
    def error(cls, code: str, status: int, message: str = "no") -> Answer:
        return cls.json({"__type": code, "message": message}, status)

    @classmethod
    def xml_error(cls, code: str, status: int) -> Answer:
        text = f"<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
        return cls(status, text.encode(), "text/xml")


HTML_500 = Answer(500, b"<!doctype html><title>500</title><h1>Oops</h1>", "text/html")


class Proxy:
    """Forwards to moto, notes the operation of every request, answers some of them itself."""

    def __init__(self, moto: tuple[str, int]) -> None:
        self.moto = moto
        self._model = ModelCloud()
        self.completed = True
        """What moto lacks is answered all the same."""
        self.seen: list[str] = []
        self.hosts: list[str] = []
        self.always: dict[str, Answer] = {}
        """Operation → answer, every time."""
        self.about: dict[str, Answer] = {}
        """Text in the request's body → answer, every time."""
        self.script: dict[str, deque[Answer]] = {}
        """Operation → answers for its next requests; afterwards it is forwarded again."""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name)
                pass

            def serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                operation = _operation(self, body)
                proxy.seen.append(operation)
                proxy.hosts.append(self.headers["Host"])
                waiting = proxy.script.get(operation)
                answer = waiting.popleft() if waiting else proxy.always.get(operation)
                told = (proxy.about[text] for text in proxy.about if text.encode() in body)
                answer = answer or next(told, None) or proxy.modelled(self, body)
                answer = answer or proxy.forward(self, body)
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

        for method in ("GET", "POST", "PUT", "HEAD", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.serve)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def modelled(self, request: BaseHTTPRequestHandler, body: bytes) -> Answer | None:
        """What moto does not have: there is none of it."""
        path, _, query = request.path.partition("?")
        environ = {
            "HTTP_AUTHORIZATION": request.headers.get("Authorization", ""),
            "HTTP_X_AMZ_TARGET": request.headers.get("X-Amz-Target", ""),
            "REQUEST_METHOD": request.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
        }
        call = understood(environ, body) if self.completed else None
        if call is None or in_moto(call.service, call.operation):
            return None
        status, kind, content = self._model.answer(call)
        return Answer(status, content, kind)

    def forward(self, request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        connection = HTTPConnection(*self.moto)
        try:
            connection.request(request.command, request.path, body, dict(request.headers))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), answer.headers["Content-Type"] or "")
        finally:
            connection.close()

    def reset(self) -> None:
        self.completed = True
        self.seen.clear()
        self.hosts.clear()
        self.always.clear()
        self.about.clear()
        self.script.clear()
        connection = HTTPConnection(*self.moto)
        connection.request("POST", "/moto-api/reset")
        connection.getresponse().read()
        connection.close()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _operation(request: BaseHTTPRequestHandler, body: bytes) -> str:
    target = request.headers.get("X-Amz-Target")
    if target:
        return target.rpartition(".")[2]
    action = parse_qs(body.decode("latin-1")).get("Action")
    return action[0] if action else f"{request.command} {request.path}"


@pytest.fixture(scope="session")
def _proxy() -> Iterator[Proxy]:
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    proxy = Proxy(server.get_host_and_port())
    yield proxy
    proxy.stop()
    server.stop()


@pytest.fixture
def aws(_proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    """An empty AWS; the environment points to it."""
    # moto reads this when its state is made anew; thousands of public images take a second.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    _proxy.reset()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", _proxy.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    return _proxy


@pytest.fixture
def clients(aws: Proxy) -> Clients:
    """Without retries, so that a misbehaving endpoint costs no waiting."""
    return Clients({"max_attempts": 1})


@pytest.fixture(scope="session")
def service_models() -> dict[str, Any]:
    """The SDK's own description of every service on the read list."""
    sdk: Any = Clients().session._session
    return {service: sdk.get_service_model(service) for service in READS}


@pytest.fixture(scope="session")
def _writers() -> dict[str, Any]:
    return {}


@pytest.fixture
def seed(aws: Proxy, _writers: dict[str, Any]) -> Any:
    """``seed("sagemaker")``: a client that may write, straight to moto."""

    def writer(service: str) -> Any:
        if service not in _writers:
            host, port = aws.moto
            make: Any = boto3.client
            _writers[service] = make(
                service, region_name=REGION, endpoint_url=f"http://{host}:{port}"
            )
        return _writers[service]

    return writer
