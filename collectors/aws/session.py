"""One boto3 session and loader for a whole scan; clients shared between threads; one call at a time.

Every client made here carries the read-only guard, counts its requests on the meter of the running
unit, retries adaptively, and reaches loopback endpoints also for account-prefixed hosts.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib.metadata import version
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import boto3.session
import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.loaders import Loader, create_loader
from botocore.parsers import ResponseParserError

from collectors.aws import guard
from collectors.aws.errors import (
    CallError,
    UnsupportedOperationError,
    is_nameless,
    is_throttling,
)
from collectors.aws.guard import WriteRefusedError
from collectors.aws.times import parse_time
from collectors.loopback import is_loopback
from undercroft.model import Json
from undercroft.protocols import Meter

__all__ = ["GLOBAL", "Account", "Clients", "Identity", "call", "pages", "spare"]

GLOBAL = "-"
"""The location of what has no region."""
ALL_REGIONS = "all"
"""In place of region names: every region that is enabled for the account."""

MAX_ATTEMPTS = 8
CONNECT_TIMEOUT = 5
READ_TIMEOUT = 30
AT_ONCE = 4
"""Calls in flight per account, region and service, whatever number of units wait for them."""
_POOL = 32
_CLIENTS = 128
"""Clients that are kept, each about a megabyte; one that is needed again is made again."""

_FAILURES = (ClientError, BotoCoreError, ResponseParserError, WriteRefusedError)

_running: ContextVar[Meter | None] = ContextVar("running_meter", default=None)
_counting = threading.Lock()
"""A unit may read with several threads on one meter."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the credentials are."""

    account: str
    partition: str
    arn: str


@dataclass(frozen=True, slots=True)
class Account:
    """An account that can be read."""

    number: str
    options: Mapping[str, Json] = field(default_factory=dict)
    """What a target needs to carry so that a worker can sign in; never a secret."""
    regions: tuple[str, ...] = ()


