"""S3 buckets that AI services load from, read from and write to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from botocore.client import BaseClient

from collectors.aws.arns import Place, kms_key
from collectors.aws.errors import CallError
from collectors.aws.policy.documents import PolicyError, decode
from collectors.aws.s3_copies import COPIES, copied_outside
from collectors.aws.s3_defaults import is_guessed, of_a_default, with_defaults
from collectors.aws.s3_facts import FLAGS, BucketSettings, bucket_facts
from collectors.aws.s3_macie import Scores, add_sensitivity
from collectors.aws.s3_trails import DataEvents
from collectors.aws.session import call, pages
from collectors.aws.subreads import SubReads, Unread, tag_map
from collectors.aws.units import AwsCollector, Gaps, Reading, Unit, side_by_side
from collectors.aws.values import jsonable
from collectors.references import link
from undercroft.model import CoverageStatus, Edge, Json, Presence, Resource
from undercroft.protocols import Collected, Meter, Scope, Target
from undercroft.relations import Relation

__all__ = ["S3Collector"]

_GONE = frozenset({"404", "NoSuchBucket", "NotFound"})
_NO_BLOCK = frozenset({"NoSuchPublicAccessBlockConfiguration"})
_PAGE = 1000
_UNSAID = "S3 does not say whose the bucket is that this one is copied to"
_ELSEWHERE = "the bucket belongs to another account, which alone may read its settings"


@dataclass(frozen=True, slots=True)
class _Whereabouts:
    """What one call says about all buckets of the account."""

    buckets: Mapping[str, Mapping[str, Any]] | None
    """The account's own buckets by name; None if they may not be listed."""
    block: Mapping[str, bool] | None
    block_reason: str
    refused: str
    """Why the account's buckets cannot be listed; empty if they can."""


