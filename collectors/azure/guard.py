"""What may be sent to Azure at all: the last policy before the wire refuses everything else.

It sees every attempt of every client, the typed ones included, after signing in, retries and
redirects have had their say.
"""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy

from collectors.azure.endpoint import Endpoint, origin
from collectors.waiting import NAP
from undercroft.protocols import Meter

__all__ = ["GRAPH_PATH", "ForeignHostError", "Pace", "ReadOnly", "RefusedError", "running"]

GRAPH_PATH = "/providers/microsoft.resourcegraph/resources"
"""The one address that is read by POST (in lower case; Azure's paths have no case)."""

running: ContextVar[Meter | None] = ContextVar("running_meter", default=None)
"""The meter of the unit whose call is under way in this thread."""

_counting = threading.Lock()
_LOW = 12
"""Remaining reads under which the next call waits; the bucket refills by 25 a second."""


class RefusedError(RuntimeError):
    """Something that is no read was about to be sent; nothing was."""


class ForeignHostError(RefusedError):
    """A request, a link to the next page for one, was about to leave for another host."""


class Pace:
    """Holds calls back as long as Azure's own counters ask for it. Shared between threads."""

    LONGEST = 30.0
    """Seconds: whatever a header says, no single wait is longer."""

    def __init__(self) -> None:
        self._until = 0.0
        self._lock = threading.Lock()

    def wait(self, meter: Meter | None) -> None:
        """Wait until calls are welcome again. Raises ``Cancelled`` if the scan was stopped."""
        while True:
            if meter is not None:
                meter.check()
            with self._lock:
                left = self._until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, NAP))

    def heed(self, headers: Any) -> None:
        """Read the counters of an answer."""
        seconds = 0.0
        remaining = _whole(headers.get("x-ms-ratelimit-remaining-subscription-reads"))
        if remaining is not None and remaining < _LOW:
            seconds = 1.0
        quota = _whole(headers.get("x-ms-user-quota-remaining"))
        if quota == 0:
            seconds = max(seconds, _clock(headers.get("x-ms-user-quota-resets-after")))
        if seconds:
            with self._lock:
                until = time.monotonic() + min(seconds, self.LONGEST)
                self._until = max(self._until, until)


class ReadOnly(HTTPPolicy[Any, Any]):
    """GET, and POST to Resource Graph; to one host; a token only over https."""

    def __init__(self, endpoint: Endpoint, pace: Pace) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._pace = pace

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Pass a read on, counted; raise ``RefusedError`` for anything else."""
        http = request.http_request
        self.check(http.method, http.url, http.headers)
        meter = running.get()
        self._pace.wait(meter)
        if meter is not None:
            with _counting:
                meter.calls += 1
        response = self.next.send(request)
        answer = response.http_response
        if answer.status_code == 429 and meter is not None:
            with _counting:
                meter.throttled += 1
        self._pace.heed(answer.headers)
        return response

    def check(self, method: str, url: str, headers: Any) -> None:
        """Raise ``RefusedError`` unless this is a read of our own endpoint."""
        try:
            place = origin(url)
        except ValueError:
            place = ""
        parts = urlsplit(url)
        if place != self._endpoint.url or parts.username or parts.password:
            shown = place or "an address that is none"
            raise ForeignHostError(f"{shown} is not {self._endpoint.url}; nothing was sent there")
        verb = method.upper()
        path = parts.path.rstrip("/").lower()
        if verb != "GET" and not (verb == "POST" and path == GRAPH_PATH):
            raise RefusedError(f"{verb} {parts.path} is not a read; nothing was sent")
        if self._endpoint.plain and any(name.lower() == "authorization" for name in headers):
            raise RefusedError("a credential was about to travel over plain http; nothing was sent")


def _whole(text: object) -> int | None:
    try:
        return int(str(text))
    except ValueError:
        return None


def _clock(text: object) -> float:
    """``00:00:05`` in seconds; a second if it says nothing readable."""
    try:
        hours, minutes, seconds = str(text).split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 1.0
