"""Styles by role for widgets that draw their own lines, looked up in the theme.

A component class for each role would do the same, but each would be matched against the whole style
sheet for each widget, whenever one is mounted or the focus moves.
"""

from __future__ import annotations

from rich.style import Style
from textual.color import Color
from textual.widget import Widget

__all__ = ["Inks"]

_BOLD = frozenset({"strong", "severity-critical"})
"""Tones that are also heavier."""
_DIM = frozenset({"faint"})
"""Tones that are also dimmed where the theme gives them no colour of their own."""


class Inks:
    """The styles of one widget, made once each; ``forget`` when the theme may be another one."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._styles: dict[tuple[str, str], Style] = {}
        self._ground: Style | None = None

    def forget(self) -> None:
        """Look everything up again."""
        self._styles.clear()
        self._ground = None

    @property
    def ground(self) -> Style:
        """The widget's own ``rich_style``, which is worked out anew for whoever asks the widget."""
        if self._ground is None:
            self._ground = self._widget.rich_style
        return self._ground

    @property
    def plain_terminal(self) -> bool:
        """Whether the theme leaves colours to the terminal, so that attributes have to say more."""
        return self._widget.app.native_ansi_color

    def tone(self, name: str) -> Style:
        """What a tone (`tui.themes.TONES`) adds to whatever it is drawn on."""
        style = self._styles.get((name, ""))
        if style is None:
            style = self.pair(name) + Style(
                bold=True if name in _BOLD else None,
                dim=True if name in _DIM and self.plain_terminal else None,
            )
            self._styles[name, ""] = style
        return style

    def pair(self, ink: str = "", ground: str = "") -> Style:
        """Two roles as ink and ground; a role left out adds nothing."""
        style = self._styles.get((ink, f"on {ground}"))
        if style is None:
            style = Style(
                color=self._colour(ink).rich_color if ink else None,
                bgcolor=self._colour(ground).rich_color if ground else None,
            )
            self._styles[ink, f"on {ground}"] = style
        return style

    def _colour(self, role: str) -> Color:
        """The theme's colour; ``#rrggbb 25%`` is so much of it over the widget's own ground."""
        text, _, share = self._widget.app.theme_variables[role].partition(" ")
        colour = Color.parse(text)
        if not share:
            return colour
        return self._widget.background_colors[1] + colour.multiply_alpha(float(share[:-1]) / 100)