class S3Collector(AwsCollector):
    """Stage 1: reads the buckets that earlier collectors named."""

    name = "aws.s3"
    stage = 1
    service = "s3"
    reads = ("s3:bucket",)

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        """One unit per account, which also asks for the default names of its regions."""
        return super().targets(scope, with_defaults(wanted))

    def read(self, unit: Unit) -> Reading:
        """Read every wanted bucket, and what they are copied to."""
        gaps, unread = Gaps(), Unread()
        events = DataEvents(self.clients, unit.meter)
        scores = Scores(self.clients, unit.meter, (stub.name for stub in unit.wanted))
        account = self._whereabouts(unit.place.account, unit.meter)

        def one(stub: Resource) -> list[Collected] | _NotReadableError:
            try:
                region = self._find(stub, unit.place, account, unit.meter)
            except _NotReadableError as gap:
                return gap
            if is_guessed(stub):
                return []
            if region is None:
                facts: dict[str, Json] = {"exists": False}
                return [replace(stub, presence=Presence.ABSENT, facts=facts, collector=self.name)]
            return list(self._read(stub, region, account, unit, events, scores))

        for stub, found in _followed(unit.wanted, one):
            if isinstance(found, _NotReadableError):
                if found.error is not None and not is_guessed(stub):
                    unread.add(found.error)
                lost = replace(
                    stub,
                    facts={**stub.facts, **found.facts},
                    unknown={"config": found.reason, **found.unknown},
                    collector=self.name,
                )
                yield from of_a_default(unit.place, lost)
            else:
                gaps.note(found)
                yield from found
        ended = unread.ended(gaps)
        said = [ended.reason]
        if account.refused:
            said.append(f"whose a bucket is was asked of each alone ({account.refused})")
        if scores.refused:
            said.append(f"what Macie knows of buckets is not read ({scores.refused})")
        if account.block_reason not in ended.reason:
            said.append(f"what the account blocks is not known ({account.block_reason})")
        return ended._replace(reason="; ".join(filter(None, said)))

    def _whereabouts(self, account: str, meter: Meter) -> _Whereabouts:
        block: Mapping[str, bool] | None = None
        reason = ""
        try:
            answer = call(
                meter,
                self.clients.client("s3control"),
                "get_public_access_block",
                AccountId=account,
            )
            block = answer["PublicAccessBlockConfiguration"]
        except CallError as error:
            if error.code in _NO_BLOCK:
                block = {}
            else:
                reason = error.unknown
        refused = ""
        buckets: dict[str, Mapping[str, Any]] | None = {}
        try:
            listed = pages(
                meter, self.clients.client("s3"), "list_buckets", "Buckets", page_size=_PAGE
            )
            buckets = {bucket["Name"]: bucket for bucket in listed}
        except CallError as error:
            # Each bucket is then asked for its owner on its own.
            buckets = None
            refused = error.unknown
        return _Whereabouts(buckets, block, reason, refused)

    def _find(self, stub: Resource, place: Place, known: _Whereabouts, meter: Meter) -> str | None:
        """Region of a bucket of ours, None if there is no such bucket. Raises if it is not ours."""
        listed = (known.buckets or {}).get(stub.name) or {}
        if region := listed.get("BucketRegion"):
            return str(region)
        client = self.clients.client("s3")
        ours = {"ExpectedBucketOwner": place.account} if known.buckets is None else {}
        try:
            answer = call(meter, client, "head_bucket", Bucket=stub.name, **ours)
        except CallError as error:
            if error.code in _GONE or error.http_status == 404:
                return None
            listed_as_ours = known.buckets is not None and stub.name in known.buckets
            if known.buckets is not None and not listed_as_ours and error.http_status in {301, 403}:
                raise self._elsewhere(stub, place, meter, visible=False) from error
            raise _NotReadableError(error.unknown, {}, error) from error
        if known.buckets is not None and stub.name not in known.buckets:
            raise self._elsewhere(stub, place, meter, visible=True)
        return str(answer.get("BucketRegion") or self._location(stub.name, meter))

    def _elsewhere(
        self, stub: Resource, place: Place, meter: Meter, *, visible: bool
    ) -> _NotReadableError:
        """What to say of a bucket of another account. ``visible``: we may look into it.

        A bucket that we may not look into does not tell whose it is either; then a trusted account
        may own it, if there are any.
        """
        facts: dict[str, Json] = {"exists": True}
        trusted = sorted(place.trusted - {place.account})
        for account in trusted if trusted and not self._owns(place.account, stub, meter) else ():
            if self._owns(account, stub, meter):
                reason = f"the bucket belongs to the trusted account {account}"
                return _NotReadableError(reason, {**facts, "foreign_owned": False})
        if trusted and not visible:
            unsaid = "the bucket does not tell whether a trusted account owns it"
            return _NotReadableError(_ELSEWHERE, facts, unknown={"facts.foreign_owned": unsaid})
        return _NotReadableError(_ELSEWHERE, {**facts, "foreign_owned": True})

    def _owns(self, account: str, stub: Resource, meter: Meter) -> bool:
        """Whether S3 says so. An endpoint that says so of everybody does not know."""
        try:
            call(
                meter,
                self.clients.client("s3"),
                "head_bucket",
                Bucket=stub.name,
                ExpectedBucketOwner=account,
            )
        except CallError:
            return False
        return True

    def _location(self, bucket: str, meter: Meter) -> str:
        try:
            answer = call(meter, self.clients.client("s3"), "get_bucket_location", Bucket=bucket)
        except CallError:
            return self.clients.default_region
        # The oldest region has no name here, and Ireland has its old one.
        return {"": "us-east-1", "EU": "eu-west-1"}.get(
            answer.get("LocationConstraint") or "", answer.get("LocationConstraint") or ""
        )

    def _read(
        self,
        stub: Resource,
        region: str,
        account: _Whereabouts,
        unit: Unit,
        events: DataEvents,
        scores: Scores,
    ) -> Iterator[Collected]:
        reads = SubReads(unit.meter)
        config, settings, tags = _settings(
            reads, self.clients.client("s3", region), stub, region, account
        )
        facts, lost = bucket_facts(settings, unit.place.trusted, reads.unknown)
        facts["foreign_owned"] = False
        _add_logging(facts, config, reads, events.of, stub.native_id)
        add_sensitivity(config, facts, lost, scores.of(stub.name, region))
        _add_copies(facts, config, reads, account.buckets, unit.place)
        yield replace(
            stub,
            tags=tags,
            config=config,
            facts=facts,
            unknown={**reads.unknown, **lost},
            incarnation=jsonable(
                ((account.buckets or {}).get(stub.name) or {}).get("CreationDate")
            ),
            presence=Presence.READ,
            collector=self.name,
        )
        yield from _encrypted_with(stub, config, replace(unit.place, region=region))
        yield from link(unit.place, stub.key, config, COPIES)


