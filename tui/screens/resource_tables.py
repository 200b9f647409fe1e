"""The tables of the resource screen: what lies beneath, above, its findings, its history."""

from __future__ import annotations

from collections.abc import Sequence

from tui.glyphs import LAYER_LETTER, STATUS_GLYPH, STATUS_WORD, badge, severity_tone, status_tone
from tui.widgets.columns import Column, Run
from tui.widgets.table import VirtualTable
from undercroft.model import Edge, Presence
from undercroft.relations import Relation
from undercroft.text import minute
from undercroft.views import FindingRow, Path, ResourceRef, ScanRow

__all__ = [
    "above_table",
    "beneath_table",
    "findings_table",
    "history_table",
    "path_words",
    "relation_words",
]

_RELATIONS = {
    Relation.SAME_WORKLOAD: "is one workload with",
    Relation.RUNS_ON: "runs on",
    Relation.RUNS_IMAGE: "runs the image",
    Relation.USES_IDENTITY: "acts as",
    Relation.LOADS_ARTIFACT_FROM: "loads what it runs from",
    Relation.INVOKES_TOOL: "can call",
    Relation.READS_DATA_FROM: "reads data from",
    Relation.PROTECTED_BY: "is protected by",
    Relation.WRITES_TO: "writes to",
    Relation.ENCRYPTED_WITH: "is encrypted with",
    Relation.CONTAINED_IN: "lies in",
    Relation.PRODUCES: "produces",
}
_SEEN = {
    "same": ("=", "muted", "as before"),
    "changed": ("≠", "signature", "configuration changed"),
    "first": ("+", "good", "first seen"),
    "stub": ("·", "severity-medium", "only named, not read"),
    "absent": ("∅", "severity-high", "did not exist"),
}


def relation_words(relation: Relation) -> str:
    """How a relation reads between two names."""
    return _RELATIONS.get(relation, relation.value.replace("_", " "))


def path_words(path: Path) -> str:
    """``fraud-scoring → EndpointConfigName → fraud-cfg``, without the last name."""
    words: list[str] = []
    for step in path:
        words += [step.src_name, step.via or step.relation]
    return " → ".join(words) or "itself"


def beneath_table() -> VirtualTable[tuple[Edge, ResourceRef]]:
    """Direct dependencies."""
    table = VirtualTable[tuple[Edge, ResourceRef]](
        (
            Column("layer", "", 1, lambda row: (LAYER_LETTER[row[1].layer], "muted"), sortable=False),
            Column("name", "RESOURCE", 18, lambda row: _named(row[1]), grow=3, sortable=False),
            Column("type", "TYPE", 14, lambda row: (row[1].type, "muted"), grow=1, most=30, drop=3, sortable=False),
            Column("via", "THROUGH", 16, lambda row: (row[0].via, "signature"), grow=2, most=44, sortable=False),
            Column("relation", "", 12, lambda row: (relation_words(row[0].relation), "muted"), grow=1, most=24, drop=2, sortable=False),
        ),
        key=lambda row: f"{row[1].key} {row[0].via}",
        id="beneath",
        markable=False,
    )  # fmt: skip
    table.say("It depends on nothing that a scan can see.")
    return table


def above_table() -> VirtualTable[tuple[ResourceRef, Path]]:
    """Its blast radius."""
    table = VirtualTable[tuple[ResourceRef, Path]](
        (
            Column("name", "AI SERVICE", 18, lambda row: (row[0].name, "strong"), grow=2, most=40, sortable=False),
            Column("type", "TYPE", 14, lambda row: (row[0].type, "muted"), grow=1, most=30, drop=3, sortable=False),
            Column("region", "REGION", 12, lambda row: (row[0].region, "muted"), drop=2, most=16, sortable=False),
            Column("path", "REACHES IT THROUGH", 24, lambda row: (path_words(row[1]), "muted"), grow=4, sortable=False),
        ),
        key=lambda row: row[0].key,
        id="above",
        markable=False,
    )  # fmt: skip
    table.say("No AI service stands on it.")
    return table


def findings_table() -> VirtualTable[FindingRow]:
    """Its own findings; they can be marked."""
    table = VirtualTable[FindingRow](
        (
            Column("severity", "", 2, lambda row: (badge(row.severity), severity_tone(row.severity)), sortable=False),
            Column("title", "FINDING", 24, lambda row: (row.title, ""), grow=4, sortable=False),
            Column("status", "STATUS", 16, _status, sortable=False),
        ),
        key=lambda row: row.id,
        id="findings",
    )  # fmt: skip
    table.say("Nothing was found on it.")
    return table


def history_table() -> VirtualTable[tuple[ScanRow, str]]:
    """Scans that know it."""
    table = VirtualTable[tuple[ScanRow, str]](
        (
            Column("seen", "", 1, lambda row: _seen(row[1])[:2], sortable=False),
            Column("name", "SCAN", 16, lambda row: row[0].name or f"scan {row[0].id}", grow=1, most=40, sortable=False),
            Column("at", "WHEN", 16, lambda row: (minute(row[0].started_at), "muted"), sortable=False),
            Column("what", "", 20, lambda row: (_seen(row[1])[2], "muted"), grow=1, sortable=False),
        ),
        key=lambda row: str(row[0].id),
        id="history",
        markable=False,
    )  # fmt: skip
    table.say("No other scan knows it.")
    return table


def _named(ref: ResourceRef) -> Sequence[Run]:
    words = {
        Presence.STUB: ("  not read", "severity-medium"),
        Presence.ABSENT: ("  does not exist", "severity-high"),
    }
    extra = words.get(ref.presence) or ("  managed" if ref.implied else "", "muted")
    return (ref.name, "strong"), extra


def _status(row: FindingRow) -> Run:
    word = STATUS_WORD.get(row.status, row.status)
    return f"{STATUS_GLYPH.get(row.status, '•')} {word}", status_tone(row.status)


def _seen(what: str) -> tuple[str, str, str]:
    return _SEEN.get(what, ("·", "muted", what))
