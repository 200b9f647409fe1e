"""Which findings one action mends together: rebuilding an image, narrowing a role, closing a bucket.

What an action mends is read off what is known of every finding, whatever rule made it: its layer, its
traits, whether it is a known vulnerability. What fits no such action is a setting of its own.
"""

from __future__ import annotations

from collections.abc import Collection

from undercroft.model import Layer

__all__ = ["CHOKE_POINT", "SETTING", "cost_of", "mend_of", "words_of"]

CHOKE_POINT = 3
"""From so many AI services above it on, a resource is a choke point."""

SETTING = "setting:"
"""Begins the mend of a single rule: one setting of one resource."""

_WORDS = {
    "rebuild": "Rebuild {name} on patched packages",
    "renew": "Renew the host {name}",
    "narrow": "Narrow the rights of {name}",
    "close": "Close {name} to outsiders",
    "pin": "Pin what {name} runs",
    "vault": "Take credentials out of {name}",
}
_COST = {"close": 1, SETTING: 2, "pin": 2, "vault": 3, "narrow": 3, "rebuild": 4, "renew": 5}
"""Rough effort, to choose between ways that remove the same: a switch before a rebuild."""
_RIGHTS = frozenset({"priv", "wide"})
_OPEN = frozenset({"exposed", "readable", "writable"})


def mend_of(rule: str, layer: Layer, traits: Collection[str], *, vulnerability: bool) -> str:
    """The kind of action that mends a finding; equal on one resource means one action."""
    if vulnerability or (layer is Layer.CONTAINER and "vuln" in traits):
        return "rebuild"
    if layer is Layer.VM and "vuln" in traits:
        return "renew"
    if layer is Layer.IDENTITY and _RIGHTS.intersection(traits):
        return "narrow"
    if layer in (Layer.STORAGE, Layer.NETWORK) and _OPEN.intersection(traits):
        return "close"
    if layer is Layer.CONTAINER and "mutable" in traits:
        return "pin"
    if "cred" in traits and layer is Layer.IDENTITY:
        return "vault"
    return SETTING + rule


def words_of(mend: str, name: str, title: str) -> str:
    """A repair in words; ``title`` is that of the finding, for a single setting."""
    words = _WORDS.get(mend)
    return words.format(name=name) if words else f"{title}: {name}"


def cost_of(mend: str) -> int:
    """Rough effort of a repair, 1 to 5."""
    return _COST[SETTING] if mend.startswith(SETTING) else _COST[mend]
