"""ECR repositories of wanted images: settings, policy, and how the registry scans them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from botocore.client import BaseClient

from collectors.aws.arns import kms_key
from collectors.aws.ecr_registry import Registry
from collectors.aws.errors import CallError
from collectors.aws.images import ImageRef
from collectors.aws.policy.documents import PolicyError, decode, parse_policy
from collectors.aws.policy.trust import grants
from collectors.aws.session import call, pages
from collectors.aws.subreads import SubReads
from collectors.aws.units import Unit
from collectors.aws.values import jsonable
from undercroft.identity import aws_key
from undercroft.model import CoverageStatus, Edge, Json, Layer, Resource
from undercroft.protocols import Collected
from undercroft.relations import Relation

__all__ = ["Repositories"]

_NOT_FOUND = "RepositoryNotFoundException"
_NO_POLICY = "RepositoryPolicyNotFoundException"
_PUSH = ("ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart")
_PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_NAMES_PER_CALL = 100
_SCANNING_PER_CALL = 25


class Repositories:
    """The repositories behind a unit's images, each read once."""

    def __init__(
        self, client: BaseClient, unit: Unit, images: Iterable[ImageRef], collector: str
    ) -> None:
        self._client = client
        self._unit = unit
        self._collector = collector
        self._found: dict[tuple[str, str], dict[str, Any] | CallError | None] = {}
        registries: dict[str, dict[str, None]] = {}
        for image in images:
            registries.setdefault(image.account, {})[image.repository] = None
        for registry, names in sorted(registries.items()):
            self._describe(registry, list(names))
        self._registries = {
            account: Registry(client, unit, account)
            for account in sorted(registries)
            if any(isinstance(self._found[account, name], dict) for name in registries[account])
        }

    def outcome(self, image: ImageRef) -> dict[str, Any] | CallError | None:
        """The image's repository; None if there is none; the error if it could not be read."""
        return self._found[image.account, image.repository]

    def key(self, image: ImageRef) -> str:
        """Resource key of the image's repository."""
        return self._key(image.account, image.repository)

    def registry(self, image: ImageRef) -> Registry:
        """The registry of an image whose repository was found."""
        return self._registries[image.account]

    def collected(self) -> Iterator[Collected]:
        """Every repository that was found, the key it is encrypted with, and its registry."""
        by_account: dict[str, list[dict[str, Any]]] = {}
        for (account, _), found in self._found.items():
            if isinstance(found, dict):
                by_account.setdefault(account, []).append(found)
        for account, repositories in by_account.items():
            registry = self._registries[account]
            if registry.is_ours:
                yield registry.resource(self._collector)
            scanning = _Scanning(self._client, self._unit, registry, repositories)
            for repository in repositories:
                yield from self._read(account, repository, scanning)
                if registry.is_ours:
                    key = self._key(account, str(repository["repositoryName"]))
                    yield Edge(key, registry.key, Relation.CONTAINED_IN, "registryId")

    def _describe(self, registry: str, names: Sequence[str]) -> None:
        for start in range(0, len(names), _NAMES_PER_CALL):
            chunk = names[start : start + _NAMES_PER_CALL]
            for name in chunk:
                self._found[registry, name] = None
            try:
                self._ask(registry, chunk)
            except CallError as error:
                # One missing name fails the whole call; then each is asked for on its own.
                alone = error.code == _NOT_FOUND and len(chunk) > 1
                for name in chunk:
                    if alone:
                        self._ask_alone(registry, name)
                    elif error.code != _NOT_FOUND:
                        self._found[registry, name] = error

    def _ask_alone(self, registry: str, name: str) -> None:
        try:
            self._ask(registry, [name])
        except CallError as error:
            if error.code != _NOT_FOUND:
                self._found[registry, name] = error

    def _ask(self, registry: str, names: Sequence[str]) -> None:
        for repository in pages(
            self._unit.meter,
            self._client,
            "describe_repositories",
            "repositories",
            registryId=registry,
            repositoryNames=list(names),
        ):
            self._found[registry, str(repository["repositoryName"])] = repository

    def _key(self, registry: str, name: str) -> str:
        place = self._unit.place
        return aws_key(place.partition, registry, place.region, "ecr", "repository", name)

    def _read(
        self, registry: str, repository: Mapping[str, Any], scanning: _Scanning
    ) -> Iterator[Collected]:
        name = str(repository["repositoryName"])
        place = self._unit.place
        reads = SubReads(self._unit.meter)
        config: dict[str, Json] = dict(jsonable(repository))
        facts: dict[str, Json] = {"exists": True}
        self._add_policy(registry, name, config, facts, reads)
        scanning.add(name, facts, reads)
        key = self._key(registry, name)
        yield Resource(
            key=key,
            provider="aws",
            account=registry,
            region=place.region,
            type="ecr:repository",
            layer=Layer.CONTAINER,
            name=name,
            native_id=str(repository.get("repositoryArn") or ""),
            config=config,
            facts=facts,
            unknown=reads.unknown,
            incarnation=str(config.get("createdAt") or "") or None,
            collector=self._collector,
        )
        encryption = repository.get("encryptionConfiguration") or {}
        named = kms_key(place, str(encryption["kmsKey"])) if encryption.get("kmsKey") else None
        if named is not None:
            yield named.stub
            via = "encryptionConfiguration.kmsKey"
            yield Edge(key, named.stub.key, Relation.ENCRYPTED_WITH, via)

    def _add_policy(
        self,
        registry: str,
        name: str,
        config: dict[str, Json],
        facts: dict[str, Json],
        reads: SubReads,
    ) -> None:
        paths = ["config.RepositoryPolicy", "facts.public", "facts.foreign_push"]
        answer = reads.read(
            paths,
            self._client,
            "get_repository_policy",
            answers=[_NO_POLICY],
            registryId=registry,
            repositoryName=name,
        )
        if answer is None:
            return
        text = answer.get("policyText")
        try:
            document = decode(text) if text else {}
            statements = parse_policy(document)
        except PolicyError as error:
            reads.lost(paths, f"{CoverageStatus.ERROR}: {error}")
            return
        if document:
            config["RepositoryPolicy"] = jsonable(document)
        given = grants(statements, (*_PULL, *_PUSH), self._unit.place.trusted, "*")
        facts["public"] = any(grant.public for grant in given)
        pushers = [p for grant in given if grant.action in _PUSH for p in grant.foreign]
        facts["foreign_push"] = list(dict.fromkeys(pushers))


