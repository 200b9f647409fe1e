"""Versions of rules: a hash of what decides, so that rewording a rule changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from rules.schema import Combination, Rule

__all__ = ["logic_version", "pack_version"]

WORDING = frozenset(
    {
        "title",
        "why",
        "fix",
        "equivalents",
        "frameworks",
        "references",
        "identity_id",
        "examples",
        "tier",
        "file",
        "logic_version",
        "label",
        "show",
    }
)
"""Fields that tell people something but decide nothing."""

_LENGTH = 16


def logic_version(entry: Rule | Combination) -> str:
    """Hash of every field of a rule or combination that can change an answer."""
    return _digest(_logic(entry))


def pack_version(versions: Mapping[str, str]) -> str:
    """Hash of all logic versions, independent of the order of files and rules."""
    return _digest(sorted(versions.items()))


def _logic(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: _logic(getattr(value, item.name))
            for item in fields(value)
            if item.name not in WORDING
        }
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _logic(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [_logic(item) for item in value]
    return value


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
