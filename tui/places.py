"""Names of the screens, known without Textual: the command line checks them before it starts."""

from __future__ import annotations

__all__ = ["PLACES", "STARTS", "place_named", "spelt", "title"]

PLACES: dict[str, tuple[str, str]] = {
    "services": ("tui.screens.services", "ServicesScreen"),
    "findings": ("tui.screens.findings", "FindingsScreen"),
    "overview": ("tui.screens.overview", "OverviewScreen"),
    "combinations": ("tui.screens.combinations", "CombinationsScreen"),
    "fix_first": ("tui.screens.fix_first", "FixFirstScreen"),
    "scans": ("tui.screens.scans", "ScansScreen"),
    "rules": ("tui.screens.rules", "RulesScreen"),
    "changes": ("tui.screens.changes", "ChangesScreen"),
    "history": ("tui.screens.history", "HistoryScreen"),
    "accepted_rules": ("tui.screens.scopes", "ScopesScreen"),
    "first_run": ("tui.screens.first_run", "FirstRunScreen"),
    "scan_progress": ("tui.screens.scan_progress", "ScanProgressScreen"),
}
"""Screens with a name of their own → where their class is; imported when first gone to."""

_ON_OCCASION = frozenset({"first_run", "scan_progress"})
"""Shown when there is no scan, or when one runs: nothing to ask for at the start."""

STARTS = tuple(name for name in PLACES if name not in _ON_OCCASION)
"""Screens that one can start with, as they are named in `PLACES`."""


def spelt(name: str) -> str:
    """As it is typed on a command line: ``fix-first``."""
    return name.replace("_", "-")


def title(name: str) -> str:
    """As it is read: ``fix first``."""
    return name.replace("_", " ")


def place_named(text: str) -> str | None:
    """The screen that a text names in any of these spellings, if it names one."""
    name = text.strip().lower().replace("-", "_").replace(" ", "_")
    return name if name in PLACES else None
