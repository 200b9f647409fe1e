"""Resource keys and their beginnings as people would say them, without leaving anything out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["elided", "resource_words", "within"]

_FORMS: Final[Mapping[str, tuple[str, ...]]] = {
    "aws": ("partition", "account", "region", "service", "type", "name"),
    "gcp": ("project", "service", "location", "type", "name"),
}
"""Provider → what the parts of a key are, in their order (``undercroft.identity``)."""
_THING: Final = ("service", "type", "name")
_BARE: Final = frozenset({"region", "location"})
"""Parts that need no word before them."""
_USUAL: Final = {"partition": "aws", "region": "-", "location": "-"}
"""Parts that go without saying where they are so."""


def resource_words(key: str) -> str:
    """``sagemaker notebook-instance lab-1 in account 111122223333, eu-west-1``."""
    provider, _, rest = key.partition("/")
    form = _FORMS.get(provider, ())
    values = rest.split("/", len(form) - 1) if form else []
    if form and len(values) == len(form):
        return _said(dict(zip(form, values, strict=True)))
    return _azure(key) or key


def within(prefix: str) -> str:
    """``in account 111122223333, eu-west-1``: where keys begin so."""
    provider, _, rest = prefix.partition("/")
    form = _FORMS.get(provider, ())
    # What no slash ends may be part of a longer one.
    *whole, part = rest.split("/")
    if len(whole) < len(form):
        said = _said(dict(zip(form, whole, strict=False)))
        said = said if said.startswith("in ") or not said else f"on {said}"
        begins = f"where the {form[len(whole)]} begins with “{part}”" if part else ""
        if said or begins:
            return f"{said} {begins}".strip()
    return _azure(prefix) or f"where keys begin with {prefix}"


def elided(texts: Sequence[str], width: int) -> list[str]:
    """Texts of one list; of those too wide the words are left out that all such have, the longest
    first.

    What tells them apart stays; a text that is too wide all the same is for the reader to cut.
    """
    wide = {text for text in texts if len(text) > width}
    shared = set.intersection(*(set(text.split(" ")) for text in wide)) if len(wide) > 1 else set()
    found = []
    for text in texts:
        fitting = text
        for word in sorted(shared, key=lambda word: (-len(word), word)):
            if len(fitting) <= width:
                break
            left = ("…" if one == word else one for one in fitting.split(" "))
            fitting = re.sub(r"…(?: …)+", "…", " ".join(left))
        found.append(fitting)
    return found


def _said(parts: Mapping[str, str]) -> str:
    thing = " ".join(parts[name] for name in _THING if parts.get(name))
    where = ", ".join(
        part if name in _BARE else f"{name} {part}"
        for name, part in parts.items()
        if name not in _THING and part != _USUAL.get(name)
    )
    return " ".join(part for part in (thing, f"in {where}" if where else "") if part)


def _azure(text: str) -> str:
    """The same for a key of Azure or a beginning of one that ends with a part; else empty."""
    match text.split("/"):
        case ["azure", "subscriptions", name, ""]:
            return f"in subscription {name}"
        case ["azure", "subscriptions", name, "resourcegroups", group, ""]:
            return f"in resource group {group}, subscription {name}"
        case ["azure", "subscriptions", name, "resourcegroups", group, "providers", space, *rest]:
            where = f"in resource group {group}, subscription {name}"
        case ["azure", "subscriptions", name, "providers", space, *rest]:
            where = f"in subscription {name}"
        case _:
            return ""
    thing = " ".join([space.removeprefix("microsoft."), *rest])
    return f"{thing} {where}" if rest and all(rest) else ""
