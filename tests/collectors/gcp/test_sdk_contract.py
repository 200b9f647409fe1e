"""The package of Vertex AI as the contract: paths and fields that are read exist in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud import aiplatform_v1

from collectors.gcp.guard import READS
from collectors.gcp.vertex_kinds import KINDS, Kind
from rules import load_pack
from rules.program import Program

TYPED = [kind for kind in KINDS if kind.client]
IDS = [kind.collection for kind in TYPED]

ONLY_ON_THE_WIRE = {
    "ReasoningEngine": {"spec.effectiveIdentity", "spec.deploymentSpec.agentGatewayConfig"},
    "FeatureGroup": {"serviceAccountEmail"},
    "RagCorpus": {"vectorDbConfig.apiAuth.apiKeyConfig.apiKeyString"},
    "TuningJob": {"preferenceOptimizationSpec"},
}
"""Fields that the API documents and this version of the package does not have."""
FREE = {
    "TrainingPipeline": "trainingTaskInputs",
    "Dataset": "metadata",
    "Index": "metadata",
    "PipelineJob": "pipelineSpec",
    "Schedule": "createPipelineJobRequest.pipelineJob.pipelineSpec",
}
"""Fields that hold JSON of the caller's own making."""


def message(kind: Kind) -> Any:
    return getattr(aiplatform_v1, kind.short).pb(getattr(aiplatform_v1, kind.short)()).DESCRIPTOR


def unknown_part(kind: Kind, path: str) -> str:
    """The first part of a field path that the package's type does not have; empty: it has all."""
    if any(path.startswith(known) for known in ONLY_ON_THE_WIRE.get(kind.short, ())):
        return ""
    free = FREE.get(kind.short, "-")
    descriptor, walked = message(kind), ""
    for step in path.replace("[]", "").split("."):
        walked = f"{walked}.{step}".lstrip(".")
        if walked.startswith(free):
            return ""
        if descriptor is None:
            return walked
        if descriptor.full_name in {"google.protobuf.Struct", "google.protobuf.Value"}:
            return ""
        if descriptor.GetOptions().map_entry:
            descriptor = None
            continue
        field = next((f for f in descriptor.fields if f.json_name == step), None)
        if field is None:
            return walked
        descriptor = field.message_type
        if descriptor is not None and descriptor.GetOptions().map_entry:
            descriptor = descriptor.fields_by_name["value"].message_type
            if descriptor is not None and descriptor.full_name == "google.protobuf.Value":
                return ""
    return ""


@pytest.mark.parametrize("kind", TYPED, ids=IDS)
def test_the_list_has_the_path_that_is_permitted(kind: Kind) -> None:
    client = getattr(aiplatform_v1, kind.client)
    transport = client.get_transport_class("rest")
    camel = "".join(part.capitalize() for part in kind.method.split("_"))
    base = next(base for base in transport.__mro__ if base.__name__.startswith("_Base"))
    (option, *_) = getattr(base, f"_Base{camel}")._get_http_options()
    assert option["method"] == "get"
    path = re.sub(r"\{\w+=([^}]*)\}", r"\1", option["uri"])
    permitted = {read.path for read in READS["aiplatform"]}
    assert path in permitted
    assert path.rpartition("/")[2] == kind.collection


@pytest.mark.parametrize("kind", TYPED, ids=IDS)
def test_every_field_that_is_followed_exists(kind: Kind) -> None:
    paths = [reference.path for reference in kind.references]
    paths += [*kind.identities, *kind.hosts, "name"]
    missing = {path: part for path in paths if (part := unknown_part(kind, path))}
    assert not missing


def test_the_check_would_notice() -> None:
    endpoint = next(kind for kind in KINDS if kind.short == "Endpoint")
    assert unknown_part(endpoint, "deployedModels[].serviceAcount")
    assert unknown_part(endpoint, "encryptionSpec.kmsKeyname")
    assert unknown_part(endpoint, "displayName.more")


def rule_paths() -> Iterator[tuple[Kind, str, str]]:
    kinds = {kind.type: kind for kind in TYPED}
    for rule in load_pack().rules:
        for kind_name in rule.on:
            if kind_name in kinds:
                for path in Program(rule).fails.paths:
                    if path.startswith("config.") and not path.startswith("config.iamPolicy"):
                        yield kinds[kind_name], rule.id, path.removeprefix("config.")


def test_every_field_that_a_rule_reads_exists() -> None:
    """A rule for several types may ask for a field that only one of them has."""
    by_rule: dict[tuple[str, str], list[bool]] = {}
    for kind, rule, path in rule_paths():
        by_rule.setdefault((rule, path), []).append(not unknown_part(kind, path))
    assert by_rule
    assert not [where for where, exists in by_rule.items() if not any(exists)]
