"""Bedrock and AgentCore: what is read, what it stands on, and what is wrong with it."""

from __future__ import annotations

import pytest

from collectors.aws import collectors
from collectors.aws.session import Clients
from tests.cloud.fixtures import model_estate
from tests.cloud.model_server import ModelCloud, Record, load_records
from tests.collectors.aws.modelled import REGION, SETTINGS, Read, findings, listed, named, unknowns
from undercroft.model import CoverageStatus, Presence


@pytest.fixture
def bedrock(aws_model: ModelCloud) -> ModelCloud:
    aws_model.add(load_records("bedrock", REGION))
    return aws_model


@pytest.fixture
def clients(bedrock: ModelCloud) -> Clients:
    return Clients({"max_attempts": 1})


@pytest.fixture(scope="module")
def read(_aws_model: tuple[ModelCloud, str]) -> Read:
    """All of it, for tests that only look."""
    with model_estate(_aws_model) as cloud:
        cloud.add(load_records("bedrock", REGION))
        return listed(Clients({"max_attempts": 1}), "bedrock", "agentcore")


FAILS = {
    "agent-bad": {
        "aws-bedrock-agent-no-guardrail",
        "aws-bedrock-agent-no-cmk",
        "aws-bedrock-prompt-secret",
    },
    "agent-three": {"aws-bedrock-agent-no-cmk"},
    "tools-bad": {"aws-bedrock-agent-no-confirmation"},
    "alias-bad": {"aws-bedrock-agent-no-guardrail"},
    "tools-served-bad": {"aws-bedrock-agent-no-confirmation"},
    "code-bad": {"aws-bedrock-agent-code-tool"},
    "guard-bad": {
        "aws-bedrock-guardrail-prompt-attack",
        "aws-bedrock-guardrail-no-pii",
        "aws-bedrock-guardrail-no-grounding",
        "aws-bedrock-guardrail-detect-only",
        "aws-bedrock-resource-policy-foreign",
    },
    "docs-bad": {"aws-bedrock-kb-external-vector-store"},
    "web-bad": {"aws-bedrock-kb-web-crawler", "aws-bedrock-kb-no-cmk"},
    "foreign-bad": {"aws-bedrock-kb-foreign-bucket"},
    "tuned-bad": {"aws-bedrock-custom-model-no-cmk"},
    "tuning-bad": {"aws-bedrock-customization-no-vpc"},
    "imported-bad": {"aws-bedrock-imported-model-no-cmk"},
    "batch-bad": {"aws-bedrock-batch-unowned-bucket"},
    "flow-bad": {"aws-bedrock-flow-no-guardrail", "aws-bedrock-prompt-no-cmk"},
    "live-bad": {"aws-bedrock-flow-no-guardrail"},
    "registry-bad": {"aws-agentcore-jwt-unrestricted"},
    "prompt-bad": {"aws-bedrock-prompt-secret", "aws-bedrock-prompt-no-cmk"},
    "runtime-bad": {
        "aws-agentcore-runtime-public-network",
        "aws-agentcore-runtime-mmdsv1",
        "aws-agentcore-runtime-env-secret",
        "aws-agentcore-jwt-unrestricted",
        "aws-agentcore-resource-policy-foreign",
    },
    "served-bad": {"aws-agentcore-runtime-public-network"},
    "gateway-bad": {
        "aws-agentcore-gateway-no-auth",
        "aws-agentcore-gateway-no-cmk",
        "aws-agentcore-gateway-no-policy",
        "aws-agentcore-gateway-debug-errors",
    },
    "target-bad": {"aws-agentcore-gateway-external-tool"},
    "harness-bad": {"aws-agentcore-gateway-external-tool"},
    "memory-bad": {"aws-agentcore-memory-no-cmk"},
    "browser-bad": {"aws-agentcore-browser-public", "aws-agentcore-browser-no-recording"},
    "interpreter-bad": {"aws-agentcore-codeinterpreter-not-vpc"},
}


def test_everything_is_read_and_judged(read: Read) -> None:
    assert {c.status for c in read.coverage} == {CoverageStatus.COMPLETE}
    assert [c.reason for c in read.coverage if c.reason] == []
    assert findings(read) == FAILS
    assert unknowns(read) == {}


def test_what_a_region_has_for_all(clients: Clients, bedrock: ModelCloud) -> None:
    read = named(clients, SETTINGS)
    assert findings(read)["bedrock in us-east-1"] == {
        "aws-bedrock-no-enforced-guardrail",
        "aws-bedrock-data-retention-shared",
        "aws-agentcore-token-vault-no-cmk",
    }
    # There is no S3 in this cloud, so nobody can say how the log's bucket is encrypted.
    assert unknowns(read)["bedrock in us-east-1"] == {"aws-bedrock-invocation-log-unencrypted"}
    assert ("writes_to", "s3/bucket/invocation-logs") in {
        (edge.relation.value, edge.dst.split("/", 4)[-1]) for edge in read.edges
    }
    bedrock.reset()


