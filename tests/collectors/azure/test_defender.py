"""Defender: vulnerabilities, plans that are off, and silence that proves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.azure.defender import vulnerability
from tests.cloud.arm import ArmServer, Fault
from tests.collectors.azure.kit import judge, read, reasons
from undercroft.model import CoverageStatus


def plans(server: ArmServer, tier: str, **other: str) -> None:
    for row in server.rows["microsoft.security/pricings"]:
        row["properties"] = {"pricingTier": other.get(row["name"], tier)}


def test_plans_that_are_off_and_images_that_nobody_looked_into(server: ArmServer) -> None:
    plans(server, "Free", Containers="Standard")
    found = set(judge(read(server)))
    assert ("azure-defender-ai-plan-off", "AI") in found
    off = {name for rule, name in found if rule == "azure-defender-lower-plans-off"}
    assert off == {"CloudPosture", "KeyVaults", "StorageAccounts", "VirtualMachines"}
    assert ("azure-image-not-scanned", "serve") not in found, "the plan is on: results may come"
    plans(server, "Free")
    found = set(judge(read(server)))
    assert ("azure-image-not-scanned", "serve") in found
    assert ("cve", "vllm") in found, "old results stay results"
    assert ("azure-image-not-scanned", "vllm/vllm-openai") not in found, "not our registry"


def test_a_machine_without_results_is_only_well_if_the_plan_is_on(server: ArmServer) -> None:
    assert read(server).named("vm-clean", "virtualMachines").facts["vulnerabilities"] == []
    plans(server, "Free")
    found = read(server)
    assert "azure-ai-vm-critical-cve" in reasons(found, "vm-clean")
    assert ("azure-ai-vm-critical-cve", "vm-cve") in set(judge(found))


def test_refused_results_are_a_gap_and_no_health(server: ArmServer) -> None:
    server.faults += [
        Fault("Microsoft.ResourceGraph", 403, "AuthorizationFailed"),
        Fault("Microsoft.Security", 403, "AuthorizationFailed"),
    ]
    found = read(server)
    gaps = found.gaps()
    assert gaps["azure.images"][0] is CoverageStatus.DENIED
    assert gaps["azure.defender"][0] is CoverageStatus.DENIED
    assert "denied" in reasons(found, "vllm")["cve"]


def row(**data: Any) -> dict[str, Any]:
    return {"properties": {"id": "x", "status": {"severity": "High"}, "additionalData": data}}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"vulnerabilityDetails": {"cveId": "cve-2026-1"}}, ("CVE-2026-1", "high", None)),
        ({"cve": [{"title": "CVE-2026-2"}]}, ("CVE-2026-2", "high", None)),
        (
            {"vulnerabilityDetails": {"cveId": "CVE-2026-3", "severity": "Critical", "cvss": {"2.0": {"base": 5}, "3.1": {"base": 9.1}}}},
            ("CVE-2026-3", "critical", 9.1),
        ),
        ({"vulnerabilityDetails": {"cveId": "CVE-2026-4", "severity": "Odd", "cvss": "x"}}, ("CVE-2026-4", "info", None)),
    ],
)  # fmt: skip
def test_one_result(given: dict[str, Any], wanted: tuple[str, str, float | None]) -> None:
    found = vulnerability(row(**given))
    assert found is not None
    assert (found["id"], found["severity"], found["cvss"]) == wanted


@pytest.mark.parametrize(
    "given", [{}, {"cve": []}, {"vulnerabilityDetails": "x"}, {"cve": [{"title": 1}]}]
)
def test_what_names_no_vulnerability_is_none(given: dict[str, Any]) -> None:
    assert vulnerability(row(**given)) is None
