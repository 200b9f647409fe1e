"""Scan results of container images, basic and enhanced, as one list of vulnerabilities. No calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from collectors.aws.values import jsonable
from undercroft.model import Json

__all__ = ["vulnerabilities"]

_LANGUAGES = {
    "BUNDLER": "gem",
    "CARGO": "cargo",
    "COMPOSER": "composer",
    "DOTNET": "nuget",
    "GEMSPEC": "gem",
    "GOBINARY": "golang",
    "GOMOD": "golang",
    "GRADLE": "maven",
    "JAR": "maven",
    "MAVEN": "maven",
    "NODEPKG": "npm",
    "NPM": "npm",
    "NUGET": "nuget",
    "PIP": "pypi",
    "PIPENV": "pypi",
    "PNPM": "npm",
    "POETRY": "pypi",
    "POM": "maven",
    "PYTHON": "pypi",
    "PYTHONPKG": "pypi",
    "UV": "pypi",
    "YARN": "npm",
}
"""Enhanced scanning's package manager → package URL type."""

_SYSTEMS = (
    (re.compile(r"alpine|wolfi|chainguard", re.IGNORECASE), "apk"),
    (re.compile(r"debian|ubuntu", re.IGNORECASE), "deb"),
    (
        re.compile(
            r"amazon|alas\.|redhat|rhel|centos|rocky|alma|oracle|suse|fedora|photon", re.IGNORECASE
        ),
        "rpm",
    ),
)
"""Words in a platform name or an advisory's address → package URL type of the system's packages."""

_UNKNOWN_SYSTEM = "generic"


def vulnerabilities(findings: Mapping[str, Any], digest: str) -> list[dict[str, Json]]:
    """Every vulnerability in one page of ``imageScanFindings``, one per package it is in.

    ``severity`` is lower case (``informational`` and ``undefined`` come out as ``info``), ``cvss``
    the reporting source's base score or None. ``fix_available`` and ``exploit_available`` are only
    there where the scanner says (basic scanning does not).
    """
    enhanced = findings.get("enhancedFindings") or ()
    basic = findings.get("findings") or ()
    return [*_enhanced(enhanced, digest), *_basic(basic, digest)]


def _basic(listed: Iterable[Mapping[str, Any]], digest: str) -> Iterable[dict[str, Json]]:
    for finding in listed:
        said = {
            str(a.get("key") or "").lower(): str(a.get("value") or "")
            for a in finding.get("attributes") or ()
        }
        score, vector = _basic_score(said)
        address = f"{finding.get('uri') or ''} {finding.get('description') or ''}"
        fixed = said.get("fixed_in_version", "")
        entry: dict[str, Json] = {
            "id": str(finding.get("name") or ""),
            "severity": _severity(finding.get("severity")),
            "package": said.get("package_name", ""),
            "purl_type": _system(address),
            "installed": said.get("package_version", ""),
            "fixed": fixed,
            "cvss": score,
            "vector": vector,
            "digest": digest,
        }
        if fixed:
            entry["fix_available"] = True
        yield entry


def _basic_score(said: Mapping[str, str]) -> tuple[float | None, str]:
    """The newest CVSS version that the finding carries."""
    for version in ("4", "3", "2"):
        score = next((said[k] for k in said if re.fullmatch(rf"cvss_?v?{version}_score", k)), "")
        if score:
            vector = next(
                (said[k] for k in said if re.fullmatch(rf"cvss_?v?{version}_vector", k)), ""
            )
            return _number(score), vector
    return None, ""


def _enhanced(listed: Iterable[Mapping[str, Any]], digest: str) -> Iterable[dict[str, Json]]:
    for finding in listed:
        if finding.get("status", "ACTIVE") != "ACTIVE":
            continue
        details = finding.get("packageVulnerabilityDetails")
        if not details:
            continue
        cvss, vector = _enhanced_score(finding, details)
        platform = " ".join(
            str((r.get("details") or {}).get("awsEcrContainerImage", {}).get("platform") or "")
            for r in finding.get("resources") or ()
        )
        exploit = str(finding.get("exploitAvailable") or "")
        fix = str(finding.get("fixAvailable") or "")
        packages: list[Mapping[str, Any]] = details.get("vulnerablePackages") or [{}]
        for package in packages:
            fixed = str(package.get("fixedInVersion") or "")
            entry: dict[str, Json] = {
                "id": str(details.get("vulnerabilityId") or ""),
                "severity": _severity(finding.get("severity")),
                "package": str(package.get("name") or ""),
                "purl_type": _purl_type(str(package.get("packageManager") or ""), platform),
                "installed": _version(package),
                "fixed": "" if fixed.lower() == "notavailable" else fixed,
                "cvss": cvss,
                "vector": vector,
                "digest": digest,
            }
            if exploit:
                entry["exploit_available"] = exploit == "YES"
            if fix:
                entry["fix_available"] = fix in {"YES", "PARTIAL"}
            yield entry


def _enhanced_score(
    finding: Mapping[str, Any], details: Mapping[str, Any]
) -> tuple[float | None, str]:
    """The scanner's own score and vector, else those of the newest CVSS version it quotes."""
    own = (finding.get("scoreDetails") or {}).get("cvss") or {}
    if own.get("score") is not None:
        return _number(own["score"]), str(own.get("scoringVector") or "")
    quoted = sorted(
        details.get("cvss") or (), key=lambda entry: str(entry.get("version") or ""), reverse=True
    )
    if quoted:
        return _number(quoted[0].get("baseScore")), str(quoted[0].get("scoringVector") or "")
    return _number(finding.get("score")), ""


def _severity(value: object) -> str:
    severity = str(value or "").lower()
    known = {"critical", "high", "medium", "low"}
    return severity if severity in known else "info"


def _purl_type(manager: str, platform: str) -> str:
    if manager.upper() in _LANGUAGES:
        return _LANGUAGES[manager.upper()]
    return _system(platform)


def _system(text: str) -> str:
    return next((kind for words, kind in _SYSTEMS if words.search(text)), _UNKNOWN_SYSTEM)


def _version(package: Mapping[str, Any]) -> str:
    """``epoch:version-release``, as package managers write it."""
    version = str(package.get("version") or "")
    if release := package.get("release"):
        version = f"{version}-{release}"
    epoch = package.get("epoch")
    return f"{epoch}:{version}" if epoch else version


def _number(value: object) -> float | None:
    number = jsonable(value)
    try:
        return float(number) if number is not None and number != "" else None
    except (TypeError, ValueError):
        return None
