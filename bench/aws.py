"""Scanning AWS: how many calls, what one costs against a bare botocore loop, how long it waits."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple, cast

from botocore import xform_name

from bench.cloud import EMPTY, ENDPOINTS, JOBS, NOTEBOOKS, REGION, SHARED
from bench.measure import Figure, settled
from bench.process import PYTHON, environment
from bench.world import World
from collectors.aws.session import AT_ONCE
from undercroft.clock import utc_now
from undercroft.protocols import Collector, Progress, Scope
from undercroft.scan import run_scan
from undercroft.store import Store

__all__ = ["aws"]

_ROUNDS = 3
_LATENCY = 0.05
"""Seconds that each answer takes where the waiting is measured."""
_SETTLED = timedelta(hours=1)
"""How long ago the estate was made, for the first scan of a pair."""
_BUCKETS = SHARED + 2
_DEFAULTS = 4
_PAGE = 100


def _pages(number: int) -> int:
    return ceil(number / _PAGE)


def _necessary() -> Counter[str]:
    """Operation → how often it must be called to know this estate."""
    from botocore.session import Session

    from collectors.aws.catalogue import LISTED

    names: dict[str, Mapping[str, str]] = {}
    for client in {kind.client for kind in LISTED}:
        model = Session().get_service_model(client)
        names[client] = {xform_name(name): name for name in model.operation_names}
    # Every kind of AI service is looked for with one list.
    lists = {f"{k.client}:{names[k.client][k.list_operation]}": 1 for k in LISTED if k.is_listed}
    return Counter(
        {
            **lists,
            "sts:GetCallerIdentity": 1,
            "ecs:ListClusters": 1,
            "batch:DescribeJobDefinitions": 1,
            "eks:ListClusters": 1,
            "lambda:ListFunctions": 1,
            # What there is of a kind comes in pages and is described once.
            "sagemaker:ListNotebookInstances": _pages(NOTEBOOKS),
            # Once more for the region: whether there are models, and approved ones.
            "sagemaker:ListModels": _pages(ENDPOINTS) + 1,
            "sagemaker:ListModelPackages": 1,
            "sagemaker:ListEndpointConfigs": _pages(ENDPOINTS),
            "sagemaker:ListEndpoints": _pages(ENDPOINTS),
            "sagemaker:ListTrainingJobs": _pages(JOBS),
            "sagemaker:DescribeNotebookInstance": NOTEBOOKS,
            "sagemaker:DescribeModel": ENDPOINTS,
            "sagemaker:DescribeEndpointConfig": ENDPOINTS,
            "sagemaker:DescribeEndpoint": ENDPOINTS,
            "sagemaker:DescribeTrainingJob": JOBS,
            "sagemaker:DescribeMonitoringSchedule": ENDPOINTS,
            # Tags of many come together.
            "resourcegroupstaggingapi:GetResources": sum(map(_pages, (NOTEBOOKS, ENDPOINTS, JOBS))),
            # Who may call an endpoint only it can say; what watches it one list tells.
            "sagemaker:GetEndpointPolicy": ENDPOINTS,
            "sagemaker:ListMonitoringSchedules": 2 * _pages(ENDPOINTS),
            # What watches over the region and the account.
            "inspector2:BatchGetAccountStatus": 1,
            "guardduty:ListDetectors": 1,
            "guardduty:GetDetector": 1,
            "macie2:GetMacieSession": 1,
            "macie2:DescribeBuckets": 1,
            "macie2:GetAutomatedDiscoveryConfiguration": 1,
            "securityhub:GetEnabledStandards": 1,
            "organizations:DescribeOrganization": 1,
            # By the account, and for buckets that keep no log of their own: two units, which do not
            # know of each other.
            "cloudtrail:DescribeTrails": 2,
            "cloudtrail:GetTrailStatus": 2,
            "cloudtrail:GetEventSelectors": 2,
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
            "ecr:GetSigningConfiguration": 1,
            "ecr:DescribeImageSigningStatus": SHARED,
            "iam:GetAccountAuthorizationDetails": 1,
            "iam:ListServiceSpecificCredentials": 1,
            "s3:ListBuckets": 1,
            **{f"s3:{operation}": _BUCKETS for operation in _OF_A_BUCKET},
            # What each model is loaded from.
            "s3:ListObjectsV2": ENDPOINTS,
            # Default buckets of services are looked for by their names.
            "s3:HeadBucket": _BUCKETS + _DEFAULTS,
            "kms:DescribeKey": 1,
            "kms:GetKeyPolicy": 1,
            "kms:GetKeyRotationStatus": 1,
        }
    )


_OF_A_BUCKET = (
    "GetPublicAccessBlock",
    "GetBucketLogging",
    "GetBucketPolicy",
    "GetBucketPolicyStatus",
    "GetBucketAcl",
    "GetBucketOwnershipControls",
    "GetBucketEncryption",
    "GetBucketVersioning",
    "GetBucketTagging",
    "GetBucketReplication",
)


class _Call(NamedTuple):
    service: str
    operation: str
    params: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"


class _Spent(NamedTuple):
    """One scan."""

    collecting: float
    """CPU seconds."""
    judging: float
    saving: float
    waiting: float
    """Wall seconds of collecting."""
    spared: int


def aws(world: World) -> list[Figure]:
    """One scan of 500 services behind HTTP, again and again; then again without a change, and slowly."""
    from collectors.aws import collectors

    with _served(world.folder) as delay:
        found = collectors({})
        calls: list[_Call] = []

        def record(params: Mapping[str, Any], model: Any, **_: Any) -> None:
            calls.append(_Call(model.service_model.service_name, model.name, dict(params)))

        cast("Any", found[0]).clients.at({}).session.events.register(
            "provide-client-params", record
        )
        spent: list[_Spent] = []

        def ours() -> float:
            calls.clear()
            spent.append(_scan(world, found))
            return spent[-1].collecting / len(calls)

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
        calls.clear()
        rescan = _scan(world, found, keep=True)
        kept = list(calls)
        memory = [_memory(world, region) for region in (REGION, EMPTY)]
        delay(_LATENCY)
        calls.clear()
        slow = _scan(world, found)
        slowly = list(calls)
        delay(0)
    rest = ", ".join(
        f"{name} {min(getattr(one, name) for one in spent) * 1000:,.0f}"
        for name in ("judging", "saving")
    )
    return [
        _calls_made("AWS scan of 500 services: API calls", made),
        Figure.of(
            "AWS scan: collecting, CPU per call",
            pair,
            1.3,
            note=f"{len(made)} calls; bare: botocore, one after the other; then ms {rest}",
        ),
        Figure(
            "AWS scan again, nothing changed: API calls",
            len(kept),
            len(made),
            None,
            unit="calls",
            note=f"bare: the first scan; {rescan.spared} descriptions spared",
        ),
        Figure(
            f"AWS scan at {_LATENCY * 1000:.0f} ms a call (wall)",
            slow.waiting * 1000,
            len(slowly) * _LATENCY / AT_ONCE * 1000,
            1.5,
            note=f"bare: {len(slowly)} calls, {AT_ONCE} at once, as many as a service gets",
        ),
        Figure(
            "AWS scan: peak memory against an empty region",
            memory[0],
            memory[1],
            None,
            unit="MB",
            kind="difference",
            note="whole processes",
        ),
    ]


def _calls_made(what: str, made: Sequence[_Call]) -> Figure:
    needed = _necessary()
    more = Counter(call.name for call in made) - needed
    return Figure(
        what,
        len(made),
        needed.total(),
        1.0,
        unit="calls",
        note="more than needed: " + ", ".join(f"{n} {m}" for n, m in sorted(more.items()))
        if more
        else "bare: the lists and describes that this estate needs",
    )


_SCAN = (
    "import atexit; from bench.machine import peak_memory; "
    "atexit.register(lambda: print(peak_memory())); from tui.cli import main; main()"
)


def _memory(world: World, region: str) -> float:
    """Peak resident memory of a whole ``undercroft scan aws``, in MB."""
    env = {**environment(world.folder), "UNDERCROFT_DB": str(world.folder / f"aws-{region}.db")}
    command = (PYTHON, "-c", _SCAN, "scan", "aws", "--region", region)
    return float(subprocess.run(command, env=env, check=True, capture_output=True).stdout)


@contextmanager
def _served(folder: Path) -> Iterator[Callable[[float], None]]:
    """The estate, and an environment that points to it; what is given makes its answers slow."""
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
        pipe, answers = server.stdin, server.stdout

        def delay(seconds: float) -> None:
            pipe.write(f"{seconds}\n")
            pipe.flush()
            answers.readline()

        try:
            yield delay
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            server.stdin.close()


def _scan(world: World, found: Sequence[Collector], *, keep: bool = False) -> _Spent:
    """A scan into a new cache; to ``keep`` it, into the one of the scan before, an hour later."""
    path = world.folder / "aws.db"
    if not keep:
        path.unlink(missing_ok=True)
    marks: dict[str, float] = {}
    walls: dict[str, float] = {}
    spared = 0
    later = _SETTLED * (2 if keep else 1)

    def note(event: Progress) -> None:
        nonlocal spared
        marks.setdefault(event.kind, time.process_time())
        walls.setdefault(event.kind, time.monotonic())
        if event.kind == "done":
            spared = event.spared

    with Store.open(path) as store:
        start, began = time.process_time(), time.monotonic()
        run_scan(
            store, found, world.engine, Scope("aws"), progress=note, clock=lambda: utc_now() + later
        )
        end = time.process_time()
    judging, saving = marks["judging"], marks["saving"]
    waiting = walls["judging"] - began
    return _Spent(judging - start, saving - judging, end - saving, waiting, spared)


def _clients(calls: Sequence[_Call]) -> dict[str, Any]:
    """A plain client of each service."""
    import boto3.session

    make = cast("Any", boto3.session.Session().client)
    return {name: make(name, region_name=REGION) for name in {call.service for call in calls}}


def _replay(clients: Mapping[str, Any], calls: Sequence[_Call]) -> float:
    """CPU seconds of the same calls with nothing around them."""
    from botocore.exceptions import ClientError

    start = time.process_time()
    for call in calls:
        # Some questions have no answer for this estate, which is an answer.
        with suppress(ClientError):
            getattr(clients[call.service], xform_name(call.operation))(**call.params)
    return time.process_time() - start
