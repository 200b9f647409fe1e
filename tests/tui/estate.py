"""A small estate in a real cache: three AI services, shared role and bucket, two scans, hostile names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from undercroft.identity import observation_id
from undercroft.model import (
    Coverage,
    CoverageStatus,
    Edge,
    Evidence,
    Layer,
    Observation,
    Outcome,
    Presence,
    Resource,
    Severity,
)
from undercroft.relations import Relation
from undercroft.store import Store

HOSTILE = "[bold red]x[/]\x1b[31m=cmd()"
ACCOUNT = "123456789012"
REGION = "eu-west-1"
THEN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RULES = {"root-access": "1", "role-admin": "1", "bucket-public": "1", "kms-open": "1"}


def key(kind: str, name: str) -> str:
    """The key of one of the estate's resources."""
    service, _, tail = kind.partition(":")
    region = "-" if service in {"iam", "s3"} else REGION
    return f"aws/aws/{ACCOUNT}/{region}/{service}/{tail}/{name}"


NOTEBOOK = key("sagemaker:notebook-instance", "research")
FRAUD = key("sagemaker:endpoint", "fraud-scoring")
ODD = key("sagemaker:endpoint", HOSTILE)
MODEL = key("sagemaker:model", "fraud-v3")
ROLE = key("iam:role", "MLExec")
BUCKET = key("s3:bucket", "training-data")
KMS = key("kms:key", "weights")


def _resource(kind: str, name: str, layer: Layer, *, at: datetime, **more: object) -> Resource:
    region = "-" if kind.startswith(("iam", "s3")) else REGION
    return Resource(
        key=key(kind, name),
        provider="aws",
        account=ACCOUNT,
        region=region,
        type=kind,
        layer=layer,
        name=name,
        native_id=f"arn:aws:{kind.split(':', maxsplit=1)[0]}:{region}:{ACCOUNT}:{name}",
        collector=f"aws.{kind.split(':', maxsplit=1)[0]}",
        collected_at=at.isoformat().replace("+00:00", "Z"),
        **more,  # type: ignore[arg-type]  # the test's own few fields
    )


def _resources(at: datetime, *, root: str) -> Sequence[Resource]:
    return (
        _resource(
            "sagemaker:notebook-instance",
            "research",
            Layer.SERVICE,
            at=at,
            service=True,
            tags={"owner": "research-team"},
            config={
                "NotebookInstanceName": "research",
                "RootAccess": root,
                "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/MLExec",
                "OnStart": "#!/bin/bash\npip install torch\nexport T=‹redacted:token:ab12cd34›",
                "Volumes": [{"SizeGB": 5, "Kind": "gp3"}, {"SizeGB": 50, "Kind": HOSTILE}],
            },
            facts={"secrets": []},
            unknown={"config.LifecycleConfig": "denied: needs sagemaker:DescribeLifecycle"},
        ),
        _resource("sagemaker:endpoint", "fraud-scoring", Layer.SERVICE, at=at, service=True),
        _resource(
            "sagemaker:endpoint",
            HOSTILE,
            Layer.SERVICE,
            at=at,
            service=True,
            config={HOSTILE: HOSTILE},
            tags={"owner": HOSTILE},
        ),
        _resource("sagemaker:model", "fraud-v3", Layer.SERVICE, at=at),
        _resource(
            "iam:role",
            "MLExec",
            Layer.IDENTITY,
            at=at,
            config={"AttachedPolicies": [{"PolicyName": "AdministratorAccess"}], "Path": "/"},
            facts={"admin": True, "admin_via": ["AdministratorAccess"]},
        ),
        _resource("s3:bucket", "training-data", Layer.STORAGE, at=at, facts={"public_read": True}),
        _resource("kms:key", "weights", Layer.IDENTITY, at=at, presence=Presence.STUB),
    )


EDGES = (
    Edge(FRAUD, MODEL, Relation.SAME_WORKLOAD, "ProductionVariants[0].ModelName"),
    Edge(MODEL, ROLE, Relation.USES_IDENTITY, "ExecutionRoleArn"),
    Edge(NOTEBOOK, ROLE, Relation.USES_IDENTITY, "RoleArn"),
    Edge(ODD, BUCKET, Relation.READS_DATA_FROM, "DataCaptureConfig.DestinationS3Uri"),
    Edge(MODEL, BUCKET, Relation.LOADS_ARTIFACT_FROM, "PrimaryContainer.ModelDataUrl"),
    Edge(BUCKET, KMS, Relation.ENCRYPTED_WITH, "ServerSideEncryptionConfiguration"),
)


def _fails(*, root: bool) -> Sequence[Observation]:
    found = [
        Observation(
            "role-admin",
            ROLE,
            Outcome.FAIL,
            severity=Severity.CRITICAL,
            layer=Layer.IDENTITY,
            title="The role is an administrator",
            evidence=(Evidence("facts.admin", True),),
        ),
        Observation(
            "bucket-public",
            BUCKET,
            Outcome.FAIL,
            severity=Severity.MEDIUM,
            layer=Layer.STORAGE,
            title=f"Anyone may read {HOSTILE}",
            evidence=(Evidence("facts.public_read", True),),
        ),
    ]
    if root:
        found.append(
            Observation(
                "root-access",
                NOTEBOOK,
                Outcome.FAIL,
                severity=Severity.HIGH,
                layer=Layer.SERVICE,
                title="Notebook users have root",
                evidence=(Evidence("config.RootAccess", "Enabled"),),
            )
        )
    return found


ADMIN, PUBLIC, ROOT = (observation_id(observation) for observation in _fails(root=True))


def seed(path: Path) -> Path:
    """Two scans: in the older one the notebook was clean, the newer one has a gap."""
    _scan(path, THEN, name="weekly", root=False, gap=False)
    _scan(path, NOW - timedelta(hours=2), name=f"after {HOSTILE}", root=True, gap=True)
    return path


def repair(path: Path) -> Path:
    """One more scan, in which the notebook is clean again."""
    _scan(path, NOW - timedelta(hours=1), name="repaired", root=False, gap=False)
    return path


def _scan(path: Path, at: datetime, *, name: str, root: bool, gap: bool) -> None:
    store = Store.open(path, clock=lambda: at)
    scope = {"provider": "aws", "accounts": [ACCOUNT], "locations": [REGION, "us-east-1"]}
    with store.write_scan(name=name, kind="live", scope=scope, rules=RULES, pack="p1") as writer:
        writer.add(_resources(at, root="Enabled" if root else "Disabled"))
        writer.add(EDGES)
        for collector in ("aws.sagemaker", "aws.iam", "aws.s3"):
            writer.add([Coverage("aws", ACCOUNT, REGION, collector, CoverageStatus.COMPLETE)])
        if gap:
            reason = f"denied: needs kms:DescribeKey ({HOSTILE})"
            writer.add([Coverage("aws", ACCOUNT, REGION, "aws.kms", CoverageStatus.DENIED, reason)])
        for observation in _fails(root=root):
            writer.observe(observation.resource, [observation])
        writer.commit(calls=40, throttled=0, now=at)
    store.close()