class _Recent:
    """The clients of all sessions, of which only so many are kept.

    Clients of one account, region and service are shared while they are in use: the SDK slows down
    per client.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, str, str], weakref.ref[Clients]] = OrderedDict()

    def use(self, owner: Clients, service: str, region: str) -> None:
        """Note that a client is used, and let go of those that have not been for longest."""
        name = (id(owner), service, region)
        surplus = []
        with self._lock:
            self._kept[name] = weakref.ref(owner)
            self._kept.move_to_end(name)
            while len(self._kept) > _CLIENTS:
                surplus.append(self._kept.popitem(last=False))
        for (_, service, region), whose in surplus:
            if (forgotten := whose()) is not None:
                forgotten.forget(service, region)


_recent = _Recent()


class Clients:
    """The SDK for one set of options: picklable, thread-safe, made once per scan and process.

    Options (all optional, none secret): ``profile``, ``role_arn`` (one, or several to be assumed one
    from the other), ``external_id``, ``regions``, ``max_attempts``. Endpoint overrides are
    botocore's own (``AWS_ENDPOINT_URL``).
    """

    def __init__(self, options: Mapping[str, Json] | None = None) -> None:
        self.options: dict[str, Json] = dict(options or {})
        self._lock = threading.RLock()
        self._session: boto3.session.Session | None = None
        self._clients: dict[tuple[str, str], BaseClient] = {}
        self._identity: Identity | CallError | None = None
        self._enabled: tuple[str, ...] | None = None

    def __reduce__(self) -> tuple[Any, tuple[type[Clients], str]]:
        # Sockets and locks stay behind: another process opens its own, once for all its units.
        return (_unpickled, (type(self), json.dumps(self.options)))

    def at(self, options: Mapping[str, Json]) -> Clients:  # noqa: ARG002  (there is one account)
        """The SDK of the account that a target's ``options`` sign in to."""
        return self

    def accounts(self) -> tuple[Account, ...]:
        """Every account that can be read. Raises ``CallError`` if nobody can sign in."""
        return (Account(self.identity().account),)

    @property
    def session(self) -> boto3.session.Session:
        """The one session behind all clients."""
        with self._lock:
            if self._session is None:
                self._session = self._open()
            return self._session

    @property
    def default_region(self) -> str:
        """Where global services are called from."""
        named = [region for region in self._regions_named() if region != ALL_REGIONS]
        return (named or [self.session.region_name or "us-east-1"])[0]

    @property
    def has_region(self) -> bool:
        """Whether anybody said where to look."""
        return bool(self._regions_named() or self.session.region_name)

    def client(self, service: str, region: str = GLOBAL) -> BaseClient:
        """The shared client of ``service`` in ``region`` (``-``: the default region).

        Raises ``CallError`` if none can be made, for one because the profile does not exist.
        """
        with self._lock:
            try:
                where = self.default_region if region in {"", GLOBAL} else region
            except BotoCoreError as error:
                raise CallError(service, region, "", error) from error
            known = self._clients.get((service, where))
            if known is None:
                try:
                    known = self._make(service, where)
                except BotoCoreError as error:
                    raise CallError(service, where, "", error) from error
                self._clients[service, where] = known
        _recent.use(self, service, where)
        return known

    def forget(self, service: str, region: str) -> None:
        """Let go of a client; whoever holds it may go on using it."""
        with self._lock:
            self._clients.pop((service, region), None)

    def identity(self, meter: Meter | None = None) -> Identity:
        """Account, partition and ARN of the caller, asked for once.

        Raises ``CallError``, again without asking again: every unit of a scan comes here first.
        """
        with self._lock:
            if self._identity is None:
                try:
                    self._identity = self._whoami(meter or Meter())
                except CallError as error:
                    self._identity = error
            if isinstance(self._identity, CallError):
                raise self._identity
            return self._identity

    def _whoami(self, meter: Meter) -> Identity:
        answer = call(meter, self.client("sts"), "get_caller_identity")
        arn = str(answer["Arn"])
        return Identity(str(answer["Account"]), arn.split(":")[1] or "aws", arn)

    def regions(self) -> tuple[str, ...]:
        """Where to scan: the regions asked for, else the session's own.

        ``all`` means every region enabled for the account. Raises ``CallError`` if those cannot be
        listed.
        """
        named = self._regions_named()
        if ALL_REGIONS not in named:
            return named or (self.default_region,)
        with self._lock:
            if self._enabled is None:
                enabled = pages(Meter(), self.client("ec2"), "describe_regions", "Regions")
                self._enabled = tuple(sorted(str(region["RegionName"]) for region in enabled))
            return self._enabled

    def _regions_named(self) -> tuple[str, ...]:
        named = self.options.get("regions")
        if isinstance(named, list | tuple):
            return tuple(str(region) for region in named)
        return (named,) if isinstance(named, str) and named else ()

    def offers(self, service: str, region: str) -> bool:
        """Whether this SDK's own table lists ``service`` in ``region`` (a hint, not a fact).

        A service that the table lists nowhere (the global ones, the newest ones) counts as offered.
        """
        regions = {
            name
            for partition in self.session.get_available_partitions()
            for name in self.session.get_available_regions(service, partition)
        }
        return not regions or region in regions

    def has_name(self, service: str, region: str) -> bool:
        """Whether the host name of ``service`` in ``region`` is known to this machine right now."""
        host = urlsplit(self.client(service, region).meta.endpoint_url).hostname
        try:
            socket.getaddrinfo(host, None)
        except OSError:
            return False
        return True

    def _open(self) -> boto3.session.Session:
        profile = self.options.get("profile")
        core = botocore.session.Session(profile=str(profile) if profile else None)
        core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
        guard.install(core.get_component("event_emitter"), signing_in=True)
        parsers = core.get_component("response_parser_factory")
        parsers.set_parser_defaults(timestamp_parser=parse_time)
        named = self.options.get("role_arn") or ()
        roles = [named] if isinstance(named, str) else cast("Sequence[Any]", named)
        if roles:
            regions = [region for region in self._regions_named() if region != ALL_REGIONS]
            region = (regions or [core.get_config_variable("region") or "us-east-1"])[0]
            external = str(self.options.get("external_id") or "")
            _assume(core, [str(role) for role in roles], external, str(region))
        return boto3.session.Session(botocore_session=core)

    def _make(self, service: str, region: str) -> BaseClient:
        attempts = self.options.get("max_attempts")
        config = Config(
            retries={
                "mode": "adaptive",
                "total_max_attempts": attempts if isinstance(attempts, int) else MAX_ATTEMPTS,
            },
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            max_pool_connections=_POOL,
            **self._agent(),
        )
        make = cast("Any", self.session.client)
        client: BaseClient = make(service, region_name=region, config=config)
        guard.install(client.meta.events)
        _install_hooks(client)
        cast("Any", client).slots = threading.BoundedSemaphore(AT_ONCE)
        return client

    def _agent(self) -> dict[str, Any]:
        """How calls are signed in the account's trail: ``undercroft/1.0 Boto3/1.40 Botocore/1.40``.

        The SDK makes up a text of its own twice for every call, a tenth of what a call costs. It
        is left to it where the configuration names an application, which that text tells of.
        """
        core = cast("Any", self.session)._session  # noqa: SLF001  (boto3 has no public way to it)
        if core.get_config_variable("user_agent_appid"):
            return {"user_agent_extra": "undercroft"}
        own = f"undercroft/{version('undercroft')}"
        return {"user_agent": f"{own} {core.user_agent_name}/{core.user_agent_version}"}


