"""What a comparison of two scans says, as lines of a table and as the text beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from tui.glyphs import GLYPH, severity_tone
from tui.text import clip, content, count, styled
from tui.widgets.columns import Cell
from undercroft.comparison import Change, Comparison, CoverageChange, ResourceChange, ScoreChange
from undercroft.fields import ABSENT, FieldChange
from undercroft.triage.compare import Kind

__all__ = [
    "MARKS",
    "Entry",
    "change_text",
    "entries_of",
    "field_lines",
    "heading",
    "plain_text",
    "resource_text",
]

MARKS = {
    Kind.NEW: ("✦", "signature"),
    Kind.REGRESSED: ("↻", "status-reopened"),
    Kind.RE_CREATED: ("⟲", "status-reopened"),
    Kind.CHANGED: ("≠", "plain"),
    Kind.NEWLY_SEEN: ("◌", "muted"),
    Kind.UNCONFIRMED: ("?", "severity-medium"),
    Kind.FIXED: ("✓", "good"),
    Kind.GONE: ("−", "muted"),
    Kind.PERSISTING: ("·", "faint"),
}
_RESOURCE_TONES = {"changed": "plain", "re-created": "status-reopened", "new": "signature"}
_VALUE = 400
"""Characters of a configuration value that are shown."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table, whatever it is about."""

    key: str
    what: Cell
    subject: Cell
    where: str
    why: str
    of: Change | ResourceChange | CoverageChange | ScoreChange


def entries_of(found: Comparison, section: str) -> list[Entry]:
    """The lines of one section: findings, configuration, coverage or scores."""
    match section:
        case "findings":
            return [_finding_entry(change) for change in found.changes]
        case "configuration":
            return [_resource_entry(change) for change in found.resources]
        case "coverage":
            return [_coverage_entry(change) for change in found.coverage]
        case _:
            return [_score_entry(change) for change in found.scores]


def _finding_entry(change: Change) -> Entry:
    glyph, tone = MARKS[change.kind]
    mark = f"{GLYPH[change.severity]} "
    return Entry(
        f"f:{change.id}",
        (f"{glyph} {change.kind.value}", tone),
        [(mark, severity_tone(change.severity)), (change.title, "")],
        change.resource_name,
        _why(change),
        change,
    )


def _resource_entry(change: ResourceChange) -> Entry:
    tone = _RESOURCE_TONES.get(change.kind, "muted")
    if change.kind == "not observed":
        tone = "severity-medium"
    return Entry(
        f"r:{change.key}", (change.kind, tone), change.name, change.type, change.reason, change
    )


def _coverage_entry(change: CoverageChange) -> Entry:
    word, tone = ("▲ lost", "severity-medium") if change.lost else ("gained", "good")
    unit = f"{change.collector} {change.location}"
    return Entry(
        f"c:{change.provider}/{change.scope}/{unit}",
        (word, tone),
        unit,
        change.scope,
        f"{change.before} → {change.after}" + (f": {change.reason}" if change.reason else ""),
        change,
    )


def _score_entry(change: ScoreChange) -> Entry:
    before, after = change.before, change.after
    if before is None or after is None:
        word, tone = ("appeared", "signature") if before is None else ("left", "muted")
    else:
        word = f"{after - before:+.1f}"
        tone = "worse" if after > before else "good"
    numbers = " → ".join("–" if value is None else f"{value:.1f}" for value in (before, after))
    return Entry(f"s:{change.key}", (word, tone), change.name, numbers, "", change)


def _why(change: Change) -> str:
    if change.differences:
        return ", ".join(
            "what decided it" if what == "evidence" else f"{what} {before} → {after}"
            for what, before, after, _ in change.differences
        )
    return change.reason


def heading(text: str) -> Content:
    """The title of a part."""
    return Content.styled(text, "bold $muted")


def change_text(change: Change) -> Content:
    """One finding: what became of it, and why."""
    glyph, tone = MARKS[change.kind]
    lines = [
        styled(change.title, "bold $strong"),
        styled(f"{change.resource_name} · {change.resource_type}", "$muted"),
        Content(""),
        Content.styled(f"{glyph} {change.kind.value}", f"bold ${tone}"),
        styled(_WORDS[change.kind], "$plain"),
    ]
    if change.reason:
        lines.append(styled(change.reason, "$severity-medium"))
    for what, before, after, worse in change.differences:
        mark = ("▲ worse", "$worse") if worse else ("", "")
        if what == "evidence":
            lines.append(content("What decided it is different."))
        else:
            lines.append(Content.assemble(f"{what}: {before} → {after}  ", mark))
    lines += [
        Content(""),
        styled(f"now {_status(change)}, {change.severity.value}", "$muted"),
        styled(f"beneath {count(change.services, 'AI service')}", "$muted"),
        styled(f"rule {change.cve or change.rule}", "$faint"),
        styled(f"finding {change.id}", "$faint"),
    ]
    return Content("\n").join(lines)


def _status(change: Change) -> str:
    cause = f" ({change.cause})" if change.cause else ""
    return change.status.replace("_", " ") + cause


_WORDS = {
    Kind.NEW: "It fails now and did not before.",
    Kind.REGRESSED: "It had been fixed, and fails again.",
    Kind.RE_CREATED: "It fails on another resource of the same name.",
    Kind.CHANGED: "It fails as before, and something about it is different.",
    Kind.NEWLY_SEEN: "It fails now; whether it did before was not looked at.",
    Kind.UNCONFIRMED: "Whether it still fails could not be looked at. It is not fixed.",
    Kind.FIXED: "The newer scan saw it repaired.",
    Kind.GONE: "The newer scan saw that its resource is gone.",
    Kind.PERSISTING: "It fails as before.",
}


def resource_text(change: ResourceChange, fields: Sequence[FieldChange] | None) -> Content:
    """One resource, with the fields that differ once they are known."""
    lines = [
        styled(change.name, "bold $strong"),
        Content.assemble(styled(change.kind, "bold $plain"), styled(f" · {change.type}", "$muted")),
        styled(change.key, "$faint"),
    ]
    if change.reason:
        lines.append(styled(change.reason, "$severity-medium"))
    if fields is not None:
        lines.append(Content(""))
        lines += field_lines(fields) or [
            styled("Only what was derived from it is different.", "$muted")
        ]
    return Content("\n").join(lines)


def field_lines(fields: Sequence[FieldChange]) -> list[Content]:
    """Each field with its value before and after."""
    lines: list[Content] = []
    for field in fields:
        lines.append(styled(field.path, "$muted"))
        if field.before is not ABSENT:
            lines.append(styled(f"  − {_value(field.before)}", "$good"))
        if field.after is not ABSENT:
            lines.append(styled(f"  + {_value(field.after)}", "$signature"))
    return lines


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clip(text, _VALUE)


def plain_text(entry: Entry) -> Content:
    """A line in full, where there is no more to say."""
    subject = entry.subject if isinstance(entry.subject, str) else ""
    return Content("\n").join(
        [
            styled(subject, "bold $strong"),
            styled(entry.where, "$muted"),
            styled(entry.why, "$plain"),
        ]
    )
