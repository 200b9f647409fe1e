"""Lists of Vertex AI by the package's own clients: its paths, its paging, our session.

Importing the package costs more than everything else of a small scan together (docs/google-cloud.md
has the figures), so it happens here, when there is something to list.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from collectors.gcp.clients import Clients, items
from collectors.gcp.errors import no_answer
from undercroft.model import Json
from undercroft.protocols import Meter

if TYPE_CHECKING:
    from collectors.gcp.vertex_kinds import Kind

__all__ = ["PAGE", "TypedLists"]

PAGE = 100
"""Items per page; several lists allow no more."""

_importing = threading.Lock()


class TypedLists:
    """Client objects of the package, one per class, on the scan's session."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._made: dict[str, Any] = {}

    def __reduce__(self) -> tuple[type[TypedLists], tuple[Clients]]:
        return (TypedLists, (self._clients,))

    def items(
        self,
        meter: Meter,
        kind: Kind,
        parent: str,
        filter: str = "",  # noqa: A002  (the API's word)
    ) -> Iterator[dict[str, Json]]:
        """Every item of a list as it was on the wire. Raises ``CallError``, perhaps midway.

        What the typed objects would hold is not looked at: they drop the fields that this version
        of the package does not know.
        """
        from google.protobuf.json_format import ParseError  # type: ignore[import-untyped]

        from collectors.gcp.session import metered

        request: dict[str, Any] = {"parent": parent, "page_size": PAGE}
        if filter:
            request["filter"] = filter
        session = self._clients.session
        try:
            with metered(meter):
                pages = iter(self._method(kind)(request=request, retry=None, timeout=None).pages)
            while True:
                with metered(meter):
                    if next(pages, None) is None:
                        return
                yield from items("aiplatform", session.taken(), kind.collection)
        except ParseError as error:
            raise no_answer("aiplatform", None, error) from error

    def _method(self, kind: Kind) -> Any:
        with _importing:
            client = self._made.get(kind.client)
            if client is None:
                client = self._made[kind.client] = self._make(kind.client)
        return getattr(client, kind.method)

    def _make(self, name: str) -> Any:
        from google.api_core.gapic_v1.client_info import ClientInfo
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import aiplatform_v1

        made: Any = getattr(aiplatform_v1, name)
        # The session signs, and chooses the host by the location in the path: one client does for
        # all regions. The transport has no public way to be given a session.
        transport = made.get_transport_class("rest")(
            host="aiplatform.googleapis.com",
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        )
        transport._session = self._clients.session  # noqa: SLF001
        transport._prep_wrapped_messages(ClientInfo())  # type: ignore[no-untyped-call]  # noqa: SLF001
        return made(transport=transport)
