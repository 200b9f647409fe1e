"""A small estate and a clock for the tests of the store: real files, real scans."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from undercroft.model import (
    Coverage,
    CoverageStatus,
    Edge,
    Evidence,
    Json,
    Layer,
    Observation,
    Outcome,
    Presence,
    Resource,
    Severity,
    Threat,
)
from undercroft.relations import Relation
from undercroft.risk import DEFAULT, RiskModel
from undercroft.store import Store
from undercroft.store.recall import Again
from undercroft.triage.events import Event
from undercroft.triage.scopes import Scope
from undercroft.views import FindingRow, Query, ScanRow

ACCOUNT = "111122223333"
FRAMEWORKS = {"nb-root": {"cis_aws": ("5.0:2.1.4",)}, "cve": {"owasp_llm_2025": ("LLM03:2025",)}}
RULES = {"nb-root": "1", "bucket-public": "1", "role-admin": "1", "cve": "1", "toxic": "1"}


@dataclass
class Clock:
    """Says what it is told to say."""

    now: datetime = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)

    @property
    def stamp(self) -> str:
        return self.now.isoformat().replace("+00:00", "Z")


def key(kind: str, name: str, region: str = "us-east-1") -> str:
    service, _, type_ = kind.partition(":")
    return f"aws/aws/{ACCOUNT}/{region}/{service}/{type_}/{name}"


def thing(
    kind: str,
    name: str,
    layer: Layer = Layer.SERVICE,
    *,
    region: str = "us-east-1",
    service: bool = False,
    collector: str = "",
    presence: Presence = Presence.READ,
    config: Mapping[str, object] | None = None,
    tags: Mapping[str, str] | None = None,
    unknown: Mapping[str, str] | None = None,
    incarnation: str | None = None,
    collected_at: str = "",
) -> Resource:
    return Resource(
        key=key(kind, name, region),
        provider="aws",
        account=ACCOUNT,
        region=region,
        type=kind,
        layer=layer,
        name=name,
        native_id=f"arn:aws:{kind}/{name}",
        config=dict(config or {}),  # type: ignore[arg-type]
        tags=dict(tags or {}),
        unknown=dict(unknown or {}),
        incarnation=incarnation,
        service=service,
        collector=collector or f"aws.{kind.partition(':')[0]}",
        presence=presence,
        collected_at=collected_at,
    )


def notebook(name: str = "nb", **more: object) -> Resource:
    return thing("sagemaker:notebook-instance", name, service=True, **more)  # type: ignore[arg-type]


def bucket(name: str = "train", **more: object) -> Resource:
    return thing("s3:bucket", name, Layer.STORAGE, **more)  # type: ignore[arg-type]


def role(name: str = "exec", **more: object) -> Resource:
    return thing("iam:role", name, Layer.IDENTITY, **more)  # type: ignore[arg-type]


def fail(
    resource: Resource,
    rule: str = "nb-root",
    severity: Severity = Severity.HIGH,
    *,
    layer: Layer | None = None,
    at: Mapping[str, str] | None = None,
    title: str = "",
    traits: tuple[str, ...] = (),
    cve: str | None = None,
    threat: Threat = Threat.CONDITIONAL,
    evidence: object = "Enabled",
) -> Observation:
    return Observation(
        rule,
        resource.key,
        Outcome.FAIL,
        at=dict(at or {}),
        severity=severity,
        layer=layer or resource.layer,
        title=title or f"{rule} on {resource.name}",
        threat=threat,
        evidence=(Evidence("config.RootAccess", evidence),),  # type: ignore[arg-type]
        traits=traits,
        cve=cve,
        identity=f"VULN:{cve}" if cve else "",
    )


def blind(resource: Resource, rule: str, reason: str) -> Observation:
    return Observation(rule, resource.key, Outcome.UNKNOWN, reason=reason)


def covered(
    collector: str = "aws.sagemaker",
    status: CoverageStatus = CoverageStatus.COMPLETE,
    reason: str = "",
    lists: tuple[str, ...] = ("sagemaker:notebook-instance",),
    location: str = "us-east-1",
) -> Coverage:
    return Coverage("aws", ACCOUNT, location, collector, status, reason, lists)


ALL_COVERED = (
    covered(),
    covered("aws.s3", lists=()),
    covered("aws.iam", lists=()),
)


@dataclass
class Estate:
    """What a scan is going to see."""

    resources: list[Resource] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    answers: dict[str, list[Observation]] = field(default_factory=dict)
    combinations: dict[str, list[Observation]] = field(default_factory=dict)
    coverage: Sequence[Coverage] = ALL_COVERED

    def add(self, resource: Resource, *observations: Observation) -> Resource:
        self.resources.append(resource)
        self.answers[resource.key] = list(observations)
        return resource

    def link(self, src: Resource, dst: Resource, relation: Relation, via: str = "config.X") -> None:
        self.edges.append(Edge(src.key, dst.key, relation, via))


def unshare(connection: sqlite3.Connection) -> None:
    """Undo, in a cache that nobody has open, that scans share rows: as caches were before."""
    connection.execute("CREATE TABLE former AS SELECT * FROM state ORDER BY scan, id")
    connection.execute("UPDATE former SET id = rowid")
    for column in ("line", "since", "till"):
        connection.execute(f"ALTER TABLE former DROP COLUMN {column}")
    connection.execute("DROP VIEW state")
    for table in ("state_row", "line"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("ALTER TABLE former RENAME TO state")
    connection.execute("ALTER TABLE snapshot DROP COLUMN services")
    connection.execute("DELETE FROM _sqlite_migrations WHERE name = '0018_rows_that_scans_share'")
    connection.execute("PRAGMA user_version = 17")


def save(
    store: Store,
    estate: Estate,
    clock: Clock,
    *,
    name: str = "",
    pack: str = "pack-1",
    rules: Mapping[str, str] = RULES,
    renamed: Mapping[str, str] | None = None,
    criticality_tag: str = "criticality",
    model: RiskModel = DEFAULT,
) -> ScanRow:
    """Scan an estate the way the pipeline does, an hour before whatever comes next."""
    with store.write_scan(
        name=name,
        kind="live",
        scope={"provider": "aws"},
        rules=rules,
        pack=pack,
        renamed=renamed,
        frameworks=FRAMEWORKS,
        criticality_tag=criticality_tag,
        model=model,
    ) as writer:
        stamped = [
            resource
            if resource.collected_at
            else Resource(
                **{
                    **{f: getattr(resource, f) for f in Resource.__slots__},
                    "collected_at": clock.stamp,
                }
            )
            for resource in estate.resources
        ]
        writer.add([*estate.coverage, *stamped, *estate.edges])
        for resource in writer.resources():
            if resource.presence is Presence.STUB or writer.recall([(resource, Again())]):
                continue
            writer.observe(resource.key, estate.answers.get(resource.key, ()))
        for service, observations in estate.combinations.items():
            writer.observe(service, observations, combined=True)
        row = writer.commit(calls=7, throttled=1, now=clock.now)
    clock.forward(hours=1)
    return row


def tower_estate() -> Estate:
    """A notebook on a role and a bucket, each with one finding."""
    estate = Estate()
    nb = notebook(tags={"owner": "ml-team", "env": "prod"})
    data, identity = bucket(), role()
    estate.add(nb, fail(nb))
    estate.add(
        data,
        fail(
            data,
            "bucket-public",
            Severity.CRITICAL,
            traits=("exposed",),
            threat=Threat.DIRECT,
        ),
    )
    estate.add(identity, fail(identity, "role-admin", Severity.MEDIUM))
    estate.link(nb, identity, Relation.USES_IDENTITY, "config.RoleArn")
    estate.link(nb, data, Relation.READS_DATA_FROM, "config.DefaultBucket")
    return estate


def part(slot: int, key: str, any_of: Sequence[str]) -> Evidence:
    """One ingredient of a combination, as the rules say it."""
    value: dict[str, Json] = {"slot": slot, "need": f"part {slot}", "any_of": list(any_of)}
    return Evidence(key, value)


def poisoned() -> Estate:
    """The notebook's tower with a combination of its root shell and the public bucket."""
    estate = tower_estate()
    nb, bucket, _ = estate.resources

    estate.combinations[nb.key] = [
        replace(
            fail(nb, "toxic", Severity.CRITICAL),
            evidence=(part(0, nb.key, ["nb-root"]), part(1, bucket.key, ["trait:exposed"])),
            weight=1.2,
        )
    ]
    return estate


