"""Resources that combination rules may ask for, kept on disk instead of in memory."""

from __future__ import annotations

import pickle
import tempfile
from collections import OrderedDict
from types import TracebackType
from typing import Self

from undercroft.model import Resource

__all__ = ["Spool"]

_KEPT = 2_000
"""Resources that stay in memory; services of one team share most of what they stand on."""


class Spool:
    """Key → resource, in an unnamed temporary file that only this process can open.

    What goes in has been redacted.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="undercroft-")  # noqa: SIM115  (closed in __exit__)
        self._places: dict[str, tuple[int, int]] = {}
        self._recent: OrderedDict[str, Resource] = OrderedDict()
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def put(self, resource: Resource) -> None:
        """Keep a resource under its key."""
        blob = pickle.dumps(resource, protocol=pickle.HIGHEST_PROTOCOL)
        self._file.seek(self._end)
        self._file.write(blob)
        self._places[resource.key] = (self._end, len(blob))
        self._end += len(blob)
        self._recent.pop(resource.key, None)

    def get(self, key: str) -> Resource | None:
        """The resource of that key, or None."""
        found = self._recent.get(key)
        if found is not None:
            self._recent.move_to_end(key)
            return found
        place = self._places.get(key)
        if place is None:
            return None
        self._file.seek(place[0])
        resource: Resource = pickle.loads(self._file.read(place[1]))  # noqa: S301  (written above)
        self._recent[key] = resource
        if len(self._recent) > _KEPT:
            self._recent.popitem(last=False)
        return resource
