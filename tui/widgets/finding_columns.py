"""Columns of findings, and the rows of a layer: resources with their findings beneath."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tui.glyphs import STATUS_GLYPH, STATUS_WORD, badge, severity_tone, status_tone
from tui.widgets.columns import Column, Run
from tui.widgets.table import VirtualTable
from undercroft.model import Presence
from undercroft.views import FindingRow, GroupRow, TowerLayer, TowerResource

__all__ = [
    "FINDING_COLUMNS",
    "GROUP_COLUMNS",
    "LAYER_COLUMNS",
    "LayerRow",
    "LayerTable",
    "finding_columns",
    "layer_columns",
    "layer_rows",
    "whole_line",
]

_STATUS_FITS = 76
"""Room for columns from which on the status fits in words."""
_DONE = frozenset({"accepted", "false_positive", "fixed", "gone", "retired"})


def severity_cell(row: FindingRow) -> Run:
    """Glyph and letter; what is settled steps back."""
    return (badge(row.severity), "faint" if row.status in _DONE else severity_tone(row.severity))


Lately = Callable[[FindingRow], bool]
"""Whether the acceptance of a finding ended since this person was here."""


def never(row: FindingRow) -> bool:  # noqa: ARG001  (a ``Lately``)
    """Nothing has."""
    return False


def title_cell(row: FindingRow, tone: str = "strong", lately: Lately = never) -> Sequence[Run]:
    """The title, marked when new, not confirmed, or lapsed since one was here."""
    tone = "muted" if row.status in _DONE else tone
    marks: list[Run] = [("✦ ", "signature")] if row.new else []
    marks += [("? ", "severity-medium")] if row.unconfirmed else []
    marks += [("◕ ", "status-reopened")] if lately(row) else []
    return [*marks, (row.title, tone)]


def status_cell(row: FindingRow) -> Run:
    """Glyph and word."""
    words = STATUS_WORD.get(row.status, row.status)
    if row.status == "accepted" and row.until:
        words = f"to {row.until}"
    tone = "muted" if row.status == "open" else status_tone(row.status)
    return (f"{STATUS_GLYPH.get(row.status, '•')} {words}", tone)


def short_status_cell(row: FindingRow) -> Run:
    """Only the glyph, and only if the finding is not simply open."""
    if row.status == "open":
        return ("", "")
    return (STATUS_GLYPH.get(row.status, "•"), status_tone(row.status))


FINDING_COLUMNS: tuple[Column[FindingRow], ...] = (
    Column("severity", "SEV", 3, severity_cell, descending=True),
    Column("mark", "", 1, short_status_cell, until=_STATUS_FITS, sortable=False),
    Column("score", "SCORE", 5, lambda row: (f"{row.score:.0f}", "plain"), right=True,
           descending=True, drop=6, wide=84),
    Column("title", "FINDING", 20, title_cell, comfort=40, grow=5, most=90),
    Column("resource_name", "RESOURCE", 14, lambda row: (row.resource_name, "plain"),
           grow=2, most=40, drop=1),
    Column("layer", "LAYER", 9, lambda row: (row.layer.value, "muted"), drop=3,
           wide=92),
    Column("services", "SVC", 4, lambda row: (f"×{row.services:,}", "muted"), right=True,
           descending=True, drop=4),
    Column("status", "STATUS", 16, status_cell, drop=2),
    Column("resource_type", "TYPE", 14, lambda row: (row.resource_type, "muted"), grow=1, most=28,
           drop=8, wide=130),
    Column("account", "ACCOUNT", 12, lambda row: (row.account, "muted"), drop=10, wide=120),
    Column("region", "REGION", 10, lambda row: (row.region, "muted"), drop=9, wide=110),
    Column("first_seen", "SINCE", 10, lambda row: (row.first_seen[:10], "muted"), descending=True,
           drop=7, wide=100),
    Column("owner", "OWNER", 10, lambda row: (row.owner or "", "muted"), grow=1, most=18, drop=11,
           wide=140),
)  # fmt: skip


def finding_columns(lately: Lately) -> tuple[Column[FindingRow], ...]:
    """The columns of findings, which mark what lapsed lately."""
    return tuple(
        column._replace(cell=lambda row: title_cell(row, lately=lately))
        if column.key == "title"
        else column
        for column in FINDING_COLUMNS
    )


GROUP_COLUMNS: tuple[Column[GroupRow], ...] = (
    Column("worst", "SEV", 3, lambda row: (badge(row.worst), severity_tone(row.worst)),
           sortable=False),
    Column("findings", "COUNT", 7, lambda row: (f"{row.findings:,}", "strong"), right=True,
           sortable=False),
    Column("label", "GROUP", 24, lambda row: (row.label, "strong"), grow=4, most=80,
           sortable=False),
    Column("value", "", 12, lambda row: (row.value if row.value != row.label else "", "muted"),
           grow=2, most=50, drop=1, sortable=False),
    Column("services", "SERVICES", 8, lambda row: (f"×{row.services:,}", "muted"), right=True,
           drop=2, sortable=False),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A line of a layer: a resource, one of its findings, something unread, or a closing remark."""

    resource: TowerResource | None = None
    finding: FindingRow | None = None
    unread: tuple[str, str] | None = None
    """(path, reason) of what could not be read on the resource."""
    remark: str = ""
    elsewhere: FindingRow | None = None
    """Finding of this layer on a resource that stands in another one: the line is that resource."""

    @property
    def owner(self) -> str:
        """Key of the resource that the line is, or says something of."""
        if self.elsewhere is not None:
            return self.elsewhere.resource_key
        return self.resource.ref.key if self.resource else ""

    @property
    def key(self) -> str:
        """What stays the same when the list is read again."""
        if self.finding is not None:
            return self.finding.id
        return f"{self.owner} {self.unread[0] if self.unread else ''}"


