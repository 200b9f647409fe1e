"""The printed policy is enough, and every action of it is needed: proven where policies are enforced.

Twice over: by moto's own evaluation of the scanner's policy (signatures included), and by a gate in
front of it and of the clouds that moto does not have, which knows what permission a request needs
from a table of its own, not from the collectors'. Where one action is missing, only a unit is read
that needs it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from collectors.aws import collectors
from collectors.aws.guard import SPARING, policy_document, policy_documents
from rules import Engine, load_pack
from tests.cloud.estate import load_estate
from tests.cloud.faults import Fault, FaultyProxy, Request, denied
from tests.cloud.model_server import ModelCloud, load_records
from tests.cloud.seed import seed
from tests.cloud.server import AwsServer
from tests.end_to_end.test_permissions import S3_ACTIONS, SIGNED
from undercroft.model import Coverage, Json, Resource
from undercroft.protocols import Collected, Collector, Meter, Scope, Target
from undercroft.scan import run_scan
from undercroft.store import Store
from undercroft.views import Query, ScanRow

SAMPLE = (
    "sagemaker:ListNotebookInstances",
    "s3:GetBucketPolicyStatus",
)
MODEL_SAMPLE = ("bedrock:GetAgent", "comprehend:DescribeFlywheel")
FREE = {"sts:GetCallerIdentity"}


def action_of(request: Request) -> str:
    """What permission a request needs. Source: Service Authorization Reference."""
    if request.path.startswith("/v20180820/"):
        return "s3:GetAccountPublicAccessBlock"
    if request.service == "s3":
        return S3_ACTIONS[request.operation]
    return f"{SIGNED.get(request.service, request.service)}:{request.operation}"


@dataclass(slots=True)
class Gate(FaultyProxy):
    """Lets through what a policy allows, and notes what it was asked for."""

    allowed: frozenset[str] | None = None
    """None: everything."""
    asked: set[str] = field(default_factory=set)

    def fault_for(self, request: Request) -> Fault | None:
        action = action_of(request)
        self.asked.add(action)
        if self.allowed is None or action in self.allowed or action in FREE:
            return None
        return denied()


@dataclass(frozen=True, slots=True)
class Asking:
    """What one unit asked for."""

    target: Target
    asked: frozenset[str]
    items: list[Collected]


class Asked:
    """A collector that notes what its units ask for; they run one after the other."""

    def __init__(self, collector: Collector, gate: Gate, units: list[Asking]) -> None:
        self.name, self.stage = collector.name, collector.stage
        self._collector, self._gate, self._units = collector, gate, units

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        self._gate.asked.clear()
        targets = list(self._collector.targets(scope, wanted))
        # Who is to be read, and where, is asked before any unit.
        self._units.append(Asking(Target("", "", "", ""), frozenset(self._gate.asked), []))
        yield from targets

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        self._gate.asked.clear()
        items = list(self._collector.collect(target, meter))
        self._units.append(Asking(target, frozenset(self._gate.asked), items))
        yield from items


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan found out."""

    row: ScanRow
    coverage: list[Coverage]
    findings: set[tuple[str, str, str]]
    units: list[Asking]

    @property
    def asked(self) -> frozenset[str]:
        """Every action that was needed."""
        return frozenset().union(*(unit.asked for unit in self.units))

    @property
    def said(self) -> str:
        """Everything that it could not read, in words."""
        return "\n".join(unit.reason for unit in self.coverage if unit.reason)


Grant = Callable[..., None]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_pack())


def policy(without: str = "") -> dict[str, Any]:
    """The printed policy, without one of its actions."""
    document: dict[str, Any] = policy_document()
    (statement,) = document["Statement"]
    if without:
        statement["Action"].remove(without)
    return document


def actions(document: dict[str, Any]) -> frozenset[str]:
    return frozenset(document["Statement"][0]["Action"])


@dataclass(frozen=True, slots=True)
class Scanner:
    """Scans through a gate that lets through the actions given."""

    engine: Engine
    cache: Path
    endpoint: str
    regions: tuple[str, ...]
    monkeypatch: pytest.MonkeyPatch

    @property
    def options(self) -> dict[str, Json]:
        return {"max_attempts": 1, "regions": list(self.regions)}

    @contextmanager
    def gate(self, allowed: frozenset[str] | None) -> Iterator[Gate]:
        with Gate(self.endpoint, allowed=allowed) as gate:
            self.monkeypatch.setenv("AWS_ENDPOINT_URL", gate.endpoint)
            yield gate

    def scan(self, allowed: frozenset[str] | None) -> Scanned:
        """Everything."""
        with self.gate(allowed) as gate, Store.open(self.cache) as store:
            units: list[Asking] = []
            found = [Asked(collector, gate, units) for collector in collectors(self.options)]
            scope = Scope("aws", locations=self.regions, options=self.options)
            row = run_scan(store, found, self.engine, scope, jobs=1)
            told = {
                (finding.rule, finding.resource_name, finding.status)
                for finding in store.findings(row.id, Query())
                if not finding.unconfirmed
            }
            return Scanned(row, store.coverage(row.id), told, units)

    def unnamed(self, whole: Scanned, grant: Grant = lambda _: None, only: Any = None) -> list[str]:
        """The actions that a scan needs and whose lack a unit that needs them does not name."""
        return [
            action
            for action in sorted(only or whole.asked - FREE)
            if not self._is_named(action, whole, grant)
        ]

    def _is_named(self, action: str, whole: Scanned, grant: Grant) -> bool:
        asking = next(unit for unit in whole.units if action in unit.asked)
        document = policy(without=action)
        grant(document)
        with self.gate(actions(document)):
            reader = next(c for c in collectors(self.options) if c.name == asking.target.collector)
            items = list(reader.collect(asking.target, Meter()))
        if action in SPARING:
            return described(items) == described(asking.items)
        return any(action in item.reason for item in items if isinstance(item, Coverage))


