"""The whole bill behind a service's score: every line with what it takes to check it by hand."""

from __future__ import annotations

from textual.content import Content

from tui.glyphs import GLYPH, severity_tone
from tui.text import styled
from undercroft.model import Severity
from undercroft.relations import ATTENUATION, Relation
from undercroft.risk import RISK_MODEL, band
from undercroft.risk.bills import Bill, BillLine, ServiceExplanation

__all__ = ["bill_text"]


def bill_text(found: ServiceExplanation, change: Content) -> Content:
    """Both scores, what moved them, and the residual bill line by line; accepted ones after it."""
    residual, inherent = found.residual, found.inherent
    lines = [
        Content.assemble(
            styled(found.service.name, "bold $strong"),
            styled(f"  {found.service.type}", "$muted"),
        ),
        Content.assemble(
            _score(residual), Content.styled(f"   H = {residual.hazard:.4f}", "$muted")
        ),
    ]
    if inherent.hazard != residual.hazard:
        lines.append(
            Content.assemble(
                Content.styled("without acceptances ", "$muted"),
                _score(inherent),
                Content.styled(f"   H = {inherent.hazard:.4f}", "$muted"),
            )
        )
    feeds = "; ".join(found.feeds) or "no feed imported: exploitation is assumed"
    lines += [
        change,
        styled(f"risk model {RISK_MODEL} · {feeds}", "$faint"),
        Content.styled("h · a · 0.5^k · 0.6^j = effective, and its share of the score", "$faint"),
        Content(""),
    ]
    shown = [line for line in residual.lines if line.printed > 0]
    for line in shown:
        lines += _line(line)
    rest = len(residual.lines) - len(shown)
    if rest:
        lines.append(Content.styled(f"  0.0  {rest:,} more below 0.1", "$faint"))
    lines.append(
        Content.assemble((f"{residual.printed:5.1f}", "bold $strong"), ("  sum", "$muted"))
    )
    accepted = [line for line in inherent.lines if line.status == "accepted"]
    if accepted:
        lines += [Content(""), Content.styled("Accepted: only in the second score", "bold $muted")]
        for line in accepted:
            lines += _line(line)
    return Content("\n").join(lines)


def _score(bill: Bill) -> Content:
    word = band(bill.score)
    said = f" {word.value}" if word else ""
    return Content.assemble(
        (f"{bill.printed:.1f}", f"bold ${severity_tone(word)}"),
        (f" of 100{said}", "$muted"),
    )


def _line(line: BillLine) -> list[Content]:
    severity = Severity(line.severity)
    path = "".join(
        f" → {step.dst_name} ({ATTENUATION.get(Relation(step.relation), 0.0):g})"
        for step in line.path
    )
    factors = [
        styled(f"         {letter} {value:<6.4g} {reason}", "$faint")
        for letter, (value, reason) in line.hazard.factors.items()
    ]
    return [
        Content.assemble(
            (f"{line.printed:5.1f}", "bold $strong"),
            (f"  {GLYPH[severity]} ", f"${severity_tone(severity)}"),
            styled(line.title, "$plain"),
        ),
        styled(
            f"       {line.layer}   {line.hazard.value:.4f} · {line.attenuation:.4g} · "
            f"0.5^{line.rank} · 0.6^{line.layer_rank} = {line.effective:.4f}",
            "$muted",
        ),
        *factors,
        styled(
            f"       {line.owner.name}{path}" if path else f"       {line.owner.name}", "$faint"
        ),
    ]
