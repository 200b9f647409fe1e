"""What the clouds on loopback share: a server in a thread, for as long as somebody is inside."""

from __future__ import annotations

from http.server import HTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

__all__ = ["Loopback"]


class Loopback:
    """A context manager: the server answers at ``endpoint`` while it is open."""

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        self._thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_port)

    @property
    def endpoint(self) -> str:
        """Where clients of this cloud are to be sent."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
