"""Units on a Dask cluster of two processes, against AWS over HTTP: the same scan, byte for byte."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from concurrent.futures import Executor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.aws import collectors
from rules import Engine, load_pack
from tests.cloud.estate import load_estate
from tests.cloud.seed import seed
from tests.cloud.server import AwsServer
from undercroft.exchange import Format, Head, export_findings
from undercroft.model import Coverage, Json
from undercroft.protocols import Scope
from undercroft.scan import run_scan
from undercroft.scan.executor import ExecutorError, open_executor
from undercroft.store import Store
from undercroft.views import Query

distributed = pytest.importorskip("distributed")

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


def _clock() -> datetime:
    return NOW


@pytest.fixture
def scheduler(aws_server: AwsServer) -> Iterator[str]:
    """A cluster of two processes whose workers find the same cloud."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, processes=True, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address.replace("tcp://", "dask://")


def scanned(
    path: Path, regions: tuple[str, ...], executor: Executor | None
) -> tuple[str, list[Coverage]]:
    """A scan: all its findings as JSON and its coverage; the clock stands still."""
    options: dict[str, Json] = {"regions": list(regions), "max_attempts": 1}
    scope = Scope("aws", locations=regions, options=options)
    engine = Engine(load_pack())
    found = collectors(options, _clock)
    with Store.open(path, clock=_clock) as store:
        row = run_scan(store, found, engine, scope, executor=executor, clock=_clock)
        assert row.state == "complete", store.coverage(row.id)
        out = io.StringIO()
        head = Head.of(store, store.scan(None), "", NOW)
        export_findings(store.iter_records(row.id, Query()), head, Format.JSON, out)
        # Each process signs in for itself, which is one more call.
        text = out.getvalue().replace(f'"calls": {row.calls}', '"calls": 0')
        return text.replace(row.uid, "drawn"), store.coverage(row.id)


@pytest.mark.slow
def test_a_cluster_finds_the_same(aws_server: AwsServer, scheduler: str, tmp_path: Path) -> None:
    estate = load_estate("first-light")
    seed(aws_server.endpoint, estate)
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    # Fingerprints of secrets are salted per cache.
    Store.open(here).close()
    shutil.copy(here, there)
    local = scanned(here, estate.regions, None)
    with open_executor(scheduler) as executor:
        remote = scanned(there, estate.regions, executor)
    assert local[0].count('"f1-') > 70
    assert remote == local


def test_an_executor_that_is_none_is_refused() -> None:
    with (
        pytest.raises(ExecutorError, match="'local' or 'dask://HOST:PORT'"),
        open_executor("spark://x:1"),
    ):
        raise AssertionError
    with open_executor("local") as executor:
        assert executor is None


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undercroft.scan.executor._ANSWER", 0.3)
    with (
        pytest.raises(ExecutorError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        open_executor("dask://127.0.0.1:9"),
    ):
        raise AssertionError
