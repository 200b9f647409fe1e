"""Rules: every rule with its text, its condition, its examples, and its hits in this scan."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeAlias

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from rules.schema import Combination, Pack, Rule
from tui.glyphs import badge, severity_tone
from tui.screens.reading import ReadingScreen
from tui.text import content, count, styled
from tui.widgets.columns import Column, Run
from tui.widgets.hanging import HangingText
from tui.widgets.table import VirtualTable
from undercroft.views import Query

AnyRule: TypeAlias = Rule | Combination

__all__ = ["RulesScreen"]

_EXAMPLES = 6
_PLACEHOLDER = re.compile(r"\{(?:at|show)\.(\w+)\}")


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
        Binding("y", "copy", "Copy the condition", show=False, id="rules.copy"),
        Binding("Y", "copy_fix", "Copy the fix command", show=False, id="rules.copy_fix"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rules: tuple[AnyRule, ...] = ()
        self._hits: Mapping[str, int] = {}
        self._filter = ""

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
        """Count the hits again."""
        self.fetch(
            "hits",
            lambda store, scan: {
                group.value: group.findings for group in store.group_findings(scan, Query(), "rule")
            },
            self._count,
        )

    def load_failed(self, sentence: str) -> None:
        """The pack is broken: its own error names file, rule and key."""
        if self._rules:
            super().load_failed(sentence)
        else:
            self.table.say("The rules could not be read:", ((sentence, "severity-high"),))

    def _take(self, pack: Pack) -> None:
        self._rules = (*pack.combinations, *pack.rules)
        self._show()

    def _count(self, hits: Mapping[str, int]) -> None:
        self._hits = hits
        self._show()

    def _show(self) -> None:
        # Hits arrive after the rules and change the order: who has not moved yet stays on top.
        here = self.table.row if self.table.cursor else None
        words = self._filter.casefold().split()
        rows = [rule for rule in self._rules if all(word in _haystack(rule) for word in words)]
        rows.sort(key=lambda rule: (not self._hits.get(rule.id), -rule.severity.rank, rule.id))
        at = next((i for i, rule in enumerate(rows) if here and rule.id == here.id), 0)
        if not rows and self._rules:
            self.table.say(f"No rule contains “{self._filter}”.")
        self.table.show_rows(rows, cursor=at)
        hit = sum(bool(self._hits.get(rule.id)) for rule in self._rules)
        self.note = styled(f"{count(len(self._rules), 'rule')}, {hit} with findings", "$muted")

    @on(VirtualTable.Highlighted, "#rules")
    def _describe(self) -> None:
        rule = self.table.row
        words = self.query_one("#rule-words", Static)
        words.update("" if rule is None else rule_words(rule, self._hits.get(rule.id, 0)))
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
            Column("severity", "", 2, lambda rule: (badge(rule.severity), severity_tone(rule.severity)), sortable=False),
            Column("title", "RULE", 24, rule_title, grow=5, sortable=False),
            Column("layer", "LAYER", 9, lambda rule: (rule.layer.value, "muted"), drop=2, sortable=False),
            Column("on", "ASKED OF", 16, lambda rule: (", ".join(rule.on), "muted"),grow=1, most=34, drop=3, sortable=False),
            Column("hits", "FOUND", 6, self._hit, right=True, sortable=False),
        ]  # fmt: skip

    def _hit(self, rule: AnyRule) -> Run:
        hits = self._hits.get(rule.id, 0)
        return (f"{hits:,}", "") if hits else ("–", "faint")


def rule_title(rule: AnyRule) -> str:
    """The title, with what each finding fills in shown as a blank to fill."""
    return _PLACEHOLDER.sub(r"‹\1›", rule.title)


def rule_words(rule: AnyRule, hits: int) -> Content:
    """Everything about one rule, as text."""
    found = f"{count(hits, 'finding')} in this scan" if hits else "no finding in this scan"
    lines = [
        Content.assemble(
            styled(f"{badge(rule.severity)} ", f"${severity_tone(rule.severity)}"),
            styled(rule_title(rule), "bold $strong"),
        ),
        styled(rule.id, "$muted"),
        styled(
            f"{rule.severity.value} · {rule.threat.value} · {rule.layer.value} · {found}", "$muted"
        ),
        Content(""),
        content(rule.why),
    ]
    lines += _section("Asked of", [", ".join(rule.on)])
    if condition := getattr(rule, "fails_when", ""):
        each = getattr(rule, "each", "")
        head = f"Fails when, for each of {each}" if each else "Fails when"
        lines += _section(head, str(condition).splitlines(), "$signature")
    else:
        needs = [
            f"{need.label or need.place}: {' or '.join(need.any_of)}"
            for need in getattr(rule, "needs", ())
        ]
        lines += _section("Findings that must meet on one path", needs, "$signature")
    lines += _section("Shows as evidence", [", ".join(getattr(rule, "evidence", ()))])
    lines += _section("Fix", rule.fix.text.splitlines())
    lines += [styled(f"$ {line}", "$signature") for line in rule.fix.command.splitlines()]
    examples = [f"{one.expect:<8} {_brief(one.data)}" for one in rule.examples[:_EXAMPLES]]
    lines += _section("Examples", examples, "$muted")
    for head, mapping in (("Also known as", rule.equivalents), ("Frameworks", rule.frameworks)):
        lines += _section(
            head, [f"{name}: {_listed(ids)}" for name, ids in mapping.items()], "$muted"
        )
    lines += _section("More", list(rule.references), "$muted")
    return Content("\n").join(lines)


def _section(head: str, body: Sequence[str], style: str = "") -> list[Content]:
    if not any(body):
        return []
    return [Content(""), styled(head, "bold $muted"), *(styled(line, style) for line in body)]


def _listed(ids: Sequence[str] | str) -> str:
    return ids if isinstance(ids, str) else ", ".join(str(name) for name in ids)


def _brief(data: Mapping[str, object]) -> str:
    return json.dumps(data, ensure_ascii=False, default=str)


def _haystack(rule: AnyRule) -> str:
    return " ".join(
        (rule.id, rule.title, rule.layer.value, rule.severity.value, *rule.on, rule.why)
    ).casefold()
