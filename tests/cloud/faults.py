"""A reverse proxy in front of a cloud that answers some requests badly: 403, 429, 500, slowly.

A real HTTP server between the SDK and moto, so that what the SDK does about it (retries, parsing,
timeouts) is what it does in the field.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.cloud.model_request import understood

__all__ = ["Fault", "FaultyProxy", "Request", "denied", "not_implemented", "throttled"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for."""

    service: str
    """Signing name: ``sagemaker``, ``s3`` (also for s3control), ``ecr``."""
    region: str
    operation: str
    """``DescribeModel``; for S3, which has no operation names on the wire, ``GET ?policy``."""
    path: str


@dataclass(slots=True)
class Fault:
    """A bad answer for the requests that it matches; empty fields match everything."""

    status: int
    code: str
    """AWS's error code; empty: an HTML page, as servers give that do not know the operation."""
    service: str = ""
    operation: str = ""
    """A regular expression over the whole operation."""
    region: str = ""
    times: int | None = None
    """How often; None: always."""
    delay: float = 0.0
    """Seconds before it answers."""
    hits: int = 0
    """How often it did."""

    def matches(self, request: Request) -> bool:
        """Whether this request gets the bad answer now."""
        return (
            self.service in ("", request.service)
            and self.region in ("", request.region)
            and (not self.operation or bool(re.fullmatch(self.operation, request.operation)))
            and (self.times is None or self.hits < self.times)
        )


def denied(service: str = "", operation: str = "", **more: Any) -> Fault:
    """403, as for missing permissions."""
    return Fault(403, "AccessDenied", service, operation, **more)


def throttled(service: str = "", operation: str = "", times: int | None = 3, **more: Any) -> Fault:
    """429, for a while."""
    return Fault(429, "ThrottlingException", service, operation, times=times, **more)


def not_implemented(service: str = "", operation: str = "", **more: Any) -> Fault:
    """500 with an HTML page."""
    return Fault(500, "", service, operation, **more)


@dataclass(slots=True)
class FaultyProxy:
    """A context manager: ``endpoint`` passes on to ``upstream``, except where a fault matches."""

    upstream: str
    faults: list[Fault] = field(default_factory=list)
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(service, operation) → requests, the badly answered ones included."""
    _lock: Lock = field(default_factory=Lock)
    _held: Event = field(default_factory=Event)
    _server: ThreadingHTTPServer | None = None

    @property
    def endpoint(self) -> str:
        """For ``AWS_ENDPOINT_URL``."""
        assert self._server is not None, "use it as a context manager"
        return f"http://127.0.0.1:{self._server.server_port}"

    def break_(self, *faults: Fault) -> None:
        """Answer badly from now on."""
        with self._lock:
            self.faults.extend(faults)

    def repair(self) -> None:
        """Pass everything on again, forget what was seen, and answer those who wait."""
        with self._lock:
            self.faults.clear()
            self.seen.clear()
            self._held.set()
            self._held = Event()

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def fault_for(self, request: Request) -> Fault | None:
        """Count a request, and say whether it is to be answered badly."""
        with self._lock:
            self.seen[request.service, request.operation] += 1
            fault = next((fault for fault in self.faults if fault.matches(request)), None)
            if fault is not None:
                fault.hits += 1
            return fault

    def wait(self, seconds: float) -> None:
        """Be slow, but not longer than until the next repair or the end of the test."""
        self._held.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that were killed do not wait for their answer; anything else is worth seeing."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _handler(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    target = urlsplit(proxy.upstream)
    assert target.hostname is not None
    host, port = target.hostname, target.port or 80

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name)
            """Say nothing."""

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = _request(self, body)
            fault = proxy.fault_for(request)
            if fault is None:
                self.answer(*self.forward(body))
                return
            if fault.delay:
                proxy.wait(fault.delay)
            content, kind = _error(fault, self.headers.get("X-Amz-Target") is not None)
            self.answer(fault.status, [("Content-Type", kind)], content)

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = serve  # noqa: N815  (their names)

        def forward(self, body: bytes) -> tuple[int, Iterable[tuple[str, str]], bytes]:
            connection = HTTPConnection(host, port)
            try:
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            finally:
                connection.close()

        def answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler


def _request(handler: BaseHTTPRequestHandler, body: bytes) -> Request:
    scope = re.search(
        r"Credential=[^/]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/",
        handler.headers.get("Authorization", ""),
    )
    service = scope["service"] if scope else ""
    region = scope["region"] if scope else ""
    url = urlsplit(handler.path)
    operation = handler.headers.get("X-Amz-Target", "").rpartition(".")[2]
    if not operation and service not in ("s3", ""):
        # REST services say what they want by method and path only.
        environ = {
            "HTTP_AUTHORIZATION": handler.headers.get("Authorization", ""),
            "REQUEST_METHOD": handler.command,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
        }
        known = understood(environ, body) if service not in ("iam", "sts") else None
        operation = known.operation if known else ""
    if not operation and service != "s3":
        operation = parse_qs(body.decode("latin-1")).get("Action", [""])[0]
    if not operation:
        first = url.query.partition("&")[0].partition("=")[0]
        operation = f"{handler.command} ?{first}" if first else handler.command
    return Request(service, region, operation, url.path)


def _error(fault: Fault, json_protocol: bool) -> tuple[bytes, str]:
    if not fault.code:
        page = "<!doctype html><title>500 Internal Server Error</title><h1>Not here</h1>"
        return page.encode(), "text/html"
    if json_protocol:
        text = f'{{"__type": "{fault.code}", "message": "made to fail"}}'
        return text.encode(), "application/x-amz-json-1.1"
    error = f"<Error><Code>{fault.code}</Code><Message>made to fail</Message></Error>"
    # The query protocol looks inside Errors, S3 at the top; EC2 at both.
    return f"<ErrorResponse>{error}</ErrorResponse>".encode(), "text/xml"