def test_what_is_enforced_in_a_region_is_a_guardrail_like_others(
    clients: Clients, bedrock: ModelCloud
) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/gclean"
    enforced = {"guardrailArn": arn, "guardrailId": "gclean", "guardrailVersion": "1"}
    bedrock.add([Record("bedrock", "EnforcedGuardrailsConfiguration", REGION, enforced)])
    read = named(clients, SETTINGS)
    (version,) = (stub for stub in read.stubs if stub.type == "bedrock:guardrail-version")
    assert ("protected_by", "bedrock/guardrail-version/gclean/1") in read.links(
        "bedrock in us-east-1"
    )
    # Settings are read a stage earlier than it.
    stages = {collector.name: collector.stage for collector in collectors({})}
    assert stages["aws.bedrock.settings"] < stages["aws.bedrock.guardrail-version"]
    assert findings(named(clients, version)) == {"guard-one-bad": {"aws-bedrock-guardrail-no-pii"}}


def test_an_agent_stands_on_its_tools_bases_and_models(read: Read) -> None:
    assert read.links("agent-bad") == {
        ("uses_identity", "iam/role/agent"),
        ("loads_artifact_from", "bedrock/foundation-model/anthropic.claude-3"),
        ("reads_data_from", "bedrock/knowledge-base/KB1"),
        ("invokes_tool", "bedrock/agent/AGCLEAN"),
        ("invokes_tool", "bedrock/agent-action-group/AGBAD/TOOLS"),
        ("invokes_tool", "bedrock/agent-action-group/AGBAD/CODE"),
    }
    assert read.links("tools-bad") >= {
        ("invokes_tool", "lambda/function/tools"),
        ("loads_artifact_from", "s3/bucket/api-schemas"),
    }
    assert ("protected_by", "bedrock/guardrail/gbad") in read.links("agent-three")
    assert ("loads_artifact_from", _TUNED) in read.links("agent-clean")
    assert read.links("docs-clean") >= {
        ("reads_data_from", "aoss/collection/coll1"),
        ("protected_by", "ec2/vpc/vpc-1"),
    }
    assert ("reads_data_from", "bedrock/data-source/KB1/WEB") in read.links("docs-bad")
    assert read.links("rows-clean") == {
        ("uses_identity", "iam/role/kb"),
        ("reads_data_from", "redshift/cluster/sales"),
        ("uses_identity", "secretsmanager/secret/sales-AbCdEf"),
    }
    claude = "bedrock/foundation-model/anthropic.claude-"
    assert ("loads_artifact_from", f"{claude}3") in read.links("own-clean")
    assert ("loads_artifact_from", f"{claude}2") in read.links("agent-three")
    assert read.links("serving") == {("same_workload", _TUNED)}
    assert ("produces", _TUNED) in read.links("tuning-bad")
    assert read.named("tuned-bad").key.endswith(_TUNED)


_TUNED = "bedrock/custom-model/amazon.titan-text-lite-v1:0:4k/aaaa"


def test_a_flow_stands_on_what_its_steps_name(read: Read) -> None:
    assert read.links("flow-bad") >= {
        ("same_workload", "bedrock/prompt-version/PR1/2"),
        ("same_workload", "bedrock/flow-alias/FLOWBAD/FLPROD"),
        ("reads_data_from", "bedrock/knowledge-base/KB1"),
        ("invokes_tool", "lambda/function/tools"),
        ("invokes_tool", "bedrock/agent/AGCLEAN"),
        ("writes_to", "s3/bucket/flow-results"),
        ("protected_by", "bedrock/guardrail-version/gclean/1"),
        ("invokes_tool", "lex/bot/BOTBAD"),
    }


def test_what_a_flow_has_in_use_is_read_and_not_what_is_worked_on(
    read: Read, clients: Clients
) -> None:
    assert read.links("live-bad") == {
        ("uses_identity", "iam/role/flow-old"),
        ("loads_artifact_from", "bedrock/foundation-model/anthropic.claude-2"),
    }
    aliases = [r.name for r in read.resources.values() if r.type == "bedrock:flow-alias"]
    assert aliases == ["live-bad"], "what leads to the draft is the draft"
    (used,) = (stub for stub in read.stubs if stub.type == "bedrock:prompt-version")
    versions = named(clients, used)
    assert findings(versions) == {"prompt-two-bad": {"aws-bedrock-prompt-secret"}}
    assert versions.links("prompt-two-bad") == {
        ("loads_artifact_from", "bedrock/provisioned-model/pm1")
    }


def test_what_an_alias_leads_to_is_read_and_the_draft_is_something_else(read: Read) -> None:
    assert ("same_workload", "bedrock/agent-alias/AGCLEAN/ALPROD") in read.links("agent-clean")
    assert read.links("alias-bad") == {
        ("uses_identity", "iam/role/agent-old"),
        ("loads_artifact_from", "bedrock/foundation-model/anthropic.claude-2"),
        ("invokes_tool", "bedrock/agent-action-group/AGCLEAN/3/SAFE"),
    }
    assert ("invokes_tool", "lambda/function/old-tools") in read.links("tools-served-bad")
    aliases = [r.name for r in read.resources.values() if r.type == "bedrock:agent-alias"]
    assert aliases == ["alias-bad"], "what leads to the draft is the draft"


