"""Rules: every rule with its text, its condition, its examples, its hits in this scan; and what was
decided about it as a whole: switched off, or rated otherwise than it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, Static

from rules.schema import Pack
from tui.glyphs import badge, severity_tone
from tui.screens.reading import ReadingScreen
from tui.selection import Selection
from tui.text import count, styled
from tui.widgets.columns import Column, Run
from tui.widgets.hanging import HangingText
from tui.widgets.rule_text import AnyRule, rule_title, rule_words
from tui.widgets.table import VirtualTable
from undercroft.filter import typed
from undercroft.model import Severity
from undercroft.triage.reports import Ruling
from undercroft.views import Query, ScanRow

if TYPE_CHECKING:
    from tui.dialogs.results import Decide
    from undercroft.store import Store

__all__ = ["RulesScreen"]


class _Counted(NamedTuple):
    """What a scan and the log say about rules, by id."""

    hits: Mapping[str, int]
    rulings: Mapping[str, Ruling]
    still_open: Mapping[str, int]
    """Findings that are open although their rule is off."""


_NOTHING = Ruling()
_DECIDING = frozenset({"rules.switch", "rules.rate"})


class RulesScreen(ReadingScreen):
    """Those with hits first, worst first."""

    NAME = "rules"
    AUTO_FOCUS = "#rules"
    CSS = """
    RulesScreen #rules-body { height: 1fr; }
    RulesScreen #rules-left { width: 1fr; height: 1fr; }
    RulesScreen #rules { height: 1fr; }
    RulesScreen #rules-filter {
        display: none; height: 1; border: none; padding: 0 1; background: $head-background;
    }
    RulesScreen #rules-filter.-open { display: block; }
    RulesScreen #rule { width: 1fr; height: 1fr; padding: 0 1; border-left: solid $rule; }
    RulesScreen #rule:focus { border-left: solid $signature; }
    RulesScreen #rule > Static { height: auto; }
    RulesScreen.-narrow #rules-body { layout: vertical; }
    RulesScreen.-narrow #rule { border-left: none; border-top: solid $rule; }
    RulesScreen.-narrow #rule:focus { border-left: none; border-top: solid $signature; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  (Textual's own shape)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", id="rules.filter"),
        Binding(
            "x",
            "switch",
            "Off / on",
            id="rules.switch",
            tooltip="Switch it off for a while, or on again",
        ),
        Binding(
            "exclamation_mark",
            "rate",
            "Rate",
            id="rules.rate",
            tooltip="Another severity for what it finds, until a date",
        ),
        Binding("y", "copy", "Copy the condition", show=False, id="rules.copy"),
        Binding("Y", "copy_fix", "Copy the fix command", show=False, id="rules.copy_fix"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rules: tuple[AnyRule, ...] = ()
        self._hits: Mapping[str, int] = {}
        self._filter = ""
        self._rulings: Mapping[str, Ruling] = {}
        self._open: Mapping[str, int] = {}
        self._counted = False

    @property
    def quiet(self) -> frozenset[str]:
        """A rule can be read without a scan, and decided about with one."""
        return frozenset() if self.undercroft.scan is not None else _DECIDING

    def body(self) -> ComposeResult:
        """The table with its filter line, and the selected rule in full."""
        with Horizontal(id="rules-body"):
            with Vertical(id="rules-left"):
                yield Input(placeholder="words of the rule", id="rules-filter", compact=True)
                yield VirtualTable[AnyRule](
                    self._columns(), key=lambda rule: rule.id, id="rules", markable=False
                )
            with VerticalScroll(id="rule"):
                yield HangingText(id="rule-words")

    @property
    def table(self) -> VirtualTable[AnyRule]:
        """The table of rules."""
        return self.query_one("#rules", VirtualTable)

    def on_mount(self) -> None:
        """The rules need no cache."""
        pack = self.undercroft.rules_pack
        if pack is None:
            self.table.say("No rules came with this session.")
        else:
            self.table.say("reading the rules…")
            self.run_slow("pack", pack, self._take)

    def set_filter(self, text: str) -> None:
        """Show only rules that contain these words."""
        self.query_one("#rules-filter", Input).value = text
        self.query_one("#rules-filter").set_class(bool(text), "-open")

    def reload(self) -> None:
        """Count the hits again, and read what was decided."""

        def work(store: Store, scan: int) -> _Counted:
            groups = store.group_findings(scan, Query(), "rule")
            rulings = store.rulings()
            return _Counted(
                {group.value: group.findings for group in groups},
                rulings,
                {
                    rule: store.count_findings(scan, Query(f"rule:{typed(rule)} status:active"))
                    for rule, ruling in rulings.items()
                    if ruling.off
                },
            )

        self.fetch("hits", work, self._count)

    def load_failed(self, sentence: str) -> None:
        """The pack is broken: its own error names file, rule and key."""
        if self._rules:
            super().load_failed(sentence)
        else:
            self.table.say("The rules could not be read:", ((sentence, "severity-high"),))

    def _take(self, pack: Pack) -> None:
        self._rules = (*pack.combinations, *pack.rules)
        self._show()

    def _count(self, found: _Counted) -> None:
        first = not self._counted
        self._hits, self._rulings, self._open = found
        self._counted = True
        # Hits arrive after the rules and change the order: who has not moved yet stays on top.
        # Later a decision changes it, and the cursor stays on the rule that it was about.
        self._show(keep=not first or bool(self.table.cursor))

    def _ruling(self, rule: AnyRule) -> Ruling:
        return self._rulings.get(rule.id, _NOTHING)

    def _severity(self, rule: AnyRule) -> Severity:
        """What is in force."""
        return self._ruling(rule).severity or rule.severity

    def _show(self, *, keep: bool = False) -> None:
        here = self.table.row if keep or self.table.cursor else None
        words = self._filter.casefold().split()
        rows = [rule for rule in self._rules if all(word in _haystack(rule) for word in words)]
        rows.sort(
            key=lambda rule: (not self._hits.get(rule.id), -self._severity(rule).rank, rule.id)
        )
        at = next((i for i, rule in enumerate(rows) if here and rule.id == here.id), 0)
        if not rows and self._rules:
            self.table.say(f"No rule contains “{self._filter}”.")
        self.table.show_rows(rows, cursor=at)
        hit = sum(bool(self._hits.get(rule.id)) for rule in self._rules)
        off = sum(bool(self._ruling(rule).off) for rule in self._rules)
        said = f"{count(len(self._rules), 'rule')}, {hit} with findings"
        self.note = styled(said + (f", {off} off" if off else ""), "$muted")

    @on(VirtualTable.Highlighted, "#rules")
    def _describe(self) -> None:
        rule = self.table.row
        words = self.query_one("#rule-words", Static)
        if rule is None:
            words.update("")
        else:
            hits, now = self._hits.get(rule.id, 0), self.undercroft.clock()
            still_open = self._open.get(rule.id, 0)
            words.update(rule_words(rule, hits, self._ruling(rule), still_open, now))
        self.query_one("#rule", VerticalScroll).scroll_home(animate=False)

    @on(VirtualTable.Opened, "#rules")
    def _findings(self) -> None:
        rule = self.table.row
        if rule is None:
            return
        if self._hits.get(rule.id):
            self.undercroft.go("findings", filter=f"rule:{rule.id}")
        else:
            self.notify("It found nothing in this scan.", timeout=3)

    # Deciding about a rule

    def action_switch(self) -> None:
        """Off for a while, with a reason; on again, with a reason."""
        self._decide(self._switch_dialog)

    def action_rate(self) -> None:
        """Another severity than the rule gives, until a date."""
        self._decide(self._rate_dialog)

    def _decide(self, ask: Callable[[AnyRule, Store, ScanRow, date], Screen[Any]]) -> None:
        app, rule = self.undercroft, self.table.row
        if app.store is None or app.scan is None:
            app.say_why("There is no scan yet." if app.store else "The cache is not open yet.")
        elif app.read_only:
            app.say_why(app.why_read_only)
        elif rule is None:
            app.say_why("No rule is selected here.")
        else:

            def answered(answer: Decide | None) -> None:
                if answer is not None:
                    app.decide(answer, Selection())

            today = app.clock().astimezone().date()
            self.app.push_screen(ask(rule, app.store, app.scan, today), answered)

    def _switch_dialog(
        self, rule: AnyRule, store: Store, scan: ScanRow, today: date
    ) -> Screen[Any]:
        from tui.dialogs.ruling import SwitchOffDialog, SwitchOnDialog

        off = self._ruling(rule).off
        if off is not None:
            return SwitchOnDialog(rule, off)
        days = self.undercroft.settings.max_accept_days
        return SwitchOffDialog(rule, store=store, scan=scan, today=today, max_days=days)

    def _rate_dialog(self, rule: AnyRule, store: Store, scan: ScanRow, today: date) -> Screen[Any]:
        from tui.dialogs.ruling import RateRuleDialog

        days = self.undercroft.settings.max_accept_days
        ruling = self._ruling(rule)
        return RateRuleDialog(rule, ruling, store=store, scan=scan, today=today, max_days=days)

    # Taking along

    def action_copy(self) -> None:
        """Copy the condition."""
        rule = self.table.row
        condition = getattr(rule, "fails_when", "")
        if condition:
            self.app.copy_to_clipboard(condition)
            self.notify("Copied the condition.", timeout=2)

    def action_copy_fix(self) -> None:
        """Copy the command that repairs it."""
        rule = self.table.row
        if rule is not None and rule.fix.command:
            self.app.copy_to_clipboard(rule.fix.command)
            self.notify("Copied the fix command.", timeout=2)
        else:
            self.notify("There is no command for it: the fix is in words.", timeout=3)

    # The filter line

    def action_filter(self) -> None:
        """Open the filter line."""
        self.query_one("#rules-filter").add_class("-open")
        self.query_one("#rules-filter").focus()

    @on(Input.Changed, "#rules-filter")
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        self._filter = event.value.strip()
        self._show()

    @on(Input.Submitted, "#rules-filter")
    def _to_list(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#rules-filter").set_class(bool(self._filter), "-open")
        self.table.focus()

    def on_key(self, event: events.Key) -> None:
        """Escape in the filter line clears and closes it."""
        if event.key == "escape" and self.query_one("#rules-filter").has_focus:
            event.stop()
            event.prevent_default()
            self._clear()

    def action_back(self) -> None:
        """First the filter goes, then the screen."""
        if self._filter:
            self._clear()
        else:
            super().action_back()

    def _clear(self) -> None:
        line = self.query_one("#rules-filter", Input)
        line.value = ""
        line.remove_class("-open")
        self.table.focus()

    def _columns(self) -> list[Column[AnyRule]]:
        return [
            Column("severity", "", 2, self._badge, sortable=False),
            Column("title", "RULE", 24, self._title, grow=5, sortable=False),
            Column("layer", "LAYER", 9, lambda rule: (rule.layer.value, "muted"), drop=2, sortable=False),
            Column("on", "ASKED OF", 16, lambda rule: (", ".join(rule.on), "muted"),grow=1, most=34, drop=3, sortable=False),
            Column("hits", "FOUND", 6, self._hit, right=True, sortable=False),
        ]  # fmt: skip

    def _badge(self, rule: AnyRule) -> Run:
        severity = self._severity(rule)
        return badge(severity), severity_tone(severity)

    def _title(self, rule: AnyRule) -> Sequence[Run]:
        ruling = self._ruling(rule)
        off: Run = ("off  " if ruling.off else "", "status-accepted")
        rated: Run = (f"was {rule.severity.value}  " if ruling.rated else "", "muted")
        return off, rated, (rule_title(rule), "muted" if ruling.off else "")

    def _hit(self, rule: AnyRule) -> Run:
        hits = self._hits.get(rule.id, 0)
        return (f"{hits:,}", "muted" if self._ruling(rule).off else "") if hits else ("–", "faint")


def _haystack(rule: AnyRule) -> str:
    return " ".join(
        (rule.id, rule.title, rule.layer.value, rule.severity.value, *rule.on, rule.why)
    ).casefold()
