"""A scan's scope and coverage in words. Pure functions over rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from textual.content import Content

from tui.text import PROVIDERS, content, count, styled
from undercroft.model import Coverage, CoverageStatus, Json
from undercroft.text import calls, standing
from undercroft.views import ScanRow

__all__ = ["STATE_GLYPH", "STATE_TONE", "coverage_words", "scope_words", "without_status"]

STATE_GLYPH = {
    "complete": "✓",
    "partial": "▲",
    "failed": "✗",
    "interrupted": "◌",
    "running": "…",
}
STATE_TONE = {
    "complete": "good",
    "partial": "severity-medium",
    "failed": "severity-high",
    "interrupted": "muted",
    "running": "signature",
}
_WORDS = {
    CoverageStatus.DENIED: "denied",
    CoverageStatus.THROTTLED: "throttled to the end",
    CoverageStatus.TRUNCATED: "cut short",
    CoverageStatus.ERROR: "failed",
}


def scope_words(scan: ScanRow, *, brief: bool = False) -> str:
    """What was asked for: provider, accounts, regions."""
    provider = str(scan.scope.get("provider", ""))
    parts = [PROVIDERS.get(provider, provider) or scan.kind]
    for key, noun in (("accounts", "account"), ("locations", "region")):
        values = _texts(scan.scope.get(key))
        if values and (len(values) <= 2 or not brief):
            parts.append(", ".join(values))
        elif values:
            parts.append(count(len(values), noun))
    return " · ".join(part for part in parts if part)


def without_status(reason: str, status: CoverageStatus | str) -> str:
    """The reason where the status stands beside it already: ``denied: needs …`` says it twice."""
    return reason.removeprefix(f"{status}: ")


def coverage_words(scan: ScanRow, coverage: Sequence[Coverage]) -> Content:
    """What a scan read and what it could not, one gap a line, worst kind first."""
    lines = [
        styled(scan.name or f"scan {scan.id}", "bold $strong"),
        styled(scope_words(scan), "$muted"),
        Content(""),
    ]
    if scan.state == "interrupted":
        lines.append(styled("It was stopped before it was saved: it holds no data.", "$muted"))
        return Content("\n").join(lines)
    if scan.state == "running":
        lines.append(styled("It is running.", "$signature"))
        return Content("\n").join(lines)
    lines.append(
        content(
            f"{count(scan.services, 'AI service')}, {count(scan.resources, 'resource')},"
            f" {standing(scan.findings)}, {calls(scan.calls, scan.spared)}"
        )
    )
    gaps = [unit for unit in coverage if unit.status.is_gap]
    complete = sum(unit.status is CoverageStatus.COMPLETE for unit in coverage)
    if coverage:
        lines.append(content(f"{complete} of {count(len(coverage), 'unit')} read to the end"))
    other = Counter(
        unit.status for unit in coverage if not unit.status.is_gap
    )  # not enabled, skipped: no gap, but said
    for status in (CoverageStatus.NOT_ENABLED, CoverageStatus.SKIPPED):
        if other[status]:
            words = "not enabled there" if status is CoverageStatus.NOT_ENABLED else "skipped"
            lines.append(styled(f"{count(other[status], 'unit')} {words}", "$muted"))
    if not gaps and not scan.gaps:
        lines += [Content(""), styled("✓ Everything that was asked for was read.", "$good")]
        return Content("\n").join(lines)
    lines += [Content(""), styled("Could not be read", "bold $severity-medium")]
    lines.append(styled("Nothing below counts as fixed or gone because of it.", "$muted"))
    for unit in sorted(gaps, key=lambda unit: (unit.status, unit.collector, unit.location)):
        where = " · ".join(part for part in (unit.scope, unit.location) if part and part != "-")
        lines.append(
            Content.assemble(
                styled(f"▲ {unit.collector}", "$severity-medium"),
                styled(f"  {where}  {_WORDS.get(unit.status, str(unit.status))}", "$muted"),
            )
        )
        if unit.reason:
            lines.append(content(f"  {without_status(unit.reason, unit.status)}"))
    rest = scan.gaps - len(gaps)
    if rest > 0:
        lines.append(
            styled(f"and {count(rest, 'field')} of single resources; each says which", "$muted")
        )
    return Content("\n").join(lines)


def _texts(value: Json) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    return [str(value)] if value else []
