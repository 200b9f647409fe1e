"""Fixtures of every test that runs the command: one cloud and one scan of it, shared by all.

They are made once per run, whatever number of processes it has; each test gets a copy of the cache.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cloud.estate import load_estate
from tests.cloud.faults import FaultyProxy
from tests.cloud.seed import seed
from tests.end_to_end.kit import ROOT, SMALL, Cloud, Done, Shell
from tests.end_to_end.sharing import Shared, locked

__all__ = [
    "cloud",
    "first_requests",
    "first_scan",
    "new_shell",
    "own_endpoint",
    "scanned_cache",
    "shared",
    "shell",
    "small_cloud",
    "small_shell",
]


@pytest.fixture(scope="session", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """What all processes of this run have together."""
    folder = tmp_path_factory.getbasetemp()
    together = Shared(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)
    with locked(together.users, fcntl.LOCK_SH):
        yield together


@pytest.fixture(scope="session")
def _endpoint(shared: Shared) -> str:
    """An AWS that nothing changes but the fixtures here."""
    return shared.once("aws", shared.serve)


def _seeded(endpoint: str, estate: str) -> Cloud:
    expected = seed(endpoint, load_estate(estate)).expected
    return Cloud(endpoint, frozenset((item.rule, item.resource) for item in expected))


@pytest.fixture(scope="session")
def cloud(shared: Shared, _endpoint: str) -> Cloud:
    """The first-light estate. Nothing may change it."""
    return shared.once("first-light", lambda _: _seeded(_endpoint, "first-light"))


@pytest.fixture(scope="session")
def small_cloud(shared: Shared, _endpoint: str) -> Cloud:
    """The estate ``changing``, quick to scan. Nothing may change it here."""
    return shared.once("small", lambda _: _seeded(_endpoint, "changing"))


@pytest.fixture(scope="session")
def own_endpoint() -> Iterator[str]:
    """An AWS of this process alone, for tests that change what is in it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.end_to_end.serving"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


@dataclass(frozen=True, slots=True)
class _Scanned:
    db: Path
    done: Done
    requests: frozenset[tuple[str, str]]


def _scan(home: Path, cloud: Cloud, *arguments: str) -> _Scanned:
    with FaultyProxy(cloud.endpoint) as listener:
        shell = Shell(home, home / "cache.db", listener.endpoint)
        done = shell.scan(*arguments, "--name", "first", status=None)
        return _Scanned(shell.db, done, frozenset(listener.seen))


@pytest.fixture(scope="session")
def _scanned(shared: Shared, cloud: Cloud) -> _Scanned:
    return shared.once("scanned", lambda home: _scan(home, cloud))


@pytest.fixture(scope="session")
def first_scan(_scanned: _Scanned) -> Done:
    """How the scan of the whole estate ended."""
    return _scanned.done


@pytest.fixture(scope="session")
def first_requests(_scanned: _Scanned) -> frozenset[tuple[str, str]]:
    """(service, operation) of everything that this scan asked for, as it came over the wire."""
    return _scanned.requests


@pytest.fixture(scope="session")
def scanned_cache(_scanned: _Scanned) -> Path:
    """The cache that this scan made; to be copied, never opened."""
    assert _scanned.done.status == 0, _scanned.done.err
    return _scanned.db


@pytest.fixture
def new_shell(tmp_path: Path) -> Shell:
    """A shell with no cache yet."""
    home = tmp_path / "home"
    home.mkdir()
    return Shell(home, tmp_path / "cache.db")


@pytest.fixture
def shell(new_shell: Shell, scanned_cache: Path) -> Shell:
    """A shell whose cache holds one scan of the whole estate, named ``first``."""
    shutil.copy(scanned_cache, new_shell.db)
    return new_shell


@pytest.fixture
def small_shell(new_shell: Shell, shared: Shared, small_cloud: Cloud) -> Shell:
    """A shell whose cache holds one scan of the small estate, named ``first``."""
    scanned = shared.once("small-scanned", lambda home: _scan(home, small_cloud, *SMALL))
    assert scanned.done.status == 0, scanned.done.err
    shutil.copy(scanned.db, new_shell.db)
    return new_shell
