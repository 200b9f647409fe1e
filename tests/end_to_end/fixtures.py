"""Fixtures of every test that runs the command: one cloud and one scan of it, shared by all.

The shared scan is made once per test process; each test gets a copy of the cache.
"""

from __future__ import annotations

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
from tests.end_to_end.kit import ROOT, Cloud, Done, Shell

__all__ = [
    "aws_endpoint",
    "cloud",
    "first_requests",
    "first_scan",
    "new_shell",
    "scanned_cache",
    "shell",
    "small_cloud",
]


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    """An AWS that no other test empties; tests may add to it, in regions of their own."""
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


@pytest.fixture(scope="session")
def cloud(aws_endpoint: str) -> Cloud:
    """The first-light estate. Nothing may change it."""
    seeded = seed(aws_endpoint, load_estate("first-light"))
    planted = frozenset((item.rule, item.resource) for item in seeded.expected)
    return Cloud(aws_endpoint, planted)


@pytest.fixture(scope="session")
def small_cloud(aws_endpoint: str) -> Cloud:
    """The estate ``changing``, quick to scan; tests of rescans change it."""
    seeded = seed(aws_endpoint, load_estate("changing"))
    return Cloud(aws_endpoint, frozenset((item.rule, item.resource) for item in seeded.expected))


@dataclass(frozen=True, slots=True)
class _Scanned:
    db: Path
    done: Done
    requests: frozenset[tuple[str, str]]


@pytest.fixture(scope="session")
def _scanned(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> _Scanned:
    home = tmp_path_factory.mktemp("scanned")
    with FaultyProxy(cloud.endpoint) as listener:
        shell = Shell(home, home / "cache.db", listener.endpoint)
        done = shell.scan("--name", "first", status=None)
        return _Scanned(shell.db, done, frozenset(listener.seen))


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