def statuses(store: Store, scan: ScanRow, text: str = "") -> dict[str, str]:
    """Rule → status, with cause and flag."""
    return {row.rule: words(row) for row in store.findings(scan.id, Query(filter=text))}


def words(row: FindingRow) -> str:
    cause = f" ({row.cause})" if row.cause else ""
    return f"{row.status}{cause}{' ?' if row.unconfirmed else ''}"


def only(rows: Iterable[FindingRow], rule: str) -> FindingRow:
    return next(row for row in rows if row.rule == rule)


def accept(
    store: Store,
    finding: str,
    clock: Clock,
    *,
    until: str = "2026-12-31",
    lapses_at: str = "2027-01-01T00:00:00Z",
    batch: str | None = None,
) -> Event:
    facts = store.facts_for([finding])[finding]
    event = Event(
        "accept",
        "Ann <ann@example.com>",
        clock.stamp,
        finding=finding,
        payload={
            "reason": "the risk is known",
            "until": until,
            "zone": "UTC",
            "lapses_at": lapses_at,
            "owner": "platform",
        },
        guards={"severity": facts.severity.value},
        seen={"scan": facts.scan, "collected_at": facts.collected_at, "outcome": "fail"},
        batch=batch,
    )
    return store.append_events([event])[0]


def accept_rule(store: Store, scope: Scope, clock: Clock) -> Event:
    """Accept what a rule finds within a boundary."""
    event = Event(
        "scope_accept",
        "Ann <ann@example.com>",
        clock.stamp,
        scope=scope.to_json(),
        payload={
            "reason": "the risk is known",
            "until": "2026-12-31",
            "zone": "UTC",
            "lapses_at": "2027-01-01T00:00:00Z",
            "owner": "platform",
        },
    )
    return store.append_events([event])[0]


def undo(store: Store, target: str, clock: Clock) -> Event:
    return store.append_events(
        [Event("undo", "Ann <ann@example.com>", clock.stamp, payload={"target": target})]
    )[0]