def described(items: list[Collected]) -> list[str]:
    return sorted(map(repr, items))


# ----------------------------------------------------------------------- with moto's enforcement


@dataclass(frozen=True, slots=True)
class Enforced:
    scanner: Scanner
    grant: Grant


@pytest.fixture
def enforced(
    request: pytest.FixtureRequest,
    aws_server: AwsServer,
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Enforced]:
    """An estate, and a scanner that may do what it is granted; moto checks every request."""
    from moto.iam.access_control import IAMRequest
    from moto.s3.responses import ACTION_MAP

    check = IAMRequest.check_signature

    def check_signature(asked: Any) -> None:
        # moto signs a GET of these services differently from botocore; what is allowed still counts.
        if asked._service not in {"eks", "guardduty", "lambda"}:
            check(asked)

    monkeypatch.setattr(IAMRequest, "check_signature", check_signature)
    estate = load_estate(getattr(request, "param", "changing"))
    seed(aws_server.endpoint, estate)
    # Where moto has the name of the request and not that of the permission.
    monkeypatch.setitem(ACTION_MAP["BUCKET"]["HEAD"], "DEFAULT", "ListBucket")
    for request_name, action in S3_ACTIONS.items():
        parameter = request_name.partition(" ?")[2]
        if parameter and parameter != "max-buckets":
            monkeypatch.setitem(ACTION_MAP["BUCKET"]["GET"], parameter, action[3:])
    make: Any = boto3.client
    iam = make("iam", endpoint_url=aws_server.endpoint)
    iam.create_user(UserName="scanner")
    key = iam.create_access_key(UserName="scanner")["AccessKey"]

    def grant(*documents: dict[str, Any]) -> None:
        aws_server.post("/moto-api/reset-auth", b"inf")
        for name in iam.list_user_policies(UserName="scanner")["PolicyNames"]:
            iam.delete_user_policy(UserName="scanner", PolicyName=name)
        for number, document in enumerate(documents):
            # moto checks the account's own block under the name of the request.
            text = json.dumps(document).replace(
                "s3:GetAccountPublicAccessBlock", "s3:GetPublicAccessBlock"
            )
            iam.put_user_policy(UserName="scanner", PolicyName=f"read{number}", PolicyDocument=text)
        aws_server.post("/moto-api/reset-auth", b"0")

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    cache = tmp_path / "cache.db"
    scanner = Scanner(engine, cache, aws_server.endpoint, estate.regions, monkeypatch)
    try:
        yield Enforced(scanner, grant)
    finally:
        aws_server.post("/moto-api/reset-auth", b"inf")


def test_the_policy_is_enough_and_what_is_missing_is_named(enforced: Enforced) -> None:
    scan = enforced.scanner.scan
    free = scan(None)
    enforced.grant(*policy_documents())
    held = scan(actions(policy()))
    assert held.row.state == "complete", held.said
    assert held.said == free.said == ""
    assert held.findings == free.findings
    assert len(held.findings) >= 7
    assert (held.row.resources, held.asked) == (free.row.resources, free.asked)
    assert enforced.scanner.unnamed(held, enforced.grant, SAMPLE) == []


def test_nothing_is_read_without_it(enforced: Enforced) -> None:
    document = policy()
    document["Statement"][0]["Effect"] = "Deny"
    enforced.grant(document)
    held = enforced.scanner.scan(None)
    assert held.findings == set()
    assert held.row.state in {"failed", "partial"}


@pytest.mark.slow
@pytest.mark.parametrize("enforced", ["first-light"], indirect=True)
def test_every_action_that_is_missing_is_named(enforced: Enforced) -> None:
    enforced.grant(policy())
    whole = enforced.scanner.scan(actions(policy()))
    assert len(whole.asked - FREE) > 35
    assert enforced.scanner.unnamed(whole, enforced.grant) == []


# ------------------------------------------------------- with a gate, where moto has no such cloud


@pytest.fixture
def modelled(
    aws_model: ModelCloud,
    _aws_model: tuple[ModelCloud, str],
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Scanner:
    region = "us-east-1"
    for name in ("bedrock", "managed"):
        aws_model.add(load_records(name, region))
    return Scanner(engine, tmp_path / "cache.db", _aws_model[1], (region,), monkeypatch)


def test_the_policy_is_enough_for_bedrock_and_what_is_missing_is_named(modelled: Scanner) -> None:
    free, held = modelled.scan(None), modelled.scan(actions(policy()))
    assert held.asked == free.asked
    assert held.said == free.said
    assert held.findings == free.findings
    assert modelled.unnamed(held, only=MODEL_SAMPLE) == []


@pytest.mark.slow
def test_every_action_that_is_missing_is_named_where_moto_has_no_cloud(
    modelled: Scanner, aws_model: ModelCloud
) -> None:
    for name in ("sagemaker", "stores"):
        aws_model.add(load_records(name, "us-east-1"))
    whole = modelled.scan(None)
    assert len(whole.asked - FREE) > 180
    assert modelled.unnamed(whole) == []
