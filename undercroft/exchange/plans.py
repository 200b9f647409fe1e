"""A plan of repairs as JSON, and as a Markdown checklist with commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from undercroft.exchange.markdown import escape
from undercroft.exchange.records import Head, opening
from undercroft.model import Json
from undercroft.risk import RiskModel, band
from undercroft.text import count, minute, shown

if TYPE_CHECKING:
    from undercroft.store.planning import Repair, WhatIf

__all__ = ["PLAN_SCHEMA", "plan_document", "write_checklist"]

PLAN_SCHEMA = "undercroft/fix-first/1"
_SERVICES = 12

Advise = Callable[[str], tuple[str, str]]
"""Rule id → what to do, and the command; both may be empty."""


def plan_document(head: Head, repairs: Iterable[Repair], total: float) -> dict[str, Json]:
    """Repairs in the order in which to do them. ``total``: points over all services as they are."""
    return {
        **opening(PLAN_SCHEMA, head),
        "total": total,
        "repairs": [
            {
                "id": repair.id,
                "repair": repair.words,
                "resource": {
                    "key": repair.resource.key,
                    "name": repair.resource.name,
                    "type": repair.resource.type,
                },
                "findings": repair.findings,
                "rules": list(repair.rules),
                "value": repair.value,
                "total_after": repair.total,
                "combinations_broken": repair.broken,
                "blast_radius": repair.blast,
                "choke_point": repair.choke_point,
                "services": [
                    {
                        "key": helped.service.key,
                        "name": helped.service.name,
                        "before": helped.before,
                        "after": helped.after,
                    }
                    for helped in repair.helps
                ],
            }
            for repair in repairs
        ],
    }


def write_checklist(
    head: Head, repairs: Sequence[Repair], joint: WhatIf, advise: Advise, out: TextIO
) -> None:
    """A box to tick per repair, with what it helps and the command; then what all of them do."""
    scan = head.scan
    out.write(f"# Repairs for {escape(scan.name or scan.uid)}\n\n")
    out.write(
        f"- As of: {minute(head.as_of)} UTC, Undercroft {head.version}, "
        f"risk model {head.model.name}\n"
    )
    out.write(
        f"- Together: {joint.before - joint.after:.1f} of {joint.before:.1f} points over all "
        f"services, {count(len(joint.changes), 'service')} helped\n"
    )
    out.write("- Values of single repairs do not add up: they share combinations.\n\n")
    for repair in repairs:
        out.write(f"- [ ] **{escape(repair.words)}** ({escape(repair.resource.type)})\n")
        where = f"{repair.resource.provider} {repair.resource.account} {repair.resource.region}"
        out.write(f"  - Where: {escape(where)}, {escape(repair.resource.native_id)}\n")
        out.write(_effect(repair))
        names = ", ".join(escape(helped.service.name) for helped in repair.helps[:_SERVICES])
        more = len(repair.helps) - _SERVICES
        out.write(f"  - Helps {names}{f' and {more} more' if more > 0 else ''}\n")
        commands: dict[str, None] = {}
        for rule in repair.rules:
            text, command = advise(rule)
            if text:
                out.write(f"  - {escape(text)}\n")
            if command:
                commands[shown(command)] = None
        for command in commands:
            # Indented code: nothing in it can end it.
            out.write(f"\n        {command}\n")
        out.write("\n")
    if joint.changes:
        out.write(
            "## Scores as they would be\n\n| AI service | now | then |\n| --- | --- | --- |\n"
        )
        out.writelines(
            f"| {escape(helped.service.name)} | {_score(helped.before, head.model)} | "
            f"{_score(helped.after, head.model)} |\n"
            for helped in joint.changes
        )


def _effect(repair: Repair) -> str:
    breaks = f", breaks {count(repair.broken, 'combination')}" if repair.broken else ""
    return (
        f"  - Takes off {repair.value:.1f} points, mends "
        f"{count(repair.findings, 'finding')}{breaks}\n"
    )


def _score(value: float, model: RiskModel) -> str:
    word = band(value, model)
    return f"{value:.1f} {word.value if word else 'none'}"
