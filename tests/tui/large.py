"""A larger estate in a real cache: enough services and findings to scroll, sort, filter and group."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

from tests.tui.estate import ACCOUNT, HOSTILE, NOW, REGION, key
from undercroft.model import (
    Coverage,
    CoverageStatus,
    Edge,
    Evidence,
    Layer,
    Observation,
    Outcome,
    Resource,
    Severity,
)
from undercroft.relations import Relation
from undercroft.store import Store

SERVICES = 40
CVES = 150
"""Known vulnerabilities of the one shared image: more than two pages of a table."""
_NAMES = (
    "fraud-scoring", "churn-predictor", "support-copilot", "doc-search", "vision-qa", "pricing",
    "ad-ranking", "speech-to-text", "contract-reader", "demand-forecast", "推論サービス", HOSTILE,
)  # fmt: skip
_BENEATH = (
    # type, layer, relation, field, rule, severity, title
    ("sagemaker:lifecycle-config", Layer.VM, Relation.RUNS_ON, "LifecycleConfig",
     "vm-secret", Severity.HIGH, "A secret lies in the start script"),
    ("s3:bucket", Layer.STORAGE, Relation.LOADS_ARTIFACT_FROM, "ModelDataUrl",
     "bucket-public", Severity.MEDIUM, "Anyone may read the model bucket"),
    ("iam:role", Layer.IDENTITY, Relation.USES_IDENTITY, "ExecutionRoleArn",
     "role-admin", Severity.CRITICAL, "Execution role is administrator"),
    ("ec2:security-group", Layer.NETWORK, Relation.PROTECTED_BY, "VpcConfig.SecurityGroupIds",
     "sg-open", Severity.LOW, "Port 8888 is open to the internet"),
)  # fmt: skip
RULES = {rule: "1" for *_, rule, _, _ in _BENEATH} | {"cve": "1", "no-capture": "1"}
IMAGE = f"image/{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/pytorch-inference"


def name_of(index: int) -> str:
    """The name of a service."""
    turn, at = divmod(index, len(_NAMES))
    return f"{_NAMES[at]}-{turn}" if turn else _NAMES[at]


def _thing(kind: str, name: str, layer: Layer, at: datetime, **more: object) -> Resource:
    region = "-" if kind.startswith(("iam", "s3")) else REGION
    return Resource(
        key=IMAGE if layer is Layer.CONTAINER else key(kind, name),
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


def seed(path: Path) -> Path:
    """Two scans; the newer one has more findings and could not read everything."""
    _scan(path, NOW - timedelta(days=3), "last week", 30)
    _scan(path, NOW - timedelta(minutes=12), "estate", SERVICES)
    return path


def _scan(path: Path, at: datetime, name: str, services: int) -> None:
    random_ = random.Random(7)
    store = Store.open(path, clock=lambda: at)
    scope = {"provider": "aws", "accounts": [ACCOUNT], "locations": [REGION]}
    with store.write_scan(name=name, kind="live", scope=scope, rules=RULES, pack="p") as writer:
        writer.add([_thing("ecr:image", "pytorch-inference:2.1", Layer.CONTAINER, at)])
        for index in range(services):
            service = _thing(
                "sagemaker:endpoint" if index % 3 else "sagemaker:notebook-instance",
                name_of(index),
                Layer.SERVICE,
                at,
                service=True,
                tags={"owner": ("ml-platform", "risk", "")[index % 3]},
            )
            writer.add([service])
            if index % 4 == 0:
                writer.add(
                    [Edge(service.key, IMAGE, Relation.RUNS_IMAGE, "PrimaryContainer.Image")]
                )
            for kind, layer, relation, via, rule, severity, title in _BENEATH:
                if random_.random() < 0.4:
                    continue
                unknown = {"config.Policy": "denied: needs s3:GetBucketPolicy"}
                thing = _thing(
                    kind,
                    f"{kind.split(':')[1]}-{index % 17}",
                    layer,
                    at,
                    unknown=unknown if layer is Layer.STORAGE and index % 5 == 0 else {},
                )
                writer.add([thing, Edge(service.key, thing.key, relation, via)])
                if random_.random() < 0.7:
                    fail = Observation(
                        rule, thing.key, Outcome.FAIL, severity=severity, layer=layer, title=title,
                        evidence=(Evidence("config.Value", True),),
                    )  # fmt: skip
                    writer.observe(thing.key, [fail])
        writer.observe(IMAGE, [_cve(number) for number in range(CVES)])
        for collector in ("aws.sagemaker", "aws.iam", "aws.s3", "aws.ec2", "aws.ecr"):
            writer.add([Coverage("aws", ACCOUNT, REGION, collector, CoverageStatus.COMPLETE)])
        gap = CoverageStatus.DENIED
        writer.add([Coverage("aws", ACCOUNT, REGION, "aws.kms", gap, "denied: needs kms:ListKeys")])
        writer.commit(calls=120, throttled=1, now=at)
    store.close()


def _cve(number: int) -> Observation:
    severity = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)[number % 4]
    package = ("curl", "openssl", "xz-utils", "numpy", "torch")[number % 5]
    name = f"CVE-2024-{1000 + number}"
    return Observation(
        "cve", IMAGE, Outcome.FAIL, at={"package": f"deb/{package}"}, severity=severity,
        layer=Layer.CONTAINER, title=f"{name} in {package} 1.{number} (fixed in 2.0)", cve=name,
        cvss=7.5, identity=f"VULN:{name}",
    )  # fmt: skip
