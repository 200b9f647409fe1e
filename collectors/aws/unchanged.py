"""What need not be described again: of which kinds the list alone shows that nothing has changed.

Everything is listed in every scan. Where the time of the last change in the list is the one in the
configuration that an earlier scan kept, and all else that both hold is the same, the answer of the
describe call is that configuration. What a service changes by itself without moving that time is
never taken for unchanged; nor is what was read shortly after a change, since the times of some
services are whole seconds and their answers may lag behind. Further reads (policies, tags, parts)
have no such time: they are made every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from collectors.aws.kinds import Kind
from undercroft.model import Json, Presence, Resource

__all__ = ["DESCRIBED_ANYWAY", "SAFE", "Unchanged", "kept_answer", "reader"]

_FORMAT = 2
"""Of the configurations that are kept; one more makes every scan describe everything once."""
_SETTLED = timedelta(minutes=10)
"""How long before the earlier scan the last change has to be: clocks may be minutes apart."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """How the list of a kind shows that nothing has changed."""

    by: str
    """The field, of list and description, whose time tells."""
    why: str
    state: str = ""
    """The field that has to hold one of ``ended``."""
    ended: tuple[str, ...] = ()


def _job(state: str, by: str = "LastModifiedTime") -> Unchanged:
    return Unchanged(by, "a job that has ended stays as it is", state, _ENDED)


_ENDED = ("Completed", "Failed", "Stopped")
_FIXED = "there is no operation that changes it: another of that name has another time"
_UPDATED = "changes by updates only, and each moves the time"

SAFE: Mapping[str, Unchanged] = {
    "sagemaker.notebook-instance": Unchanged("LastModifiedTime", _UPDATED),
    "sagemaker.domain": Unchanged("LastModifiedTime", _UPDATED),
    "sagemaker.user-profile": Unchanged("LastModifiedTime", _UPDATED),
    "sagemaker.space": Unchanged("LastModifiedTime", _UPDATED),
    "sagemaker.hub": Unchanged("LastModifiedTime", _UPDATED),
    "sagemaker.model": Unchanged("CreationTime", _FIXED),
    "sagemaker.endpoint-config": Unchanged("CreationTime", _FIXED),
    "sagemaker.flow-definition": Unchanged("CreationTime", _FIXED),
    "sagemaker.data-quality-job": Unchanged("CreationTime", _FIXED),
    "sagemaker.model-quality-job": Unchanged("CreationTime", _FIXED),
    "sagemaker.model-bias-job": Unchanged("CreationTime", _FIXED),
    "sagemaker.model-explainability-job": Unchanged("CreationTime", _FIXED),
    "sagemaker.monitoring-schedule": Unchanged(
        "LastModifiedTime",
        f"{_UPDATED}; of its last run nothing is kept",
        "MonitoringScheduleStatus",
        ("Scheduled", "Stopped"),
    ),
    "sagemaker.training-job": _job("TrainingJobStatus"),
    "sagemaker.processing-job": _job("ProcessingJobStatus"),
    "sagemaker.transform-job": _job("TransformJobStatus", by="TransformEndTime"),
    "sagemaker.labeling-job": _job("LabelingJobStatus"),
    "sagemaker.tuning-job": _job("HyperParameterTuningJobStatus"),
    "sagemaker.automl-job": _job("AutoMLJobStatus"),
    "bedrock.custom-model": Unchanged("creationTime", _FIXED, "modelStatus", ("Active", "Failed")),
    "bedrock.imported-model": Unchanged("creationTime", _FIXED),
    "bedrock.model-customization-job": _job("status", by="lastModifiedTime"),
    "bedrock.model-import-job": _job("status", by="lastModifiedTime"),
    "bedrock.evaluation-job": _job("status", by="creationTime"),
    "bedrock.provisioned-model": Unchanged("lastModifiedTime", _UPDATED),
    "bedrock.guardrail": Unchanged("updatedAt", _UPDATED),
    "bedrock.knowledge-base": Unchanged("updatedAt", _UPDATED),
    "bedrock.data-source": Unchanged("updatedAt", _UPDATED),
    "bedrock.agent-action-group": Unchanged("updatedAt", _UPDATED),
    "bedrock.served-action-group": Unchanged("updatedAt", _UPDATED),
    "bedrock.flow": Unchanged("updatedAt", _UPDATED),
    "bedrock.prompt": Unchanged("updatedAt", _UPDATED),
    "agentcore.runtime": Unchanged("lastUpdatedAt", _UPDATED),
    "agentcore.gateway-target": Unchanged("updatedAt", _UPDATED),
    "agentcore.browser": Unchanged("lastUpdatedAt", _UPDATED),
    "agentcore.code-interpreter": Unchanged("lastUpdatedAt", _UPDATED),
    "agentcore.harness": Unchanged("updatedAt", _UPDATED),
    "agentcore.capacity-provider": Unchanged("lastUpdatedAt", _UPDATED),
    "agentcore.registry": Unchanged("updatedAt", _UPDATED),
    "agentcore.api-key-provider": Unchanged("lastUpdatedTime", _UPDATED),
    "comprehend.flywheel": Unchanged("LastModifiedTime", _UPDATED),
    "forecast.dataset": Unchanged("LastModificationTime", _UPDATED),
    "lex.bot": Unchanged("lastUpdatedDateTime", _UPDATED),
    "lex.bot-alias": Unchanged("lastUpdatedDateTime", _UPDATED),
    "kendra.data-source": Unchanged("UpdatedAt", _UPDATED),
    "qbusiness.application": Unchanged("updatedAt", _UPDATED),
    "qbusiness.data-source": Unchanged("updatedAt", _UPDATED),
    "qbusiness.plugin": Unchanged("updatedAt", _UPDATED),
    "qbusiness.web-experience": Unchanged("updatedAt", _UPDATED),
}
"""``<family>.<kind>`` → how. Whatever is not in here is described every time."""

_NO_TIME = "its list says nothing of when it was changed"
_RUNNING = "its answer holds what runs at the moment"

DESCRIBED_ANYWAY: Mapping[str, str] = {
    "sagemaker.endpoint": f"{_RUNNING}: instances, states of variants, patched images",
    "sagemaker.inference-component": f"{_RUNNING}: copies",
    "sagemaker.inference-router": f"{_RUNNING}: whether its targets answer",
    "sagemaker.inference-experiment": f"{_RUNNING}: the state of its endpoint",
    "sagemaker.pipeline": "its answer holds its last run",
    "sagemaker.mlflow-tracking-server": "AWS maintains it",
    "sagemaker.mlflow-app": "AWS maintains it",
    "sagemaker.cluster": _NO_TIME,
    "sagemaker.feature-group": _NO_TIME,
    "sagemaker.partner-app": _NO_TIME,
    "bedrock.data-automation-project": _NO_TIME,
    "bedrock.custom-model-deployment": "an update of it has a state of its own",
    "bedrock.marketplace-endpoint": f"{_RUNNING}: the state of its endpoint",
    "bedrock.agent-alias": "its list tells of the alias, not of the version that it leads to",
    "bedrock.flow-alias": "its list tells of the alias, not of the version that it leads to",
    "bedrock.agent": "preparing it need not move the time of its last update",
    "agentcore.runtime-endpoint": "its list tells of the endpoint, not of the version it serves",
    "agentcore.gateway": "a web firewall is attached to it from outside",
    "agentcore.memory": "its strategies have states of their own",
    "agentcore.oauth-provider": "its state is not in the list",
    "lookoutequipment.dataset": _NO_TIME,
    "lookoutequipment.model": _NO_TIME,
    "kendra.index": "its answer counts its documents",
    "eks.nodegroup": _NO_TIME,
    "eks.fargate-profile": _NO_TIME,
    "qbusiness.retriever": _NO_TIME,
}
"""Kinds that look as if they could be spared and cannot, and why."""


def reader() -> str:
    """What decides how answers are kept: this package, and the SDK, which knows their fields."""
    from importlib.metadata import version

    return f"aws/{_FORMAT} undercroft/{version('undercroft')} botocore/{version('botocore')}"


def kept_answer(kind: Kind, item: Mapping[str, Json], known: Resource) -> dict[str, Json] | None:
    """What describing ``item`` of a list would answer, as it is kept in ``known``; None if unsure."""
    rule = SAFE.get(f"{kind.family}.{kind.name}")
    if rule is None or known.presence is not Presence.READ:
        return None
    added = {read.into for read in kind.reads}
    if any(_concerns(path, added) for path in known.unknown):
        return None
    answer = {name: value for name, value in known.config.items() if name not in added}
    if not _settled(answer.get(rule.by), known.collected_at):
        return None
    if rule.by not in item or any(
        value != answer[name] for name, value in item.items() if name in answer
    ):
        return None
    return answer if not rule.state or item.get(rule.state) in rule.ended else None


def _concerns(path: str, added: set[str]) -> bool:
    """Whether an unread path is part of what the describe call answers."""
    whole, _, rest = path.partition(".")
    return whole == "config" and rest.partition(".")[0] not in added


def _settled(changed: Json, read: str) -> bool:
    try:
        before = datetime.fromisoformat(read) - datetime.fromisoformat(str(changed))
    except (ValueError, TypeError):
        return False
    return before >= _SETTLED
