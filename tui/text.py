"""Foreign text made fit to be drawn: one line, no control or direction characters, never markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from undercroft.text import count, shown

__all__ = [
    "PROVIDERS",
    "ago",
    "clip",
    "clip_middle",
    "content",
    "count",
    "days_left",
    "kind_of",
    "pad",
    "place_of",
    "shown",
    "styled",
]

PROVIDERS = {"aws": "AWS", "gcp": "Google Cloud", "azure": "Azure"}
"""Provider → its name as people write it."""
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
_KINDS = {
    "notebook-instance": "notebook",
    "training-job": "training",
    "ai-instance": "instance",
    "ai-function": "function",
}


def kind_of(type_name: str) -> str:
    """The last word of a resource type, for one of its kind: ``endpoint`` for ``…/onlineEndpoints``."""
    kind = type_name.replace(":", "/").rsplit("/", 1)[-1]
    kind = _KINDS.get(kind, _WORD.split(kind)[-1].lower())
    if kind.endswith("ies"):
        return f"{kind[:-3]}y"
    return kind[:-1] if kind.endswith("s") and not kind.endswith("ss") else kind


def place_of(*parts: str, between: str = " · ") -> str:
    """Cloud, account, region, as far as it has any: what is global has the region ``-``."""
    return between.join(part for part in parts if part.strip("-"))


def content(text: str) -> Content:
    """Foreign text as content that widgets draw literally, never as markup."""
    return Content(shown(text))


def styled(text: str, style: str) -> Content:
    """Foreign text in one style, such as ``$severity-high`` or ``bold $primary``."""
    return Content.styled(shown(text), style)


def clip(text: str, width: int) -> str:
    """Clean text, at most ``width`` terminal cells; an ellipsis stands for what was cut."""
    text = shown(text)
    # A cell holds at most one character that counts, so a long tail is never measured.
    if len(text) <= width and cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    return set_cell_size(text[: width * 2], width - 1).rstrip() + "…"


def clip_middle(text: str, width: int) -> str:
    """Like `clip`, but keeps both ends: for names whose last part tells them apart."""
    text = shown(text)
    if len(text) <= width and cell_len(text) <= width:
        return text
    if width < 5:
        return clip(text, width)
    head = (width - 1) // 2
    tail = width - 1 - head
    ending = ""
    for char in reversed(text[-width * 2 :]):
        if cell_len(char + ending) > tail:
            break
        ending = char + ending
    return set_cell_size(text[: width * 2], head).rstrip() + "…" + ending


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Clean text in exactly ``width`` cells; ``right`` aligns it to the right."""
    text = clip(text, width)
    gap = " " * max(0, width - cell_len(text))
    return gap + text if right else text + gap


def _parse(moment: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def ago(moment: str, now: datetime) -> str:
    """How long before ``now`` an RFC 3339 moment lies, in one unit: ``12 min ago``; empty if unclear."""
    then = _parse(moment)
    if then is None:
        return ""
    seconds = (now - then).total_seconds()
    if seconds < 60:
        return "just now"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size):,} {unit} ago"
    return "just now"


def days_left(until: str, now: datetime) -> int | None:
    """Whole days until the end of a calendar date (0 on the day itself); None if it is no date."""
    then = _parse(until[:10])
    return None if then is None else (then.date() - now.date()).days
