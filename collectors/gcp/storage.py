"""Buckets that AI services load from, read from and write to, whichever project they are in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from collectors.gcp.clients import Clients, name_in_path
from collectors.gcp.errors import CallError
from collectors.gcp.names import BUCKET, Place, crypto_key
from collectors.gcp.policies import Policies, logged
from collectors.gcp.principals import bucket_facts
from collectors.gcp.projects import Project
from collectors.gcp.units import GLOBAL, GcpCollector, Unit, Unread, labels_of
from collectors.reading import Gaps, Reading, side_by_side
from collectors.references import Reference, link
from undercroft.model import CoverageStatus, Json, Presence, Resource
from undercroft.protocols import Collected, Meter, Scope, Target
from undercroft.relations import Relation

__all__ = ["BucketCollector"]

_PAGE = 500
_REFERENCES = (Reference("encryption.defaultKmsKeyName", crypto_key, Relation.ENCRYPTED_WITH),)
_HIDDEN = "the bucket belongs to a project outside this scan, which alone may read its settings"


class BucketCollector(GcpCollector):
    """One unit: a bucket's address does not say whose it is, so all projects are asked."""

    name = "gcp.storage"
    reads = (BUCKET,)

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self._policies = Policies(clients)

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        """All wanted buckets together."""
        stubs = tuple(stub for stub in wanted if stub.type == BUCKET)
        if stubs:
            try:
                projects = self.projects.in_scope(scope, Meter())
            except CallError:
                return
            if projects:
                yield Target(self.name, "gcp", GLOBAL, GLOBAL, stubs, scope.options)

    def unit(self, target: Target, meter: Meter) -> Unit:
        """Not of any one project."""
        projects = self._all(meter)
        trusted = target.options.get("trusted_projects")
        listed = trusted if isinstance(trusted, Sequence) and not isinstance(trusted, str) else ()
        own = frozenset({*(project.id for project in projects), *(str(p) for p in listed)})
        place = Place("-", "", GLOBAL, self.clients.numbers, own)
        return Unit(place, projects[0], target.wanted, (), meter)

    def read(self, unit: Unit) -> Reading:
        """Read every wanted bucket."""
        gaps, unread = Gaps(), Unread()
        listed, complete = self._listed(unit.meter)

        def one(stub: Resource) -> list[Collected] | tuple[Resource, CallError]:
            bucket = listed.get(stub.name)
            try:
                if bucket is None:
                    path = f"/storage/v1/b/{name_in_path(stub.name)}"
                    bucket = self.clients.get(unit.meter, "storage", path, projection="full")
            except CallError as error:
                if error.missing:
                    return [
                        replace(
                            stub,
                            presence=Presence.ABSENT,
                            facts={"exists": False},
                            collector=self.name,
                        )
                    ]
                if error.http_status == 403 and complete:
                    return [self._hidden(stub, unit)]
                return replace(stub, unknown={"config": error.unknown}, collector=self.name), error
            return list(self._read(stub, bucket, unit))

        for found in side_by_side(unit.wanted, one):
            if isinstance(found, tuple):
                unread.add(found[1])
                yield found[0]
            else:
                gaps.note(found)
                yield from found
        return unread.ended(gaps)

    def _listed(self, meter: Meter) -> tuple[Mapping[str, dict[str, Any]], bool]:
        """The buckets of every project of the scan, and whether that is all of them."""
        found: dict[str, dict[str, Any]] = {}

        def ask(project: str) -> list[dict[str, Any]] | None:
            listed = self.clients.pages(
                meter, "storage", "/storage/v1/b", "items",
                project=project, projection="full", maxResults=_PAGE,
            )  # fmt: skip
            try:
                return list(listed)
            except CallError as error:
                return [] if error.status is CoverageStatus.NOT_ENABLED else None

        complete = True
        for buckets in side_by_side([project.id for project in self._all(meter)], ask):
            complete &= buckets is not None
            found.update({str(bucket.get("name")): bucket for bucket in buckets or ()})
        return found, complete

    def _hidden(self, stub: Resource, unit: Unit) -> Resource:
        """A bucket that exists, in none of the projects of the scan, and may not be looked into."""
        facts: dict[str, Json] = {"exists": True}
        unknown = {"config": _HIDDEN}
        if unit.place.own > {project.id for project in self._all(unit.meter)}:
            unknown["facts.foreign_owned"] = (
                "the bucket does not tell whether a trusted project owns it"
            )
        else:
            facts["foreign_owned"] = True
        return replace(stub, facts=facts, unknown=unknown, collector=self.name)

    def _all(self, meter: Meter) -> Sequence[Project]:
        return self.projects.in_scope(Scope("gcp"), meter)

    def _read(self, stub: Resource, bucket: Mapping[str, Json], unit: Unit) -> Iterator[Collected]:
        number = str(bucket.get("projectNumber") or "")
        owner = unit.place.id_of(number) if number else ""
        if not number or owner not in unit.place.own:
            # What can be seen of it is the business of whoever owns it.
            facts: dict[str, Json] = {"exists": True, **({"foreign_owned": True} if number else {})}
            unknown = {"config": _HIDDEN}
            if not number:
                unknown["facts.foreign_owned"] = "the answer does not say whose the bucket is"
            yield replace(stub, facts=facts, unknown=unknown, collector=self.name)
            return
        config, unknown = dict(bucket), dict[str, str]()
        self._attach_policy(stub, owner, unit, config, unknown)
        facts = bucket_facts(config, unknown, unit.place)
        facts |= {"exists": True, "foreign_owned": False}
        try:
            configs = self.projects.audit_configs(self.projects.get(owner, unit.meter), unit.meter)
            log = logged(configs, "storage.googleapis.com")
            facts["audited"] = bool(log["read"] and log["write"])
        except CallError as error:
            unknown["facts.audited"] = error.unknown
        created = bucket.get("timeCreated")
        yield replace(
            stub,
            account=owner,
            region=str(bucket.get("location") or "-").lower(),
            tags=labels_of(bucket),
            config=config,
            facts=facts,
            unknown=unknown,
            incarnation=created if isinstance(created, str) else None,
            presence=Presence.READ,
            collector=self.name,
        )
        yield from link(unit.place, stub.key, config, _REFERENCES)

    def _attach_policy(
        self,
        stub: Resource,
        owner: str,
        unit: Unit,
        config: dict[str, Any],
        unknown: dict[str, str],
    ) -> None:
        """From the inventory of the owner, else by asking for this one."""
        try:
            config["iamPolicy"] = {
                "bindings": [],
                **self._policies.get(owner, stub.native_id, unit.meter),
            }
        except CallError:
            pass
        else:
            return
        path = f"/storage/v1/b/{name_in_path(stub.name)}/iam"
        try:
            answer = self.clients.get(unit.meter, "storage", path, optionsRequestedPolicyVersion=3)
        except CallError as error:
            unknown["config.iamPolicy"] = error.unknown
        else:
            config["iamPolicy"] = {"bindings": [], **answer}
