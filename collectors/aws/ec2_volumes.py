"""EC2: the disks of AI machines, read by id, and which snapshots of them anybody may copy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from collectors.aws.ec2_reads import Ec2Reads, wanted
from collectors.aws.errors import CallError
from collectors.aws.references import VOLUME
from collectors.aws.session import call
from collectors.aws.subreads import tag_map
from collectors.aws.units import AwsCollector, Ended, Gaps, Reading, Unit
from collectors.aws.values import mappings
from collectors.references import link
from undercroft.model import Json, Presence, Resource

__all__ = ["Ec2Volumes"]

_Public: TypeAlias = dict[str, list[Json]]
"""Volume → ids of its snapshots that anybody may copy."""


class Ec2Volumes(AwsCollector):
    """Volumes that something stands on; what is not there is absent."""

    name = "aws.ec2.volume"
    reads = ("ec2:volume",)

    def read(self, unit: Unit) -> Reading:
        """One filtered call per batch of ids for the volumes, and one for their public snapshots."""
        reads, stubs, gaps = Ec2Reads(self.clients, unit), wanted(unit, "volume"), Gaps()
        found = {
            str(volume["VolumeId"]): volume
            for volume in reads.named("describe_volumes", "Volumes", "volume-id", stubs)
        }
        public: _Public | CallError
        try:
            public = self._public(unit, reads, found)
        except CallError as error:
            public = error
        plain = any(volume.get("Encrypted") is False for volume in found.values())
        default = self._default(unit) if plain else True
        for identifier, stub in stubs.items():
            if identifier not in found:
                yield replace(stub, presence=Presence.ABSENT, collector=self.name)
                continue
            volume = self._volume(stub, found[identifier], public, default)
            gaps.note([volume])
            yield volume
            yield from link(unit.place, stub.key, volume.config, VOLUME)
        return Ended(gaps.sentence())

    def _public(self, unit: Unit, reads: Ec2Reads, volumes: Iterable[str]) -> _Public:
        """Asked for as a stranger would find them; each that is found is asked once more."""
        client = self.clients.client("ec2", unit.place.region)
        found: _Public = {}
        for snapshot in reads.named(
            "describe_snapshots",
            "Snapshots",
            "volume-id",
            volumes,
            OwnerIds=["self"],
            RestorableByUserIds=["all"],
        ):
            answer = call(
                unit.meter,
                client,
                "describe_snapshot_attribute",
                SnapshotId=snapshot["SnapshotId"],
                Attribute="createVolumePermission",
            )
            allowed = mappings(answer.get("CreateVolumePermissions"))
            if any(permission.get("Group") == "all" for permission in allowed):
                found.setdefault(str(snapshot["VolumeId"]), []).append(snapshot["SnapshotId"])
        return found

    def _default(self, unit: Unit) -> bool | CallError:
        """Whether the next volume would be encrypted; asked only where one is not."""
        client = self.clients.client("ec2", unit.place.region)
        try:
            answer = call(unit.meter, client, "get_ebs_encryption_by_default")
        except CallError as error:
            return error
        return bool(answer.get("EbsEncryptionByDefault"))

    def _volume(
        self,
        stub: Resource,
        config: Mapping[str, Json],
        public: _Public | CallError,
        default: bool | CallError,
    ) -> Resource:
        tags = tag_map(config.get("Tags"))
        facts: dict[str, Json] = {}
        unknown: dict[str, str] = {}
        if isinstance(public, CallError):
            unknown["facts.public_snapshots"] = public.unknown
        else:
            facts["public_snapshots"] = sorted(map(str, public.get(str(config["VolumeId"]), ())))
        if config.get("Encrypted") is False:
            if isinstance(default, CallError):
                unknown["facts.encrypted_by_default"] = default.unknown
            else:
                facts["encrypted_by_default"] = default
        return replace(
            stub,
            name=tags.get("Name") or stub.name,
            tags=tags,
            config=config,
            facts=facts,
            unknown=unknown,
            presence=Presence.READ,
            collector=self.name,
        )
