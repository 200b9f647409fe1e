"""What marks a task definition as AI work, and what it and its service refer to. No calls here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from collectors.aws.arns import Arn, Place, bucket, file_system, image, role
from collectors.aws.hosts import Host, only
from collectors.aws.images import parse_image
from collectors.aws.parameters import parameter
from collectors.aws.references import SECRET, SUBNET, vpc
from collectors.aws.target_groups import TARGET_GROUP
from collectors.aws.values import mappings
from collectors.references import Reference, Target
from undercroft.model import Json
from undercroft.relations import Relation

__all__ = ["AI_NAMES", "SERVICE", "TASK", "TASK_DEFINITION", "ai_marker", "fargate_host", "secret"]

_ACCELERATORS = frozenset({"GPU", "InferenceAccelerator", "NeuronDevice"})
AI_NAMES = re.compile(
    r"HF_.*|.*MODEL_ID.*|(?:OPENAI|ANTHROPIC)_API_KEY"
    r"|(?:BEDROCK|VLLM|OLLAMA|SAGEMAKER|LANGCHAIN|LANGSMITH|MLFLOW|RAY)_.*"
)
"""Environment variables that only AI software reads."""


def ai_marker(definition: Mapping[str, Json]) -> str:
    """``image``, ``accelerator`` or ``environment``: by what it is AI work; empty if by nothing."""
    containers = list(mappings(definition.get("containerDefinitions")))
    for container in containers:
        reference = container.get("image")
        if isinstance(reference, str) and reference.strip() and parse_image(reference).ai:
            return "image"
    if definition.get("inferenceAccelerators"):
        return "accelerator"
    for container in containers:
        asked = mappings(container.get("resourceRequirements"))
        if any(requirement.get("type") in _ACCELERATORS for requirement in asked):
            return "accelerator"
    for container in containers:
        for field in ("environment", "secrets"):
            named = mappings(container.get(field))
            if any(AI_NAMES.fullmatch(str(entry.get("name") or "")) for entry in named):
                return "environment"
    return ""


def secret(place: Place, text: str) -> Target | None:
    """A secret by the ARN of it or of a part of it (``…:secret:name:key:stage:version``)."""
    arn = Arn.parse(text)
    if arn is None or arn.service != "secretsmanager" or not arn.resource.startswith("secret:"):
        return None
    return SECRET(place, ":".join(text.split(":")[:7]))


def fargate_host(config: Mapping[str, Json]) -> Iterator[Host]:
    """The machine of AWS's own beneath a service that runs on Fargate."""
    strategy = mappings(config.get("capacityProviderStrategy"))
    providers = [str(entry.get("capacityProvider") or "") for entry in strategy]
    if config.get("launchType") == "FARGATE" or any(p.startswith("FARGATE") for p in providers):
        yield Host("", "launchType", only(config, ("platformVersion", "platformFamily")))


_NETWORK = "networkConfiguration.awsvpcConfiguration"
_ROLE = Relation.USES_IDENTITY
_READS = Relation.READS_DATA_FROM


def _subnet(place: Place, text: str) -> Target | None:
    """The subnet among the details of an attachment, which are names and values."""
    return SUBNET(place, text) if text.startswith("subnet-") else None


SERVICE = (
    *vpc(_NETWORK, "subnets", "securityGroups"),
    *vpc(f"taskSets[].{_NETWORK}", "subnets", "securityGroups"),
    *(
        Reference(f"{at}loadBalancers[].{field}", TARGET_GROUP, Relation.PROTECTED_BY)
        for at in ("", "taskSets[].")
        for field in ("targetGroupArn", "advancedConfiguration.alternateTargetGroupArn")
    ),
)

TASK = (
    Reference("overrides.taskRoleArn", role, _ROLE),
    Reference("overrides.executionRoleArn", role, _ROLE),
    Reference("attachments[].details[].value", _subnet, Relation.PROTECTED_BY),
)

TASK_DEFINITION = (
    Reference("containerDefinitions[].image", image, Relation.RUNS_IMAGE),
    Reference("taskRoleArn", role, _ROLE),
    Reference("executionRoleArn", role, _ROLE),
    Reference("containerDefinitions[].secrets[].valueFrom", secret, _ROLE),
    Reference("containerDefinitions[].secrets[].valueFrom", parameter, _ROLE),
    Reference("containerDefinitions[].repositoryCredentials.credentialsParameter", secret, _ROLE),
    Reference("containerDefinitions[].environmentFiles[].value", bucket, _READS),
    Reference("volumes[].efsVolumeConfiguration.fileSystemId", file_system("efs"), _READS),
    Reference(
        "volumes[].fsxWindowsFileServerVolumeConfiguration.fileSystemId",
        file_system("fsx"),
        _READS,
    ),
)
