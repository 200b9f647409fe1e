"""The session: where requests go, what is tried again, and what a failure means."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from collectors.gcp.clients import Clients
from collectors.gcp.errors import CallError
from collectors.gcp.session import EndpointError, endpoint
from tests.cloud.gcp import GcpFault, GcpServer, denied, garbage, throttled
from undercroft.model import CoverageStatus
from undercroft.protocols import Cancelled, Meter

BUCKETS = "/storage/v1/b"


def get(clients: Clients, meter: Meter | None = None) -> dict[str, Any]:
    return clients.get(meter or Meter(), "storage", BUCKETS, project="acme-ml")


def test_throttling_is_waited_out_and_counted(gcp: GcpServer, clients: Clients) -> None:
    gcp.break_(throttled("storage", times=3))
    meter = Meter()
    assert get(clients, meter)["items"]
    assert (meter.calls, meter.throttled) == (4, 3)


def test_throttling_without_end_is_no_empty_answer(gcp: GcpServer, clients: Clients) -> None:
    gcp.break_(throttled("storage", times=None))
    with pytest.raises(CallError) as caught:
        get(clients)
    assert caught.value.status is CoverageStatus.THROTTLED


def test_advice_to_wait_for_an_hour_is_not_followed(gcp: GcpServer, clients: Clients) -> None:
    gcp.break_(throttled("storage", times=None, delay="3600s"))
    with pytest.raises(CallError, match="throttled"):
        get(clients)
    assert gcp.seen.total() == 1


def test_a_hiccup_is_tried_again(gcp: GcpServer, clients: Clients) -> None:
    gcp.break_(GcpFault("storage", 503, b"<html>busy</html>", times=2))
    assert get(clients)["items"]


@pytest.mark.parametrize(
    "content", [b"<html>no</html>", b"[]", b'"text"', b"", b'{"items": 3}', b'{"items": ["x"]}']
)
def test_garbage_is_an_error_not_an_empty_list(
    gcp: GcpServer, clients: Clients, content: bytes
) -> None:
    gcp.break_(garbage("storage", content))
    with pytest.raises(CallError, match="could not be read as Google's protocol") as caught:
        list(clients.pages(Meter(), "storage", BUCKETS, "items", project="acme-ml"))
    assert caught.value.status is CoverageStatus.ERROR


def test_a_denial_names_the_permission(gcp: GcpServer, clients: Clients) -> None:
    gcp.break_(denied("storage", "storage.buckets.list"))
    with pytest.raises(CallError) as caught:
        get(clients)
    assert caught.value.unknown == "denied: needs storage.buckets.list"


def test_a_denial_without_details_names_it_too(gcp: GcpServer, clients: Clients) -> None:
    body = {"error": {"code": 403, "errors": [{"reason": "forbidden"}], "message": "no"}}
    gcp.break_(GcpFault("storage", 403, body))
    with pytest.raises(CallError) as caught:
        get(clients)
    assert caught.value.unknown == "denied: needs storage.buckets.list"


def disabled(consumer: str) -> GcpFault:
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "SERVICE_DISABLED",
        "metadata": {"service": "aiplatform.googleapis.com", "consumer": consumer},
    }
    return GcpFault("locations", 403, {"error": {"code": 403, "details": [detail]}})


def test_an_api_that_is_off_is_told_from_one_of_the_quota_project(
    gcp: GcpServer, clients: Clients
) -> None:
    clients.numbers["100000000001"] = "acme-ml"
    for consumer, status, words in (
        ("projects/100000000001", CoverageStatus.NOT_ENABLED, "not enabled in project acme-ml"),
        ("projects/55555", CoverageStatus.DENIED, "project 55555, which the calls are charged to"),
    ):
        gcp.repair()
        gcp.break_(disabled(consumer))
        with pytest.raises(CallError, match=words) as caught:
            clients.get(Meter(), "aiplatform", "/v1/projects/acme-ml/locations")
        assert caught.value.status is status


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCROFT_GCP_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CallError, match="no answer") as caught:
        get(Clients({"max_attempts": 1}))
    assert caught.value.status is CoverageStatus.ERROR


def test_a_scan_that_is_stopped_does_not_wait(gcp: GcpServer, clients: Clients) -> None:
    gcp.break_(throttled("storage", times=None, delay="30s"))
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(Cancelled):
        get(clients, Meter(cancelled=stop.is_set))


def test_no_credential_is_sent_to_loopback(
    gcp: GcpServer, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/would-fail-if-read.json")
    get(clients)
    assert gcp.headers
    assert not [name for sent in gcp.headers for name in sent if name.lower() == "authorization"]


@pytest.mark.parametrize(
    "value",
    ["http://example.org", "http://10.0.0.1:80", "ftp://127.0.0.1", "127.0.0.1:80", "https://"],
)
def test_an_unsafe_endpoint_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("UNDERCROFT_GCP_ENDPOINT", value)
    with pytest.raises(EndpointError, match="must be https"):
        endpoint()
    with pytest.raises(CallError, match="must be https"):
        get(Clients())


def test_without_credentials_it_says_how_to_sign_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.delenv("UNDERCROFT_GCP_ENDPOINT", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    with pytest.raises(CallError, match="gcloud auth application-default login") as caught:
        get(Clients())
    assert caught.value.status is CoverageStatus.DENIED


def test_a_token_that_repeats_does_not_loop_for_ever(gcp: GcpServer, clients: Clients) -> None:
    gcp.break_(GcpFault("storage", 200, {"items": [], "nextPageToken": "same"}))
    with pytest.raises(CallError, match="again and again"):
        list(clients.pages(Meter(), "storage", BUCKETS, "items", project="acme-ml"))


def test_questions_are_asked_once(gcp: GcpServer, clients: Clients) -> None:
    gcp.break_(denied("storage"))
    for _ in range(3):
        with pytest.raises(CallError):
            clients.remember("buckets", lambda: get(clients))
    assert gcp.seen.total() == 1
