"""The whole estate from the local Resource Manager: what is planted is found, what is clean is clean."""

from __future__ import annotations

import pickle

import pytest

from collectors.azure import collectors, preflight
from collectors.azure.errors import action_of
from collectors.azure.permissions import actions
from tests.cloud.arm import ArmServer, Fault
from tests.cloud.estate import load_estate
from tests.collectors.azure.kit import judge, read, reasons
from undercroft.model import CoverageStatus, Outcome, Presence

SUB = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize("graph", [True, False])
def test_every_planted_problem_is_found_and_nothing_on_what_is_clean(
    server: ArmServer, graph: bool
) -> None:
    found = read(server, resource_graph=graph)
    planted = {(item.rule, item.resource) for item in load_estate("azure").expected()}
    assert set(judge(found)) == planted
    assert found.gaps() == {}


def test_nothing_is_read_without_a_permission_in_the_role(server: ArmServer) -> None:
    read(server)
    read(server, resource_graph=False)
    allowed = {action.lower() for action in actions()}
    asked = {action_of(seen.path).lower() for seen in server.seen}
    assert asked - allowed == set()


def test_collectors_travel_to_other_processes(server: ArmServer) -> None:
    for collector in collectors({"endpoint": server.endpoint}):
        copy = pickle.loads(pickle.dumps(collector))
        assert (copy.name, copy.stage) == (collector.name, collector.stage)


def test_disabled_subscriptions_are_skipped_and_unseen_ones_denied(server: ArmServer) -> None:
    found = read(server)
    states = {(c.scope[:8], c.status) for c in found.coverage}
    assert ("22222222", CoverageStatus.SKIPPED) in states
    found = read(server, subscriptions=["nowhere"])
    assert {c.status for c in found.coverage} == {CoverageStatus.DENIED}
    assert "nowhere" in found.coverage[0].reason


def test_subscriptions_by_name_and_beneath_a_management_group(server: ArmServer) -> None:
    assert {c.scope for c in read(server, subscriptions=["Production"]).coverage} - {"-"} == {SUB}
    found = read(server, management_group="everything")
    assert {c.scope for c in found.coverage} - {"-"} == {SUB}
    found = read(server, management_group="hidden")
    assert {c.status for c in found.coverage} == {CoverageStatus.DENIED}


def test_a_version_that_is_refused_is_stepped_over(server: ArmServer) -> None:
    server.versions["microsoft.machinelearningservices"] = frozenset({"2025-12-01"})
    found = read(server)
    assert found.gaps() == {}
    assert found.named("ws").facts["api_version"] == "2025-12-01"
    # Only previews tell of root access: what they would have said is not known.
    assert ("azure-ml-compute-instance-root-access", "ci-root") not in set(judge(found))
    assert "preview" in reasons(found, "ci-root")["azure-ml-compute-instance-root-access"]


def test_a_version_that_nothing_answers_is_a_gap(server: ArmServer) -> None:
    server.versions["microsoft.machinelearningservices"] = frozenset()
    status, reason = read(server).gaps()["azure.ml.workspaces"]
    assert status is CoverageStatus.ERROR
    assert "NoRegisteredProviderFound" in reason


def test_children_that_are_denied_cost_themselves_only(server: ArmServer) -> None:
    server.faults.append(Fault("workspaces/ws/computes$", 403, "AuthorizationFailed"))
    server.faults.append(Fault("raiPolicies$", 403, "AuthorizationFailed"))
    found = read(server)
    gaps = found.gaps()
    assert set(gaps) == {"azure.ml.computes", "azure.cognitive.raipolicies"}
    status, reason = gaps["azure.ml.computes"]
    assert status is CoverageStatus.DENIED
    assert reason.startswith("1 of ")
    assert "Microsoft.MachineLearningServices/workspaces/computes/read" in reason
    lists = {c.lists for c in found.coverage if c.collector == "azure.ml.computes"}
    assert lists == {()}, "a denied list proves nothing gone"
    assert found.named("ws").presence is Presence.READ


def test_resource_graph_refused_means_plain_lists(server: ArmServer) -> None:
    server.faults.append(Fault("Microsoft.ResourceGraph", 403, "AuthorizationFailed"))
    found = read(server)
    planted = {(item.rule, item.resource) for item in load_estate("azure").expected()}
    assert set(judge(found)) == planted
    assert found.gaps() == {}


def test_half_a_list_is_a_gap(server: ArmServer) -> None:
    server.page = 3
    server.faults.append(Fault("computes$", times=1, change=lambda page: page))
    server.faults.append(Fault("computes$", 501, "NotImplemented"))
    found = read(server)
    status, reason = found.gaps()["azure.ml.computes"]
    assert status is CoverageStatus.ERROR
    assert "501" in reason


def test_small_pages_change_nothing(server: ArmServer) -> None:
    whole = read(server)
    server.page = 2
    paged = read(server)
    assert paged.resources.keys() == whole.resources.keys()
    assert paged.calls > whole.calls


def test_no_subscription_and_no_answer_are_said(empty: ArmServer) -> None:
    empty.subscriptions = []
    assert preflight({"endpoint": empty.endpoint}).problems
    empty.faults.append(Fault("/subscriptions", 403, "AuthorizationFailed"))
    found = read(empty)
    assert {c.status for c in found.coverage} == {CoverageStatus.DENIED}
    assert not set(judge(found, Outcome.PASS))


def test_what_the_version_does_not_offer_is_unknown_and_no_gap(server: ArmServer) -> None:
    server.faults.append(Fault("capabilityHosts$", 404, "InvalidResourceType"))
    found = read(server)
    assert found.gaps() == {}
    told = {c.collector: c.status for c in found.coverage if c.scope == SUB}
    assert told["azure.cognitive.capabilityhosts"] is CoverageStatus.NOT_ENABLED
    assert "azure-foundry-agents-no-network-injection" in reasons(found, "foundry")


def test_what_services_stand_on(server: ArmServer) -> None:
    found = read(server)
    assert {
        ("uses_identity", "ml-identity"),
        ("same_workload", "score/blue"),
        ("contained_in", "ws"),
    } <= found.edges_of("score")
    assert {
        ("same_workload", "serve/1"),
        ("loads_artifact_from", "credit/1"),
        ("runs_on", "Standard_DS3_v2"),
    } <= found.edges_of("score/blue")
    assert ("runs_image", "serve") in found.edges_of("serve/1")
    assert ("loads_artifact_from", "clean") in found.edges_of("credit/1")
    assert {("reads_data_from", "mlstore"), ("reads_data_from", "mlstore/train")} <= found.edges_of(
        "clean"
    )
    assert {
        ("writes_to", "mlstore"),
        ("uses_identity", "ml-vault"),
        ("protected_by", "CloudPosture"),
    } <= found.edges_of("ws")
    assert ("same_workload", "ws-hub") in found.edges_of("ws-project")
    assert ("runs_on", "vm-attached") in found.edges_of("own-vm")
    assert ("same_workload", "foundry") in found.edges_of("helpdesk")
    assert ("invokes_tool", "openai-clean") in found.edges_of("to-openai")
    assert {r.layer.value for r in found.resources.values() if r.implied} == {"vm"}


def test_what_is_named_and_does_not_exist_is_absent(server: ArmServer) -> None:
    del server.resources[next(i for i in server.resources if i.endswith("/vaults/ml-vault"))]
    found = read(server)
    assert found.named("ml-vault").presence is Presence.ABSENT
    assert found.gaps() == {}
    foreign = found.named("strangersdata")
    assert foreign.presence is Presence.STUB, "somebody else's storage is not looked for"
