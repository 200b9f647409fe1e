"""The rules that are shipped."""

from __future__ import annotations

import re

import pytest

from rules import Engine, load_pack, run_examples
from rules.program import Program
from rules.schema import Combination, Rule
from undercroft.model import Severity, Threat

PACK = load_pack()
ENTRIES = PACK.entries()
IDS = [entry.id for entry in ENTRIES]

# What the first slice promises. A rule that disappears is a finding that closes for no reason.
PROMISED = [
    "aws-sagemaker-notebook-root-access",
    "aws-sagemaker-notebook-direct-internet",
    "aws-sagemaker-notebook-no-vpc",
    "aws-sagemaker-notebook-no-cmk",
    "aws-sagemaker-notebook-imdsv1",
    "aws-sagemaker-notebook-unsupported-platform",
    "aws-sagemaker-lifecycle-script-secret",
    "aws-sagemaker-domain-public-internet",
    "aws-sagemaker-model-no-network-isolation",
    "aws-sagemaker-model-no-vpc",
    "aws-sagemaker-model-env-secret",
    "aws-sagemaker-model-trust-remote-code",
    "aws-sagemaker-artifact-foreign-bucket",
    "aws-sagemaker-endpoint-no-cmk",
    "aws-sagemaker-endpoint-old-inference-ami",
    "aws-sagemaker-endpoint-frozen-image",
    "aws-sagemaker-training-no-network-isolation",
    "aws-sagemaker-training-no-vpc",
    "aws-ecr-image-critical-cve",
    "aws-ecr-image-ai-stack-cve",
    "aws-ecr-image-curl-cve-2023-38545",
    "aws-ecr-image-unscanned",
    "aws-ecr-scan-on-push-off",
    "aws-ecr-tag-mutable",
    "aws-ecr-repository-public",
    "aws-ecr-foreign-push",
    "aws-container-image-third-party",
    "aws-container-image-unpinned",
    "aws-ec2-imdsv1",
    "aws-ec2-public-ip",
    "aws-ec2-dlami-outdated",
    "aws-ec2-ami-untrusted",
    "aws-sg-ai-port-open",
    "aws-sg-all-open",
    "aws-sg-admin-open",
    "aws-s3-no-public-access-block",
    "aws-s3-public-read",
    "aws-s3-public-write",
    "aws-s3-policy-overpermissive",
    "aws-s3-foreign-write",
    "aws-s3-no-versioning",
    "aws-s3-sensitive-data",
    "aws-s3-dangling-bucket",
    "aws-kms-key-open",
    "aws-iam-role-admin",
    "aws-iam-role-sagemaker-full-access",
    "aws-iam-role-bedrock-full-access",
    "aws-iam-role-ai-privilege-escalation",
    "aws-iam-role-privilege-escalation",
    "aws-iam-role-passrole-any",
    "aws-iam-role-s3-any",
    "aws-iam-role-secrets-any",
    "aws-iam-role-confused-deputy",
    "aws-iam-role-foreign-trust",
    "aws-toxic-exposed-vulnerable-sensitive",
    "aws-toxic-notebook-takeover",
    "aws-toxic-metadata-credential-theft",
    "aws-toxic-poisonable-training",
    "aws-toxic-model-swap-rce",
    "aws-toxic-image-swap",
    "aws-toxic-squatted-bucket-role",
    "aws-toxic-open-ai-tool-with-role",
    "aws-toxic-dev-to-prod-role",
    "aws-toxic-conversation-archive-exposed",
    "cve",
    "gcp-vertex-workbench-root-access",
    "gcp-vertex-workbench-public-ip",
    "gcp-vertex-workbench-default-service-account",
    "gcp-vertex-cmek",
    "gcp-bucket-public",
    "gcp-vm-public-ip",
    "azure-ml-workspace-public-network",
    "azure-ml-compute-instance-root-access",
    "azure-ml-compute-instance-ssh-public",
    "azure-ai-account-local-auth",
    "azure-ai-account-public-network",
    "azure-storage-allow-blob-public",
    "azure-storage-public-network",
]


def test_everything_that_was_promised_is_there() -> None:
    assert sorted(set(PROMISED) - set(IDS)) == []


def test_every_example_gets_the_answer_it_names() -> None:
    wrong = [result for result in run_examples(PACK) if not result.ok]
    assert wrong == []


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_an_entry_is_complete(entry: Rule | Combination) -> None:
    assert {example.expect for example in entry.examples} == {"fails", "passes", "unknown"}
    assert len(entry.why) > 40
    assert entry.why.endswith(".")
    assert entry.fix.text.endswith(".")
    assert entry.fix.command
    assert len(entry.title) <= 80
    assert not entry.title.endswith(".")
    assert entry.frameworks
    assert entry.id == "cve" or entry.id.split("-")[0] in ("aws", "gcp", "azure", "toxic")


@pytest.mark.parametrize("rule", PACK.rules, ids=[rule.id for rule in PACK.rules])
def test_a_rule_shows_what_decided(rule: Rule) -> None:
    assert rule.evidence or Program(rule).fails.paths
    if rule.severity in (Severity.CRITICAL, Severity.HIGH):
        assert rule.threat is not Threat.HARDENING


@pytest.mark.parametrize("rule", PACK.rules, ids=[rule.id for rule in PACK.rules])
def test_nothing_read_is_no_pass(rule: Rule) -> None:
    """With every input unread, no rule may pass or fail, whatever its condition looks like."""
    from tests.rules.support import NOW, resource

    blind = resource(
        kind=rule.on[0].replace("*", "any"),
        unknown=["config", "facts", "tags"],
        presence=rule.presence,
    )
    found = [o for o in Engine(PACK).judge(blind, NOW) if o.rule == rule.id]
    assert [str(o.outcome) for o in found] == ["unknown"]


def test_every_combination_can_be_reached() -> None:
    traits = {
        t for r in PACK.rules for t in (*r.traits, *(x for w in r.traits_when for x in w.traits))
    }
    wanted = {
        name.removeprefix("trait:")
        for combination in PACK.combinations
        for need in combination.needs
        for name in (*need.any_of, *need.also)
        if name.startswith("trait:")
    }
    assert wanted <= traits


def test_combinations_weigh_what_the_risk_model_allows() -> None:
    assert all(0 < entry.weight <= 1.4 for entry in PACK.combinations)


def test_commands_hold_placeholders_and_no_real_names() -> None:
    for entry in ENTRIES:
        assert not re.search(r"\b\d{12}\b", entry.fix.command), entry.id
