"""What AWS modules need of ``collectors.values``."""

from collectors.values import find, jsonable, mappings, when

__all__ = ["find", "jsonable", "mappings", "when"]
