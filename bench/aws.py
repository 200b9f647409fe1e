"""Scanning AWS: how many calls, and what one costs against a bare botocore loop making the same."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

from bench.cloud import EACH, REGION, SHARED
from bench.measure import Figure, settled
from bench.process import PYTHON, environment
from bench.world import World
from undercroft.protocols import Collector, Progress, Scope
from undercroft.scan import run_scan
from undercroft.store import Store

__all__ = ["aws"]

_ROUNDS = 3
_BUCKETS = SHARED + 2
_SERVICES = 3 * EACH
_SAGEMAKER_LISTS = (
    "ListProcessingJobs",
    "ListTransformJobs",
    "ListHyperParameterTuningJobs",
    "ListAutoMLJobs",
    "ListDataQualityJobDefinitions",
    "ListModelQualityJobDefinitions",
    "ListModelBiasJobDefinitions",
    "ListModelExplainabilityJobDefinitions",
    "ListInferenceExperiments",
    "ListClusters",
    "ListMlflowTrackingServers",
    "ListMlflowApps",
    "ListInferenceComponents",
    "ListFeatureGroups",
    "ListPipelines",
    "ListModelPackageGroups",
    "ListFlowDefinitions",
    "ListPartnerApps",
    "ListHubs",
)
_BEDROCK_LISTS = (
    "ListCustomModels",
    "ListModelCustomizationJobs",
    "ListImportedModels",
    "ListModelImportJobs",
    "ListCustomModelDeployments",
    "ListProvisionedModelThroughputs",
    "ListGuardrails",
    "ListInferenceProfiles",
    "ListModelInvocationJobs",
    "ListEvaluationJobs",
    "ListMarketplaceModelEndpoints",
)
_AGENT_LISTS = ("ListAgents", "ListKnowledgeBases", "ListFlows", "ListPrompts")
_AGENTCORE_LISTS = (
    "ListAgentRuntimes",
    "ListGateways",
    "ListMemories",
    "ListBrowsers",
    "ListCodeInterpreters",
    "ListHarnesses",
    "ListOauth2CredentialProviders",
    "ListApiKeyCredentialProviders",
    "ListWorkloadIdentities",
)
_NECESSARY: Mapping[str, int] = {
    "sts:GetCallerIdentity": 1,
    # A list of each kind; what it gives is described once; services have tags.
    "sagemaker:ListNotebookInstances": 1,
    "sagemaker:ListDomains": 1,
    "sagemaker:ListModels": 1,
    "sagemaker:ListEndpointConfigs": 1,
    "sagemaker:ListEndpoints": 1,
    "sagemaker:ListTrainingJobs": 1,
    "sagemaker:DescribeNotebookInstance": EACH,
    "sagemaker:DescribeModel": EACH,
    "sagemaker:DescribeEndpointConfig": EACH,
    "sagemaker:DescribeEndpoint": EACH,
    "sagemaker:DescribeTrainingJob": EACH,
    "sagemaker:ListTags": _SERVICES,
    # Every other kind of AI service is looked for with one list.
    **{f"sagemaker:{operation}": 1 for operation in _SAGEMAKER_LISTS},
    **{f"bedrock:{operation}": 1 for operation in _BEDROCK_LISTS},
    **{f"bedrock-agent:{operation}": 1 for operation in _AGENT_LISTS},
    **{f"bedrock-agentcore-control:{operation}": 1 for operation in _AGENTCORE_LISTS},
    "bedrock-data-automation:ListDataAutomationProjects": 1,
    "kendra:ListIndices": 1,
    "qbusiness:ListApplications": 1,
    "comprehend:ListEntityRecognizers": 1,
    "comprehend:ListDocumentClassifiers": 1,
    # Who may call an endpoint, and what watches it, only it can say.
    "sagemaker:GetEndpointPolicy": EACH,
    "sagemaker:ListMonitoringSchedules": EACH + 1,
    # What watches over the region and the account.
    "inspector2:BatchGetAccountStatus": 1,
    "sagemaker:DescribeMonitoringSchedule": EACH,
    "guardduty:ListDetectors": 1,
    "guardduty:GetDetector": 1,
    "macie2:GetMacieSession": 1,
    "macie2:GetAutomatedDiscoveryConfiguration": 1,
    "securityhub:GetEnabledStandards": 1,
    "organizations:DescribeOrganization": 1,
    "cloudtrail:DescribeTrails": 1,
    "cloudtrail:GetTrailStatus": 1,
    "cloudtrail:GetEventSelectors": 1,
    "s3control:GetPublicAccessBlock": 2,
    # Of what they stand on only what is named, together where the API takes several names.
    "ec2:DescribeInstances": 1,
    "ec2:DescribeSecurityGroups": 1,
    "ec2:DescribeSubnets": 1,
    "ec2:DescribeRouteTables": 1,
    "ec2:DescribeVpcs": 1,
    "ec2:DescribeVpcEndpoints": 1,
    "ec2:DescribeFlowLogs": 1,
    "ecr:DescribeRepositories": 1,
    "ecr:GetRegistryScanningConfiguration": 1,
    "ecr:BatchGetRepositoryScanningConfiguration": 1,
    "ecr:DescribeImages": SHARED,
    "ecr:DescribeImageScanFindings": SHARED,
    "ecr:GetRepositoryPolicy": SHARED,
    "iam:GetAccountAuthorizationDetails": 1,
    "s3:ListBuckets": 1,
    "s3:HeadBucket": _BUCKETS,
    "s3:GetPublicAccessBlock": _BUCKETS,
    "s3:GetBucketPolicy": _BUCKETS,
    "s3:GetBucketPolicyStatus": _BUCKETS,
    "s3:GetBucketAcl": _BUCKETS,
    "s3:GetBucketOwnershipControls": _BUCKETS,
    "s3:GetBucketEncryption": _BUCKETS,
    "s3:GetBucketVersioning": _BUCKETS,
    "s3:GetBucketTagging": _BUCKETS,
    "kms:DescribeKey": 1,
    "kms:GetKeyPolicy": 1,
    "kms:GetKeyRotationStatus": 1,
}
"""Operation → how often it must be called to know this estate."""


class _Call(NamedTuple):
    service: str
    operation: str
    params: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"


def aws(world: World) -> list[Figure]:
    """One scan of a small estate behind HTTP, again and again."""
    from collectors.aws import collectors

    with _served(world.folder):
        found = collectors({})
        calls: list[_Call] = []

        def record(params: Mapping[str, Any], model: Any, **_: Any) -> None:
            calls.append(_Call(model.service_model.service_name, model.name, dict(params)))

        cast("Any", found[0]).clients.at({}).session.events.register(
            "provide-client-params", record
        )
        spent: dict[str, list[float]] = {"judge": [], "save": []}

        def ours() -> float:
            calls.clear()
            collecting, judging, saving = _scan(world, found)
            spent["judge"].append(judging)
            spent["save"].append(saving)
            return collecting / len(calls)

        ours()
        made = list(calls)
        # Its host name begins with the account, which no resolver knows on loopback.
        again = [call for call in made if call.service != "s3control"]
        clients = _clients(again)
        # Clients exist by now on both sides: what a call costs is compared, not what loading the
        # SDK's descriptions costs.
        pair = settled(
            ours, lambda: _replay(clients, again) / len(again), rounds=world.rounds(_ROUNDS)
        )
    counted = Counter(call.name for call in made)
    necessary = sum(_NECESSARY.values())
    more = {
        name: number - _NECESSARY.get(name, 0)
        for name, number in counted.items()
        if number > _NECESSARY.get(name, 0)
    }
    rest = ", ".join(f"{name} {min(values) * 1000:,.0f}" for name, values in spent.items())
    return [
        Figure(
            "AWS scan: API calls",
            len(made),
            necessary,
            1.0,
            unit="calls",
            note="more than needed: " + ", ".join(f"{n} {m}" for n, m in sorted(more.items()))
            if more
            else "bare: the lists and describes that this estate needs",
        ),
        Figure.of(
            "AWS scan: collecting, CPU per call",
            pair,
            1.3,
            note=f"{len(made)} calls; bare: botocore, one after the other; then ms {rest}",
        ),
    ]


@contextmanager
def _served(folder: Path) -> Iterator[None]:
    """The estate, and an environment that points to it."""
    with subprocess.Popen(
        [PYTHON, "-m", "bench.cloud"],
        env=environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None  # a pipe was asked for
        assert server.stdin is not None
        line = server.stdout.readline()
        if not line:
            raise RuntimeError("the AWS estate could not be served")
        wanted = {
            "AWS_ENDPOINT_URL": json.loads(line)["endpoint"],
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        gone = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION")
        before = {name: os.environ.pop(name, None) for name in (*wanted, *gone)}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            server.stdin.close()


def _scan(world: World, found: Sequence[Collector]) -> tuple[float, float, float]:
    """CPU seconds of collecting, judging and saving."""
    path = world.folder / "aws.db"
    path.unlink(missing_ok=True)
    marks: dict[str, float] = {}

    def note(event: Progress) -> None:
        marks.setdefault(event.kind, time.process_time())

    with Store.open(path) as store:
        start = time.process_time()
        run_scan(store, found, world.engine, Scope("aws"), progress=note)
        end = time.process_time()
    judging, saving = marks["judging"], marks["saving"]
    return judging - start, saving - judging, end - saving


def _clients(calls: Sequence[_Call]) -> dict[str, Any]:
    """A plain client of each service."""
    import boto3.session

    make = cast("Any", boto3.session.Session().client)
    return {name: make(name, region_name=REGION) for name in {call.service for call in calls}}


def _replay(clients: Mapping[str, Any], calls: Sequence[_Call]) -> float:
    """CPU seconds of the same calls with nothing around them."""
    from botocore import xform_name
    from botocore.exceptions import ClientError

    start = time.process_time()
    for call in calls:
        # Some questions have no answer for this estate, which is an answer.
        with suppress(ClientError):
            getattr(clients[call.service], xform_name(call.operation))(**call.params)
    return time.process_time() - start