def call(meter: Meter, client: BaseClient, operation: str, **kwargs: Any) -> dict[str, Any]:
    """One API call by its Python name (``describe_model``), counted on ``meter``.

    Raises ``CallError`` (with its classification), ``WriteRefusedError`` or ``Cancelled``.
    """
    meter.check()
    name = _api_name(client, operation)
    token = _running.set(meter)
    try:
        with cast("Any", client).slots:
            answer: dict[str, Any] = getattr(client, operation)(**kwargs)
    except _FAILURES as error:
        raise _failed(client, name, error) from error
    finally:
        _running.reset(token)
    answer.pop("ResponseMetadata", None)
    return answer


def spare(meter: Meter) -> None:
    """Count a call that need not be made."""
    with _counting:
        meter.spared += 1


def pages(
    meter: Meter,
    client: BaseClient,
    operation: str,
    key: str,
    *,
    page_size: int | None = None,
    **kwargs: Any,
) -> Iterator[Any]:
    """The items under ``key`` of every page of ``operation``, one by one, at full page size.

    ``page_size`` defaults to the largest the model allows; give it where the model states none.
    Raises like ``call``, possibly after some items.
    """
    meter.check()
    name = _api_name(client, operation)
    if not client.can_paginate(operation):
        yield from _by_token(meter, client, operation, name, key, kwargs)
        return
    paginator = client.get_paginator(cast("Any", operation))
    size = page_size or _largest_page(client, name, paginator)
    config = {"PageSize": size} if size else {}
    iterator = iter(paginator.paginate(PaginationConfig=config, **kwargs))
    while True:
        meter.check()
        token = _running.set(meter)
        try:
            with cast("Any", client).slots:
                page = next(iterator, None)
        except _FAILURES as error:
            raise _failed(client, name, error) from error
        finally:
            _running.reset(token)
        if page is None:
            return
        yield from page.get(key) or ()


def _by_token(
    meter: Meter,
    client: BaseClient,
    operation: str,
    name: str,
    key: str,
    arguments: dict[str, Any],
) -> Iterator[Any]:
    """``pages`` of an operation that the SDK has no paginator for: follow its own token, if any."""
    model = client.meta.service_model.operation_model(name)
    taken = set(model.input_shape.members) if model.input_shape else set()
    token = next((field for field in _TOKENS if field in taken), "")
    while True:
        answer = call(meter, client, operation, **arguments)
        yield from answer.get(key) or ()
        following = answer.get(token) if token else None
        if not following or following == arguments.get(token):
            return
        arguments = {**arguments, token: following}


_TOKENS = ("NextToken", "nextToken", "Marker")


def _api_name(client: BaseClient, operation: str) -> str:
    name = client.meta.method_to_api_mapping.get(operation)
    if name is None:
        missing = UnsupportedOperationError(f"this version of boto3 does not know {operation}")
        raise _failed(client, operation, missing)
    return str(name)


def _failed(client: BaseClient, operation: str, cause: Exception) -> CallError:
    """What to raise; a refused write raises itself, unless the SDK wanted it for a read."""
    if isinstance(cause, WriteRefusedError) and cause.operation == operation:
        raise cause
    service = client.meta.service_model.service_name
    if isinstance(cause, ClientError) and cause.operation_name != operation:
        # Credentials are fetched in the middle of a call; it was signing in that failed.
        service, operation = "sts", cause.operation_name
    return CallError(service, client.meta.region_name or GLOBAL, operation, cause)


