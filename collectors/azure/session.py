"""One way to Azure for a whole scan: one pipeline, one credential, every call counted.

Whatever client sends a request (the reader here, or the typed Azure ML client), it goes through
``policies``: retries that obey Retry-After within bounds, and the read-only guard last. The policy
that registers resource providers is not among them: a read must never cause a write.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlencode

from azure.core import PipelineClient
from azure.core.exceptions import AzureError, DecodeError, DeserializationError
from azure.core.pipeline.policies import (
    ContentDecodePolicy,
    CustomHookPolicy,
    HeadersPolicy,
    RedirectPolicy,
    RequestIdPolicy,
    RetryPolicy,
    SensitiveHeaderCleanupPolicy,
    UserAgentPolicy,
)
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from collectors.azure.credentials import credential_for
from collectors.azure.endpoint import Endpoint, endpoint_of, origin
from collectors.azure.errors import ArmError, classify, unreadable
from collectors.azure.guard import Pace, ReadOnly, RefusedError, running
from collectors.waiting import wait
from undercroft.model import CoverageStatus, Json
from undercroft.protocols import Meter

__all__ = ["GRAPH_PAGE", "Arm", "Subscription", "UnmodelledError"]

# Typed clients complain about values that are newer than they are; that is no news to anybody.
logging.getLogger("azure").addHandler(logging.NullHandler())

RETRIES = 5
LONGEST_RETRY_AFTER = 60.0
"""Seconds that one Retry-After may cost; who asks for more is met with a retry too early."""
_CONNECT_TIMEOUT = 10
_READ_TIMEOUT = 60
_MOST_PAGES = 5_000
GRAPH_PAGE = 1_000
_NOT_MODELLED = (
    DecodeError,
    DeserializationError,
    AttributeError,
    TypeError,
    ValueError,
    RecursionError,
)
"""What a typed client raises for an answer that its models have no place for."""
_GRAPH_VERSION = "2021-03-01"
_SUBSCRIPTIONS_VERSION = "2022-12-01"
_GROUPS_VERSION = "2020-05-01"


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription as the credentials see it."""

    id: str
    name: str
    state: str
    tenant: str

    @property
    def readable(self) -> bool:
        """Disabled and deleted subscriptions answer nothing."""
        return self.state.lower() in {"enabled", "warned", "pastdue", ""}


class UnmodelledError(Exception):
    """A typed client could not take an answer; the plain reader may."""


class _Retry(RetryPolicy[Any, Any]):
    def get_retry_after(self, response: Any) -> float | None:
        after = super().get_retry_after(response)
        return None if after is None else min(float(after), LONGEST_RETRY_AFTER)


class _Transport(RequestsTransport):  # type: ignore[misc]  # azure-core leaves it untyped
    """Waits between retries as long as nobody asks the scan to stop."""

    def sleep(self, duration: float) -> None:
        meter = running.get()
        wait(duration, meter.check if meter is not None else lambda: None)


