"""Keys of the filter language: help text, kind and allowed values of each; those of findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from difflib import get_close_matches
from typing import Final, Literal, TypeAlias

from undercroft.model import Layer, Severity
from undercroft.records import dataclass

__all__ = ["ACTIVE", "KEYS", "STATUSES", "Key", "Keys", "flag", "key_table", "name", "nearest"]

STATUSES: Final = (
    "open",
    "reopened",
    "fix_claimed",
    "accepted",
    "false_positive",
    "fixed",
    "gone",
    "retired",
)
ACTIVE: Final = ("open", "reopened", "fix_claimed")
"""What the group word ``active`` stands for."""
_YES_NO: Final = ("yes", "no")


@dataclass(frozen=True, slots=True)
class Key:
    """One key that a filter may use."""

    name: str
    help: str
    """One line for completion and help, without a full stop."""
    kind: Literal["name", "enum", "severity", "number", "since", "lapses", "flag", "tag"]
    """What may follow it. Only severity, number, since and lapses can be compared (``>=``)."""
    values: tuple[str, ...] = ()
    """Allowed values of an enum, severity or flag, as they are printed."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other spelling → allowed value."""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Allowed word → the values that it stands for."""
    example: str = ""

    @property
    def is_ordered(self) -> bool:
        """Whether ``>=`` and its like make sense."""
        return self.kind in {"severity", "number", "since", "lapses"}


Keys: TypeAlias = Mapping[str, Key]
"""Name → key: what lines about one kind of thing may ask."""

_YES_ALIASES: Final = {
    "true": "yes",
    "y": "yes",
    "1": "yes",
    "on": "yes",
    "false": "no",
    "n": "no",
    "0": "no",
    "off": "no",
}


def flag(name: str, text: str) -> Key:
    """A key that is yes or no."""
    return Key(name, text, "flag", _YES_NO, _YES_ALIASES, example=f"{name}:yes")


def name(name: str, text: str, example: str) -> Key:
    """A key with any text for a value."""
    return Key(name, text, "name", example=f"{name}:{example}")


def key_table(*keys: Key) -> Keys:
    """The keys by name, in this order."""
    return {key.name: key for key in keys}


KEYS: Final = key_table(
    Key(
        "severity",
        "how bad it is on its own resource",
        "severity",
        tuple(severity.value for severity in Severity),
        {"crit": "critical", "med": "medium", "informational": "info"},
        example="severity>=high",
    ),
    Key(
        "status",
        "where it stands; active is open, reopened or fix claimed",
        "enum",
        STATUSES,
        {
            "fixed-claimed": "fix_claimed",
            "fixed_claimed": "fix_claimed",
            "fix-claimed": "fix_claimed",
            "claimed": "fix_claimed",
            "false-positive": "false_positive",
            "fp": "false_positive",
            "accept": "accepted",
        },
        {"active": ACTIVE},
        example="status:active",
    ),
    Key(
        "layer",
        "layer of the tower",
        "enum",
        tuple(layer.value for layer in Layer),
        example="layer:identity",
    ),
    Key(
        "cloud",
        "provider",
        "enum",
        ("aws", "gcp", "azure"),
        {"google": "gcp", "amazon": "aws", "microsoft": "azure"},
        example="cloud:aws",
    ),
    name("account", "account, project or subscription", "111122223333"),
    name("region", "region or location", "eu-*"),
    name("service", "AI service that owns or inherits it: name, key or id", "fraud-scoring"),
    name("resource", "resource: name, key or id", "MLExec"),
    name("type", "resource type", "sagemaker:*"),
    name("rule", "rule id", "aws-sagemaker-*"),
    name("cve", "vulnerability id", "CVE-2023-38545"),
    name("package", "vulnerable package", "curl"),
    flag("kev", "in a catalogue of exploited vulnerabilities"),
    Key("epss", "probability of exploitation, 0 to 1", "number", example="epss>=0.1"),
    Key("score", "contribution to risk, 0 to 100", "number", example="score>=40"),
    name("owner", "who answers for it", "ml-platform"),
    Key("tag", "value of a tag of the resource", "tag", example="tag.env:prod"),
    flag("new", "first seen in this scan"),
    Key("since", "first seen since a day or an age ago", "since", example="since:7d"),
    Key("seen", "last seen since a day or an age ago", "since", example="seen<30d"),
    Key("lapsed", "acceptance has ended since a day or an age ago", "since", example="lapsed:7d"),
    Key("lapses", "acceptance ends by a day or within a time", "lapses", example="lapses:14d"),
    flag("combination", "part of a toxic combination"),
    name("framework", "framework or control that its rule maps to", "cis_aws"),
    flag("unconfirmed", "this scan could not look at it again"),
    name("id", "finding id, or its beginning with a *", "f1-abcd2345*"),
)
"""What lines about findings, services and combinations may ask."""


def nearest(word: str, among: Mapping[str, object] | tuple[str, ...] | list[str]) -> str:
    """The candidate that is spelled most like ``word``; empty if none is near."""
    folded = word.lower()
    starts = [candidate for candidate in among if folded and candidate.startswith(folded)]
    if len(folded) >= 2 and starts:
        return min(starts, key=len)
    close = get_close_matches(folded, list(among), n=1, cutoff=0.6)
    return close[0] if close else ""
