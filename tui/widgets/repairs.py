"""Repairs and plans as text: what they take off, whom they help, what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from tui.glyphs import GLYPH, severity_tone
from tui.text import clip_middle, count, place_of, styled
from tui.widgets.finding_text import Advice
from undercroft.risk import band

if TYPE_CHECKING:
    from undercroft.risk import RiskModel
    from undercroft.store.planning import Help, Repair, WhatIf

__all__ = ["head_text", "plan_text", "repair_text", "score_text"]

_NAME = 26


def score_text(score: float, model: RiskModel) -> Content:
    """``◆ 83.2`` in the tone of its band."""
    word = band(score, model)
    glyph = GLYPH[word] if word else "·"
    return Content.styled(f"{glyph} {score:>4.1f}", f"${severity_tone(word)}")


def head_text(what_if: WhatIf, planned: int, key: Callable[[str], str]) -> Content:
    """Points over all services, and what is left of them once the plan is done.

    ``key``: binding id → the key as it is mapped now.
    """
    parts = [
        Content.styled("risk over all services ", "$muted"),
        Content.styled(f"{what_if.before:,.1f}", "bold $strong"),
    ]
    if planned:
        parts += [
            Content.styled("  would be ", "$muted"),
            Content.styled(f"{what_if.after:,.1f}", "bold $better"),
            Content.styled(
                f"  −{what_if.before - what_if.after:,.1f}, "
                f"{count(len(what_if.changes), 'service')} helped",
                "$better",
            ),
        ]
    else:
        words = f"   {key('table.mark')} plans a repair and shows what would be"
        parts.append(styled(words, "$faint"))
    return Content.assemble(*parts)


def plan_text(what_if: WhatIf, planned: Sequence[Repair], key: Callable[[str], str]) -> Content:
    """The plan, and every score as it would be. ``key``: as for ``head_text``."""
    lines = [Content.styled("If this were done", "bold $strong")]
    lines += [styled(f"● {repair.words}", "$signature") for repair in planned]
    lines.append(Content(""))
    lines += _changes(what_if.changes, what_if.model)
    lines += [
        Content(""),
        styled(
            "Computed together: single values do not add up. Nothing is written: "
            f"{key('finding.fixed')} claims all of it fixed, {key('view.export')} writes a checklist "
            f"with commands, {key('view.back')} leaves without a trace.",
            "$faint",
        ),
    ]
    return Content("\n").join(lines)


def repair_text(repair: Repair, advice: Iterable[Advice], model: RiskModel) -> Content:
    """One repair: what it takes off, whom it helps, what to do."""
    ref = repair.resource
    lines = [
        styled(repair.words, "bold $strong"),
        styled(place_of(ref.type, ref.account, ref.region), "$muted"),
        Content(""),
        Content.assemble(
            Content.styled(f"−{repair.value:,.1f} points", "bold $better"),
            Content.styled(
                f" once what stands above it is done: {repair.total:,.1f} left", "$muted"
            ),
        ),
        Content.styled(
            f"mends {count(repair.findings, 'finding')}"
            + (f", breaks {count(repair.broken, 'combination')}" if repair.broken else ""),
            "$plain",
        ),
    ]
    if repair.choke_point:
        lines.append(
            Content.styled(f"◈ choke point: {repair.blast:,} AI services stand on it", "$signature")
        )
    lines += [Content(""), Content.styled("Helps", "bold $muted"), *_changes(repair.helps, model)]
    said = list(advice)
    fixes = dict.fromkeys(one.fix for one in said if one.fix)
    commands = dict.fromkeys(one.command for one in said if one.command)
    if fixes or commands:
        lines += [Content(""), Content.styled("What to do", "bold $muted")]
        lines += [styled(f"· {text}", "$plain") for text in fixes]
        lines += [styled(f"  {command}", "$signature") for command in commands]
    return Content("\n").join(lines)


def _changes(helps: Sequence[Help], model: RiskModel, most: int = 40) -> list[Content]:
    lines = []
    for one in helps[:most]:
        better = band(one.before, model) != band(one.after, model)
        lines.append(
            Content.assemble(
                score_text(one.before, model),
                Content.styled(" → ", "$faint"),
                score_text(one.after, model),
                styled(
                    f"  {clip_middle(one.service.name, _NAME)}", "$strong" if better else "$plain"
                ),
            )
        )
    if len(helps) > most:
        lines.append(Content.styled(f"and {len(helps) - most:,} more", "$muted"))
    return lines or [Content.styled("no service", "$faint")]
