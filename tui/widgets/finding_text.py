"""One finding as text to read: what, why, the path that leads down to it, evidence, fix, decisions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from textual.content import Content

from tui.glyphs import GLYPH, STATUS_GLYPH, STATUS_WORD, severity_tone, status_tone
from tui.text import ago, clip, count, days_left, place_of, shown, styled
from undercroft.model import Evidence, Json, Severity
from undercroft.records import dataclass
from undercroft.triage.limits import ServiceLevel
from undercroft.views import DecisionView, EventRow, FindingDetail, FindingRow, Path

__all__ = ["Advice", "copied", "evidence_text", "finding_text", "path_text", "status_text"]

_VALUE = 400
"""Characters of an evidence value that are shown; the whole is on the resource's screen."""
_LISTED = 12
"""Entries of a list of evidence that are shown."""

_FIELD = 32
"""Cells of a field's path; with its ends it fits beside the names it links."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What the rule says."""

    why: str = ""
    fix: str = ""
    command: str = ""
    title: str = ""


def finding_text(
    detail: FindingDetail,
    *,
    path: Path | None,
    advice: Advice,
    now: datetime,
    level: ServiceLevel | None = None,
) -> Content:
    """Everything about a finding, as sections. ``level``: in which time it is to be fixed."""
    row = detail.row
    lines: list[Content] = [
        Content.assemble(
            (f"{GLYPH[row.severity]} {row.severity.value}", f"bold ${severity_tone(row.severity)}"),
            ("   ", ""),
            status_text(row, now),
        ),
        styled(row.title, "bold $strong"),
        Content.assemble(
            styled(row.resource_name, "$plain"),
            (" · ", "$faint"),
            styled(f"{row.resource_type}", "$muted"),
        ),
    ]
    if detail.unconfirmed_reason:
        lines.append(
            styled(f"? not seen by this scan: {detail.unconfirmed_reason}", "$severity-medium")
        )
    decision = detail.decision or detail.lapsed
    if decision is not None:
        lines += _decision(decision, lapsed=detail.decision is None, now=now)
    lines += _said(detail.events, detail.rated, now)
    if detail.conflict:
        lines += _section("⚑ Copies disagree: the first holds until you decide once more", [
            line for decision in detail.conflict
            for line in _decision(decision, lapsed=False, now=now)[1:]
        ])  # fmt: skip
    if path:
        lines += _section("How it is reached", path_text(path))
    if advice.why:
        lines += _section("Why", [styled(advice.why, "$plain")])
    if ingredients := _ingredients(detail.evidence):
        lines += _section("What meets here", ingredients)
    elif evidence := evidence_text(detail.at, detail.evidence):
        lines += _section("Evidence", evidence)
    if advice.fix or advice.command:
        fix = [styled(advice.fix, "$plain")] if advice.fix else []
        if advice.command:
            fix.append(
                Content("\n").join(
                    styled(f"  {line}", "$signature") for line in advice.command.splitlines()
                )
            )
        lines += _section("Fix", fix)
    if detail.hazard:
        factors = [_factor(letter, *factor) for letter, factor in detail.hazard.items()]
        lines += _section(f"Score {row.score:.1f}", factors)
    if detail.services:
        names = [styled(f"  {ref.name}", "$plain") for ref in detail.services[:8]]
        more = len(detail.services) - len(names)
        if more > 0:
            names.append(Content.styled(f"  and {more:,} more", "$muted"))
        lines += _section(f"Beneath {count(len(detail.services), 'AI service')}", names)
    notes = [event for event in detail.notes if event.live]
    if notes:
        lines += _section("Comments", [_note(event, now) for event in notes])
    lines += _section("Record", _record(detail, now, level or ServiceLevel()))
    return Content("\n").join(lines)


def status_text(row: FindingRow, now: datetime) -> Content:
    """The status with what qualifies it: cause, days left, unconfirmed, new."""
    words = STATUS_WORD.get(row.status, row.status)
    if row.status == "accepted" and row.until:
        left = days_left(row.until, now)
        words += f" until {row.until}" + (
            f", {count(left, 'day')} left" if left is not None else ""
        )
    if row.cause:
        words += f": {row.cause}"
    parts = [styled(f"{STATUS_GLYPH.get(row.status, '•')} {words}", f"${status_tone(row.status)}")]
    if row.new:
        parts.append(Content.styled("   new", "bold $signature"))
    return Content.assemble(*parts)


def path_text(path: Path) -> list[Content]:
    """From the service down: one line per edge, the field that says so, and where it leads."""
    lines = [styled(path[0].src_name, "$plain")] if path else []
    for depth, step in enumerate(path):
        sure = "" if step.certainty == "stated" else f" ({step.certainty})"
        last = depth == len(path) - 1
        lines.append(
            Content.assemble(
                (" " * depth + "└ ", "$faint"),
                styled(_field(step.via) or step.relation, "$muted"),
                (f"{sure} → ", "$faint"),
                styled(step.dst_name, "bold $strong" if last else "$plain"),
            )
        )
    return lines


def _field(path: str) -> str:
    """A field's path on one line: of a long one where it begins and what it is called."""
    parts = path.split(".")
    return path if len(path) <= _FIELD or len(parts) < 3 else f"{parts[0]}…{parts[-1]}"


def copied(row: FindingRow) -> str:
    """A finding as plain text for the clipboard: true values, on a few lines."""
    return (
        f"{row.severity.value}: {row.title}\n"
        f"resource: {row.resource_id or row.resource_key}\n"
        f"rule: {row.rule}\nstatus: {row.status}\nfinding: {row.id}\n"
    )


