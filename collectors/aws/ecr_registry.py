"""A registry as a whole: how it scans and whether it signs what is pushed to it."""

from __future__ import annotations

from typing import Any

from botocore.client import BaseClient

from collectors.aws.subreads import SubReads
from collectors.aws.units import Unit
from collectors.aws.values import jsonable
from undercroft.identity import aws_key
from undercroft.model import Json, Layer, Resource
from undercroft.protocols import Meter

__all__ = ["Registry"]

_UNSIGNED = "SigningConfigurationNotFoundException"


class Registry:
    """The registry of one account in one region; of another account's nothing can be read."""

    def __init__(self, client: BaseClient, unit: Unit, account: str) -> None:
        self._client = client
        self._place = unit.place
        self._reads = SubReads(unit.meter)
        self._config: dict[str, Json] = {}
        self.account = account
        self.is_ours = account == unit.place.account
        if not self.is_ours:
            return
        for name, operation, answers in (
            ("scanningConfiguration", "get_registry_scanning_configuration", ()),
            ("signingConfiguration", "get_signing_configuration", (_UNSIGNED,)),
        ):
            answer = self._reads.read([f"config.{name}"], client, operation, answers=answers)
            if answer is not None:
                self._config[name] = jsonable(answer.get(name) or {})

    @property
    def key(self) -> str:
        """Its resource key."""
        place = self._place
        return aws_key(place.partition, self.account, place.region, "ecr", "registry", place.region)

    @property
    def scan_type(self) -> str:
        """``BASIC`` or ``ENHANCED``; empty if that could not be read."""
        scanning = self._config.get("scanningConfiguration")
        return str(scanning.get("scanType") or "BASIC") if isinstance(scanning, dict) else ""

    @property
    def signs(self) -> bool:
        """Whether it is known to sign images."""
        signing = self._config.get("signingConfiguration")
        return isinstance(signing, dict) and bool(signing.get("rules"))

    def why_unread(self, name: str) -> str:
        """Why a part of its configuration could not be read; empty if it was."""
        return self._reads.unknown.get(f"config.{name}", "")

    def resource(self, collector: str) -> Resource:
        """The registry itself. Only for one of ours."""
        place, unknown = self._place, dict(self._reads.unknown)
        facts: dict[str, Json] = {}
        if reason := self.why_unread("signingConfiguration"):
            unknown["facts.unsigned"] = reason
        else:
            facts["unsigned"] = not self.signs
        return Resource(
            key=self.key,
            provider="aws",
            account=self.account,
            region=place.region,
            type="ecr:registry",
            layer=Layer.CONTAINER,
            name=f"ecr in {place.region}",
            native_id=place.arn("ecr", "registry"),
            config=self._config,
            facts=facts,
            unknown=unknown,
            collector=collector,
        )

    def signature(
        self, repository: str, digests: list[str], meter: Meter
    ) -> tuple[dict[str, Json], dict[str, str], list[Json]]:
        """Whether images are signed: the facts, what is unknown of them, and what ECR said.

        Asks only where the registry signs; without that it is the registry that is unsigned.
        """
        if not self.is_ours:
            return {}, {}, []
        if reason := self.why_unread("signingConfiguration"):
            return {}, {"facts.unsigned": reason}, []
        if not self.signs:
            return {}, {}, []
        reads = SubReads(meter)
        said: list[Json] = []
        signed: list[bool] = []
        for digest in digests:
            identifier: dict[str, Any] = {"imageDigest": digest}
            answer = reads.read(
                ["facts.unsigned"],
                self._client,
                "describe_image_signing_status",
                registryId=self.account,
                repositoryName=repository,
                imageId=identifier,
            )
            statuses = jsonable((answer or {}).get("signingStatuses") or [])
            said += statuses
            signed.append(any(status.get("status") == "COMPLETE" for status in statuses))
        facts: dict[str, Json] = {} if reads.unknown else {"unsigned": not all(signed)}
        return facts, reads.unknown, said
