"""The promise of the transport: only reads, only to one host, no token in the clear. Each is attacked."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.core.rest import HttpRequest
from azure.identity import ChainedTokenCredential, CredentialUnavailableError

from collectors.azure.credentials import link_of, refusals
from collectors.azure.endpoint import CLOUDS, EndpointError, endpoint_of
from collectors.azure.errors import ArmError, classify
from collectors.azure.guard import ForeignHostError, Pace, ReadOnly, RefusedError
from collectors.azure.session import LONGEST_RETRY_AFTER, Arm
from tests.cloud.arm import ArmServer, Fault
from tests.collectors.azure.kit import read
from undercroft.model import CoverageStatus
from undercroft.protocols import Cancelled, Meter

SUB = "/subscriptions/11111111-2222-3333-4444-555555555555"
WS = f"{SUB}/resourceGroups/ml-prod/providers/Microsoft.MachineLearningServices/workspaces/ws"


@pytest.fixture
def other() -> Iterator[ArmServer]:
    with ArmServer() as arm:
        yield arm


def arm_of(server: ArmServer, **options: Any) -> Arm:
    return Arm({"endpoint": server.endpoint, "retries": 2, **options})


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST", "DELETE", "HEAD", "post"])
def test_nothing_but_reads_is_sent(server: ArmServer, method: str) -> None:
    arm = arm_of(server)
    for path in (f"{WS}/listKeys", WS, "/providers/Microsoft.ResourceGraph/resources/../x"):
        with pytest.raises(RefusedError):
            arm._pipeline().send_request(HttpRequest(method, f"{server.endpoint}{path}"))
    assert server.seen == []


def test_the_typed_client_cannot_write_either(server: ArmServer) -> None:
    client = arm_of(server).machine_learning(SUB.rpartition("/")[2], "2024-10-01-preview")
    attempts = (
        lambda: client.workspaces.list_keys("ml-prod", "ws"),
        lambda: client.compute.begin_delete("ml-prod", "ws", "ci", "Delete"),
        lambda: client.workspaces.begin_create_or_update("ml-prod", "ws", {}),
        lambda: client.online_endpoints.list_keys("ml-prod", "ws", "e"),
    )
    for attempt in attempts:
        with pytest.raises(RefusedError):
            attempt()  # type: ignore[no-untyped-call]
    assert server.seen == []


def test_an_unregistered_provider_is_not_registered(small: ArmServer) -> None:
    small.faults.append(Fault("workspaces$", 409, "MissingSubscriptionRegistration"))
    found = read(small)
    status = {c.status for c in found.coverage if c.collector == "azure.ml.workspaces"}
    assert CoverageStatus.NOT_ENABLED in status
    assert found.gaps() == {}
    posts = [s.path for s in small.seen if s.method != "GET"]
    assert set(posts) == {"/providers/Microsoft.ResourceGraph/resources"}


@pytest.mark.parametrize("where", ["workspaces$", "computes$", "raiPolicies$", "/subscriptions$"])
def test_a_next_link_to_another_host_is_not_followed(
    small: ArmServer, other: ArmServer, where: str
) -> None:
    link = f"{other.endpoint}/subscriptions?api-version=x"
    small.faults.append(Fault(where, change=lambda page: {**page, "nextLink": link}))
    found = read(small)
    assert other.seen == []
    assert CoverageStatus.TRUNCATED in {status for status, _ in found.gaps().values()}


@pytest.mark.parametrize(
    "link",
    [
        "https://{host}/x",
        "http://{host}@evil.example/x",
        "//evil.example/x",
        "file:///etc/passwd",
        "x",
    ],
)
def test_addresses_that_only_look_like_ours_are_not_followed(server: ArmServer, link: str) -> None:
    host = server.endpoint.removeprefix("http://")
    server.faults.append(
        Fault("/subscriptions$", change=lambda page: {**page, "nextLink": link.format(host=host)})
    )
    with pytest.raises(ArmError) as error:
        list(arm_of(server).pages(Meter(), "/subscriptions", "2022-12-01"))
    assert error.value.status is CoverageStatus.TRUNCATED


def test_a_list_that_never_ends_is_left(server: ArmServer) -> None:
    link = f"{server.endpoint}/subscriptions?api-version=2022-12-01"
    server.faults.append(Fault("/subscriptions$", change=lambda page: {**page, "nextLink": link}))
    with pytest.raises(ArmError, match="never ends"):
        list(arm_of(server).pages(Meter(), "/subscriptions", "2022-12-01"))


def test_a_redirect_is_not_followed(server: ArmServer, other: ArmServer) -> None:
    server.faults.append(
        Fault("/subscriptions$", 307, "Moved", {"Location": f"{other.endpoint}/subscriptions"})
    )
    with pytest.raises(ArmError):
        arm_of(server).subscriptions()
    assert other.seen == []


@pytest.mark.parametrize(
    "address",
    [
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://management.azure.com",
        "http://0.0.0.0",
        "ftp://127.0.0.1",
        "https://user:secret@management.azure.com",
        "https://management.azure.com/tenant",
        "https://management.azure.com?x=1",
        "management.azure.com",
        "http://127.0.0.1:port",
        "https://",
    ],
)
def test_only_loopback_may_be_plain_and_an_address_is_nothing_more(address: str) -> None:
    with pytest.raises(EndpointError):
        endpoint_of({"endpoint": address})


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080", "http://[::1]:1", "http://LOCALHOST"])
def test_loopback_may_be_plain(address: str) -> None:
    assert endpoint_of({"endpoint": address}).plain


def test_no_credential_is_used_on_plain_http(small: ArmServer) -> None:
    arm = arm_of(small)
    assert arm.credential is None
    read(small)
    assert small.seen
    assert not any(n.lower() == "authorization" for s in small.seen for n in s.headers)


def test_a_credential_that_slips_in_is_stopped(server: ArmServer) -> None:
    request = HttpRequest(
        "GET", f"{server.endpoint}/subscriptions", headers={"authorization": "Bearer x"}
    )
    with pytest.raises(RefusedError, match="credential"):
        arm_of(server)._pipeline().send_request(request)
    assert server.seen == []


class Wire:
    """Stands for the network of a real cloud: keeps what would have been sent."""

    def __init__(self, answer: str) -> None:
        self.sent: list[Any] = []
        self._answer = answer

    def send(self, request: Any, **_: Any) -> Any:
        self.sent.append(request)
        answer = self._answer
        return SimpleNamespace(
            status_code=200,
            headers={},
            content_type="application/json",
            text=lambda *_: answer,
            body=answer.encode,
            raise_for_status=lambda: None,
            request=request,
            reason="OK",
        )

    def open(self) -> None: ...

    def close(self) -> None: ...

    def sleep(self, seconds: float) -> None: ...


class Ticket:
    """A credential that notes what it is asked for."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> Any:
        self.scopes += scopes
        return SimpleNamespace(token="real", expires_on=time.time() + 3600)