def _largest_page(client: BaseClient, operation: str, paginator: Any) -> int | None:
    limit = paginator._pagination_cfg.get("limit_key")  # noqa: SLF001  (no public way to ask)
    shape: Any = client.meta.service_model.operation_model(operation).input_shape
    if not limit or shape is None or limit not in shape.members:
        return None
    largest = shape.members[limit].metadata.get("max")
    return int(largest) if largest else None


def _assume(
    core: botocore.session.Session, roles: Sequence[str], external_id: str, region: str
) -> None:
    """Make ``core`` act as the last of ``roles``, each assumed from the one before.

    The first is assumed by whom ``core`` was signed in as. Refreshed before expiry. ``region``:
    where to sign in.
    """
    extra = {"RoleSessionName": "undercroft"}
    if external_id:
        extra["ExternalId"] = external_id
    source = botocore.session.Session(profile=core.profile)
    source.register_component("data_loader", core.get_component("data_loader"))
    source.set_config_variable("region", region)
    guard.install(source.get_component("event_emitter"), signing_in=True)
    credentials: Any = source.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    client = partial(source.create_client, config=_sign_in_config())
    for role in roles:
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=cast("Any", client),
            source_credentials=credentials,
            role_arn=role,
            extra_args=extra,
        )
        credentials = DeferredRefreshableCredentials(
            method="assume-role", refresh_using=fetcher.fetch_credentials
        )
    cast("Any", core)._credentials = credentials  # noqa: SLF001  (botocore offers no setter)


def _sign_in_config() -> Config:
    # Hundreds of accounts sign in through one service.
    return Config(
        retries={"mode": "adaptive", "total_max_attempts": MAX_ATTEMPTS},
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
    )


def _unpickled(kind: type[Clients], options: str) -> Clients:
    surroundings = tuple(item for item in os.environ.items() if item[0].startswith("AWS_"))
    return _shared(cast("Hashable", kind), options, frozenset(surroundings))


@lru_cache(maxsize=8)
def _shared(kind: Hashable, options: str, surroundings: frozenset[Any]) -> Clients:  # noqa: ARG001  (part of the key)
    made: Clients = cast("Any", kind)(json.loads(options))
    return made


@lru_cache(maxsize=4)
def _loader(data_path: str | None) -> Loader:
    # Service models are megabytes of JSON: read once per process, whoever asks.
    return create_loader(data_path)


def _install_hooks(client: BaseClient) -> None:
    events = client.meta.events
    service = client.meta.service_model.service_id.hyphenize()
    events.register_first(f"needs-retry.{service}", _after_attempt)
    events.register("before-send", _before_attempt)
    endpoint = urlsplit(client.meta.endpoint_url)
    host = endpoint.hostname or ""
    if is_loopback(host) or host.endswith(".localhost"):
        netloc = endpoint.netloc

        def stay_on_loopback(request: Any, **_: Any) -> None:
            # Account and bucket prefixes cannot be resolved beneath a loopback address; the
            # server still sees them in the Host header.
            url = urlsplit(request.url)
            if url.netloc != netloc:
                request.url = urlunsplit(url._replace(netloc=netloc))
                request.headers["Host"] = url.netloc

        events.register("before-send", stay_on_loopback)


def _before_attempt(**_: Any) -> None:
    meter = _running.get()
    if meter is not None:
        with _counting:
            meter.calls += 1


def _after_attempt(
    response: Any, operation: Any, attempts: int, caught_exception: Any = None, **_: Any
) -> None:
    """Count throttling; stop retrying what the endpoint plainly does not speak, or when told to.

    So too where the endpoint has no name, which the next half minute will not change.

    Raises ``Cancelled`` instead of waiting for another attempt.
    """
    meter = _running.get()
    failed = response is None or response[0].status_code >= 400
    if meter is not None and failed:
        meter.check()
    if response is None:
        if attempts >= 2 and is_nameless(caught_exception):
            raise caught_exception
        return
    http, parsed = response
    code = str(parsed.get("Error", {}).get("Code") or "")
    if meter is not None and is_throttling(code, http.status_code):
        with _counting:
            meter.throttled += 1
    foreign = (not code or code.isdigit()) and bool(http.content.strip())
    if http.status_code >= 500 and foreign and attempts >= 2:
        raise ClientError(parsed, operation.name)
