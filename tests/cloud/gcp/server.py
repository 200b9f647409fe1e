"""The server: what is asked, and what is answered badly on purpose."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.cloud.estate import Estate
from tests.cloud.gcp.answers import error, info
from tests.cloud.gcp.cloud import Cloud
from tests.cloud.loopback import Loopback

__all__ = ["GcpFault", "GcpServer", "denied", "garbage", "throttled"]


@dataclass(slots=True)
class GcpFault:
    """A bad answer for the requests that it matches."""

    path: str
    """A regular expression that is searched in ``host/path``."""
    status: int
    body: Any = None
    """JSON, or bytes that are sent as they are."""
    times: int | None = None
    """How often; None: always."""
    headers: Mapping[str, str] = field(default_factory=dict)
    hits: int = 0


def denied(path: str, permission: str = "", **more: Any) -> GcpFault:
    """403 as IAM says it: with the permission, if given."""
    details = []
    if permission:
        details = [info("IAM_PERMISSION_DENIED", {"permission": permission})]
    return GcpFault(path, 403, error(403, "PERMISSION_DENIED", "made to fail", details), **more)


def throttled(path: str, times: int | None = 2, delay: str = "0.01s", **more: Any) -> GcpFault:
    """429 with the advice when to come again."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    body = error(429, "RESOURCE_EXHAUSTED", "quota exceeded", details)
    return GcpFault(path, 429, body, times, **more)


def garbage(path: str, content: bytes = b"<html>no</html>", **more: Any) -> GcpFault:
    """200, but not the protocol."""
    return GcpFault(path, 200, content, **more)


class GcpServer(Loopback):
    """A context manager: Google Cloud at ``endpoint`` for as long as it is open.

    ``inventory``: whether Cloud Asset Inventory is enabled. ``page_limit``: items per page at most.
    """

    def __init__(self, estate: Estate, *, inventory: bool = True, page_limit: int = 2) -> None:
        self.estate = estate
        self.inventory = inventory
        self.page_limit = page_limit
        self.latency = 0.0
        self.faults: list[GcpFault] = []
        self.seen: Counter[tuple[str, str]] = Counter()
        """(method, host/path) → requests, the badly answered ones included."""
        self.headers: list[Mapping[str, str]] = []
        self._lock = Lock()
        super().__init__(_Server(("127.0.0.1", 0), _handler(self)))
        self._cloud = Cloud(self)

    def change(self, estate: Estate) -> None:
        """From now on the estate is another one."""
        with self._lock:
            self.estate = estate
            self._cloud = Cloud(self)

    def break_(self, *faults: GcpFault) -> None:
        """Answer badly from now on."""
        with self._lock:
            self.faults.extend(faults)

    def repair(self) -> None:
        """Answer well again, and forget what was seen."""
        with self._lock:
            self.faults.clear()
            self.seen.clear()
            self.headers.clear()

    def answer(
        self, method: str, host: str, target: str, headers: Mapping[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers for one request."""
        url = urlsplit(target)
        where = f"{host}{url.path}"
        with self._lock:
            self.seen[method, where] += 1
            self.headers.append(headers)
            fault = next(
                (
                    fault
                    for fault in self.faults
                    if re.search(fault.path, where)
                    and (fault.times is None or fault.hits < fault.times)
                ),
                None,
            )
            if fault is not None:
                fault.hits += 1
        if self.latency:
            time.sleep(self.latency)
        if fault is not None:
            body = fault.body if isinstance(fault.body, bytes) else json.dumps(fault.body).encode()
            return fault.status, body, fault.headers
        status, answer = self._cloud.answer(method, host, url.path, parse_qs(url.query))
        return status, json.dumps(answer).encode(), {}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def _handler(server: GcpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name)
            """Say nothing."""

        def serve(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            host = (self.headers.get("Host") or "").partition(":")[0]
            status, body, headers = server.answer(self.command, host, self.path, dict(self.headers))
            self.send_response_only(status)
            self.send_header("Content-Type", "application/json")
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815  (their names)

    return Handler
