"""Colours: legible, complete, and never the only sign."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import Theme

from tui.console import console_url
from tui.glyphs import GLYPH, LAYER_LETTER, LETTER, STATUS_GLYPH, badge
from tui.themes import ANSI, DARK, LIGHT, TONES, role_defaults
from tui.widgets.tower import mini_tower
from undercroft.model import LAYERS, Layer, Severity
from undercroft.views import LayerTotals

QUIET = {"faint", "rule"}
"""Decoration and what is settled: may stand back."""


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2)."""

    def luminance(text: str) -> float:
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in Color.parse(text).normalized
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize(
    "ground", ["background", "cursor-background", "mark-background", "head-background"]
)
def test_text_stands_out_from_every_ground(theme: Theme, ground: str) -> None:
    behind = theme.variables.get(ground) or theme.background or ""
    for tone in set(TONES) - QUIET:
        found = contrast(behind, theme.variables[tone])
        assert found >= 4.5, (tone, ground, round(found, 2))
    assert contrast(behind, theme.variables["faint"]) >= 3.5


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_what_stands_back_can_still_be_read(theme: Theme) -> None:
    assert contrast(theme.background or "", theme.variables["faint"]) >= 4.5
    for ground in (theme.surface, theme.panel):
        assert contrast(ground or "", theme.variables["faint"]) >= 3.5


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_blocks_are_legible(theme: Theme) -> None:
    for name in (*Severity, "none"):
        for state in ("", "-selected"):
            behind = theme.variables[f"block-{name}{state}"]
            for ink in ("plain" if name == "none" else f"severity-{name}", "muted", "strong"):
                found = contrast(behind, theme.variables[ink])
                assert found >= (3.5 if ink == "muted" else 4.0), (name, state, ink, found)


def test_all_themes_have_all_roles() -> None:
    assert set(DARK.variables) >= set(role_defaults(ANSI))
    assert set(LIGHT.variables) >= set(role_defaults(ANSI))
    assert set(role_defaults(DARK)) == set(role_defaults(LIGHT)) == set(role_defaults(ANSI))


def test_every_sign_is_distinct_without_colour() -> None:
    assert len(set(GLYPH.values())) == len(set(LETTER.values())) == len(Severity)
    assert len(set(LAYER_LETTER.values())) == len(LAYERS)
    assert len(set(STATUS_GLYPH.values())) == len(STATUS_GLYPH)
    assert {len(badge(severity)) for severity in (*Severity, None)} == {2}


def test_small_tower_reads_in_monochrome() -> None:
    layers = {
        Layer.SERVICE: LayerTotals(Severity.HIGH, 2),
        Layer.CONTAINER: LayerTotals(None, 0),
        Layer.NETWORK: LayerTotals(Severity.CRITICAL, 1),
    }
    assert "".join(text for text, _ in mini_tower(layers)) == "▲H ·           ◆C"


@pytest.mark.parametrize(
    ("provider", "native", "url"),
    [
        (
            "aws",
            "arn:aws:iam::1:role/x&y",
            "https://console.aws.amazon.com/go/view?arn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx%26y",
        ),
        ("aws", "arn:evil.example:x", ""),
        ("aws", "i-123", ""),
        (
            "azure",
            "/subscriptions/1/x y",
            "https://portal.azure.com/#@/resource/subscriptions/1/x%20y",
        ),
        ("", "x", ""),
    ],
)
def test_console_links_lead_to_the_console_only(provider: str, native: str, url: str) -> None:
    assert console_url(provider, native) == url
