"""What combinations have to be told of each resource."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from undercroft.feeds import Exploitable
from undercroft.model import Observation
from undercroft.protocols import Judge

__all__ = ["Parts"]


class Parts:
    """What combinations look at: not the evidence, and not the thousands of vulnerabilities of an
    old image. What feeds say is no part of an answer, which is kept for later scans: it is added
    here.
    """

    def __init__(self, judge: Judge, exploitable: Exploitable) -> None:
        self._judge = judge
        self._exploitable = exploitable
        self._told: dict[tuple[int, ...], tuple[Sequence[Observation], Sequence[Observation]]] = {}
        self.found: dict[str, Sequence[Observation]] = {}
        """Resource key → what is kept of it. Resources of which the same was told share it."""

    def add(self, key: str, observations: Iterable[Observation]) -> None:
        """Of a resource that was judged just now."""
        kept = [replace(found, evidence=()) for found in self._asked(observations)]
        if kept:
            self.found[key] = kept

    def add_more(self, key: str, observations: Iterable[Observation]) -> None:
        """Of a resource of which something may be kept already."""
        kept = self._judge.parts([*self.found.get(key, ()), *self._asked(observations)])
        if kept:
            self.found[key] = kept

    def add_told(self, key: str, observations: Sequence[Observation]) -> None:
        """Of one about which an old answer holds: see ``store.told``."""
        # Objects tell what was said, as long as they are there: what was worked out of them holds
        # on to them.
        place = tuple(map(id, observations))
        known = self._told.get(place)
        if known is None:
            known = self._told[place] = (observations, self._asked(observations))
        if known[1]:
            self.found[key] = known[1]

    def _asked(self, observations: Iterable[Observation]) -> Sequence[Observation]:
        marked = map(self._exploitable.mark, observations)
        return self._judge.parts(one for one in marked if one.traits or one.cve is None)
