"""Findings as JSON Lines: what ``finding_document`` says, written without making it first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring_ascii as string
from typing import TextIO

from undercroft.exchange.records import (
    FINDING_SCHEMA,
    Head,
    decision_record,
    provenance,
    service_level_record,
)
from undercroft.exchange.texts import OfServices, Remembered, items, spaced
from undercroft.views import FindingRecord, ResourceRef

__all__ = ["write_lines"]

_FLAG = ("false", "true")
_dump = json.JSONEncoder().encode


def write_lines(findings: Iterable[FindingRecord], head: Head, out: TextIO) -> None:
    """A document per finding and line, in ASCII."""
    texts, keys, level, now = Remembered(string), OfServices(_keys), head.level, head.moment
    known = {"schema": FINDING_SCHEMA, "scan": head.scan.uid, **provenance(head)}
    start = f'{_dump(known)[:-1]}, "id": '
    is_limited = bool(level.days or level.catalogue)
    for detail in findings:
        (
            fid, rule, title, severity, status, cause, unconfirmed, layer, provider, account, region,
            key, native_id, name, kind, score, cve, package, _, first_seen, last_seen, _, _, _,
        ) = detail.row  # fmt: skip
        evidence = ", ".join(
            f'{{"path": {texts[path]}, "value": {value}}}' for path, value in items(detail.proof)
        )
        times, decision = detail.ageing, detail.decision
        days = "null" if times is None else str(times.age.days)
        open_days = "null" if times is None else str(times.open.days)
        due = _dump(service_level_record(detail, level, now)) if is_limited else "null"
        decided = "null" if decision is None else _dump(decision_record(decision))
        out.write(
            f'{start}{string(fid)}, "rule": {texts[rule]}, "title": {texts[title]}, '
            f'"severity": "{severity}", "status": {texts[status]}, "cause": {texts[cause]}, '
            f'"unconfirmed": {_FLAG[unconfirmed]}, '
            f'"unconfirmed_reason": {texts[detail.unconfirmed_reason]}, "layer": "{layer}", '
            f'"provider": {texts[provider]}, "account": {texts[account]}, '
            f'"region": {texts[region]}, "resource": {{"key": {texts[key]}, '
            f'"id": {texts[native_id]}, "name": {texts[name]}, "type": {texts[kind]}}}, '
            f'"services": {keys.text(detail.services)}, "evidence": [{evidence}], '
            f'"score": {round(score, 1)!r}, "cve": {"null" if cve is None else texts[cve]}, '
            f'"package": {"null" if package is None else texts[package]}, '
            f'"at": {spaced(detail.place)}, "first_seen": {texts[first_seen]}, '
            f'"last_seen": {texts[last_seen]}, "age_days": {days}, "open_days": {open_days}, '
            f'"service_level": {due}, "decision": {decided}}}\n'
        )


def _keys(services: Sequence[ResourceRef]) -> str:
    return _dump(sorted(service.key for service in services))
