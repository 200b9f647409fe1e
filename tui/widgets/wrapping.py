"""Cutting a text into rows that fit, so that nothing of it is lost at the edge."""

from __future__ import annotations

from rich.cells import cell_len, chop_cells

from tui.text import shown

__all__ = ["wrapped"]


def wrapped(text: str, first: int, rest: int) -> list[str]:
    """Clean rows of a text: cut at its own line breaks, and where ``first`` or ``rest`` cells end."""
    chunks: list[str] = []
    for part in text.split("\n"):
        row, room = shown(part), rest if chunks else first
        while cell_len(row) > room:
            head = chop_cells(row[: room + 1], room)[0]
            at = head.rfind(" ") + 1
            # Between words where that leaves a fair row; keys and tokens are cut anywhere.
            head = head[:at] if at > len(head) // 2 else head
            chunks.append(head)
            row, room = row[len(head) :], rest
        chunks.append(row)
    return chunks