def test_the_version_of_a_guardrail_that_is_used_is_judged(
    clients: Clients, bedrock: ModelCloud
) -> None:
    read = listed(clients, "bedrock")
    used = [stub for stub in read.stubs if stub.type == "bedrock:guardrail-version"]
    assert {stub.name for stub in used} == {"gclean:1"}
    versions = named(clients, used[0])
    assert findings(versions) == {"guard-one-bad": {"aws-bedrock-guardrail-no-pii"}}
    bedrock.fail("bedrock", "GetGuardrail", "AccessDeniedException", 403)
    (stub,) = named(clients, used[0]).stubs
    assert stub.unknown == {"config": "denied: needs bedrock:GetGuardrail"}


def test_agentcore_stands_on_images_code_and_secrets(read: Read) -> None:
    runtime = "bedrock-agentcore:runtime"
    assert ("runs_on", "bedrock-agentcore/runtime/rtbad#host") in read.links("runtime-bad", runtime)
    assert ("loads_artifact_from", "s3/bucket/agent-code") in read.links("runtime-clean", runtime)
    assert ("same_workload", "bedrock-agentcore/runtime-endpoint/rtclean/served-bad") in read.links(
        "runtime-clean", runtime
    )
    served = read.links("served-bad", "bedrock-agentcore:runtime-endpoint")
    assert ("uses_identity", "iam/role/runtime-old") in served
    assert not any(r.name == "DEFAULT" for r in read.resources.values()), "it is the runtime itself"
    provider = "bedrock-agentcore/token-vault/default/apikeycredentialprovider/key"
    assert ("uses_identity", provider) in read.links("target-bad")
    assert read.links("key") == {("uses_identity", "secretsmanager/secret/key-AbCdEf")}
    assert ("invokes_tool", "bedrock-agentcore/gateway/gwclean") in read.links("harness-bad")
    assert ("protected_by", "bedrock-agentcore/policy-engine/pe1") in read.links("gateway-clean")
    assert read.links("engine") == {("encrypted_with", "kms/key/k1")}


def test_a_runtime_on_machines_of_the_account_has_no_host_of_aws(read: Read) -> None:
    machines = "bedrock-agentcore/capacity-provider/machines-0123456789"
    on = [
        to
        for how, to in read.links("runtime-clean", "bedrock-agentcore:runtime")
        if how == "runs_on"
    ]
    assert on == [machines]
    assert read.links("machines") == {
        ("uses_identity", "iam/role/operator"),
        ("uses_identity", "iam/instance-profile/machines"),
        ("protected_by", "ec2/subnet/subnet-1"),
        ("protected_by", "ec2/security-group/sg-1"),
        ("encrypted_with", "kms/key/k1"),
    }


def test_what_may_not_be_described_is_unknown_and_not_fine(
    clients: Clients, bedrock: ModelCloud
) -> None:
    bedrock.fail("bedrock-agent", "GetAgent", "AccessDeniedException", 403)
    read = listed(clients, "bedrock")
    agent = read.named("agent-clean")
    assert agent.presence is Presence.READ
    assert agent.unknown["config.customerEncryptionKeyArn"] == "denied: needs bedrock:GetAgent"
    # Its list entry names the guardrail.
    assert unknowns(read)["agent-clean"] == {
        "aws-bedrock-agent-no-cmk",
        "aws-bedrock-prompt-secret",
    }


def test_children_that_may_not_be_listed_are_not_proven_gone(
    clients: Clients, bedrock: ModelCloud
) -> None:
    bedrock.fail("bedrock-agent", "ListDataSources", "AccessDeniedException", 403)
    read = listed(clients, "bedrock")
    (coverage,) = (c for c in read.coverage if c.collector == "aws.bedrock.knowledge-base")
    assert coverage.status is CoverageStatus.DENIED
    assert "bedrock:ListDataSources" in coverage.reason
    assert coverage.lists == ()
    assert read.named("docs-bad").presence is Presence.READ


def test_children_that_only_a_description_names_are_lost_with_it(
    clients: Clients, bedrock: ModelCloud
) -> None:
    bedrock.fail("bedrock-agent", "GetAgentVersion", "AccessDeniedException", 403)
    read = listed(clients, "bedrock")
    (coverage,) = (c for c in read.coverage if c.collector == "aws.bedrock.agent")
    assert coverage.status is CoverageStatus.DENIED
    assert "bedrock:GetAgentVersion" in coverage.reason
    assert coverage.lists == ()


def test_a_policy_that_may_not_be_read_is_unknown(clients: Clients, bedrock: ModelCloud) -> None:
    bedrock.fail("bedrock", "GetResourcePolicy", "AccessDeniedException", 403)
    read = listed(clients, "bedrock")
    assert unknowns(read)["guard-bad"] == {"aws-bedrock-resource-policy-foreign"}
