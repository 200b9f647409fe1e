"""One HTTP session for a whole scan, for plain REST and for the package's own clients alike.

Every request passes the read list, is sent to the region that its path names, is counted on the
meter of the running unit, retried as Google asks, and turned into a ``CallError`` if it failed. The
body of the last answer stays at hand, because typed clients drop fields that they do not know.
"""

from __future__ import annotations

import json
import os
import random
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from requests import Response
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException

from collectors.gcp import guard
from collectors.gcp.errors import CallError, is_throttling, no_answer, retry_after
from collectors.loopback import is_loopback
from collectors.waiting import wait
from undercroft.protocols import Meter

__all__ = ["ENDPOINT", "SCOPES", "EndpointError", "GuardedSession", "endpoint", "metered"]

ENDPOINT = "UNDERCROFT_GCP_ENDPOINT"
"""Environment variable: where to send everything instead of to googleapis.com."""
SCOPES = ("https://www.googleapis.com/auth/cloud-platform.read-only",)

ATTEMPTS = 6
_TIMEOUT = (5, 30)
"""Seconds to connect, and between two bytes."""
_POOL = 32
_LONGEST_WAIT = 60.0
_FIRST_WAIT = 1.0
_AGAIN = frozenset({500, 502, 503, 504})
_GOOGLE = "googleapis.com"
_LOCATION = re.compile(r"/locations/([a-z0-9-]+)(?:/|$)")
_PROJECT = re.compile(r"/projects/([^/:]+)")
_MULTI_REGIONS = frozenset({"us", "eu"})
_REGIONAL = frozenset({"aiplatform", "dialogflow", "discoveryengine"})
"""Services that answer for a location only at its own host."""

_running: ContextVar[Meter | None] = ContextVar("running_meter", default=None)
_counting = threading.Lock()
"""A unit may read with several threads on one meter."""


class EndpointError(ValueError):
    """``UNDERCROFT_GCP_ENDPOINT`` cannot be used."""


