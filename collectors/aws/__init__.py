"""AWS: what AI services exist in an account, and what they stand on.

The SDK is imported when ``collectors`` or ``preflight`` is called, never by importing this package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from undercroft.clock import utc_now
from undercroft.model import Json
from undercroft.protocols import Collector

if TYPE_CHECKING:
    from collectors.aws.session import Clients

__all__ = ["Preflight", "collectors", "preflight"]


@dataclass(frozen=True, slots=True)
class Preflight:
    """What can be said before a scan."""

    account: str
    """Empty if the credentials were not accepted."""
    partition: str
    arn: str
    """Who the credentials are."""
    regions: tuple[str, ...]
    """Where a scan would look."""
    problems: tuple[str, ...]
    """In words, each with what to do about it; empty: ready."""


def collectors(
    options: Mapping[str, Json] | None = None, clock: Callable[[], datetime] = utc_now
) -> list[Collector]:
    """Every AWS collector, on one shared session per account.

    Options: ``profile`` or ``profiles``, ``role_arn`` or ``role_arns``, ``external_id``,
    ``organization``, ``role_name``, ``regions`` (names, or ``all``), ``max_attempts``; units read
    ``trusted_accounts`` from the scope's own options.
    """
    from collectors.aws.accounts import AccountRecords, Accounts
    from collectors.aws.artifacts import ArtifactCollector
    from collectors.aws.batch_ai import BatchAiJobs
    from collectors.aws.bedrock_keys import BedrockKeyHolders
    from collectors.aws.catalogue import LAST, LISTED, NAMED, REGIONS, SETTINGS
    from collectors.aws.ec2 import Ec2AiInstances
    from collectors.aws.ec2_network import Ec2Network
    from collectors.aws.ec2_templates import Ec2Templates
    from collectors.aws.ec2_volumes import Ec2Volumes
    from collectors.aws.ecr import EcrCollector
    from collectors.aws.ecs import EcsAiServices
    from collectors.aws.eks_ai import EksAiWorkloads
    from collectors.aws.iam import IamCollector
    from collectors.aws.kms import KmsCollector
    from collectors.aws.lambda_ai import LambdaAiFunctions
    from collectors.aws.listed import KindList, KindNamed, SageMakerReferenced
    from collectors.aws.load_balancers import LoadBalancers
    from collectors.aws.parameters import Parameters
    from collectors.aws.s3 import S3Collector

    clients = Accounts(options)
    stages: list[list[Collector]] = [
        # Services, and what belongs to them.
        [
            *(KindList(clients, kind, clock) for kind in LISTED if kind.is_listed),
            Ec2AiInstances(clients),
            EcsAiServices(clients),
            BatchAiJobs(clients),
            EksAiWorkloads(clients),
            LambdaAiFunctions(clients),
            BedrockKeyHolders(clients),
            AccountRecords(clients),
        ],
        # Services that are only referred to, and settings that name guardrails.
        [SageMakerReferenced(clients), *(KindNamed(clients, kind) for kind in SETTINGS)],
        # What both stand on: functions, stores and clusters have roles and images of their own.
        [KindNamed(clients, kind) for kind in NAMED],
        [
            *(KindNamed(clients, kind) for kind in REGIONS),
            Ec2Volumes(clients),
            Ec2Templates(clients),
            LoadBalancers(clients),
            Parameters(clients),
            EcrCollector(clients),
            IamCollector(clients),
            S3Collector(clients),
            ArtifactCollector(clients),
        ],
        # The keys and networks of that, and the account as a whole.
        [
            KmsCollector(clients),
            Ec2Network(clients),
            *(KindNamed(clients, kind) for kind in LAST),
        ],
    ]
    for stage, found in enumerate(stages):
        for collector in found:
            collector.stage = stage
    return [collector for found in stages for collector in found]


def preflight(options: Mapping[str, Json] | None = None) -> Preflight:
    """Who the credentials are and where a scan would look: one or two calls, never raises."""
    from collectors.aws.session import Clients

    return _preflight(Clients(options))


def _preflight(clients: Clients) -> Preflight:
    from botocore.exceptions import BotoCoreError

    from collectors.aws.errors import CallError, classify

    account = partition = arn = ""
    regions: tuple[str, ...] = ()
    problems: list[str] = []
    try:
        identity = clients.identity()
        account, partition, arn = identity.account, identity.partition, identity.arn
        regions = clients.regions()
        if not clients.has_region:
            problems.append(f"no region is configured: only {regions[0]} would be scanned")
    except (CallError, BotoCoreError) as error:
        problems.append(classify(error)[1])
    return Preflight(account, partition, arn, regions, tuple(problems))