class _Scanning:
    """How one registry scans what is pushed to it."""

    def __init__(
        self,
        client: BaseClient,
        unit: Unit,
        registry: Registry,
        repositories: Sequence[Mapping[str, Any]],
    ) -> None:
        self._frequencies: dict[str, str] = {}
        self._lost: dict[str, str] = {}
        self._type = registry.scan_type
        if not registry.is_ours:
            reason = f"the scanning configuration is for account {registry.account} alone to read"
            self._lost = {"facts.registry_scan_type": reason, "facts.scan_frequency": reason}
            return
        if reason := registry.why_unread("scanningConfiguration"):
            self._lost["facts.registry_scan_type"] = reason
        names = [str(repository["repositoryName"]) for repository in repositories]
        for start in range(0, len(names), _SCANNING_PER_CALL):
            self._ask(client, unit, names[start : start + _SCANNING_PER_CALL])

    def add(self, name: str, facts: dict[str, Json], reads: SubReads) -> None:
        """Put what is known about one repository where it belongs."""
        for path, reason in self._lost.items():
            reads.lost([path], reason)
        if self._type:
            facts["registry_scan_type"] = self._type
        if name in self._frequencies:
            facts["scan_frequency"] = self._frequencies[name]
        else:
            reads.lost(["facts.scan_frequency"], "ECR did not say how this repository is scanned")

    def _ask(self, client: BaseClient, unit: Unit, names: Sequence[str]) -> None:
        try:
            answer = call(
                unit.meter,
                client,
                "batch_get_repository_scanning_configuration",
                repositoryNames=list(names),
            )
        except CallError as error:
            self._lost["facts.scan_frequency"] = error.unknown
            return
        for entry in answer.get("scanningConfigurations") or ():
            self._frequencies[str(entry["repositoryName"])] = str(
                entry.get("scanFrequency") or "MANUAL"
            )
