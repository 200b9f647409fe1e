"""Keys that act on findings: decide, comment, copy, open elsewhere. For screens that list findings."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.binding import BindingType

from tui.keymap import bind
from tui.screens.base import BaseScreen
from tui.selection import Selection
from tui.text import shown
from tui.widgets.filter_line import FilterLine
from undercroft.model import Severity
from undercroft.views import FindingRow

__all__ = ["ACTING_IDS", "ActingScreen"]

ACTING_IDS = (
    "finding.accept",
    "finding.accept_again",
    "finding.fixed",
    "finding.false_positive",
    "finding.comment",
    "finding.reopen",
    "finding.assign",
    "finding.rate",
    "finding.copy",
    "finding.copy_fix",
    "finding.console",
    "finding.resource",
    "finding.blast",
)


class ActingScreen(BaseScreen):
    """A screen with findings on it; subclasses say which one is current and which are selected."""

    BINDINGS: ClassVar[list[BindingType]] = bind(*ACTING_IDS)

    def current_finding(self) -> FindingRow | None:
        """The finding under the cursor."""
        return None

    def why_no_finding(self) -> str:
        """Why there is none, as a sentence."""
        return "No finding is selected here."

    def selected_findings(self) -> Selection:
        """The finding under the cursor; screens with marks return those instead."""
        row = self.current_finding()
        if row is None:
            return Selection(why=self.why_no_finding())
        scan = self.undercroft.scan
        label = f"{row.title} · {row.resource_name}"
        return Selection((row.id,), label, 1, scan.id if scan else None)

    def decided(self) -> None:
        """A decision about the selection is recorded: the selection has served."""

    def _served(self) -> None:
        # Whoever decided may have left the screen meanwhile.
        if self.is_attached:
            self.decided()

    @on(FilterLine.ValuesWanted)
    def _values_wanted(self, event: FilterLine.ValuesWanted) -> None:
        key, prefix, line = event.key, event.prefix, event.line
        self.fetch(
            "values",
            lambda store, scan_id: store.suggestions(scan_id, key, prefix),
            lambda values: line.offer(key, prefix, values),
        )

    # Deciding

    def action_accept(self) -> None:
        """Tolerate until a date."""
        self._ask("accept")

    def action_accept_again(self) -> None:
        """An acceptance that no longer holds once more; what is critical asks as the first time did."""
        app = self.undercroft
        selection, row = self.selected_findings(), self.current_finding()
        if app.read_only:
            app.say_why(app.why_read_only)
        elif not selection:
            app.say_why(selection.why or self.why_no_finding())
        elif row is not None and row.severity is Severity.CRITICAL:
            self._ask("accept")
        else:
            from tui.dialogs.results import AcceptAgain

            app.decide(AcceptAgain(), selection, self._served)

    def action_fixed(self) -> None:
        """Claim a fix."""
        self._ask("fixed")

    def action_false_positive(self) -> None:
        """The rule is wrong here."""
        self._ask("false_positive")

    def action_comment(self) -> None:
        """Write something down."""
        self._ask("note")

    def action_reopen(self) -> None:
        """Withdraw a decision."""
        self._ask("reopen")

    def action_assign(self) -> None:
        """Say who works on it."""
        self._ask("assign")

    def action_rate(self) -> None:
        """Another severity than the rule gives, until a date."""
        self._ask("rate")

    def _ask(self, kind: str) -> None:
        app = self.undercroft
        store, scan = app.store, app.scan
        if store is None or scan is None:
            app.say_why("There is no scan yet." if store else "The cache is not open yet.")
            return
        if app.read_only:
            app.say_why(app.why_read_only)
            return
        selection = self.selected_findings()
        if not selection:
            app.say_why(selection.why or self.why_no_finding())
            return
        from tui.dialogs import decision_dialog

        def answered(answer: object) -> None:
            if answer is not None:
                app.decide(answer, selection, self._served)  # type: ignore[arg-type]  # what the dialog returns

        today = app.clock().astimezone().date()
        dialog = decision_dialog(
            kind,
            selection,
            store=store,
            scan_id=scan.id,
            today=today,
            max_days=app.settings.max_accept_days,
            pack=app.rules_pack,
        )
        self.app.push_screen(dialog, answered)

    # Taking along

    def _with_finding(self, act: Callable[[FindingRow], None]) -> None:
        row = self.current_finding()
        if row is None:
            self.undercroft.say_why(self.why_no_finding())
        else:
            act(row)

    def action_copy(self) -> None:
        """The finding, as text, to the clipboard of the terminal (also over SSH)."""

        def act(row: FindingRow) -> None:
            from tui.widgets.finding_text import copied

            self.app.copy_to_clipboard(copied(row))
            self.notify(f"Copied: {shown(row.title)}", markup=False)

        self._with_finding(act)

    def action_copy_fix(self) -> None:
        """The fix's command to the clipboard."""

        def copy(rule: str) -> None:
            command = self.undercroft.advice(rule).command
            if not command:
                self.undercroft.say_why("This rule has no fix command; its text says what to do.")
                return
            self.app.copy_to_clipboard(command)
            self.notify(f"Copied the fix: {shown(command)}", markup=False)

        def act(row: FindingRow) -> None:
            # The rules may not have been read yet: that takes a worker.
            self.fetch("advice", lambda *_: self.undercroft.load_advice(), lambda _: copy(row.rule))

        self._with_finding(act)

    def action_console(self) -> None:
        """The resource in its cloud's console: a browser here, the link where there is none."""

        def act(row: FindingRow) -> None:
            self.undercroft.open_console(row.provider, row.resource_id, row.account)

        self._with_finding(act)

    def action_resource(self) -> None:
        """The resource that the finding is on, at the field that shows it."""

        def act(row: FindingRow) -> None:
            self.fetch(
                "evidence",
                lambda store, scan_id: store.finding(scan_id, row.id).evidence,
                lambda found: self.undercroft.show_resource(
                    row.resource_key, path=found[0].path if found else ""
                ),
            )

        self._with_finding(act)

    def action_blast(self) -> None:
        """Which AI services stand on the resource."""
        self._with_finding(
            lambda row: self.undercroft.show_resource(row.resource_key, pane="above")
        )
