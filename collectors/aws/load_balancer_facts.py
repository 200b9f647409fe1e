"""Who outside reaches a target group through a load balancer, and whether anybody asks who it is.

Pure functions over what Elastic Load Balancing answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from collectors.aws.values import mappings
from undercroft.model import Json

__all__ = ["OUTSIDE", "WITH_RULES", "open_listeners"]

OUTSIDE = "internet-facing"
"""The scheme of a load balancer that has public addresses."""
WITH_RULES = ("HTTP", "HTTPS")
"""Protocols of listeners that look into requests and have rules for them."""
_ASKING = ("authenticate-oidc", "authenticate-cognito", "jwt-validation")
_UNASKED = "allow"  # what to do with whoever does not say who they are
_TRANSPORTS: Mapping[str, tuple[str, ...]] = {
    "UDP": ("udp",),
    "QUIC": ("udp",),
    "TCP_UDP": ("tcp", "udp"),
    "TCP_QUIC": ("tcp", "udp"),
}
_NAMES = {"6": "tcp", "17": "udp"}
_EVERY = "-1"


def open_listeners(
    group: str,
    balancer: Mapping[str, Json],
    listeners: Sequence[Mapping[str, Json]],
    let_in: Sequence[Mapping[str, Json]] | None,
) -> list[Json]:
    """The listeners through which everybody reaches a target group.

    Each is ``{balancer, port, protocol, asks}``; ``asks``: only who signs in gets through.
    ``let_in``: entries of ``open_ingress`` of the balancer's security groups; None if it has none,
    which stops nobody.
    """
    if balancer.get("Scheme") != OUTSIDE:
        return []
    found: list[Json] = []
    for listener in listeners:
        if let_in is not None and not any(_covers(entry, listener) for entry in let_in):
            continue
        ways = [actions for actions in _ways(listener) if group in _targets(actions)]
        if ways:
            found.append(
                {
                    "balancer": str(balancer.get("LoadBalancerName") or ""),
                    "port": listener.get("Port"),
                    "protocol": listener.get("Protocol"),
                    "asks": _knows_clients(listener) or all(map(_asks, ways)),
                }
            )
    return found


def _covers(entry: Mapping[str, Json], listener: Mapping[str, Json]) -> bool:
    protocol = str(entry.get("protocol"))
    if protocol == _EVERY:
        return True
    asked = _TRANSPORTS.get(str(listener.get("Protocol")), ("tcp",))
    first, last, port = entry.get("from_port"), entry.get("to_port"), listener.get("Port")
    if not isinstance(first, int) or not isinstance(last, int) or not isinstance(port, int):
        return False
    return _NAMES.get(protocol, protocol) in asked and first <= port <= last


def _ways(listener: Mapping[str, Json]) -> Iterator[list[Mapping[str, Json]]]:
    """The actions of a listener for each kind of request."""
    yield list(mappings(listener.get("DefaultActions")))
    for rule in mappings(listener.get("Rules")):
        yield list(mappings(rule.get("Actions")))


def _targets(actions: Sequence[Mapping[str, Json]]) -> set[str]:
    """ARNs of the target groups that some actions lead to."""
    found = {str(action.get("TargetGroupArn")) for action in actions}
    for action in actions:
        forward = action.get("ForwardConfig")
        listed = mappings(forward.get("TargetGroups") if isinstance(forward, Mapping) else None)
        found |= {str(target.get("TargetGroupArn")) for target in listed}
    return found


def _asks(actions: Sequence[Mapping[str, Json]]) -> bool:
    return any(
        action.get("Type") in _ASKING
        and not any(
            how.get("OnUnauthenticatedRequest") == _UNASKED
            for how in (
                action.get("AuthenticateOidcConfig"),
                action.get("AuthenticateCognitoConfig"),
            )
            if isinstance(how, Mapping)
        )
        for action in actions
    )


def _knows_clients(listener: Mapping[str, Json]) -> bool:
    """Whether only clients with a certificate that it trusts get through."""
    mutual = listener.get("MutualAuthentication")
    return isinstance(mutual, Mapping) and mutual.get("Mode") == "verify"
