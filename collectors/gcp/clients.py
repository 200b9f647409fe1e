"""Reading Google Cloud: one session, one memory of what was asked already, and who we are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote

from collectors.gcp.errors import CallError, no_answer
from undercroft.model import CoverageStatus, Json
from undercroft.protocols import Meter

if TYPE_CHECKING:
    from collectors.gcp.session import GuardedSession

__all__ = ["Clients", "name_in_path"]

_MOST_PAGES = 100_000

Answer = TypeVar("Answer")


class Clients:
    """Everything a unit calls through: picklable, thread-safe, made once per scan.

    Options (all optional, none secret): ``projects``, ``organization``, ``quota_project``,
    ``max_attempts``, ``first_wait``.
    """

    def __init__(self, options: Mapping[str, Json] | None = None) -> None:
        self.options: dict[str, Json] = dict(options or {})
        self._lock = threading.RLock()
        self._session: GuardedSession | None = None
        self._identity = ""
        self._locks: dict[Hashable, threading.RLock] = {}
        self._remembered: dict[Hashable, Any] = {}
        self.numbers: dict[str, str] = {}
        """Project number → project id, of every project that was looked at."""

    def __reduce__(self) -> tuple[type[Clients], tuple[dict[str, Json]]]:
        # Sockets and locks stay behind: another process opens its own.
        return (Clients, (self.options,))

    @property
    def session(self) -> GuardedSession:
        """The one session behind everything. Raises ``CallError`` without credentials."""
        with self._lock:
            if self._session is None:
                self._session = self._open()
            return self._session

    @property
    def identity(self) -> str:
        """Who the credentials are, as far as they say without being asked."""
        _ = self.session
        return self._identity

    def get(self, meter: Meter, service: str, path: str, **params: Any) -> dict[str, Any]:
        """One GET, as JSON. Raises ``CallError``, ``WriteRefusedError`` or ``Cancelled``."""
        return self._send(meter, "GET", service, path, params)

    def policy(self, meter: Meter, service: str, path: str) -> dict[str, Any]:
        """The IAM policy of ``path``, where the API wants a POST for that. Raises like ``get``."""
        body = '{"options": {"requestedPolicyVersion": 3}}'
        return self._send(meter, "POST", service, f"{path}:getIamPolicy", {}, body)

    def pages(
        self, meter: Meter, service: str, path: str, key: str, **params: Any
    ) -> Iterator[dict[str, Any]]:
        """The items under ``key`` of every page, one by one. Raises like ``get``, perhaps midway."""
        for page in self.whole_pages(meter, service, path, **params):
            yield from items(service, page, key)

    def whole_pages(
        self, meter: Meter, service: str, path: str, **params: Any
    ) -> Iterator[dict[str, Any]]:
        """Every page as it came."""
        token = ""
        for _ in range(_MOST_PAGES):
            page = self.get(
                meter, service, path, **params, **({"pageToken": token} if token else {})
            )
            yield page
            following = page.get("nextPageToken")
            if not following or not isinstance(following, str):
                return
            if following == token:
                raise CallError(
                    service, None, CoverageStatus.ERROR, "the same page came again and again"
                )
            token = following

    def remember(self, name: Hashable, ask: Callable[[], Answer]) -> Answer:
        """The answer to ``ask``, or the ``CallError`` that it raised, without asking twice."""
        with self._lock:
            lock = self._locks.setdefault(name, threading.RLock())
        with lock:
            if name not in self._remembered:
                try:
                    self._remembered[name] = ask()
                except CallError as error:
                    self._remembered[name] = error
            found = self._remembered[name]
        if isinstance(found, CallError):
            raise found
        return cast("Answer", found)

    def aliases(self, project: str) -> tuple[str, ...]:
        """A project's id and number, given either; what is not known is left out."""
        if project in self.numbers:
            return (project, self.numbers[project])
        number = next((n for n, name in self.numbers.items() if name == project), "")
        return (project, number) if number else (project,)

    def _send(
        self,
        meter: Meter,
        method: str,
        service: str,
        path: str,
        params: Mapping[str, Any],
        body: str | None = None,
    ) -> dict[str, Any]:
        from collectors.gcp.session import metered

        with metered(meter):
            self.session.request(
                method,
                f"https://{service}.googleapis.com{path}",
                data=body,
                headers={"Content-Type": "application/json"} if body else None,
                params={key: value for key, value in params.items() if value is not None},
            )
        return cast("dict[str, Any]", self.session.taken())

    def _open(self) -> GuardedSession:
        import google.auth
        from google.auth.credentials import AnonymousCredentials
        from google.auth.exceptions import GoogleAuthError

        from collectors.gcp.session import SCOPES, EndpointError, GuardedSession, endpoint

        try:
            override = endpoint()
        except EndpointError as error:
            raise CallError("", None, CoverageStatus.ERROR, str(error)) from error
        credentials: Any
        if override is not None and override.scheme == "http":
            # Never a real credential over plain HTTP, not even to this machine.
            credentials, self._identity = AnonymousCredentials(), "anonymous (local endpoint)"  # type: ignore[no-untyped-call]
        else:
            quota = self.options.get("quota_project")
            try:
                credentials, _ = google.auth.default(
                    scopes=SCOPES, quota_project_id=str(quota) if quota else None
                )
            except (GoogleAuthError, OSError, ValueError) as error:
                raise no_answer("", None, error) from error
            self._identity = str(
                getattr(credentials, "service_account_email", "")
                or getattr(credentials, "account", "")
                or "your own Google account"
            )
        attempts, first = self.options.get("max_attempts"), self.options.get("first_wait")
        more: dict[str, Any] = {}
        if isinstance(attempts, int):
            more["attempts"] = attempts
        if isinstance(first, int | float):
            more["first_wait"] = float(first)
        return GuardedSession(credentials, override=override, aliases=self.aliases, **more)


def items(service: str, page: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects under ``key`` of a page; ``CallError`` if that is not a list of objects."""
    found = page.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise no_answer(service, None, TypeError(f"{key} is not a list of objects"))
    return found


def name_in_path(text: str) -> str:
    """One segment of a path: whatever a configuration holds stays one segment."""
    quoted = quote(text, safe="@-._~")
    return quoted.replace(".", "%2E") if set(quoted) == {"."} else quoted
