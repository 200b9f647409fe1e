"""A glyph and a letter for everything that also has a colour, so that nothing needs the colour."""

from __future__ import annotations

from undercroft.model import Layer, Severity

__all__ = [
    "GLYPH",
    "LAYER_LETTER",
    "LAYER_NUMBER",
    "LETTER",
    "STATUS_GLYPH",
    "STATUS_WORD",
    "badge",
    "layer_tone",
    "severity_tone",
    "status_tone",
]

GLYPH: dict[Severity, str] = {
    Severity.CRITICAL: "◆",
    Severity.HIGH: "▲",
    Severity.MEDIUM: "●",
    Severity.LOW: "▼",
    Severity.INFO: "○",
}
LETTER: dict[Severity, str] = {
    Severity.CRITICAL: "C",
    Severity.HIGH: "H",
    Severity.MEDIUM: "M",
    Severity.LOW: "L",
    Severity.INFO: "I",
}
LAYER_LETTER: dict[Layer, str] = {
    Layer.SERVICE: "S",
    Layer.CONTAINER: "C",
    Layer.VM: "V",
    Layer.STORAGE: "D",  # data: S is the service
    Layer.IDENTITY: "I",
    Layer.NETWORK: "N",
}
LAYER_NUMBER: dict[Layer, int] = {layer: number for number, layer in enumerate(Layer, 1)}
STATUS_GLYPH: dict[str, str] = {
    "open": "•",
    "reopened": "↻",
    "fix_claimed": "~",
    "accepted": "=",
    "false_positive": "≠",
    "fixed": "✓",
    "gone": "∅",
    "retired": "–",
}
STATUS_WORD: dict[str, str] = {
    "open": "open",
    "reopened": "reopened",
    "fix_claimed": "fix claimed",
    "accepted": "accepted",
    "false_positive": "false positive",
    "fixed": "fixed",
    "gone": "gone",
    "retired": "retired",
}


def badge(severity: Severity | None) -> str:
    """Two cells that say how bad: glyph and letter; a dot where there is nothing open."""
    return "· " if severity is None else GLYPH[severity] + LETTER[severity]


def severity_tone(severity: Severity | None) -> str:
    """The tone (see `tui.themes.TONES`) in which a severity is drawn."""
    return "faint" if severity is None else f"severity-{severity.value}"


def status_tone(status: str) -> str:
    """The tone in which a status is drawn."""
    return "status-" + status.replace("_", "-") if status in STATUS_WORD else "muted"


def layer_tone(layer: Layer) -> str:
    """The tone in which a layer's own name is drawn."""
    return f"layer-{layer.value}"
