"""A cloud estate as data: what exists, and which findings it must cause.

The description is a YAML file in ``estates/``; ``seed`` (in seed.py) makes it real through the
cloud's own API. The same description can be changed and seeded again, which is how rescans are
tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Entry", "Estate", "Expected", "load_estate"]

_FOLDER = Path(__file__).parent / "estates"


@dataclass(frozen=True, slots=True, order=True)
class Expected:
    """A finding that a scan must report."""

    rule: str
    resource: str
    """Name of the resource, as a scan shows it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing of the estate."""

    name: str
    region: str
    spec: Mapping[str, Any]

    def get(self, key: str, default: Any = None) -> Any:
        """A field of its description."""
        return self.spec.get(key, default)

    def request(self, clean: Mapping[str, Any], field: str = "set") -> dict[str, Any]:
        """The clean request with this entry's differences; null removes a field."""
        merged = {**clean, **(self.get(field) or {})}
        return {key: value for key, value in merged.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Estate:
    """A whole description."""

    name: str
    sections: Mapping[str, tuple[Entry, ...]]

    def __getitem__(self, section: str) -> tuple[Entry, ...]:
        return self.sections.get(section, ())

    @property
    def regions(self) -> tuple[str, ...]:
        """Every region that something is in."""
        found = {entry.region for entries in self.sections.values() for entry in entries}
        return tuple(sorted(region for region in found if region))

    def expected(self, names: Mapping[str, str] | None = None) -> frozenset[Expected]:
        """Every planted problem. ``names``: what only seeding can know, ``key:leaky`` → its id."""
        known = names or {}
        return frozenset(
            Expected(rule, known.get(name, name))
            for name, rules in self._planted()
            for rule in rules
        )

    def _planted(self) -> Iterator[tuple[str, list[str]]]:
        for section, entries in self.sections.items():
            for entry in entries:
                if section == "keys":
                    yield f"key:{entry.region}:{entry.name}", entry.get("problems", [])
                    continue
                yield entry.name, entry.get("problems", [])
                yield entry.name, entry.get("image_problems", [])
                yield f"{entry.name}-disk", entry.get("problems_of_disk", [])
                yield f"{entry.name}-subnet", entry.get("problems_of_subnet", [])
                for service, rules in entry.get("problems_of_endpoints", {}).items():
                    yield f"{service} ({entry.name})", rules
                yield f"{entry.name}-model", entry.get("problems_of_model", [])
                yield f"{entry.name}-config", entry.get("problems_of_config", [])
                yield f"ml-clean-data/models/{entry.name}", entry.get("problems_of_artifact", [])
                yield f"{entry.name}-task", entry.get("problems_of_task", [])
                yield f"{entry.name}-targets", entry.get("problems_of_targets", [])


@cache
def load_estate(name: str) -> Estate:
    """Read ``estates/<name>.yaml``. Everybody gets the same one: nobody may change it."""
    data = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text("utf-8"))
    sections = {
        section: tuple(entry for spec in specs for entry in _entries(spec))
        for section, specs in data.items()
    }
    return Estate(name, sections)


def _entries(spec: Mapping[str, Any]) -> Iterator[Entry]:
    name = str(spec.get("name") or spec.get("alias"))
    region = str(spec.get("region") or "")
    count = int(spec.get("count") or 0)
    if not count:
        yield Entry(name, region, spec)
    for number in range(1, count + 1):
        yield Entry(f"{name}-{number}", region, spec)
