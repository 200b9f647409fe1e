"""Where the units of a scan run: in threads of this process, or on a Dask cluster."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

__all__ = ["LOCAL", "ExecutorError", "open_executor"]

LOCAL = "local"
_DASK = re.compile(r"dask://(?P<host>\[[^\]]+\]|[^/:]+):(?P<port>\d+)/?")
_ANSWER = 20
"""Seconds in which a scheduler and one of its workers must have answered."""


class ExecutorError(ValueError):
    """Units cannot run there; says why in words, and what to do."""


@contextmanager
def open_executor(where: str) -> Iterator[Executor | None]:
    """``local``: none, the pipeline makes its own threads. ``dask://HOST:PORT``: that scheduler's.

    The cluster stays as it was afterwards. Whoever controls it sees what is read and signs in to
    the cloud as its workers do: credentials are never sent to them.

    Raises:
        ExecutorError: it has no such form, Dask is not installed, nobody answers, or the workers do
            not have Undercroft.
    """
    if where == LOCAL:
        yield None
        return
    named = _DASK.fullmatch(where)
    if named is None:
        raise ExecutorError(f"an executor is 'local' or 'dask://HOST:PORT', not {where!r}")
    try:
        import distributed
    except ImportError:
        raise ExecutorError(
            f"{where}: Dask is not installed; pip install 'undercroft[dask]'"
        ) from None
    # What goes wrong comes out as an exception; its own account of it would break ours up.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    address = f"tcp://{named['host']}:{named['port']}"
    connect: Any = distributed.Client
    try:
        client = connect(address, timeout=_ANSWER, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExecutorError(f"no Dask scheduler answers at {address} ({_line(error)})") from error
    with client:
        _check_workers(client, address)
        # A unit asks the cloud, so the same question may have another answer.
        executor: Executor = client.get_executor(pure=False)
        yield executor


def _check_workers(client: Any, address: str) -> None:
    import distributed

    ready = client.submit(_ready, pure=False)
    try:
        there = ready.result(timeout=_ANSWER)
    except (TimeoutError, distributed.TimeoutError):
        raise ExecutorError(f"{address}: no worker has answered; start one") from None
    except Exception as error:
        raise ExecutorError(
            f"{address}: its workers do not run Undercroft ({_line(error)}); install it there"
        ) from error
    if there != (here := _ready()):
        raise ExecutorError(
            f"{address}: its workers have Undercroft {there}, this is {here}; use one version"
        )


def _ready() -> str:
    from importlib.metadata import version

    return version("undercroft")


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