def layer_rows(
    layer: TowerLayer, findings: Sequence[FindingRow], total: int
) -> tuple[LayerRow, ...]:
    """The layer's resources in their order, each followed by its findings.

    ``total`` is how many findings there are; the rest of them gets a closing line.
    """
    owned: dict[str, list[FindingRow]] = {}
    for finding in findings:
        owned.setdefault(finding.resource_key, []).append(finding)
    rows: list[LayerRow] = []
    for resource in layer.resources:
        rows.append(LayerRow(resource=resource))
        rows += [LayerRow(resource, unread=gap) for gap in resource.unread]
        rows += [LayerRow(resource, finding) for finding in owned.pop(resource.ref.key, ())]
    for rest in owned.values():
        rows.append(LayerRow(elsewhere=rest[0]))
        rows += [LayerRow(None, finding) for finding in rest]
    if total > len(findings):
        rows.append(LayerRow(remark=f"{total - len(findings):,} more: enter shows them all"))
    return tuple(rows)


def _indented(row: LayerRow) -> list[Run]:
    return [("  ", ""), severity_cell(row.finding)] if row.finding else []


LAYER_COLUMNS: tuple[Column[LayerRow], ...] = (
    Column("severity", "SEV", 5, _indented, sortable=False),
    Column("title", "FINDING", 16, lambda row: title_cell(row.finding, "plain") if row.finding else "",
           grow=1, sortable=False),
    Column("status", "", 1, lambda row: short_status_cell(row.finding) if row.finding else "",
           until=64, sortable=False),
    Column("services", "SVC", 4,
           lambda row: (f"×{row.finding.services:,}", "faint") if row.finding else "",
           right=True, drop=1, sortable=False),
    Column("state", "STATUS", 16, lambda row: status_cell(row.finding) if row.finding else "",
           drop=2, wide=64, sortable=False),
)  # fmt: skip


def layer_columns(lately: Lately) -> tuple[Column[LayerRow], ...]:
    """The columns of a layer, which mark what lapsed lately."""
    return tuple(
        column._replace(
            cell=lambda row: title_cell(row.finding, "plain", lately) if row.finding else "",
        )
        if column.key == "title"
        else column
        for column in LAYER_COLUMNS
    )


def whole_line(row: LayerRow) -> Sequence[Run] | None:
    """A resource's line: name, type, what is open; or what could not be read there."""
    if row.remark:
        return [("  … ", "faint"), (row.remark, "muted")]
    if row.unread is not None:
        return [("    ? ", "severity-medium"), (row.unread[0], "muted"),
                (f": {row.unread[1]}", "severity-medium")]  # fmt: skip
    if row.elsewhere is not None:
        return [
            ("   ", ""),
            (row.elsewhere.resource_name, "strong"),
            (f"  {row.elsewhere.resource_type}", "muted"),
            ("  of another layer", "faint"),
        ]
    if row.finding is not None or row.resource is None:
        return None
    resource = row.resource
    ref = resource.ref
    runs: list[Run] = [
        (badge(resource.worst) + " ", severity_tone(resource.worst)),
        (ref.name, "strong"),
        (f"  {ref.type}", "muted"),
    ]
    if ref.presence is Presence.STUB:
        runs.append(("  not read in this scan", "severity-medium"))
    elif ref.presence is Presence.ABSENT:
        runs.append(("  does not exist", "severity-high"))
    elif ref.implied:
        runs.append(("  managed by the provider", "faint"))
    words = [f"{resource.open:,} open"] if resource.open else []
    words += [f"{resource.accepted:,} accepted"] if resource.accepted else []
    if not words and not resource.unread and ref.presence is Presence.READ:
        words = ["nothing open"]
    runs.append((f"  {' · '.join(words)}" if words else "", "faint"))
    return runs


class LayerTable(VirtualTable[LayerRow]):
    """Resources as headings, their findings beneath."""

    def whole(self, row: LayerRow) -> Sequence[Run] | None:
        """See ``whole_line``."""
        return whole_line(row)

    def can_mark(self, row: LayerRow) -> bool:
        """Findings can be selected, resources cannot."""
        return row.finding is not None
