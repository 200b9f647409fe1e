"""Every field that rules and references read is one that Azure has: a typo must not look like absence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.mgmt.machinelearningservices import MachineLearningServicesMgmtClient, models

from collectors.azure.ids import TYPES
from collectors.azure.ml import CHILDREN, VERSIONS
from collectors.azure.permissions import actions
from collectors.azure.references import REFERENCES
from rules import load_pack
from rules.expression import compile_expression
from rules.patterns import any_match
from rules.schema import Rule

ML = "Microsoft.MachineLearningServices"
MODELS = {
    f"{ML}/workspaces": "Workspace",
    f"{ML}/workspaces/computes": "ComputeResource",
    f"{ML}/workspaces/onlineEndpoints": "OnlineEndpoint",
    f"{ML}/workspaces/onlineEndpoints/deployments": "OnlineDeployment",
    f"{ML}/workspaces/batchEndpoints": "BatchEndpoint",
    f"{ML}/workspaces/batchEndpoints/deployments": "BatchDeployment",
    f"{ML}/workspaces/environments/versions": "EnvironmentVersion",
    f"{ML}/workspaces/models/versions": "ModelVersion",
    f"{ML}/workspaces/data/versions": "DataVersionBase",
    f"{ML}/workspaces/datastores": "Datastore",
    f"{ML}/workspaces/jobs": "JobBase",
    f"{ML}/registries": "Registry",
}
"""Resource type → the typed client's model of it."""


@cache
def _documented() -> dict[str, list[str]]:
    text = (Path(__file__).parent / "documented.yaml").read_text("utf-8")
    data: dict[str, list[str]] = yaml.safe_load(text)
    return data


def _azure_rules() -> list[Rule]:
    return [rule for rule in load_pack().rules if rule.file.startswith("azure")]


def _reads() -> Iterator[tuple[str, str, str]]:
    """(who reads, resource type, path into its configuration)."""
    for rule in _azure_rules():
        texts = [rule.fails_when, *(w.when for w in rule.severity_when), *rule.show.values()]
        paths = {path for text in texts for path in compile_expression(text).paths}
        for path in {*paths, *rule.evidence}:
            if not path.startswith("config."):
                continue
            for kind in rule.on:
                yield rule.id, kind, path.removeprefix("config.")
    for kind, references in REFERENCES.items():
        for reference in references:
            yield f"reference of {kind}", kind, reference.path


def _is_documented(kind: str, path: str) -> bool:
    wanted = path.replace("[]", "")
    return any(
        field == wanted or field.startswith(f"{wanted}.") for field in _documented().get(kind, [])
    )


def _is_modelled(name: str, steps: tuple[str, ...]) -> bool:
    """Whether a model, or one that may stand in its place, holds the path."""
    model: Any = getattr(models, name, None)
    if model is None:
        return name == "object"
    for keys in vars(model).get("_subtype_map", {}).values():
        if any(child != name and _is_modelled(child, steps) for child in keys.values()):
            return True
    for attribute in model._attribute_map.values():
        key = tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", attribute["key"]))
        if steps[: len(key)] == key:
            rest = steps[len(key) :]
            if attribute["type"].startswith("{"):
                rest = rest[1:]  # Any name may stand there.
            if not rest or _is_modelled(attribute["type"].strip("[]{}"), rest):
                return True
        elif key[: len(steps)] == steps:
            return True
    return False


def test_every_field_that_is_read_exists() -> None:
    strange = []
    for who, kind, path in _reads():
        model = MODELS.get(kind)
        steps = tuple(path.replace("[]", "").split("."))
        if _is_documented(kind, path) or (model and _is_modelled(model, steps)):
            continue
        strange.append((who, kind, path))
    assert strange == []


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (f"{ML}/workspaces", "properties.publicNetworkAcess"),
        (f"{ML}/workspaces", "properties.keyVault.name"),
        (f"{ML}/workspaces/computes", "properties.properties.sshSettings.open"),
        ("Microsoft.Search/searchServices", "properties.disableLocalAuthentication"),
    ],
)
def test_a_typo_would_be_seen(kind: str, path: str) -> None:
    steps = tuple(path.split("."))
    model = MODELS.get(kind)
    assert not _is_documented(kind, path)
    assert model is None or not _is_modelled(model, steps)


def test_rules_and_references_are_about_types_that_are_read() -> None:
    known = {*TYPES, "x-azure/container-image", "x-azure/managed-host"}
    for rule in _azure_rules():
        for kind in rule.on:
            assert any(any_match([kind], one) for one in known), (rule.id, kind)
    assert set(REFERENCES) <= known
    assert set(_documented()) <= known


def test_lists_are_the_typed_clients_own() -> None:
    """Each lister names an operation that exists and takes what it is given."""

    class Client:
        def __init__(self) -> None:
            self.paths: list[str] = []

        def __getattr__(self, group: str) -> Any:
            from azure.mgmt.machinelearningservices import operations

            name = "".join(part.title() for part in group.split("_")) + "Operations"
            assert hasattr(operations, name), name

            class Group:
                def list(_, *arguments: str, raw_response_hook: Any) -> str:  # noqa: N805
                    operation = getattr(operations, name).list
                    return str(operation.metadata["url"])

            return Group()

    for child in CHILDREN:
        if child.lister is not None:
            url = child.lister(Client(), "g", "w", None)
            assert url.endswith(f"/workspaces/{{workspaceName}}/{child.segment}"), url


def test_the_client_is_the_one_that_was_pinned() -> None:
    assert "compute" in vars(MachineLearningServicesMgmtClient(_Never(), "s"))
    assert VERSIONS[0].endswith("-preview"), "only previews tell of root access"
    assert all(action.endswith("/read") for action in actions())


class _Never:
    def get_token(self, *_: str, **__: Any) -> Any:
        raise AssertionError("nothing is asked for")
