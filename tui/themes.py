"""Two themes of our own, a plain one for terminals without colour, and names for what colours mean.

Stylesheets and code use roles only (``$severity-high``, ``$status-accepted``, ``$faint``); the
colours live here. One signature colour, verdigris, marks where one is; everything else that is
coloured means something.
"""

from __future__ import annotations

from textual.theme import Theme

__all__ = ["ANSI", "DARK", "LIGHT", "THEMES", "TONES", "role_defaults"]

_DARK_ROLES = {
    "severity-critical": "#ff6b73",
    "severity-high": "#f79a4e",
    "severity-medium": "#e3c45c",
    "severity-low": "#71aef0",
    "severity-info": "#98a2b3",
    "status-open": "#dbe1ea",
    "status-reopened": "#f79a4e",
    "status-fix-claimed": "#71aef0",
    "status-accepted": "#b59cf0",
    "status-false-positive": "#98a2b3",
    "status-fixed": "#7fcf8a",
    "status-gone": "#98a2b3",
    "status-retired": "#98a2b3",
    "layer-service": "#dbe1ea",
    "layer-container": "#dbe1ea",
    "layer-vm": "#dbe1ea",
    "layer-storage": "#dbe1ea",
    "layer-identity": "#dbe1ea",
    "layer-network": "#dbe1ea",
    "signature": "#56c7b4",
    "strong": "#f3f6fa",
    "plain": "#cdd4de",
    "muted": "#98a2b3",
    "faint": "#78839a",
    "good": "#7fcf8a",
    "worse": "#f79a4e",
    "better": "#7fcf8a",
    "rule": "#2b323d",
    "cursor-background": "#223039",
    "cursor-blurred-background": "#1c232b",
    "mark-background": "#242838",
    "head-background": "#191d24",
    "block-critical": "#3c2228",
    "block-high": "#3a2a20",
    "block-medium": "#343021",
    "block-low": "#202e3f",
    "block-info": "#242a33",
    "block-none": "#1d222a",
    "block-critical-selected": "#54262f",
    "block-high-selected": "#573a25",
    "block-medium-selected": "#4d4527",
    "block-low-selected": "#294361",
    "block-info-selected": "#353e4b",
    "block-none-selected": "#2b343f",
}
_LIGHT_ROLES = {
    "severity-critical": "#c01f33",
    "severity-high": "#a84600",
    "severity-medium": "#7a5c00",
    "severity-low": "#1a5fa8",
    "severity-info": "#5c6470",
    "status-open": "#262b33",
    "status-reopened": "#a84600",
    "status-fix-claimed": "#1a5fa8",
    "status-accepted": "#6a3fc0",
    "status-false-positive": "#5c6470",
    "status-fixed": "#1c7430",
    "status-gone": "#5c6470",
    "status-retired": "#5c6470",
    "layer-service": "#262b33",
    "layer-container": "#262b33",
    "layer-vm": "#262b33",
    "layer-storage": "#262b33",
    "layer-identity": "#262b33",
    "layer-network": "#262b33",
    "signature": "#0b7268",
    "strong": "#0e1116",
    "plain": "#2d333c",
    "muted": "#5c6470",
    "faint": "#6b727d",
    "good": "#1c7430",
    "worse": "#a84600",
    "better": "#1c7430",
    "rule": "#d9d5cb",
    "cursor-background": "#dcebe7",
    "cursor-blurred-background": "#eae7df",
    "mark-background": "#e9e4f5",
    "head-background": "#f1eee7",
    "block-critical": "#f9e3e3",
    "block-high": "#f8e8da",
    "block-medium": "#f4eed6",
    "block-low": "#e3edf7",
    "block-info": "#ecebe7",
    "block-none": "#f1eee7",
    "block-critical-selected": "#f5cccd",
    "block-high-selected": "#f3d0b3",
    "block-medium-selected": "#e9dda8",
    "block-low-selected": "#c4daf0",
    "block-info-selected": "#dad7cf",
    "block-none-selected": "#dedacf",
}
_ANSI_ROLES = {
    "severity-critical": "ansi_bright_red",
    "severity-high": "ansi_red",
    "severity-medium": "ansi_yellow",
    "severity-low": "ansi_blue",
    "severity-info": "ansi_default",
    "status-open": "ansi_default",
    "status-reopened": "ansi_red",
    "status-fix-claimed": "ansi_blue",
    "status-accepted": "ansi_magenta",
    "status-false-positive": "ansi_default",
    "status-fixed": "ansi_green",
    "status-gone": "ansi_default",
    "status-retired": "ansi_default",
    "layer-service": "ansi_default",
    "layer-container": "ansi_default",
    "layer-vm": "ansi_default",
    "layer-storage": "ansi_default",
    "layer-identity": "ansi_default",
    "layer-network": "ansi_default",
    "signature": "ansi_cyan",
    "strong": "ansi_default",
    "plain": "ansi_default",
    "muted": "ansi_default",
    "faint": "ansi_default",
    "good": "ansi_green",
    "worse": "ansi_red",
    "better": "ansi_green",
    "rule": "ansi_default",
    "cursor-background": "ansi_default",
    "cursor-blurred-background": "ansi_default",
    "mark-background": "ansi_default",
    "head-background": "ansi_default",
    **{
        f"block-{name}{state}": "ansi_default"
        for name in ("critical", "high", "medium", "low", "info", "none")
        for state in ("", "-selected")
    },
}

