"""Rules: what is wrong with a resource, as YAML data with CEL conditions, and their engine.

A rule answers fail, pass or unknown; what could not be read is never a pass.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rules.engine import Engine
    from rules.examples import ExampleResult, run_examples
    from rules.load import load_files, load_pack, load_text
    from rules.schema import Combination, Pack, PackError, Rule

__all__ = [
    "Combination",
    "Engine",
    "ExampleResult",
    "Pack",
    "PackError",
    "Rule",
    "load_files",
    "load_pack",
    "load_text",
    "run_examples",
]

_HOME = {
    "Combination": "schema",
    "Engine": "engine",
    "ExampleResult": "examples",
    "Pack": "schema",
    "PackError": "schema",
    "Rule": "schema",
    "load_files": "load",
    "load_pack": "load",
    "load_text": "load",
    "run_examples": "examples",
}


def __getattr__(name: str) -> Any:
    """Import on first use: listing findings must not pay for YAML and CEL."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"rules.{_HOME[name]}"), name)
