"""Foreign text made fit to be shown: one line, no control, direction or invisible characters."""

from __future__ import annotations

__all__ = ["calls", "count", "minute", "shown", "standing"]

_PLACEHOLDER = "\N{REPLACEMENT CHARACTER}"
_REPLACE: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\N{SYMBOL FOR DELETE}",
    **dict.fromkeys(
        [
            *range(0x80, 0xA0),  # C1 controls: 0x9B alone starts an escape sequence
            0xAD,  # soft hyphen
            0x61C,
            0x180E,
            *range(0x200B, 0x2010),  # zero width and direction marks
            *range(0x2028, 0x202F),  # line separators, embeddings and overrides
            *range(0x2060, 0x2070),
            *range(0xD800, 0xE000),  # lone surrogates cannot be written to a terminal
            0xFEFF,
            *range(0xFFF9, 0xFFFC),
            *range(0xE0000, 0xE0080),  # invisible tag characters
        ],
        _PLACEHOLDER,
    ),
    # Terminals disagree about the width of a sequence with a variation selector.
    **dict.fromkeys(range(0xFE00, 0xFE10), ""),
}


def shown(text: str) -> str:
    """Text as it may be written to a terminal, a table cell or a report."""
    return text if text.isascii() and text.isprintable() else text.translate(_REPLACE)


def count(number: int, singular: str, plural: str = "") -> str:
    """A number with its noun: ``1 finding``, ``1,204 findings``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def standing(number: int) -> str:
    """Findings that are not fixed, gone or retired: ``289 findings standing``."""
    return f"{count(number, 'finding')} standing"


def calls(made: int, spared: int) -> str:
    """How often a cloud was asked: ``1,205 calls``, ``1,205 calls (701 spared: nothing changed)``."""
    return count(made, "call") + f" ({spared:,} spared: nothing changed)" * bool(spared)


def minute(moment: str) -> str:
    """An RFC 3339 moment as far as people care, in its own zone: ``2026-11-23 09:30``."""
    return shown(moment[:16].replace("T", " "))
