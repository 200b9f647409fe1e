"""A service in a few lines: who it is, its score, and what makes the score."""

from __future__ import annotations

from textual.content import Content

from tui.glyphs import GLYPH, severity_tone
from tui.text import clip, clip_middle, count, place_of, styled
from undercroft.views import ServiceRow, Tower

__all__ = ["contributions_text", "service_text"]


def service_text(row: ServiceRow, width: int = 60) -> Content:
    """Name, kind and place, score with its change."""
    tone = severity_tone(row.worst) if row.worst else "good"
    score = [
        Content.styled(f"{row.score:.1f}", f"bold ${tone}"),
        Content.styled(" of 100", "$faint"),
    ]
    if row.change is None:
        score.append(Content.styled("   new in this scan", "$signature"))
    elif abs(row.change) >= 0.05:
        change = f"   {row.change:+.1f} since the last scan".replace("-", "−")
        score.append(Content.styled(change, "$worse" if row.change > 0 else "$better"))
    lines = [
        styled(clip_middle(row.name, width), "bold $strong"),
        styled(clip_middle(row.type, width), "$muted"),
        styled(clip_middle(place_of(row.provider, row.account, row.region), width), "$muted"),
        Content.assemble(*score),
    ]
    if row.unread:
        lines.append(
            Content.styled(
                f"? {count(row.unread, 'value')} not read: may be higher", "$severity-medium"
            )
        )
    return Content("\n").join(lines)


def contributions_text(tower: Tower, limit: int, width: int) -> Content:
    """The largest contributions to the score, two lines each."""
    if not tower.contributions:
        return Content.styled("nothing open beneath it", "$faint")
    lines = [Content.styled("largest contributions", "bold $muted")]
    for line in tower.contributions[:limit]:
        points = f"{line.points:>4.1f}"
        lines.append(
            Content.assemble(
                styled(f"{points} ", "$strong"),
                styled(f"{GLYPH[line.severity]} ", f"${severity_tone(line.severity)}"),
                styled(clip(line.title, width - 7), "$plain"),
            )
        )
        where = clip(f"{line.layer.value} · {line.resource_name}", width - 7)
        lines.append(styled(f"       {where}", "$faint"))
    rest = sum(line.points for line in tower.contributions[limit:])
    if rest >= 0.05:
        more = count(len(tower.contributions) - limit, "other")
        lines.append(Content.styled(f"{rest:>4.1f}   {more}", "$faint"))
    return Content("\n").join(lines)
