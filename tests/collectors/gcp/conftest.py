"""Google Cloud on loopback with the estate ``gcp``, and a scan of it through the real pipeline."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.gcp import collectors
from collectors.gcp.clients import Clients
from rules import Engine, load_pack
from tests.cloud.estate import load_estate
from tests.cloud.gcp import GcpServer
from undercroft.protocols import Scope
from undercroft.scan import run_scan
from undercroft.store import Store
from undercroft.views import ScanRow

NOW = datetime(2026, 11, 2, tzinfo=UTC)
Scan = Callable[..., tuple[Store, ScanRow]]


@pytest.fixture(scope="session")
def gcp_server() -> Iterator[GcpServer]:
    with GcpServer(load_estate("gcp")) as server:
        yield server


@pytest.fixture
def gcp(gcp_server: GcpServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[GcpServer]:
    """The server, answering well, as the cloud that everything here talks to."""
    monkeypatch.setenv("UNDERCROFT_GCP_ENDPOINT", gcp_server.endpoint)
    before = gcp_server.estate
    gcp_server.repair()
    gcp_server.inventory = True
    yield gcp_server
    gcp_server.repair()
    gcp_server.inventory = True
    if gcp_server.estate is not before:
        gcp_server.change(before)


@pytest.fixture
def clients(gcp: GcpServer) -> Clients:
    return Clients({"first_wait": 0.01})


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine(load_pack())


@pytest.fixture
def scan(gcp: GcpServer, tmp_path: Path, engine: Engine) -> Iterator[Scan]:
    """Scan into one cache; each call is another scan."""
    tick = itertools.count()
    with Store.open(tmp_path / "cache.db") as store:

        def now() -> datetime:
            # Each scan is a little later, as status computations need.
            return NOW + timedelta(minutes=next(tick))

        def run(
            *projects: str, locations: tuple[str, ...] = (), **options: Any
        ) -> tuple[Store, ScanRow]:
            settings = {"first_wait": 0.01, **options}
            scope = Scope("gcp", projects, locations, settings)
            row = run_scan(store, collectors(settings, now), engine, scope, name="test", clock=now)
            return store, row

        yield run
