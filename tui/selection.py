"""What an action acts on: some findings, or all that match a filter except some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from undercroft.records import dataclass
from undercroft.views import Query

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = ["Selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Findings on which to act."""

    ids: tuple[str, ...] = ()
    label: str = ""
    """How to name it: a finding's title, or ``14 findings``. Foreign text: clean before drawing."""
    count: int = 0
    scan: int | None = None
    """Row id of the scan that it was made in."""
    query: Query | None = None
    """All findings of this list (``ids`` is empty then), except ``excluded``."""
    excluded: frozenset[str] = frozenset()
    why: str = ""
    """When nothing is selected: why not, as a sentence."""

    def __bool__(self) -> bool:
        return bool(self.ids) or self.query is not None

    def resolve(self, store: Store) -> list[str]:
        """The finding ids as they are now. Reads the store: call it in a worker."""
        if self.query is None or self.scan is None:
            return list(self.ids)
        found = store.iter_findings(self.scan, self.query)
        return [row.id for row in found if row.id not in self.excluded]