class metered:  # noqa: N801  (reads as a word: with metered(meter))
    """Count the requests of this block on ``meter``."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def __enter__(self) -> None:
        self._token = _running.set(self._meter)

    def __exit__(self, *_: object) -> None:
        _running.reset(self._token)


def endpoint() -> SplitResult | None:
    """Where everything is sent instead, or None. Raises ``EndpointError`` if it is not safe.

    Plain HTTP is for loopback only, where a test's server listens; no credential is sent there.
    """
    text = os.environ.get(ENDPOINT, "").strip().rstrip("/")
    if not text:
        return None
    url = urlsplit(text)
    if url.scheme == "https" and url.hostname:
        return url
    if url.scheme == "http" and is_loopback(url.hostname or ""):
        return url
    raise EndpointError(
        f"{ENDPOINT} must be https://…, or http:// on this machine itself; it is {text!r}"
    )


class GuardedSession(AuthorizedSession):
    """Sends what the read list allows, and nothing else.

    ``aliases``: for a project id or number, both. ``attempts`` and ``first_wait`` (seconds): how
    often a request is sent, and the first pause between.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        override: SplitResult | None = None,
        aliases: Callable[[str], Sequence[str]] = lambda project: (project,),
        attempts: int = ATTEMPTS,
        first_wait: float = _FIRST_WAIT,
    ) -> None:
        super().__init__(credentials, refresh_status_codes=())  # type: ignore[no-untyped-call]
        self._override = override
        self._aliases = aliases
        self._attempts = attempts
        self._first_wait = first_wait
        self._refreshing = threading.Lock()
        self._taken = threading.local()
        self._universe = str(getattr(credentials, "universe_domain", "") or _GOOGLE)
        if override is not None and is_loopback(override.hostname or ""):
            # Neither a proxy nor a .netrc has any business on loopback.
            self.trust_env = False
        for scheme in ("http://", "https://"):
            self.mount(scheme, HTTPAdapter(pool_connections=_POOL, pool_maxsize=_POOL))

    def taken(self) -> Any:
        """The JSON of the last answer that this thread got, with every field that was on the wire."""
        return self._taken.body

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        params: Any = None,
        **_: Any,
    ) -> Response:
        """Send one request; raises ``CallError``, ``WriteRefusedError`` or ``Cancelled``.

        ``url`` names the service's global host, whatever the location.
        """
        asked = urlsplit(url)
        service = (asked.hostname or "").partition(".")[0]
        read = guard.permit(service, method.upper(), asked.path)
        target, host = self._route(asked, service)
        sent = {**(headers or {}), **({"Host": host} if host else {})}
        meter = _running.get() or Meter()
        delay = self._first_wait
        for attempt in range(1, self._attempts + 1):
            meter.check()
            with _counting:
                meter.calls += 1
            try:
                self._sign_in()
                response: Response = super().request(  # type: ignore[no-untyped-call]
                    method, target, data=data, headers=sent, params=_named(params), timeout=_TIMEOUT
                )
            except (GoogleAuthError, RequestException) as error:
                raise no_answer(service, read, error) from error
            if response.status_code < 400:
                self._taken.body = _json(service, read, response)
                return response
            body = _said(response)
            throttled = is_throttling(response.status_code, body)
            if throttled:
                with _counting:
                    meter.throttled += 1
            again = throttled or response.status_code in _AGAIN
            if response.status_code == 401 and attempt == 1:
                self._sign_in(anew=True)
                continue
            pause = _pause(response, body)
            if again and attempt < self._attempts and (pause or 0.0) <= _LONGEST_WAIT:
                # Jitter, so that threads that were told off together do not come back together.
                wait(pause if pause is not None else delay * random.uniform(0.5, 1.0), meter.check)  # noqa: S311
                delay = min(delay * 2, 32.0)
                continue
            raise CallError.answered(
                service, read, response.status_code, body, self._project(asked.path)
            )
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _sign_in(self, *, anew: bool = False) -> None:
        """Get a token once, however many threads need one."""
        credentials: Any = self.credentials
        if isinstance(credentials, AnonymousCredentials):
            return
        if anew or not credentials.valid:
            with self._refreshing:
                if anew or not credentials.valid:
                    credentials.refresh(self._auth_request)

    def _route(self, asked: SplitResult, service: str) -> tuple[str, str]:
        """The address to send to, and the Host header to send if it differs."""
        host = (asked.hostname or "").removesuffix(_GOOGLE) + self._universe
        found = _LOCATION.search(asked.path)
        if service in _REGIONAL and found and found[1] != "global":
            location = found[1]
            host = (
                f"aiplatform.{location}.rep.{self._universe}"
                if service == "aiplatform" and location in _MULTI_REGIONS
                else f"{location}-{service}.{self._universe}"
            )
        if self._override is None:
            return urlunsplit(asked._replace(scheme="https", netloc=host)), ""
        base = self._override
        url = urlunsplit(
            asked._replace(scheme=base.scheme, netloc=base.netloc, path=base.path + asked.path)
        )
        # A server on loopback plays all services, and tells them apart by this.
        return url, host if base.scheme == "http" else ""

    def _project(self, path: str) -> Sequence[str]:
        found = _PROJECT.search(path)
        return tuple(self._aliases(found[1])) if found else ()


def _named(params: Any) -> Any:
    """Ask for enumerations by name: typed clients ask for numbers, which no rule could read."""
    if isinstance(params, list | tuple):
        return [
            (key, "json" if key == "$alt" else value) for key, value in params if value is not None
        ]
    return params


def _json(service: str, read: guard.Read, response: Response) -> Any:
    try:
        body = json.loads(response.content)
    except ValueError as error:
        raise no_answer(service, read, error) from error
    if not isinstance(body, dict):
        raise no_answer(service, read, TypeError("not an object"))
    return body


def _said(response: Response) -> Any:
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def _pause(response: Response, body: Any) -> float | None:
    """Seconds that the answer asks to wait, or None."""
    asked = retry_after(body)
    if asked is not None:
        return asked
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
