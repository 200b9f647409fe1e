"""A whole scan over the wire: what is planted is found, what could not be read is said."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cloud.estate import load_estate
from tests.cloud.gcp import GcpServer, denied, garbage, throttled
from tests.collectors.gcp.conftest import Scan
from undercroft.model import CoverageStatus
from undercroft.store import Store
from undercroft.views import Query, ScanRow

PLANTED = {(item.rule, item.resource) for item in load_estate("gcp").expected()}
CLEAN = {
    "closed-notebook",
    "front-desk",
    "rooms",
    "website",
    "contracts",
    "ask-acme",
    "new-sklearn",
    "web-server",
    "office-only",
    "shop",
    "reranker",
    "web-cluster",
    "good-key",
    "predictions",
    "acme-lab",
    "acme-ml/training/trainer",
    "workbench@acme-ml.iam.gserviceaccount.com",
    "claims-triage",
    "claims-bert",
    "acme-claims",
    "serving@acme-ml.iam.gserviceaccount.com",
}

ONLY_BENEATH_NIGHTLY = {"sales", "somebody/trainer", "acme-forgotten"}


def outcomes(store: Store, row: ScanRow, filter_text: str = "") -> set[tuple[str, str]]:
    found = store.findings(row.id, Query(filter=filter_text), 0, 1000)
    return {(finding.rule, finding.resource_name) for finding in found}


def coverage(store: Store, row: ScanRow) -> dict[tuple[str, str, str], tuple[CoverageStatus, str]]:
    return {
        (item.scope, item.location, item.collector): (item.status, item.reason)
        for item in store.coverage(row.id)
    }


@pytest.mark.parametrize("inventory", [True, False], ids=["inventory", "lists"])
def test_what_is_planted_is_found(gcp: GcpServer, scan: Scan, inventory: bool) -> None:
    gcp.inventory = inventory
    store, row = scan()
    # Combinations are owned by services, and are not planted but follow.
    found = {item for item in outcomes(store, row) if "toxic" not in item[0]}
    if not inventory:
        # Nothing else tells who may use single resources of Vertex AI; notebooks tell themselves.
        assert found <= PLANTED
    assert found == PLANTED
    assert not {name for _, name in found} & CLEAN
    assert row.state == "complete"


def test_every_request_was_a_read(gcp: GcpServer, scan: Scan) -> None:
    scan()
    assert gcp.seen
    assert {method for method, path in gcp.seen if not path.endswith(":getIamPolicy")} == {"GET"}


def test_a_project_without_vertex_says_so(scan: Scan) -> None:
    store, row = scan()
    status, reason = coverage(store, row)["acme-web", "-", "gcp.vertex"]
    assert status is CoverageStatus.NOT_ENABLED
    assert reason == "Vertex AI is not enabled in project acme-web: nothing to read"


def test_what_a_webhook_signs_in_with_is_not_kept(scan: Scan) -> None:
    store, row = scan("acme-ml")
    key = "gcp/acme-ml/dialogflow/europe-west3/webhooks/helpdesk/orders"
    webhook = store.resource(row.id, key).resource
    assert "b3JkZXJz" not in repr(webhook)
    assert webhook.facts["inline_secrets"] == ["requestHeaders.Authorization"]


def test_settings_that_may_not_be_read_leave_redaction_open(gcp: GcpServer, scan: Scan) -> None:
    gcp.break_(denied("securitySettings", "dialogflow.securitySettings.list"))
    store, row = scan("acme-ml")
    assert not {item for item in outcomes(store, row) if item[0] == "gcp-dialogflow-no-redaction"}
    helpdesk = store.resource(row.id, "gcp/acme-ml/dialogflow/europe-west3/agents/helpdesk")
    assert "dialogflow.securitySettings.list" in helpdesk.resource.unknown["facts.redaction"]


def test_a_machine_without_a_report_is_not_called_sound(scan: Scan) -> None:
    store, row = scan("acme-ml")
    lab = store.resource(row.id, "gcp/acme-ml/compute/us-central1-a/instances/gpu-lab").resource
    assert "no report" in lab.unknown["facts.vulnerabilities"]
    key = "gcp/acme-ml/compute/europe-west4-b/instances/closed-notebook"
    assert store.resource(row.id, key).resource.facts["vulnerabilities"] == []


def test_denied_reports_are_unknown(gcp: GcpServer, scan: Scan) -> None:
    gcp.break_(denied("osconfig", "osconfig.vulnerabilityReports.list"))
    store, row = scan("acme-ml")
    assert not {item for item in outcomes(store, row) if item[0] == "gcp-vm-os-vulnerability"}
    key = "gcp/acme-ml/compute/europe-west4-a/instances/open-notebook"
    unread = store.resource(row.id, key).resource.unknown["facts.vulnerabilities"]
    assert "osconfig.vulnerabilityReports.list" in unread


def test_a_denied_list_costs_itself_only(gcp: GcpServer, scan: Scan) -> None:
    gcp.break_(denied(r"europe-west4/endpoints$", "aiplatform.endpoints.list"))
    store, row = scan()
    records = coverage(store, row)
    status, reason = records["acme-ml", "europe-west4", "gcp.vertex.endpoints"]
    assert (status, reason) == (CoverageStatus.DENIED, "needs aiplatform.endpoints.list")
    assert records["acme-ml", "europe-west4", "gcp.vertex"][0] is CoverageStatus.COMPLETE
    assert row.state == "partial"
    found = outcomes(store, row)
    assert ("gcp-vertex-job-web-access", "train-shell") in found
    assert not {item for item in found if item[1] == "fraud-scoring"}


def test_denied_is_unconfirmed_and_deleted_is_gone(gcp: GcpServer, scan: Scan) -> None:
    scan()
    gcp.break_(denied(r"europe-west4/endpoints$", "aiplatform.endpoints.list"))
    store, row = scan()
    kept = store.findings(row.id, Query(filter='resource:"fraud-scoring"'))
    assert kept
    assert {finding.status for finding in kept} <= {"open"}
    gcp.repair()
    estate = load_estate("gcp")
    rest = tuple(entry for entry in estate["vertex"] if entry.name != "fraud-scoring")
    gcp.change(type(estate)(estate.name, {**estate.sections, "vertex": rest}))
    store, row = scan()
    gone = store.findings(row.id, Query(filter='resource:"fraud-scoring"'))
    assert {(finding.rule, finding.status) for finding in gone} == {
        (finding.rule, "gone") for finding in gone
    }


def test_throttling_is_survived(gcp: GcpServer, scan: Scan) -> None:
    gcp.break_(throttled("aiplatform", times=4), throttled("storage", times=2))
    store, row = scan()
    assert outcomes(store, row) >= PLANTED
    assert sum(fault.hits for fault in gcp.faults) == 6


def test_garbage_from_one_list_is_an_error_of_that_list(gcp: GcpServer, scan: Scan) -> None:
    gcp.break_(garbage(r"us-central1/pipelineJobs$", b'{"pipelineJobs": [{"name": 3}'))
    store, row = scan()
    records = coverage(store, row)
    assert records["acme-ml", "us-central1", "gcp.vertex.pipelineJobs"][0] is CoverageStatus.ERROR
    assert outcomes(store, row) >= {
        item for item in PLANTED if item[1] not in {"nightly", *ONLY_BENEATH_NIGHTLY}
    }


def test_only_the_locations_asked_for(gcp: GcpServer, scan: Scan) -> None:
    _, row = scan("acme-ml", locations=("us-central1",))
    hosts = {path.partition("/")[0] for _, path in gcp.seen if "-aiplatform" in path}
    assert hosts == {"us-central1-aiplatform.googleapis.com"}
    assert row.state == "complete"


def test_an_organisation_is_walked_folder_by_folder(gcp: GcpServer, scan: Scan) -> None:
    store, row = scan(organization="900000000001")
    scopes = {scope for scope, _, _ in coverage(store, row)}
    assert {"acme-ml", "acme-lab", "acme-web"} <= scopes
    assert outcomes(store, row) >= PLANTED


def test_a_project_that_does_not_exist_is_no_empty_one(scan: Scan) -> None:
    store, row = scan("acme-typo")
    assert row.state == "failed"
    status, reason = coverage(store, row)["acme-typo", "-", "gcp.projects"]
    assert (status, reason) == (CoverageStatus.DENIED, "needs resourcemanager.projects.get")


def test_fields_that_the_package_does_not_know_are_kept(gcp: GcpServer, scan: Scan) -> None:
    estate = load_estate("gcp")
    engine = next(e for e in estate["vertex"] if e.get("collection") == "reasoningEngines")
    spec = {**engine.spec, "wire": {"somethingNew": {"deep": "kept"}}}
    changed = [type(e)(e.name, e.region, spec) if e is engine else e for e in estate["vertex"]]
    gcp.change(type(estate)(estate.name, {**estate.sections, "vertex": tuple(changed)}))
    store, row = scan()
    key = "gcp/acme-ml/aiplatform/us-central1/reasoningEngines/4001"
    assert store.resource(row.id, key).resource.config["somethingNew"] == {"deep": "kept"}


def test_an_empty_project_never_loads_the_package(gcp: GcpServer) -> None:
    """Half a second and seventy megabytes for nothing (a fresh process tells)."""
    script = """
import sys
from collectors.gcp import collectors
from undercroft.protocols import Meter, Scope
for collector in collectors({}):
    for target in collector.targets(Scope("gcp", ("acme-empty",)), ()):
        for item in collector.collect(target, Meter()):
            pass
print("google.cloud.aiplatform_v1" in sys.modules, "requests" in sys.modules)
"""
    estate = load_estate("gcp")
    spec = {
        "number": "100000000009",
        "services": ["aiplatform", "notebooks"],
        "locations": ["us-east1"],
    }
    projects = (*estate["projects"], type(estate["projects"][0])("acme-empty", "", spec))
    gcp.change(type(estate)(estate.name, {**estate.sections, "projects": projects}))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False", "True"]
    assert any("/ragCorpora" in path for _, path in gcp.seen), "it did look"
