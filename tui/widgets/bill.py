"""The whole bill behind a service's score: every line with what it takes to check it by hand."""

from __future__ import annotations

from textual.content import Content

from tui.glyphs import GLYPH, severity_tone
from tui.text import styled
from undercroft.model import Severity
from undercroft.relations import Relation
from undercroft.risk import RiskModel, band
from undercroft.risk.bills import Bill, BillLine, ServiceExplanation

__all__ = ["bill_text"]


def bill_text(found: ServiceExplanation, change: Content) -> Content:
    """Both scores, what moved them, and the residual bill line by line; accepted ones after it."""
    residual, inherent, model = found.residual, found.inherent, found.model
    lines = [
        Content.assemble(
            styled(found.service.name, "bold $strong"),
            styled(f"  {found.service.type}", "$muted"),
        ),
        Content.assemble(
            _score(residual, model), Content.styled(f"   H = {residual.hazard:.4f}", "$muted")
        ),
    ]
    if inherent.hazard != residual.hazard:
        lines.append(
            Content.assemble(
                Content.styled("without acceptances ", "$muted"),
                _score(inherent, model),
                Content.styled(f"   H = {inherent.hazard:.4f}", "$muted"),
            )
        )
    feeds = "; ".join(found.feeds) or "no feed imported: exploitation is assumed"
    changed = [
        Content.styled(f"{name} {value:g}, published as {published:g}", "$medium")
        for name, (value, published) in model.changes().items()
    ]
    lines += [
        change,
        styled(f"risk model {model.name} · {feeds}", "$faint"),
        *changed,
        Content.styled(
            f"{_sum('k', 'j', model)} = effective, and its share of the score", "$faint"
        ),
        Content(""),
    ]
    shown = [line for line in residual.lines if line.printed > 0]
    for line in shown:
        lines += _line(line, model)
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
            lines += _line(line, model)
    return Content("\n").join(lines)


def _sum(rank: str, layer_rank: str, model: RiskModel, hazard: str = "h", a: str = "a") -> str:
    of = model.table["sums"]
    return f"{hazard} · {a} · {of['in_layer']:g}^{rank} · {of['across_layers']:g}^{layer_rank}"


def _score(bill: Bill, model: RiskModel) -> Content:
    word = band(bill.score, model)
    said = f" {word.value}" if word else ""
    return Content.assemble(
        (f"{bill.printed:.1f}", f"bold ${severity_tone(word)}"),
        (f" of 100{said}", "$muted"),
    )


def _line(line: BillLine, model: RiskModel) -> list[Content]:
    severity = Severity(line.severity)
    path = "".join(
        f" → {step.dst_name} ({model.attenuation.get(Relation(step.relation), 0.0):g})"
        for step in line.path
    )
    factors = [
        styled(f"         {letter} {value:<6.4g} {reason}", "$faint")
        for letter, (value, reason) in line.hazard.factors.items()
    ]
    hazard, a = f"{line.hazard.value:.4f}", f"{line.attenuation:.4g}"
    sums = _sum(str(line.rank), str(line.layer_rank), model, hazard, a)
    return [
        Content.assemble(
            (f"{line.printed:5.1f}", "bold $strong"),
            (f"  {GLYPH[severity]} ", f"${severity_tone(severity)}"),
            styled(line.title, "$plain"),
        ),
        styled(
            f"       {line.layer}   {sums} = {line.effective:.4f}",
            "$muted",
        ),
        *factors,
        styled(
            f"       {line.owner.name}{path}" if path else f"       {line.owner.name}", "$faint"
        ),
    ]
