"""Known ways from a set of rights to more rights.

Each path is a set of permissions that must all be held on any resource of a kind, or on the role
itself. Sources: the published privilege-escalation catalogues for IAM, and their additions for
services that run code under a role of the caller's choice.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from collectors.aws.policy.evaluate import ANY, Permissions

__all__ = ["AI_PATHS", "CLASSIC_PATHS", "EscalationPath", "paths_held"]


@dataclass(frozen=True, slots=True)
class EscalationPath:
    """One way up."""

    name: str
    needs: tuple[tuple[str, str], ...]
    """(action, kind of resource): every one of them."""
    passes_role_to: str = ""
    """Service principal that is handed a role, if the path hands one over."""


def _path(name: str, *needs: str, to: str = "") -> EscalationPath:
    parsed = tuple((action, kind) for action, _, kind in (need.partition(" ") for need in needs))
    return EscalationPath(name, parsed, to)


def _pass_role(to: str, *needs: str) -> EscalationPath:
    first = needs[0].partition(" ")[0]
    return _path(f"iam:PassRole + {first}", *needs, to=to)


CLASSIC_PATHS: tuple[EscalationPath, ...] = (
    _path("iam:CreatePolicyVersion", f"iam:CreatePolicyVersion policy/{ANY}"),
    _path("iam:SetDefaultPolicyVersion", f"iam:SetDefaultPolicyVersion policy/{ANY}"),
    _path("iam:AttachRolePolicy", f"iam:AttachRolePolicy role/{ANY}"),
    _path("iam:PutRolePolicy", f"iam:PutRolePolicy role/{ANY}"),
    _path("iam:UpdateAssumeRolePolicy", f"iam:UpdateAssumeRolePolicy role/{ANY}"),
    _path("iam:CreateAccessKey", f"iam:CreateAccessKey user/{ANY}"),
    _path("iam:CreateLoginProfile", f"iam:CreateLoginProfile user/{ANY}"),
    _path("iam:AddUserToGroup", f"iam:AddUserToGroup group/{ANY}"),
    _pass_role("ec2.amazonaws.com", f"ec2:RunInstances instance/{ANY}"),
    _pass_role(
        "lambda.amazonaws.com",
        f"lambda:CreateFunction function:{ANY}",
        f"lambda:InvokeFunction function:{ANY}",
    ),
    _pass_role("cloudformation.amazonaws.com", f"cloudformation:CreateStack stack/{ANY}"),
    _pass_role("glue.amazonaws.com", f"glue:CreateDevEndpoint devEndpoint/{ANY}"),
    _pass_role("ecs-tasks.amazonaws.com", f"ecs:RunTask task-definition/{ANY}"),
    _pass_role("codebuild.amazonaws.com", f"codebuild:CreateProject project/{ANY}"),
    _path("lambda:UpdateFunctionCode", f"lambda:UpdateFunctionCode function:{ANY}"),
    _path("ssm:SendCommand", f"ssm:SendCommand ec2:instance/{ANY}"),
    _path("ssm:StartSession", f"ssm:StartSession ec2:instance/{ANY}"),
)

_CODE_INTERPRETER = (
    f"bedrock-agentcore:StartCodeInterpreterSession code-interpreter-custom/{ANY}",
    f"bedrock-agentcore:InvokeCodeInterpreter code-interpreter-custom/{ANY}",
)
_LIFECYCLE = f"notebook-instance-lifecycle-config/{ANY}"

AI_PATHS: tuple[EscalationPath, ...] = (
    _pass_role(
        "sagemaker.amazonaws.com", f"sagemaker:CreateNotebookInstance notebook-instance/{ANY}"
    ),
    _pass_role("sagemaker.amazonaws.com", f"sagemaker:CreateTrainingJob training-job/{ANY}"),
    _pass_role("sagemaker.amazonaws.com", f"sagemaker:CreateProcessingJob processing-job/{ANY}"),
    _path(
        "sagemaker:CreatePresignedNotebookInstanceUrl",
        f"sagemaker:CreatePresignedNotebookInstanceUrl notebook-instance/{ANY}",
    ),
    _path(
        "sagemaker notebook lifecycle script",
        f"sagemaker:CreateNotebookInstanceLifecycleConfig {_LIFECYCLE}",
        f"sagemaker:StopNotebookInstance notebook-instance/{ANY}",
        f"sagemaker:UpdateNotebookInstance notebook-instance/{ANY}",
        f"sagemaker:StartNotebookInstance notebook-instance/{ANY}",
    ),
    _pass_role(
        "bedrock-agentcore.amazonaws.com",
        f"bedrock-agentcore:CreateCodeInterpreter code-interpreter-custom/{ANY}",
        *_CODE_INTERPRETER,
    ),
    _path("bedrock-agentcore code interpreter", *_CODE_INTERPRETER),
    _path(
        "bedrock-agentcore:InvokeAgentRuntimeCommand",
        f"bedrock-agentcore:InvokeAgentRuntimeCommand runtime/{ANY}",
    ),
    _path(
        "bedrock-agentcore browser",
        f"bedrock-agentcore:StartBrowserSession browser-custom/{ANY}",
        f"bedrock-agentcore:ConnectBrowserAutomationStream browser-custom/{ANY}",
    ),
)


def paths_held(
    permissions: Permissions, paths: Collection[EscalationPath], own: Collection[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Path name → policies that grant it, for every path all of whose permissions are held.

    ``own``: ARNs of the role and of the customer-managed policies attached to it; being allowed to
    change just those is as good as being allowed to change any.
    """
    held: dict[str, tuple[str, ...]] = {}
    for path in paths:
        grants = [_granted(permissions, action, kind, own) for action, kind in path.needs]
        if path.passes_role_to:
            context = {"iam:passedtoservice": path.passes_role_to}
            grants.append(permissions.on_any("iam:PassRole", f"role/{ANY}", context))
        if all(grants):
            held[path.name] = tuple(dict.fromkeys(name for names in grants for name in names))
    return held


def _granted(
    permissions: Permissions, action: str, kind: str, own: Collection[str]
) -> tuple[str, ...]:
    service, colon, rest = kind.partition(":")
    if colon and service == "ec2":
        # Commands are sent to instances, which belong to another service than the action.
        resource = f"arn:{permissions.partition}:ec2:{ANY}:{permissions.account}:{rest}"
        return permissions.granted_by(action, resource)
    found = permissions.on_any(action, kind)
    if found or not action.startswith("iam:"):
        return found
    stem = kind.partition("/")[0]
    mine = (arn for arn in own if f":{stem}/" in arn)
    return next((names for arn in mine if (names := permissions.granted_by(action, arn))), ())