def _section(title: str, lines: Sequence[Content]) -> list[Content]:
    return [Content(""), Content.styled(title, "bold $muted"), *lines]


def _factor(letter: str, value: float, reason: str) -> Content:
    return Content.assemble(
        (f"  {letter} ", "$faint"), (f"{value:<7.4g}", "$plain"), styled(reason, "$muted")
    )


def evidence_text(at: Mapping[str, str], evidence: Sequence[Evidence]) -> list[Content]:
    """What decided it: where, then what was found there. A derived fact that is not known, or does
    not apply, says nothing and is left out.
    """
    found = [
        (item.path, item.value)
        for item in evidence
        if item.value is not None or not item.path.startswith("facts.")
    ]
    return [_fact(name, value) for name, value in (*at.items(), *found)]


def _fact(name: str, value: Json) -> Content:
    head = styled(name, "$muted")
    if isinstance(value, list) and len(value) > 1 and all(isinstance(one, str) for one in value):
        said = [styled(f"  {clip(str(one), _VALUE)}", "$severity-high") for one in value[:_LISTED]]
        if len(value) > _LISTED:
            said.append(styled(f"  and {len(value) - _LISTED:,} more", "$muted"))
        return Content("\n").join([head, *said])
    if value is None:
        text = "not set"
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Content.assemble(head, ("  ", ""), styled(clip(text, _VALUE), "$severity-high"))


def _ingredients(evidence: Sequence[Evidence]) -> list[Content]:
    """A combination's parts by what each is needed for; empty if this is no combination."""
    needs: dict[str, list[Content]] = {}
    for item in evidence:
        if not isinstance(item.value, Mapping) or "need" not in item.value:
            return []
        severity = str(item.value.get("severity", ""))
        known = severity in set(Severity)
        mark = GLYPH[Severity(severity)] if known else "•"
        tone = severity_tone(Severity(severity)) if known else "muted"
        owner = item.path.rpartition("/")[2]
        line = Content.assemble(
            (f"  {mark} ", f"${tone}"),
            styled(str(item.value.get("title", "")), "$plain"),
            (" · ", "$faint"),
            styled(owner, "$muted"),
        )
        needs.setdefault(str(item.value["need"]), []).append(line)
    return [line for need, parts in needs.items() for line in (styled(need, "$muted"), *parts)]


def _decision(decision: DecisionView, *, lapsed: bool, now: datetime) -> list[Content]:
    kind = {
        "accept": "Accepted",
        "false_positive": "False positive",
        "claim_fixed": "Claimed fixed",
    }.get(decision.kind, decision.kind)
    head = f"{kind} by {decision.actor}, {ago(decision.at, now) or decision.at}"
    if decision.owner:
        head += f"; {decision.owner} answers for it"
    lines = [Content(""), styled(head, "$status-accepted" if not lapsed else "$muted")]
    if lapsed:
        again = "; “Accept again” renews it" if decision.kind == "accept" else ""
        lines.append(styled(f"no longer holds{again}", "$severity-medium"))
    if decision.scope:
        lines.append(styled(f"as a rule: {decision.scope}", "$muted"))
    if decision.reason:
        lines.append(styled(f"“{decision.reason}”", "$plain"))
    return lines


def _said(events: Sequence[EventRow], rated: EventRow | None, now: datetime) -> list[Content]:
    """Who works on it, as the newest of its decisions says, and how it is rated."""
    newest = {event.type: event for event in events if event.live}
    lines: list[Content] = []
    if (event := newest.get("assign")) and (name := str(event.payload.get("assignee") or "")):
        who = f"Assigned to {name} by {event.actor}, {ago(event.at, now) or event.at}"
        lines.append(styled(who, "$plain"))
    if rated is not None:
        until = str(rated.payload.get("until") or "")
        left = days_left(until, now)
        over = "; that has passed" if left is not None and left < 0 else ""
        words = f"Rated {rated.payload.get('severity')} until {until} by {rated.actor}{over}"
        lines.append(styled(words, "$muted" if over else "$plain"))
        if rated.scope:
            lines.append(styled(f"as a rule: {rated.scope}", "$muted"))
        lines.append(styled(f"“{rated.reason}”", "$muted"))
    return [Content(""), *lines] if lines else []


def _note(event: EventRow, now: datetime) -> Content:
    text = event.payload.get("text")
    said = text if isinstance(text, str) and text else event.reason
    return Content.assemble(
        styled(f"{event.actor}, {ago(event.at, now) or event.at}  ", "$muted"),
        styled(said, "$plain"),
    )


def _record(detail: FindingDetail, now: datetime, level: ServiceLevel) -> list[Content]:
    row, times = detail.row, detail.ageing
    open_for = count(times.open.days, "day") if times else ""
    kev, kev_due = detail.kev, detail.kev_due
    due = level.words(times, row.severity, kev=kev, now=now, kev_due=kev_due) if times else ""
    facts = [
        ("rule", row.rule),
        ("first seen", f"{row.first_seen[:10]} ({ago(row.first_seen, now)})"),
        ("last seen", f"{row.last_seen[:10]} ({ago(row.last_seen, now)})"),
        ("open for", open_for),
        ("due", due),
        ("where", place_of(row.provider, row.account, row.region, between=" ")),
        ("resource", row.resource_id or row.resource_key),
        ("finding", row.id),
    ]
    if detail.cvss is not None:
        facts.insert(1, ("CVSS", f"{detail.cvss:.1f}"))
    if row.cve:
        facts.insert(1, ("CVE", row.cve))
    return [
        Content.assemble((f"{name:<11}", "$faint"), styled(shown(value), "$muted"))
        for name, value in facts
        if value
    ]
