"""Occurrences of Artifact Analysis as vulnerabilities and as the state of a scan. No calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from collectors.values import mappings
from undercroft.model import Json

__all__ = ["summary", "vulnerabilities"]

_LANGUAGES = {
    "COMPOSER": "composer",
    "GO": "golang",
    "GO_STDLIB": "golang",
    "MAVEN": "maven",
    "NPM": "npm",
    "NUGET": "nuget",
    "PYPI": "pypi",
    "RUBYGEMS": "gem",
    "RUST": "cargo",
}
_SYSTEMS = {
    "alpine": "apk", "chainguard": "apk", "wolfi": "apk", "debian": "deb", "ubuntu": "deb",
    "canonical": "deb", "redhat": "rpm", "centos": "rpm", "rocky": "rpm", "alma": "rpm",
    "oracle": "rpm", "suse": "rpm", "amazon": "rpm", "fedora": "rpm",
}  # fmt: skip
_SEVERITIES = {"CRITICAL": "critical", "HIGH": "high", "MEDIUM": "medium", "LOW": "low"}
_DONE = "FINISHED_SUCCESS"


def vulnerabilities(occurrences: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Json]]:
    """Every vulnerability, one per package it is in.

    ``kev``: on CISA's list of known exploited vulnerabilities. ``cvss`` is the score that Google
    reports, or None; there is no vector in an occurrence.
    """
    for occurrence in occurrences:
        details = occurrence.get("vulnerability")
        if occurrence.get("kind") != "VULNERABILITY" or not isinstance(details, Mapping):
            continue
        risk = details.get("risk")
        kev = isinstance(risk, Mapping) and "cisaKev" in risk
        packages: Sequence[Mapping[str, Any]] = list(mappings(details.get("packageIssue"))) or [{}]
        for package in packages:
            fixed = _version(package.get("fixedVersion"))
            severity = package.get("effectiveSeverity") or details.get("effectiveSeverity")
            entry: dict[str, Json] = {
                "id": str(details.get("shortDescription") or "")
                or _last(occurrence.get("noteName")),
                "severity": _SEVERITIES.get(str(severity or details.get("severity")), "info"),
                "package": str(package.get("affectedPackage") or ""),
                "purl_type": _purl_type(package),
                "installed": _version(package.get("affectedVersion")),
                "fixed": fixed,
                "cvss": _number(details.get("cvssScore")),
                "vector": "",
                "digest": str(occurrence.get("resourceUri") or "").rpartition("@")[2],
                "kev": kev,
                "fix_available": bool(details.get("fixAvailable")) or bool(fixed),
            }
            if kev:
                entry["exploit_available"] = True
            yield entry


def summary(occurrences: Sequence[Mapping[str, Any]], digests: Sequence[str]) -> dict[str, Json]:
    """How far the scan of every digest came: the one that says least counts."""
    states: dict[str, tuple[str, str, bool]] = dict.fromkeys(digests, ("", "", True))
    for occurrence in occurrences:
        found = occurrence.get("discovery")
        digest = str(occurrence.get("resourceUri") or "").rpartition("@")[2]
        if (
            occurrence.get("kind") == "DISCOVERY"
            and isinstance(found, Mapping)
            and digest in states
        ):
            states[digest] = (
                str(found.get("analysisStatus") or ""),
                str(found.get("lastScanTime") or occurrence.get("updateTime") or ""),
                found.get("continuousAnalysis") == "INACTIVE",
            )
    status, completed, inactive = min(
        states.values(), key=lambda state: (state[0] == _DONE, not state[2], state[1])
    )
    return {
        "status": status,
        "completed_at": completed,
        "continuous": not inactive,
        "source": "artifact-analysis" if status else "none",
    }


def _version(value: Any) -> str:
    """A version as its package manager writes it; the placeholder for "no fix" is none."""
    if not isinstance(value, Mapping) or value.get("kind") == "MAXIMUM":
        return ""
    if value.get("fullName"):
        return str(value["fullName"])
    text = str(value.get("name") or "")
    if value.get("revision"):
        text = f"{text}-{value['revision']}"
    return f"{value['epoch']}:{text}" if value.get("epoch") else text


def _purl_type(package: Mapping[str, Any]) -> str:
    kind = str(package.get("packageType") or "")
    if kind in _LANGUAGES:
        return _LANGUAGES[kind]
    system = str(package.get("affectedCpeUri") or "").lower()
    return next((purl for word, purl in _SYSTEMS.items() if word in system), "generic")


def _last(value: Any) -> str:
    return str(value or "").rpartition("/")[2]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
