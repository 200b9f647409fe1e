"""Two scans side by side, as data and as a report to read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from undercroft import __version__
from undercroft.clock import stamp
from undercroft.comparison import Change, Comparison
from undercroft.exchange.markdown import code, escape
from undercroft.exchange.records import scan_record
from undercroft.fields import ABSENT, FieldChange
from undercroft.model import Coverage
from undercroft.risk import RISK_MODEL
from undercroft.text import count, minute
from undercroft.triage.compare import Kind

__all__ = [
    "DIFF_SCHEMA",
    "diff_document",
    "sentence",
    "status_words",
    "why_words",
    "write_diff_markdown",
]

DIFF_SCHEMA = "undercroft/diff/1"
Fields = Callable[[str], Sequence[FieldChange]]
"""Resource key → the fields of it that differ."""


def diff_document(
    found: Comparison,
    coverage: tuple[Sequence[Coverage], Sequence[Coverage]],
    fields: Fields,
    as_of: Any,
) -> dict[str, Any]:
    """The whole answer of ``diff --format json``."""
    return {
        "schema": DIFF_SCHEMA,
        "undercroft": __version__,
        "risk_model": RISK_MODEL,
        "as_of": stamp(as_of),
        "older": scan_record(found.older, coverage[0]),
        "newer": scan_record(found.newer, coverage[1]),
        "counts": {kind.value: number for kind, number in found.counts.items()},
        "changes": [_change(change) for change in found.changes],
        "resources": [
            {
                "key": resource.key,
                "name": resource.name,
                "type": resource.type,
                "change": resource.kind,
                "reason": resource.reason,
                "fields": [_field(field) for field in fields(resource.key)]
                if resource.kind in {"changed", "re-created"}
                else [],
            }
            for resource in found.resources
        ],
        "coverage": [
            {
                "provider": unit.provider,
                "scope": unit.scope,
                "location": unit.location,
                "collector": unit.collector,
                "before": unit.before,
                "after": unit.after,
                "reason": unit.reason,
            }
            for unit in found.coverage
        ],
        "scores": [
            {
                "service": score.key,
                "name": score.name,
                "before": _rounded(score.before),
                "after": _rounded(score.after),
            }
            for score in found.scores
        ],
    }


def sentence(found: Comparison) -> str:
    """What the comparison says, what could not be re-checked first: only then come the fixes."""
    counts = found.counts
    parts = []
    if unseen := counts[Kind.UNCONFIRMED]:
        parts.append(f"{count(unseen, 'finding')} could not be re-checked")
    begun = (Kind.NEW, Kind.REGRESSED, Kind.RE_CREATED, Kind.CHANGED)
    parts += [f"{counts[kind]:,} {kind.value}" for kind in begun if counts[kind]]
    if counts[Kind.NEWLY_SEEN]:
        parts.append(f"{counts[Kind.NEWLY_SEEN]:,} seen for the first time, but not new")
    parts += [f"{counts[kind]:,} {kind.value}" for kind in (Kind.FIXED, Kind.GONE) if counts[kind]]
    parts.append(f"{counts[Kind.PERSISTING]:,} as before")
    return ", ".join(parts)


def status_words(change: Change) -> str:
    """``reopened (regressed)``"""
    cause = f" ({change.cause})" if change.cause else ""
    return change.status.replace("_", " ") + cause


def why_words(change: Change) -> str:
    """What is different, or what could not be looked at."""
    if change.differences:
        return ", ".join(
            f"{what} {before} → {after}" if what != "evidence" else "what decided it changed"
            for what, before, after, _ in change.differences
        )
    return change.reason


def write_diff_markdown(found: Comparison, fields: Fields, out: TextIO) -> None:
    """Write the report: what could not be re-checked comes before what was fixed."""
    names = [scan.name or f"scan {scan.id}" for scan in (found.older, found.newer)]
    out.write(f"# {escape(names[0])} → {escape(names[1])}\n\n")
    for scan in (found.older, found.newer):
        when = minute(scan.finished_at)
        out.write(f"- {escape(scan.name or str(scan.id))}: {when} UTC ({scan.state})\n")
    text = sentence(found)
    out.write(f"- {text[:1].upper()}{text[1:]}.\n\n")
    lost = [unit for unit in found.coverage if unit.lost]
    gained = [unit for unit in found.coverage if not unit.lost]
    for heading, units in (("Coverage lost", lost), ("Coverage gained", gained)):
        if units:
            out.write(f"## {heading}\n\n")
            for unit in units:
                where = f"{unit.provider} {unit.scope} {unit.location} {unit.collector}"
                reason = f": {escape(unit.reason)}" if unit.reason else ""
                out.write(f"- {escape(where)}: {unit.before} → {unit.after}{reason}\n")
            out.write("\n")
    order = [Kind.UNCONFIRMED, *(kind for kind in Kind if kind is not Kind.UNCONFIRMED)]
    for kind in order:
        members = [change for change in found.changes if change.kind is kind]
        if members:
            _section(kind, members, out)
    changed = [one for one in found.resources if one.kind in {"changed", "re-created"}]
    if changed:
        out.write("## Configuration\n\n")
        for resource in changed:
            out.write(f"- {escape(resource.name)} ({escape(resource.type)}), {resource.kind}\n")
            out.writelines(
                f"  - {code(field.path)}: {_value(field.before)} → {_value(field.after)}\n"
                for field in fields(resource.key)
            )
        out.write("\n")
    if found.scores:
        out.write("## Scores\n\n| AI service | Before | After |\n| --- | ---: | ---: |\n")
        for score in found.scores:
            numbers = [
                "–" if value is None else f"{value:.1f}" for value in (score.before, score.after)
            ]
            out.write(f"| {escape(score.name)} | {' | '.join(numbers)} |\n")
        out.write("\n")


def _section(kind: Kind, members: Iterable[Change], out: TextIO) -> None:
    rows = list(members)
    out.write(f"## {kind.value.capitalize()}: {count(len(rows), 'finding')}\n\n")
    out.write("| Severity | Finding | Resource | Status | Why |\n| --- | --- | --- | --- | --- |\n")
    for change in rows:
        cells = (
            change.severity.value,
            f"{escape(change.title)}<br>{code(change.id[:11])}",
            f"{escape(change.resource_name)}<br>{escape(change.resource_type)}",
            escape(status_words(change)),
            escape(why_words(change)),
        )
        out.write(f"| {' | '.join(cells)} |\n")
    out.write("\n")


def _change(change: Change) -> dict[str, Any]:
    return {
        "id": change.id,
        "change": change.kind.value,
        "reason": change.reason,
        "worse": change.worse,
        "differences": [
            {"what": what, "before": before, "after": after, "worse": worse}
            for what, before, after, worse in change.differences
        ],
        "title": change.title,
        "rule": change.rule,
        "cve": change.cve,
        "severity": change.severity.value,
        "layer": change.layer.value,
        "status": change.status,
        "cause": change.cause,
        "resource": {
            "key": change.resource_key,
            "name": change.resource_name,
            "type": change.resource_type,
        },
        "account": change.account,
        "region": change.region,
        "services": change.services,
    }


def _field(field: FieldChange) -> dict[str, Any]:
    """A field that is not there has no key; null is a value."""
    found: dict[str, Any] = {"path": field.path}
    if field.before is not ABSENT:
        found["before"] = field.before
    if field.after is not ABSENT:
        found["after"] = field.after
    return found


def _value(value: Any) -> str:
    return "absent" if value is ABSENT else code(json.dumps(value, ensure_ascii=False)[:200])


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 1)
