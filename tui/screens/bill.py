"""A service's whole bill, on a screen of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult

from tui.screens.base import BaseScreen
from tui.screens.overview import change_text
from tui.widgets.bill import bill_text
from tui.widgets.detail import DetailPane

if TYPE_CHECKING:
    from undercroft.risk.bills import ServiceExplanation
    from undercroft.risk.trends import Change
    from undercroft.store import Store

__all__ = ["BillScreen"]


class BillScreen(BaseScreen):
    """One text to scroll: what ``undercroft explain`` prints, and what moved the score."""

    NAME = "bill"
    AUTO_FOCUS: ClassVar[str | None] = "#detail"

    def __init__(self, key: str, name: str) -> None:
        super().__init__()
        self.key = key
        self.trail = ("services", name, "bill")

    def body(self) -> ComposeResult:
        """The text."""
        yield DetailPane(id="detail")

    def reload(self) -> None:
        """Read it again."""
        key = self.key

        def work(store: Store, scan_id: int) -> tuple[ServiceExplanation, Change | None]:
            return store.explain_service(scan_id, key), store.change_of(scan_id, key)

        def done(answer: tuple[ServiceExplanation, Change | None]) -> None:
            found, change = answer
            self.query_one(DetailPane).show(key, bill_text(found, change_text(change)))

        self.fetch("bill", work, done)
