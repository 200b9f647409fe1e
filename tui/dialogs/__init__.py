"""Dialogs: modal screens that return frozen results and change nothing themselves.

Actions call ``decision_dialog`` and ``export_dialog``; the classes are there for what has no factory.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

from tui.selection import Selection

if TYPE_CHECKING:
    from rules.schema import Pack
    from tui.dialogs.decision import DecisionDialog
    from undercroft.store import Store
    from undercroft.triage.scopes import Scope

__all__ = ["decision_dialog"]


def decision_dialog(
    kind: str,
    selection: Selection,
    *,
    store: Store,
    scan_id: int,
    today: date,
    max_days: int,
    pack: Callable[[], Pack] | None = None,
) -> DecisionDialog[Any]:
    """The dialog for a decision about a selection; it returns a ``Decide``, or None.

    Args:
        kind: accept, fixed, false_positive, assign, rate, note or reopen.
        selection: What it is about; resolved in the dialog's own worker.
        store: Where the dialog reads what stands above the findings.
        scan_id: The scan on screen.
        today: The day from which dates are counted.
        max_days: The longest acceptance.
        pack: The rules, for the fix texts; slow, called in a worker.
    """
    from tui.dialogs.accept import AcceptDialog
    from tui.dialogs.context import Context, Reach, load_context, load_reach
    from tui.dialogs.decision import FalsePositiveDialog, NoteDialog, ReopenDialog
    from tui.dialogs.fixed import FixedDialog
    from tui.dialogs.rating import AssignDialog, RateDialog

    def load() -> Context:
        return load_context(store, scan_id, selection.resolve(store), pack)

    label, count = selection.label, selection.count or len(selection.ids)
    if kind == "accept":

        def reach(scope: Scope) -> Reach:
            return load_reach(store, scan_id, scope)

        return AcceptDialog(label, count, today=today, max_days=max_days, load=load, reach=reach)
    if kind == "fixed":
        return FixedDialog(label, count, load=load)
    if kind == "false_positive":
        return FalsePositiveDialog(label, count, load=load)
    if kind == "reopen":
        return ReopenDialog(label, count, load=load)
    if kind == "assign":
        return AssignDialog(label, count, load=load)
    if kind == "rate":
        return RateDialog(label, count, today=today, max_days=max_days, load=load)
    return NoteDialog(label, count, load=load)
