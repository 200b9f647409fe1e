"""A report to read: what was and was not scanned, then the findings, worst first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TextIO

from undercroft.exchange.records import Exportable, Head
from undercroft.model import Severity
from undercroft.text import count, minute, shown

__all__ = ["code", "escape", "write_markdown"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$:@-])")


def escape(text: str) -> str:
    """Foreign text as Markdown text: on one line, nothing in it is markup, a link or HTML."""
    return _SPECIAL.sub(r"\\\1", shown(text))


def code(text: str) -> str:
    """Foreign text as an inline code span; the fence is longer than any run inside."""
    clean = shown(text).replace("|", "\N{FULLWIDTH VERTICAL LINE}")
    longest = max((len(run) for run in re.findall(r"`+", clean)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if clean.startswith("`") or clean.endswith("`") else ""
    return f"{fence}{pad}{clean}{pad}{fence}"


def write_markdown(findings: Iterable[Exportable], head: Head, out: TextIO) -> None:
    """Write the report; a section per severity, a table row per finding."""
    scan = head.scan
    out.write(f"# Findings of {escape(scan.name or scan.uid)}\n\n")
    out.write(f"- Scan finished: {minute(scan.finished_at)} UTC ({scan.state})\n")
    out.write(f"- As of: {minute(head.as_of)} UTC\n")
    out.write(f"- Filter: {code(head.filter) if head.filter else 'none'}\n")
    out.writelines(f"- Exploitation: {escape(feed)}\n" for feed in head.feeds)
    out.write(
        f"- Undercroft {head.version}, risk model {head.model.name}, "
        f"{count(head.decisions[0], 'decision')}\n\n"
    )
    gaps = [item for item in head.coverage if item.status.is_gap]
    if gaps:
        out.write("## Could not be read\n\n")
        for gap in gaps:
            where = f"{gap.provider} {gap.scope} {gap.location} {gap.collector}"
            out.write(f"- {escape(where)}: {escape(gap.reason or gap.status.value)}\n")
        out.write("\n")
    # Sections need all findings of a severity together, whatever order the screen has.
    groups: dict[Severity, list[Exportable]] = {severity: [] for severity in Severity}
    for detail in findings:
        groups[detail.row.severity].append(detail)
    for severity, members in groups.items():
        if members:
            heading = f"{severity.value.capitalize()}: {count(len(members), 'finding')}"
            out.write(f"## {heading}\n\n")
            out.write("| Finding | Resource | Layer | Status | AI services | Evidence |\n")
            out.write("| --- | --- | --- | --- | --- | --- |\n")
            for detail in members:
                out.write(f"| {' | '.join(_cells(detail))} |\n")
            out.write("\n")


def _cells(detail: Exportable) -> Iterable[str]:
    row = detail.row
    yield f"{escape(row.title)}<br>{code(row.rule)} {code(row.id[:11])}"
    yield f"{escape(row.resource_name)}<br>{escape(row.resource_type)}"
    yield row.layer.value
    status = row.status.replace("_", " ") + (f" ({row.cause})" if row.cause else "")
    if row.until:
        status += f" until {row.until}"
    if row.unconfirmed:
        status += "; could not be re-checked"
    yield escape(status)
    yield ", ".join(escape(service.name) for service in detail.services) or "none"
    yield "<br>".join(
        code(f"{item.path} = {json.dumps(item.value, ensure_ascii=False)}")
        for item in detail.evidence
    )