def _followed(
    wanted: Sequence[Resource],
    one: Callable[[Resource], list[Collected] | _NotReadableError],
) -> Iterator[tuple[Resource, list[Collected] | _NotReadableError]]:
    """What became of each bucket, then of those that these are copied to, and so on."""
    known = {stub.key for stub in wanted}
    while wanted:
        named: dict[str, Resource] = {}
        for stub, found in zip(wanted, side_by_side(wanted, one), strict=True):
            yield stub, found
            for item in () if isinstance(found, _NotReadableError) else found:
                if isinstance(item, Resource) and item.type == "s3:bucket":
                    named[item.key] = item
        wanted = [stub for key, stub in named.items() if key not in known]
        known |= named.keys()


class _NotReadableError(Exception):
    """The bucket exists, perhaps, and cannot be read from here."""

    def __init__(
        self,
        reason: str,
        facts: Mapping[str, Json],
        error: CallError | None = None,
        *,
        unknown: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.facts = facts
        self.error = error
        self.unknown = unknown or {}


def _settings(
    reads: SubReads, client: BaseClient, stub: Resource, region: str, account: _Whereabouts
) -> tuple[dict[str, Json], BucketSettings, dict[str, str]]:
    """Every setting of one bucket: as configuration, as input of the facts, and its tags."""
    name = stub.name
    config: dict[str, Json] = {"Name": name, "Location": region}

    def read(path: str, operation: str, *answers: str) -> dict[str, Any] | None:
        paths = [f"config.{path}"] + (["tags"] if path == "Tags" else [])
        return reads.read(paths, client, operation, answers=answers, Bucket=name)

    def keep(path: str, value: Any) -> Any:
        if value is not None:
            config[path] = jsonable(value)
        return value

    block = read("PublicAccessBlockConfiguration", "get_public_access_block", *_NO_BLOCK)
    bucket_block = None
    if block is not None:
        bucket_block = _flags(block.get("PublicAccessBlockConfiguration"))
        config["PublicAccessBlockConfiguration"] = dict(bucket_block)
    if account.block is None:
        reads.lost(["config.AccountPublicAccessBlockConfiguration"], account.block_reason)
    else:
        config["AccountPublicAccessBlockConfiguration"] = dict(_flags(account.block))

    policy = _policy(reads, read("Policy", "get_bucket_policy", "NoSuchBucketPolicy"))
    if policy:
        keep("Policy", policy)
    status = read("PolicyStatus", "get_bucket_policy_status", "NoSuchBucketPolicy")
    if status is not None:
        keep("PolicyStatus", status.get("PolicyStatus") or {"IsPublic": False})
    acl = read("Grants", "get_bucket_acl")
    if acl is not None:
        keep("Grants", acl.get("Grants") or [])
    controls = read(
        "OwnershipControls", "get_bucket_ownership_controls", "OwnershipControlsNotFoundError"
    )
    if controls is not None:
        keep("OwnershipControls", controls.get("OwnershipControls") or {})
    encryption = read(
        "ServerSideEncryptionConfiguration",
        "get_bucket_encryption",
        "ServerSideEncryptionConfigurationNotFoundError",
    )
    if encryption is not None:
        keep(
            "ServerSideEncryptionConfiguration",
            encryption.get("ServerSideEncryptionConfiguration") or {},
        )
    versioning = read("Versioning", "get_bucket_versioning")
    if versioning is not None:
        # A bucket that never had versions has no status at all; say so in the API's own word.
        keep("Versioning", {"Status": "Disabled", **versioning})
    logging = read("Logging", "get_bucket_logging")
    if logging is not None:
        keep("Logging", logging.get("LoggingEnabled") or {})
    tagging = read("Tags", "get_bucket_tagging", "NoSuchTagSet")
    tags = None if tagging is None else tag_map(tagging.get("TagSet"))
    if tags is not None:
        keep("Tags", tags)
    replication = read(
        "Replication", "get_bucket_replication", "ReplicationConfigurationNotFoundError"
    )
    if replication is not None:
        keep("Replication", replication.get("ReplicationConfiguration") or {})

    settings = BucketSettings(
        name=name,
        partition=stub.native_id.split(":")[1] if stub.native_id.startswith("arn:") else "aws",
        account_block=account.block,
        bucket_block=bucket_block,
        policy=policy,
        policy_is_public=None
        if status is None
        else bool((status.get("PolicyStatus") or {}).get("IsPublic")),
        grants=None if acl is None else acl.get("Grants") or [],
        owner=str(((acl or {}).get("Owner") or {}).get("ID") or ""),
        acls_off=None if controls is None else _acls_off(controls),
        tags=tags,
    )
    return config, settings, tags or {}


def _add_logging(
    facts: dict[str, Json],
    config: Mapping[str, Json],
    reads: SubReads,
    watched: Callable[[str, str], bool | CallError],
    arn: str,
) -> None:
    """Whether anything writes down who reads and writes objects: the bucket, or else a trail."""
    log = config.get("Logging")
    if isinstance(log, Mapping) and log.get("TargetBucket"):
        facts["access_logged"] = True
        return
    by_trail = watched(arn, str(config["Location"]))
    if by_trail is True:
        facts["access_logged"] = True
    elif isinstance(by_trail, CallError):
        reads.lost(["facts.access_logged"], by_trail.unknown)
    elif "config.Logging" in reads.unknown:
        reads.lost(["facts.access_logged"], reads.unknown["config.Logging"])
    else:
        facts["access_logged"] = False


def _add_copies(
    facts: dict[str, Json],
    config: Mapping[str, Json],
    reads: SubReads,
    ours: Collection[str] | None,
    place: Place,
) -> None:
    """To which strangers S3 copies what comes in."""
    replication = config.get("Replication")
    if not isinstance(replication, Mapping):
        reads.lost(["facts.copied_outside"], reads.unknown.get("config.Replication", _UNSAID))
        return
    outside = copied_outside(replication, ours, place)
    if outside is None:
        reads.lost(["facts.copied_outside"], _UNSAID)
    else:
        facts["copied_outside"] = outside


def _flags(block: Mapping[str, Any] | None) -> dict[str, bool]:
    return {flag: bool((block or {}).get(flag, False)) for flag in FLAGS}


def _policy(reads: SubReads, answer: dict[str, Any] | None) -> Any:
    """The policy as JSON, ``{}`` if there is none, None if it could not be read."""
    if answer is None:
        return None
    try:
        return decode(answer["Policy"]) if answer.get("Policy") else {}
    except PolicyError as error:
        reads.lost(["config.Policy"], f"{CoverageStatus.ERROR}: {error}")
        return None


def _acls_off(controls: Mapping[str, Any]) -> bool:
    rules = (controls.get("OwnershipControls") or {}).get("Rules") or []
    return any(rule.get("ObjectOwnership") == "BucketOwnerEnforced" for rule in rules)


def _encrypted_with(
    stub: Resource, config: Mapping[str, Json], place: Place
) -> Iterator[Collected]:
    encryption: Any = config.get("ServerSideEncryptionConfiguration") or {}
    for index, rule in enumerate(encryption.get("Rules") or ()):
        key = (rule.get("ApplyServerSideEncryptionByDefault") or {}).get("KMSMasterKeyID")
        named = kms_key(place, str(key)) if key else None
        if named is not None:
            via = (
                f"ServerSideEncryptionConfiguration.Rules[{index}]"
                ".ApplyServerSideEncryptionByDefault.KMSMasterKeyID"
            )
            yield named.stub
            yield Edge(stub.key, named.stub.key, Relation.ENCRYPTED_WITH, via)