@pytest.mark.parametrize("cloud", sorted(CLOUDS))
def test_a_token_is_for_its_own_cloud_and_goes_nowhere_else(cloud: str) -> None:
    arm = Arm({"endpoint": f"{cloud}/"})
    ticket, wire = Ticket(), Wire('{"value": [], "nextLink": "https://evil.example/next"}')
    arm._credential, arm._transport = ticket, wire  # type: ignore[assignment]
    with pytest.raises(ArmError) as error:
        arm.subscriptions()
    assert error.value.status is CoverageStatus.TRUNCATED
    assert set(ticket.scopes) == {f"{cloud}/.default"}
    (sent,) = wire.sent
    assert sent.url.startswith(f"{cloud}/subscriptions?")
    assert sent.headers["Authorization"] == "Bearer real"
    with pytest.raises(ForeignHostError):
        arm._pipeline().send_request(HttpRequest("GET", "https://evil.example/"))
    assert len(wire.sent) == 1
    assert arm.endpoint.authority == CLOUDS[cloud]


def test_the_guard_knows_its_host_in_every_spelling() -> None:
    guard = ReadOnly(endpoint_of({"endpoint": "https://management.azure.com"}), Pace())
    guard.check("GET", "https://MANAGEMENT.azure.com:443/subscriptions", {})
    for url in (
        "https://management.azure.com.evil.example/",
        "https://management.azure.com:444/",
        "http://management.azure.com/",
        "https://management.azure.com@evil.example/",
        "https://x@management.azure.com/",
    ):
        with pytest.raises(ForeignHostError):
            guard.check("GET", url, {})


def test_throttling_is_waited_out_and_counted(server: ArmServer) -> None:
    server.faults.append(Fault("/subscriptions$", 429, "Throttled", {"Retry-After": "1"}, times=1))
    meter, begun = Meter(), time.monotonic()
    assert arm_of(server).visible(meter)
    assert time.monotonic() - begun >= 1
    assert (meter.calls, meter.throttled) == (2, 1)


def test_throttling_that_does_not_end_is_a_gap(server: ArmServer) -> None:
    server.faults.append(Fault("/subscriptions$", 429, "Throttled", {"Retry-After": "0"}))
    with pytest.raises(ArmError) as error:
        arm_of(server).visible()
    assert error.value.status is CoverageStatus.THROTTLED


