"""What a firewall rule lets in, and to which machines. No calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from collectors.values import mappings
from undercroft.model import Json

__all__ = ["AI_PORTS", "door_facts", "lets_in"]

AI_PORTS = (6006, 8000, 8001, 8002, 8080, 8265, 8501, 8888, 11434)
"""TensorBoard, model servers, Jupyter's proxy, Ray, Streamlit and TensorFlow Serving, Jupyter, Ollama."""
_ADMIN_PORTS = (22, 3389)
_ANYWHERE = frozenset({"0.0.0.0/0", "::/0", "::0/0"})
_LAST = 65535


def lets_in(rule: Mapping[str, Any], machine: Mapping[str, Any]) -> bool:
    """Whether a rule lets anybody in to a machine of its network.

    Only by the rule's own words: a hierarchical policy above it may still close the door.
    """
    if rule.get("direction", "INGRESS") != "INGRESS" or rule.get("disabled") is True:
        return False
    if not rule.get("allowed"):
        return False
    tags, accounts = _texts(rule.get("targetTags")), _texts(rule.get("targetServiceAccounts"))
    if not tags and not accounts:
        return True
    worn = machine.get("tags")
    mine = set(_texts(worn.get("items"))) if isinstance(worn, Mapping) else set()
    emails = {str(account.get("email")) for account in mappings(machine.get("serviceAccounts"))}
    return bool(mine & set(tags) or emails & set(accounts))


def door_facts(rule: Mapping[str, Any], external: Sequence[bool]) -> dict[str, Json]:
    """``open_to_internet``, ``ai_ports``, ``admin_ports``, ``all_ports``, ``reaches_address``.

    ``external``: for each machine behind the rule, whether it has an address on the internet.
    """
    ranges = list(_ranges(rule))
    return {
        "open_to_internet": bool(_ANYWHERE & set(_texts(rule.get("sourceRanges")))),
        "ai_ports": [port for port in AI_PORTS if _covered(port, ranges)],
        "admin_ports": [port for port in _ADMIN_PORTS if _covered(port, ranges)],
        "all_ports": any(low <= 1 and high >= _LAST for low, high in ranges),
        "reaches_address": any(external),
        "machines": len(external),
    }


def _ranges(rule: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """The TCP ports that are allowed, as (first, last)."""
    for allowed in mappings(rule.get("allowed")):
        if str(allowed.get("IPProtocol")).lower() not in {"tcp", "6", "all"}:
            continue
        ports = _texts(allowed.get("ports"))
        if not ports:
            yield 0, _LAST
        for text in ports:
            first, _, last = text.partition("-")
            if first.isdigit() and (last or first).isdigit():
                yield int(first), int(last or first)


def _covered(port: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(low <= port <= high for low, high in ranges)


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