class Arm:
    """Azure Resource Manager for one set of options: picklable, thread-safe, made once per scan.

    Options (all optional, none secret): ``endpoint``, ``subscriptions`` (ids or names),
    ``management_group``, ``resource_graph`` (false: plain lists only), ``retries``.
    """

    def __init__(self, options: Mapping[str, Json] | None = None) -> None:
        self.options: dict[str, Json] = dict(options or {})
        self.endpoint: Endpoint = endpoint_of(self.options)
        self.pace = Pace()
        self.spoken: dict[str, str] = {}
        """Subscription → the version of the Azure ML API that it was answered at."""
        self._lock = threading.RLock()
        self._client: PipelineClient[Any, Any] | None = None
        self._transport: _Transport | None = None
        self._credential: Any = None
        self._typed: dict[tuple[str, str], Any] = {}
        self._visible: tuple[Subscription, ...] | ArmError | None = None
        self._chosen: tuple[Subscription, ...] | ArmError | None = None

    def __reduce__(self) -> tuple[type[Arm], tuple[dict[str, Json]]]:
        # Sockets, locks and tokens stay behind: another process opens its own.
        return (Arm, (self.options,))

    @property
    def credential(self) -> Any:
        """azure-identity's default chain; None on plain http, where nothing signs in."""
        with self._lock:
            if self._credential is None and not self.endpoint.plain:
                self._credential = credential_for(self.endpoint)
            return self._credential

    def policies(self) -> list[Any]:
        """A fresh chain (azure-core ties policies to one client), the guard last."""
        retries = self.options.get("retries")
        total = retries if isinstance(retries, int) else RETRIES
        signing = [] if self.endpoint.plain else [self._signing()]
        return [
            RequestIdPolicy(),
            HeadersPolicy(),
            UserAgentPolicy(base_user_agent="undercroft"),
            ContentDecodePolicy(),
            RedirectPolicy(permit_redirects=False),
            _Retry(retry_total=total, retry_backoff_factor=0.8, retry_backoff_max=60),
            *signing,
            CustomHookPolicy(),
            SensitiveHeaderCleanupPolicy(),
            ReadOnly(self.endpoint, self.pace),
        ]

    def _signing(self) -> Any:
        return ARMChallengeAuthenticationPolicy(self.credential, self.endpoint.scope)

    @property
    def transport(self) -> Any:
        """The one pool of connections; a proxy is not asked about loopback."""
        with self._lock:
            if self._transport is None:
                self._transport = _Transport(
                    connection_timeout=_CONNECT_TIMEOUT,
                    read_timeout=_READ_TIMEOUT,
                    use_env_settings=not self.endpoint.plain,
                )
            return self._transport

    def url(self, path: str, version: str, **query: str) -> str:
        """The address of ``path`` (``/subscriptions/…``); what is no path character is escaped."""
        options = {"api-version": version} | {f"${name}": value for name, value in query.items()}
        return f"{self.endpoint.url}{quote(path, safe='/-._~()@:')}?{urlencode(options)}"

    def get(self, meter: Meter, path: str, version: str, **query: str) -> dict[str, Any]:
        """One answer as it came. Raises ``ArmError`` or ``Cancelled``."""
        return self._object(meter, HttpRequest("GET", self.url(path, version, **query)))

    def pages(
        self, meter: Meter, path: str, version: str, **query: str
    ) -> Iterator[dict[str, Any]]:
        """The items of every page of a list. Raises like ``get``, possibly after some items."""
        url = self.url(path, version, **query)
        seen = set[str]()
        while url:
            if url in seen or len(seen) >= _MOST_PAGES:
                raise ArmError(CoverageStatus.TRUNCATED, f"{path}: the list never ends")
            seen.add(url)
            page = self._object(meter, HttpRequest("GET", url))
            yield from items_of(page, url)
            url = self.next_link(page)

    def next_link(self, page: Mapping[str, Any]) -> str:
        """Where the next page is, or nothing. Raises ``ArmError`` if it is somewhere else."""
        link = page.get("nextLink")
        if not link:
            return ""
        try:
            place = origin(str(link))
        except ValueError:
            place = ""
        if not isinstance(link, str) or place != self.endpoint.url:
            where = place or "an address that is none"
            raise ArmError(
                CoverageStatus.TRUNCATED,
                f"the next page is said to be on {where}, not on {self.endpoint.url}; "
                "it was not asked for",
            )
        return link

    def query(
        self, meter: Meter, text: str, subscriptions: tuple[str, ...]
    ) -> Iterator[dict[str, Any]]:
        """Every row of a Resource Graph query. Raises like ``get``."""
        token: str | None = None
        seen = set[str]()
        url = self.url("/providers/Microsoft.ResourceGraph/resources", _GRAPH_VERSION)
        while True:
            options: dict[str, Json] = {"resultFormat": "objectArray", "$top": GRAPH_PAGE}
            if token:
                options["$skipToken"] = token
            body: dict[str, Json] = {
                "subscriptions": list(subscriptions),
                "query": text,
                "options": options,
            }
            page = self._object(meter, HttpRequest("POST", url, json=body))
            rows = page.get("data")
            if not isinstance(rows, list) or any(not isinstance(row, dict) for row in rows):
                raise unreadable(url, "the answer has no rows")
            yield from rows
            token = page.get("$skipToken")
            if not token:
                if str(page.get("resultTruncated", "false")).lower() == "true":
                    raise ArmError(CoverageStatus.TRUNCATED, "Resource Graph cut its answer short")
                return
            if token in seen or len(seen) >= _MOST_PAGES:
                raise ArmError(CoverageStatus.TRUNCATED, "Resource Graph never comes to an end")
            seen.add(token)

    def typed(self, meter: Meter, path: str, read: Callable[[Any], Any]) -> list[dict[str, Any]]:
        """The items of every page of a typed client's list, as the raw JSON that came.

        ``read`` starts the list with the hook it is given. The typed models drop fields that are
        newer than they are, so they only turn the pages; a page that they cannot take makes
        ``UnmodelledError``. ``path`` is what is listed. Raises like ``get``.
        """
        raw: list[str] = []
        found: list[dict[str, Any]] = []
        token = running.set(meter)
        try:
            meter.check()
            for _ in read(lambda answer: raw.append(answer.http_response.text())).by_page():
                while raw:
                    found += items_of(_parsed(path, raw.pop(0)), path)
        except _NOT_MODELLED as error:
            raise UnmodelledError(path) from error
        except (AzureError, RefusedError) as error:
            raise classify(error, path) from error
        finally:
            running.reset(token)
        return found

    def machine_learning(self, subscription: str, version: str) -> Any:
        """The typed Azure ML client of a subscription, on this pipeline."""
        from azure.mgmt.machinelearningservices import MachineLearningServicesMgmtClient

        with self._lock:
            known = self._typed.get((subscription, version))
            if known is None:
                known = MachineLearningServicesMgmtClient(
                    cast("Any", self.credential or _Nobody()),
                    subscription,
                    self.endpoint.url,
                    api_version=version,
                    credential_scopes=[self.endpoint.scope],
                    policies=self.policies(),
                    transport=self.transport,
                )
                self._typed[subscription, version] = known
            return known

    def visible(self, meter: Meter | None = None) -> tuple[Subscription, ...]:
        """Every subscription that the credentials see, asked for once.

        Raises ``ArmError``, again without asking again: every unit of a scan comes here first.
        """
        with self._lock:
            if self._visible is None:
                try:
                    path = "/subscriptions"
                    listed = self.pages(meter or Meter(), path, _SUBSCRIPTIONS_VERSION)
                    self._visible = tuple(_subscription(item) for item in listed)
                except ArmError as error:
                    self._visible = error
            if isinstance(self._visible, ArmError):
                raise self._visible
            return self._visible

    def subscriptions(self, meter: Meter | None = None) -> tuple[Subscription, ...]:
        """What a scan reads: those asked for, those beneath a management group, else all.

        One that was asked for and is not to be seen comes out with the state ``NotVisible``.
        Raises ``ArmError``.
        """
        with self._lock:
            if self._chosen is None:
                try:
                    self._chosen = self._choose(meter or Meter())
                except ArmError as error:
                    self._chosen = error
            if isinstance(self._chosen, ArmError):
                raise self._chosen
            return self._chosen

    def _choose(self, meter: Meter) -> tuple[Subscription, ...]:
        visible = self.visible(meter)
        asked = self.options.get("subscriptions")
        names = [str(name) for name in asked] if isinstance(asked, list | tuple) else []
        group = self.options.get("management_group")
        if isinstance(group, str) and group:
            names += self._beneath(meter, group)
            if not names:
                return ()
        if not names:
            return visible
        chosen: dict[str, Subscription] = {}
        for name in names:
            found = [s for s in visible if name.lower() in {s.id.lower(), s.name.lower()}]
            for one in found or [Subscription(name, name, "NotVisible", "")]:
                chosen.setdefault(one.id.lower(), one)
        return tuple(chosen.values())

    def _beneath(self, meter: Meter, group: str) -> list[str]:
        """Ids of the subscriptions beneath a management group, however deep."""
        path = f"/providers/Microsoft.Management/managementGroups/{group}/descendants"
        return [
            str(item.get("name"))
            for item in self.pages(meter, path, _GROUPS_VERSION)
            if str(item.get("type")).lower().endswith("/subscriptions")
        ]

    def _object(self, meter: Meter, request: HttpRequest) -> dict[str, Any]:
        meter.check()
        token = running.set(meter)
        try:
            response = self._pipeline().send_request(request)
            response.raise_for_status()
            return _parsed(request.url, response.text())
        except (AzureError, RefusedError) as error:
            raise classify(error, request.url) from error
        except RecursionError:
            raise unreadable(request.url, "the answer is nested too deeply") from None
        finally:
            running.reset(token)

    def _pipeline(self) -> PipelineClient[Any, Any]:
        with self._lock:
            if self._client is None:
                self._client = PipelineClient(
                    self.endpoint.url, policies=self.policies(), transport=self.transport
                )
            return self._client


class _Nobody:
    """Stands where a typed client insists on a credential that nothing will ask for."""

    def get_token(self, *scopes: str, **_: Any) -> Any:
        raise AssertionError(f"a token for {scopes} was asked for on plain http")


def items_of(page: Mapping[str, Any], url: str) -> list[dict[str, Any]]:
    """The items of one page; an answer without a list of objects is no empty list."""
    items = page.get("value")
    if not isinstance(items, list) or any(not isinstance(item, dict) for item in items):
        raise unreadable(url, "the answer is not a list")
    return items


def _parsed(url: str, text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        raise unreadable(url, "the answer is not JSON") from None
    if not isinstance(answer, dict):
        raise unreadable(url, "the answer is not an object")
    return answer


def _subscription(item: Mapping[str, Any]) -> Subscription:
    return Subscription(
        str(item.get("subscriptionId") or ""),
        str(item.get("displayName") or ""),
        str(item.get("state") or ""),
        str(item.get("tenantId") or ""),
    )