TONES: tuple[str, ...] = tuple(
    name
    for name in _DARK_ROLES
    if not name.endswith("background") and not name.startswith("block-")
)
"""Names that a run of text may be drawn in; each is also a variable, ``$severity-critical``."""

DARK = Theme(
    name="undercroft-dark",
    primary="#56c7b4",
    secondary="#71aef0",
    accent="#56c7b4",
    warning="#e3c45c",
    error="#ff6b73",
    success="#7fcf8a",
    foreground="#cdd4de",
    background="#13161b",
    surface="#191d24",
    panel="#20252e",
    dark=True,
    variables={
        **_DARK_ROLES,
        "border": "#56c7b4",
        "border-blurred": "#2b323d",
        "block-cursor-background": "#223039",
        "block-cursor-foreground": "#f3f6fa",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#1c232b",
        "block-cursor-blurred-foreground": "#cdd4de",
        "block-hover-background": "#1c232b",
        "input-cursor-background": "#56c7b4",
        "input-cursor-foreground": "#13161b",
        "input-selection-background": "#2b4a4a",
        "scrollbar": "#3a4452",
        "scrollbar-hover": "#4d5a6b",
        "scrollbar-active": "#56c7b4",
        "scrollbar-background": "#13161b",
        "scrollbar-background-hover": "#13161b",
        "scrollbar-background-active": "#13161b",
        "scrollbar-corner-color": "#13161b",
        "footer-background": "#191d24",
        "footer-foreground": "#98a2b3",
        "footer-key-foreground": "#56c7b4",
        "footer-description-foreground": "#98a2b3",
    },
)
LIGHT = Theme(
    name="undercroft-light",
    primary="#0b7268",
    secondary="#1a5fa8",
    accent="#0b7268",
    warning="#7a5c00",
    error="#c01f33",
    success="#1c7430",
    foreground="#2d333c",
    background="#fbfaf7",
    surface="#f1eee7",
    panel="#e9e5dc",
    dark=False,
    variables={
        **_LIGHT_ROLES,
        "border": "#0b7268",
        "border-blurred": "#d9d5cb",
        "block-cursor-background": "#dcebe7",
        "block-cursor-foreground": "#0e1116",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#eae7df",
        "block-cursor-blurred-foreground": "#2d333c",
        "block-hover-background": "#f1eee7",
        "input-cursor-background": "#0b7268",
        "input-cursor-foreground": "#fbfaf7",
        "input-selection-background": "#bfe0da",
        "scrollbar": "#c3beb2",
        "scrollbar-hover": "#a8a295",
        "scrollbar-active": "#0b7268",
        "scrollbar-background": "#fbfaf7",
        "scrollbar-background-hover": "#fbfaf7",
        "scrollbar-background-active": "#fbfaf7",
        "scrollbar-corner-color": "#fbfaf7",
        "footer-background": "#f1eee7",
        "footer-foreground": "#5c6470",
        "footer-key-foreground": "#0b7268",
        "footer-description-foreground": "#5c6470",
    },
)
ANSI = Theme(
    name="undercroft-ansi",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_blue",
    accent="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    variables={
        **_ANSI_ROLES,
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_cyan",
        "border": "ansi_cyan",
        "border-blurred": "ansi_default",
        "block-cursor-foreground": "ansi_default",
        "block-cursor-background": "ansi_default",
        "block-cursor-text-style": "reverse",
        "scrollbar": "ansi_default",
        "scrollbar-background": "ansi_default",
        "footer-key-foreground": "ansi_cyan",
    },
)
"""The terminal's own sixteen colours on its own background; also what NO_COLOR switches to."""

THEMES: tuple[Theme, ...] = (DARK, LIGHT, ANSI)


def role_defaults(theme: Theme) -> dict[str, str]:
    """Our roles for a theme that is not ours (the built-in ones): legible, if less tuned."""
    if theme.ansi:
        return dict(_ANSI_ROLES)
    roles = dict(_DARK_ROLES if theme.dark else _LIGHT_ROLES)
    roles["signature"] = theme.primary
    if theme.foreground:
        roles |= {"strong": theme.foreground, "plain": theme.foreground}
    if theme.surface:
        roles["head-background"] = theme.surface
    roles["cursor-background"] = f"{theme.primary} 25%"
    roles["cursor-blurred-background"] = f"{theme.primary} 12%"
    roles["mark-background"] = f"{theme.secondary or theme.primary} 20%"
    return roles
