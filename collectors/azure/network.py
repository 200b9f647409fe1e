"""Which ports of a machine the internet reaches: addresses and security groups together. No calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from collectors.azure.facts import mappings, strings
from collectors.azure.ids import parse_id

__all__ = ["PORTS", "open_ports"]

PORTS = (22, 3389, 5985, 5986, 4040, 5000, 6006, 7860, 8000, 8080, 8265, 8787, 8888, 8889, 11434)
"""Logins to the machine, then what notebooks, dashboards and model servers listen on."""
_ANYBODY = frozenset({"*", "any", "internet", "0.0.0.0/0", "::/0", "0.0.0.0", "::"})  # noqa: S104

Find = Callable[[str], Mapping[str, Any]]
"""Resource id → the resource. Raises ``LookupError`` if it cannot be had."""


def open_ports(vm: Mapping[str, Any], find: Find) -> tuple[bool, list[int]]:
    """(has a public address, ports of ``PORTS`` that anybody reaches). Raises ``LookupError``.

    A group on the network card and one on its subnet must both let a connection through. Without
    any group an address of the Basic kind is open, one of the Standard kind is closed.
    """
    public, reachable = False, set[int]()
    for reference in mappings(_in(vm, "properties", "networkProfile", "networkInterfaces")):
        card = find(str(reference.get("id")))
        for settings in mappings(_in(card, "properties", "ipConfigurations")):
            address = _in(settings, "properties", "publicIPAddress", "id")
            if not isinstance(address, str):
                continue
            public = True
            groups = [*_groups(card, settings, find)]
            basic = str(_in(find(address), "sku", "name") or "Basic").lower() == "basic"
            for port in PORTS:
                if all(_admits(group, port) for group in groups) if groups else basic:
                    reachable.add(port)
    return public, sorted(reachable)


def _groups(
    card: Mapping[str, Any], settings: Mapping[str, Any], find: Find
) -> Iterator[Mapping[str, Any]]:
    own = _in(card, "properties", "networkSecurityGroup", "id")
    if isinstance(own, str):
        yield find(own)
    subnet = _in(settings, "properties", "subnet", "id")
    if not isinstance(subnet, str):
        return
    network = find(subnet.rsplit("/subnets/", 1)[0])
    for one in mappings(_in(network, "properties", "subnets")):
        if parse_id(one.get("id")) == parse_id(subnet) or _same(one.get("id"), subnet):
            shared = _in(one, "properties", "networkSecurityGroup", "id")
            if isinstance(shared, str):
                yield find(shared)


def _same(left: object, right: str) -> bool:
    return isinstance(left, str) and left.lower() == right.lower()


def _admits(group: Mapping[str, Any], port: int) -> bool:
    """Whether the first inbound rule that is about anybody and this port lets it in."""
    rules = [
        rule["properties"]
        for rule in mappings(_in(group, "properties", "securityRules"))
        if isinstance(rule.get("properties"), Mapping)
    ]
    inbound = [rule for rule in rules if str(rule.get("direction")).lower() == "inbound"]
    for rule in sorted(inbound, key=lambda rule: _number(rule.get("priority"))):
        if str(rule.get("protocol")).lower() not in {"*", "tcp"}:
            continue
        if _about_anybody(rule) and _about_port(rule, port):
            return str(rule.get("access")).lower() == "allow"
    # What every group ends with: nothing else comes in from the internet.
    return False


def _about_anybody(rule: Mapping[str, Any]) -> bool:
    sources = [rule.get("sourceAddressPrefix"), *strings(rule.get("sourceAddressPrefixes"))]
    return any(str(source).lower() in _ANYBODY for source in sources)


def _about_port(rule: Mapping[str, Any], port: int) -> bool:
    named: Iterable[object] = (
        rule.get("destinationPortRange"),
        *strings(rule.get("destinationPortRanges")),
    )
    for text in named:
        if text == "*":
            return True
        first, _, last = str(text).partition("-")
        if first.isdigit() and int(first) <= port <= int(last if last.isdigit() else first):
            return True
    return False


def _number(value: object) -> int:
    return value if isinstance(value, int) else 65_500


def _in(value: Any, *path: str) -> Any:
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value
