"""Google Cloud: what the package of Vertex AI costs, and what a call costs against bare requests."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from bench.gcp_cloud import EMPTY, PROJECT
from bench.measure import Figure, settled
from bench.process import PYTHON, environment, run_cpu, run_usage
from bench.world import World
from undercroft.protocols import Progress, Scope
from undercroft.scan import run_scan
from undercroft.store import Store

__all__ = ["gcp"]

_ROUNDS = 3
_PACKAGE = (PYTHON, "-c", "import google.cloud.aiplatform_v1")
_SESSION = (PYTHON, "-c", "import google.auth.transport.requests")
_SCAN = (PYTHON, "-c", "from tui.cli import main; main()", "scan", "gcp", "--project")


class _Call(NamedTuple):
    method: str
    url: str
    headers: dict[str, str]
    body: Any


def gcp(world: World) -> list[Figure]:
    """Processes from outside, then one estate again and again."""
    rounds = world.rounds(_ROUNDS)
    with _served(world.folder) as endpoint:
        env = {
            **environment(world.folder),
            "UNDERCROFT_GCP_ENDPOINT": endpoint,
            "UNDERCROFT_DB": str(world.folder / "gcp-process.db"),
        }
        figures = [
            *_processes("importing aiplatform_v1", _PACKAGE, _SESSION, env, rounds),
            *_processes(
                "gcp: 500 services against an empty project",
                (*_SCAN, PROJECT), (*_SCAN, EMPTY), env, rounds,
            ),
        ]  # fmt: skip
        return [*figures, *_scans(world, rounds)]


def _processes(
    what: str, ours: tuple[str, ...], bare: tuple[str, ...], env: dict[str, str], rounds: int
) -> list[Figure]:
    pair = settled(partial(run_cpu, ours, env), partial(run_cpu, bare, env), rounds=rounds)
    memory = run_usage(ours, env)[1], run_usage(bare, env)[1]
    return [
        Figure.of(what, pair, None, note="whole processes, CPU"),
        Figure(f"{what}, memory", *memory, None, unit="MB", kind="difference"),
    ]


def _scans(world: World, rounds: int) -> list[Figure]:
    """Collecting, against a loop that sends the same requests and parses the answers."""
    calls: list[_Call] = []
    services = 0

    def ours() -> float:
        nonlocal services
        calls.clear()
        seconds, services = _scan(world, calls)
        return seconds / len(calls)

    ours()
    made = list(calls)
    pair = settled(ours, lambda: _replay(made) / len(made), rounds=rounds)
    note = f"{len(made)} calls for {services} AI services; bare: requests and json, one after the other"
    return [Figure.of("gcp: collecting, CPU per call", pair, None, note=note)]


def _scan(world: World, calls: list[_Call]) -> tuple[float, int]:
    """CPU seconds of collecting, and how many services were found."""
    from collectors.gcp import collectors

    found = collectors({})
    session: Any = cast("Any", found[1]).clients.session
    send = session.send

    def recording(request: Any, **more: Any) -> Any:
        calls.append(_Call(request.method, request.url, dict(request.headers), request.body))
        return send(request, **more)

    session.send = recording
    path = world.folder / "gcp.db"
    path.unlink(missing_ok=True)
    marks: dict[str, float] = {}

    def note(event: Progress) -> None:
        marks.setdefault(event.kind, time.process_time())

    with Store.open(path) as store:
        start = time.process_time()
        row = run_scan(store, found, world.engine, Scope("gcp", (PROJECT,)), progress=note)
    return marks["judging"] - start, row.services


def _replay(calls: list[_Call]) -> float:
    """CPU seconds of the same requests with nothing around them."""
    import requests

    start = time.process_time()
    with requests.Session() as session:
        session.trust_env = False
        for call in calls:
            answer = session.request(call.method, call.url, headers=call.headers, data=call.body)
            answer.json()
    return time.process_time() - start


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The estate, and an environment that points to it."""
    with subprocess.Popen(
        [PYTHON, "-m", "bench.gcp_cloud"],
        env=environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None  # a pipe was asked for
        assert server.stdin is not None
        line = server.stdout.readline()
        if not line:
            raise RuntimeError("the Google Cloud estate could not be served")
        endpoint = str(json.loads(line)["endpoint"])
        before = os.environ.get("UNDERCROFT_GCP_ENDPOINT")
        os.environ["UNDERCROFT_GCP_ENDPOINT"] = endpoint
        try:
            yield endpoint
        finally:
            del os.environ["UNDERCROFT_GCP_ENDPOINT"]
            if before is not None:
                os.environ["UNDERCROFT_GCP_ENDPOINT"] = before
            server.stdin.close()