def test_no_header_keeps_a_scan_waiting_for_hours(server: ArmServer) -> None:
    server.faults.append(Fault("/subscriptions$", 429, "T", {"Retry-After": "86400"}))
    stop = threading.Event()
    meter = Meter(cancelled=stop.is_set)
    threading.Timer(0.3, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        arm_of(server).visible(meter)
    assert time.monotonic() - begun < 5
    retry = next(p for p in arm_of(server).policies() if type(p).__name__ == "_Retry")
    response = SimpleNamespace(http_response=SimpleNamespace(headers={"Retry-After": "86400"}))
    assert retry.get_retry_after(response) == LONGEST_RETRY_AFTER


def test_few_remaining_reads_slow_the_next_call() -> None:
    pace = Pace()
    pace.heed({"x-ms-ratelimit-remaining-subscription-reads": "3"})
    begun = time.monotonic()
    pace.wait(None)
    assert time.monotonic() - begun >= 0.9
    pace.heed({"x-ms-ratelimit-remaining-subscription-reads": "249"})
    pace.heed({"x-ms-ratelimit-remaining-subscription-reads": "many"})
    begun = time.monotonic()
    pace.wait(None)
    assert time.monotonic() - begun < 0.1
    pace.heed({"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "99:00:00"})
    assert pace._until - time.monotonic() <= Pace.LONGEST


@pytest.mark.parametrize(
    "body",
    ["", "<html>proxy</html>", "[]", '"x"', "{}", '{"value": {}}', '{"value": [1]}', "[" * 100_000],
)
def test_garbage_is_an_error_and_never_an_empty_list(small: ArmServer, body: str) -> None:
    small.faults.append(Fault("workspaces$", 200, body=body))
    found = read(small)
    status, reason = found.gaps()["azure.ml.workspaces"]
    assert status is CoverageStatus.ERROR
    assert "Microsoft.MachineLearningServices/workspaces/read" in reason


def test_a_session_travels_without_its_secrets(server: ArmServer) -> None:
    arm = arm_of(server)
    arm.visible()
    copy = pickle.loads(pickle.dumps(arm))
    assert copy.options == arm.options
    assert copy._credential is None
    assert copy._visible is None
    with pytest.raises(ArmError) as error:
        raise pickle.loads(
            pickle.dumps(ArmError(CoverageStatus.DENIED, "no", code="X", action="a/read"))
        )
    assert error.value.unknown == "denied: needs a/read"


def test_doctor_can_say_which_link_of_the_chain_worked() -> None:
    class AzureCliCredential(Ticket):
        pass

    class ManagedIdentityCredential:
        def get_token(self, *scopes: str, **_: Any) -> Any:
            raise CredentialUnavailableError("not on this machine")

    chain = ChainedTokenCredential(ManagedIdentityCredential(), AzureCliCredential())
    assert link_of(chain) == ""
    chain.get_token("https://management.azure.com/.default")
    assert link_of(chain) == "the Azure CLI ('az login')"
    assert link_of(None) == ""


def failed(*credentials: tuple[str, str]) -> str:
    """What a chain of these says when none of them gets a token, in the SDK's own words."""

    def link(name: str, said: str) -> Any:
        def get_token(*_: Any, **__: Any) -> Any:
            raise CredentialUnavailableError(message=said)

        return type(name, (), {"get_token": staticmethod(get_token)})()

    chain = ChainedTokenCredential(*(link(*credential) for credential in credentials))
    with pytest.raises(ClientAuthenticationError) as error:
        chain.get_token("scope")
    return str(error.value.message)


def test_nobody_signed_in_is_one_sentence() -> None:
    unset = "EnvironmentCredential authentication unavailable.\nVisit https://example.org/x"
    said = failed(
        ("EnvironmentCredential", unset),
        ("AzureCliCredential", "Azure CLI not found on path"),
        ("AzurePowerShellCredential", "PowerShell is not installed"),
    )  # fmt: skip
    assert refusals(said) == ""
    error = classify(ClientAuthenticationError(said), "/subscriptions")
    assert error.status is CoverageStatus.DENIED
    assert error.reason == "no usable credentials; sign in with 'az login' and scan again"


def test_who_was_refused_is_told_and_who_was_not_there_is_not() -> None:
    said = failed(
        ("ManagedIdentityCredential", "ManagedIdentityCredential authentication unavailable."),
        ("AzureCliCredential", "ERROR: AADSTS70043: The refresh token has expired."),
    )
    told = "the Azure CLI ('az login'): ERROR: AADSTS70043: The refresh token has expired."
    assert refusals(said) == told
    assert f"({told})" in classify(ClientAuthenticationError(said), "/subscriptions").reason
    assert refusals("the tenant is\nnot known") == "the tenant is not known"
