"""One rule as text to read: what it looks for, why, how to mend it, and what was decided about it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from textual.content import Content

from rules.schema import Combination, Rule
from tui.glyphs import badge, severity_tone
from tui.text import ago, content, count, styled
from undercroft.triage.reports import Ruling

__all__ = ["AnyRule", "rule_title", "rule_words"]

AnyRule: TypeAlias = Rule | Combination

_EXAMPLES = 6
_PLACEHOLDER = re.compile(r"\{(?:at|show)\.(\w+)\}")


def rule_title(rule: AnyRule) -> str:
    """The title, with what each finding fills in shown as a blank to fill."""
    return _PLACEHOLDER.sub(r"‹\1›", rule.title)


def rule_words(rule: AnyRule, hits: int, ruling: Ruling, still_open: int, now: datetime) -> Content:
    """Everything about one rule, as text, and what holds for it as a whole at ``now``.

    ``still_open``: findings that are open although it is off.
    """
    severity = ruling.severity or rule.severity
    found = f"{count(hits, 'finding')} in this scan" if hits else "no finding in this scan"
    lines = [
        Content.assemble(
            styled(f"{badge(severity)} ", f"${severity_tone(severity)}"),
            styled(rule_title(rule), "bold $strong"),
        ),
        styled(rule.id, "$muted"),
        styled(f"{severity.value} · {rule.threat.value} · {rule.layer.value} · {found}", "$muted"),
        *_decisions(rule, ruling, still_open, now),
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


def _decisions(rule: AnyRule, ruling: Ruling, still_open: int, now: datetime) -> list[Content]:
    """Who switched it off or rated it, until when, and why."""
    lines: list[Content] = []
    if (off := ruling.off) is not None:
        when = ago(off.at, now) or off.at[:10]
        lines += [
            Content(""),
            styled(f"Off until {off.until} by {off.actor}, {when}", "$status-accepted"),
            styled(f"“{off.reason}”", "$plain"),
            styled(f"{off.owner} answers for it; what it finds counts as accepted", "$muted"),
        ]
        if still_open:
            why = "worse than what was accepted, fixed in between, or decided by itself"
            words = f"{count(still_open, 'finding')} open all the same: {why}"
            lines.append(styled(words, "$status-reopened"))
    if (rated := ruling.rated) is not None and ruling.severity is not None:
        when = ago(rated.at, now) or rated.at[:10]
        words = (
            f"Rated {ruling.severity.value} instead of {rule.severity.value} until {rated.until}"
        )
        lines += [
            Content(""),
            styled(f"{words} by {rated.actor}, {when}", "$strong"),
            styled(f"“{rated.reason}”", "$plain"),
        ]
    return lines


def _section(head: str, body: Sequence[str], style: str = "") -> list[Content]:
    if not any(body):
        return []
    return [Content(""), styled(head, "bold $muted"), *(styled(line, style) for line in body)]


def _listed(ids: Sequence[str] | str) -> str:
    return ids if isinstance(ids, str) else ", ".join(str(name) for name in ids)


def _brief(data: Mapping[str, object]) -> str:
    return json.dumps(data, ensure_ascii=False, default=str)
