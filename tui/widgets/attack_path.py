"""A combination as a path to read from top to bottom: who is hurt, link by link, where to cut."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from tui.glyphs import GLYPH, severity_tone
from tui.text import styled
from tui.widgets.finding_text import Advice
from undercroft.risk.paths import AttackPath, Link, Possible
from undercroft.views import Path

__all__ = ["attack_path_text", "possible_text"]

_MORE = 4
"""Alternatives to a link that are named."""


def attack_path_text(found: AttackPath, advice: Advice) -> Content:
    """The combination, its links, the cheapest cut, what to do."""
    row = found.row
    tone = severity_tone(row.severity)
    lines = [
        Content.assemble(
            (f"{GLYPH[row.severity]} {row.severity.value}", f"bold ${tone}"),
            Content.styled(f"   weighs {found.weight:g}", "$muted"),
            styled(f"   {row.cause}" if row.cause else "", "$muted"),
        ),
        styled(row.title, "bold $strong"),
    ]
    if advice.why:
        lines.append(styled(advice.why, "$plain"))
    lines += [Content(""), Content.styled("The path", "bold $muted")]
    lines.append(Content.assemble(("■ ", "$signature"), styled(row.resource_name, "bold $strong")))
    slots = sorted({link.slot for link in found.links})
    for slot in slots:
        lines += _step([link for link in found.links if link.slot == slot], last=slot == slots[-1])
    lines += [Content(""), Content.styled("The cheapest cut", "bold $muted")]
    if not found.cuts:
        lines.append(Content.styled("no single repair is known to break it", "$muted"))
    for number, cut in enumerate(found.cuts):
        mark, style = ("✂ ", "bold $better") if number == 0 else ("  or ", "$muted")
        lines.append(Content.assemble((mark, style), styled(" and ".join(cut.repairs), style)))
    if advice.fix:
        lines += [Content(""), Content.styled("What to do", "bold $muted")]
        lines.append(styled(advice.fix, "$plain"))
    if advice.command:
        lines.append(styled(f"  {advice.command}", "$signature"))
    return Content("\n").join(lines)


def possible_text(found: Possible, advice: Advice) -> Content:
    """What could not be told, and why."""
    lines = [
        Content.styled("? possible", "bold $severity-medium"),
        styled(advice.title or found.rule, "bold $strong"),
        styled(f"{found.service.name} · {found.rule}", "$muted"),
        Content(""),
        styled(found.reason, "$plain"),
        Content(""),
        Content.styled("It weighs nothing until a scan can tell.", "$faint"),
    ]
    if advice.why:
        lines += [Content(""), styled(advice.why, "$plain")]
    return Content("\n").join(lines)


def _step(links: Sequence[Link], *, last: bool) -> list[Content]:
    """One ingredient: the link that makes it, how it is reached, and what else would do."""
    first = links[0]
    bend, rail = ("└─ ", "   ") if last else ("├─ ", "│  ")
    severity = first.severity
    glyph = GLYPH[severity] if severity else "•"
    name = first.resource.name if first.resource else first.key
    lines = [
        Content.assemble((bend, "$faint"), styled(first.need, "$muted")),
        Content.assemble(
            (rail, "$faint"),
            (f"{glyph} ", f"${severity_tone(severity) if severity else 'muted'}"),
            styled(first.title or "is there", "$plain" if first.alive else "$faint"),
            styled(f" on {name}", "bold $strong"),
            ("" if first.alive else "  (no longer)", "$better"),
        ),
    ]
    if first.path:
        lines.append(
            Content.assemble((rail, "$faint"), styled(f"  {_words(first.path)}", "$faint"))
        )
    others = [link.resource.name if link.resource else link.key for link in links[1:]]
    if others:
        more = f" and {len(others) - _MORE} more" if len(others) > _MORE else ""
        text = f"  also {', '.join(others[:_MORE])}{more}"
        lines.append(Content.assemble((rail, "$faint"), styled(text, "$muted")))
    return lines


def _words(path: Path) -> str:
    """``via ExecutionRoleArn → MLExec``, every link named."""
    return "via " + " → ".join(f"{step.via.rpartition('.')[2]} → {step.dst_name}" for step in path)
