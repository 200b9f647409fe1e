"""Projects that AI services stand in: who may act there, what is logged, forbidden and screened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from collectors.gcp.clients import name_in_path
from collectors.gcp.errors import CallError
from collectors.gcp.names import PROJECT
from collectors.gcp.policies import PUBLIC, bindings, logged, members
from collectors.gcp.units import GcpCollector, Unit, labels_of, part
from collectors.reading import Ended, Gaps, Reading, side_by_side
from collectors.values import mappings
from undercroft.identity import gcp_key
from undercroft.model import Edge, Json, Layer, Presence, Resource
from undercroft.protocols import Collected, Meter
from undercroft.relations import Relation

__all__ = ["API_KEY", "CONSTRAINTS", "POOL_PROVIDER", "FenceCollector"]

API_KEY = "apikeys.googleapis.com/Key"
POOL_PROVIDER = "iam.googleapis.com/WorkloadIdentityPoolProvider"
CONSTRAINTS = (
    "ainotebooks.accessMode",
    "ainotebooks.disableFileDownloads",
    "ainotebooks.disableRootAccess",
    "ainotebooks.disableTerminal",
    "ainotebooks.environmentOptions",
    "ainotebooks.requireAutoUpgradeSchedule",
    "ainotebooks.restrictPublicIp",
    "ainotebooks.restrictVpcNetworks",
    "iam.automaticIamGrantsForDefaultServiceAccounts",
    "vertexai.allowedModels",
    "vertexai.allowedPartnerModelFeatures",
    "vertexai.genAIGroundingSources",
)
"""Organisation policies that decide a rule."""
_IMPERSONATION = frozenset(
    {
        "roles/iam.serviceAccountTokenCreator",
        "roles/iam.serviceAccountUser",
        "roles/iam.workloadIdentityUser",
    }
)
_GEMINI = "generativelanguage.googleapis.com"
_LOGGED = ("aiplatform.googleapis.com", "notebooks.googleapis.com", "storage.googleapis.com")
_PAGE = 300
_SMALL = 100


class FenceCollector(GcpCollector):
    """A unit per project in which an AI service was found."""

    name = "gcp.project"
    reads = (PROJECT,)

    def read(self, unit: Unit) -> Reading:
        """The project with everything that fences its services in, and its API keys."""
        gaps, unknown = Gaps(), dict[str, str]()
        stub, project, meter = unit.wanted[0], unit.project, unit.meter
        config: dict[str, Any] = dict(project.config)
        if project.error is not None:
            unknown["config"] = project.error.unknown
        facts = {
            **self._apis(unit, unknown),
            **self._grants(unit, config, unknown),
            **self._org_policies(unit, unknown),
            **self._perimeters(unit, unknown),
        }
        try:
            path = f"/v1/projects/{name_in_path(project.id)}/locations/global/floorSetting"
            config["floorSetting"] = self.clients.get(meter, "modelarmor", path)
        except CallError as error:
            if error.missing:
                config["floorSetting"] = {}
            else:
                unknown["config.floorSetting"] = error.unknown
        created = config.get("createTime")
        resource = replace(
            stub,
            name=project.id,
            tags=labels_of(config),
            config=config,
            facts=facts,
            unknown=unknown,
            incarnation=project.number or (created if isinstance(created, str) else None),
            presence=Presence.READ,
            collector=self.name,
        )
        gaps.note([resource])
        yield resource
        for name, read in (("api-keys", self._keys), ("identity-pools", self._pools)):
            try:
                yield from read(unit, resource)
            except CallError as error:
                yield part(unit, self.name, name, error)
        return Ended(gaps.sentence())

    def _apis(self, unit: Unit, unknown: dict[str, str]) -> dict[str, Json]:
        try:
            enabled = self.projects.services(unit.project.id, unit.meter)
        except CallError as error:
            for name in ("vertex_enabled", "notebooks_enabled", "gemini_enabled"):
                unknown[f"facts.{name}"] = error.unknown
            return {}
        return {
            "vertex_enabled": "aiplatform.googleapis.com" in enabled,
            "notebooks_enabled": "notebooks.googleapis.com" in enabled,
            "gemini_enabled": _GEMINI in enabled,
        }

    def _grants(
        self, unit: Unit, config: dict[str, Any], unknown: dict[str, str]
    ) -> dict[str, Json]:
        """Bindings to everybody and to people who may become accounts; audit logs that are on."""
        lost = ("public_bindings", "impersonators", "viewers", "audit_logs")
        public: list[Json] = []
        audited: list[Mapping[str, Any]] = []
        try:
            names = [
                f"projects/{unit.project.id}",
                *self.projects.ancestors(unit.project, unit.meter),
            ]
        except CallError as error:
            names = [f"projects/{unit.project.id}"]
            unknown.update({f"facts.{name}": error.unknown for name in lost})
        facts: dict[str, Json] = {}
        for name in names:
            try:
                policy = self.projects.policy(name, unit.meter)
            except CallError as error:
                unknown.update({f"facts.{fact}": error.unknown for fact in lost})
                continue
            if name == names[0]:
                config["iamPolicy"] = {"bindings": [], **policy}
                facts |= _people(policy)
            audited += mappings(policy.get("auditConfigs"))
            public += [
                {"role": str(binding.get("role")), "member": member, "resource": name}
                for binding in bindings(policy)
                for member in members(binding)
                if member in PUBLIC
            ]
        if "config.iamPolicy" not in unknown and "iamPolicy" not in config:
            unknown["config.iamPolicy"] = unknown.get("facts.impersonators", "not read")
        else:
            # What the project itself says is known, whatever is above.
            unknown.pop("facts.impersonators", None)
            unknown.pop("facts.viewers", None)
        facts["public_bindings"] = public
        if "facts.audit_logs" not in unknown:
            facts["audit_logs"] = {name: logged(audited, name) for name in _LOGGED}
        return facts

    def _org_policies(self, unit: Unit, unknown: dict[str, str]) -> dict[str, Json]:
        def ask(constraint: str) -> Mapping[str, Any] | CallError:
            path = f"/v2/projects/{name_in_path(unit.project.id)}/policies/{constraint}:getEffectivePolicy"
            try:
                return self.clients.get(unit.meter, "orgpolicy", path)
            except CallError as error:
                return error

        first = ask(CONSTRAINTS[0])
        if isinstance(first, CallError) and not first.missing:
            # The others would say the same.
            unknown["facts.org_policies"] = first.unknown
            return {}
        found: dict[str, Json] = {}
        answers = [first, *side_by_side(CONSTRAINTS[1:], ask)]
        for constraint, answer in zip(CONSTRAINTS, answers, strict=True):
            if not isinstance(answer, CallError):
                found[constraint] = _effective(answer)
            elif answer.missing:
                found[constraint] = _effective({})
            else:
                unknown["facts.org_policies"] = answer.unknown
        return {"org_policies": found}

    def _perimeters(self, unit: Unit, unknown: dict[str, str]) -> dict[str, Json]:
        """``restricted_services``: APIs that perimeters in force around the project close."""
        try:
            above = self.projects.ancestors(unit.project, unit.meter)
            organization = next((name for name in above if name.startswith("organizations/")), "")
            if unit.project.error is not None:
                raise unit.project.error
            # Perimeters belong to organisations; a project without one has none.
            perimeters = self._of(organization, unit.meter) if organization else []
        except CallError as error:
            unknown["facts.restricted_services"] = error.unknown
            return {}
        mine = f"projects/{unit.project.number}"
        closed: set[str] = set()
        for perimeter in perimeters:
            status = perimeter.get("status")
            if isinstance(status, Mapping) and mine in _texts(status.get("resources")):
                closed.update(_texts(status.get("restrictedServices")))
        return {"restricted_services": sorted(closed)}

    def _of(self, organization: str, meter: Meter) -> list[dict[str, Any]]:
        """Every service perimeter of an organisation; a dry run is none."""

        def ask() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            for policy in self.clients.pages(
                meter, "accesscontextmanager", "/v1/accessPolicies", "accessPolicies",
                parent=organization,
            ):  # fmt: skip
                path = f"/v1/accessPolicies/{_last(policy)}/servicePerimeters"
                found += self.clients.pages(
                    meter, "accesscontextmanager", path, "servicePerimeters"
                )
            return found

        return self.clients.remember(("perimeters", organization), ask)

    def _pools(self, unit: Unit, project: Resource) -> Iterator[Collected]:
        """Providers of workload identity pools: whose tokens become identities of the project."""
        base = (
            f"/v1/projects/{name_in_path(unit.project.id)}/locations/global/workloadIdentityPools"
        )
        for pool in self.clients.pages(
            unit.meter, "iam", base, "workloadIdentityPools", pageSize=_SMALL
        ):
            path = f"{base}/{name_in_path(_last(pool))}/providers"
            for item in self.clients.pages(
                unit.meter, "iam", path, "workloadIdentityPoolProviders", pageSize=_SMALL
            ):
                name = f"{_last(pool)}/{_last(item)}"
                provider = Resource(
                    key=gcp_key(unit.project.id, "iam", "-", "workloadIdentityPoolProviders", name),
                    provider="gcp",
                    account=unit.project.id,
                    region="-",
                    type=POOL_PROVIDER,
                    layer=Layer.IDENTITY,
                    name=name,
                    native_id=f"//iam.googleapis.com/{item.get('name')}",
                    config=item,
                    collector=self.name,
                )
                yield provider
                yield Edge(project.key, provider.key, Relation.PROTECTED_BY, "name")

    def _keys(self, unit: Unit, project: Resource) -> Iterator[Collected]:
        path = f"/v2/projects/{name_in_path(unit.project.id)}/locations/global/keys"
        for item in self.clients.pages(unit.meter, "apikeys", path, "keys", pageSize=_PAGE):
            name = str(item.get("name")).rpartition("/")[2]
            facts = {
                name: project.facts[name] for name in ("gemini_enabled",) if name in project.facts
            }
            unknown = {
                path: why for path, why in project.unknown.items() if path == "facts.gemini_enabled"
            }
            unique = item.get("uid")
            key = Resource(
                key=gcp_key(unit.project.id, "apikeys", "-", "keys", name),
                provider="gcp",
                account=unit.project.id,
                region="-",
                type=API_KEY,
                layer=Layer.IDENTITY,
                name=str(item.get("displayName") or name),
                native_id=f"//apikeys.googleapis.com/projects/{unit.project.id}/locations/global/keys/{name}",
                config=item,
                facts=facts,
                unknown=unknown,
                incarnation=unique if isinstance(unique, str) else None,
                collector=self.name,
            )
            yield key
            yield Edge(project.key, key.key, Relation.PROTECTED_BY, "name")


def _people(policy: Mapping[str, Any]) -> dict[str, Json]:
    """Who, other than service accounts, may act as every account of the project, or see all."""
    impersonators: list[Json] = []
    viewers = 0
    for binding in bindings(policy):
        role = str(binding.get("role"))
        people = [m for m in members(binding) if m.startswith(("user:", "group:", "domain:"))]
        if role in _IMPERSONATION:
            impersonators += [{"role": role, "member": member} for member in people]
        if role in {"roles/viewer", "roles/aiplatform.viewer", "roles/aiplatform.user"}:
            viewers += len(people)
    return {"impersonators": impersonators, "viewers": viewers}


def _effective(policy: Mapping[str, Any]) -> dict[str, Json]:
    """A constraint as it holds: ``enforced`` (yes or no), ``restricted`` (a list is limited)."""
    spec = policy.get("spec")
    rules = list(mappings(spec.get("rules"))) if isinstance(spec, Mapping) else []
    return {
        "enforced": any(rule.get("enforce") is True for rule in rules),
        "restricted": any(rule.get("denyAll") is True or rule.get("values") for rule in rules)
        and not any(rule.get("allowAll") is True for rule in rules),
    }


def _last(item: Mapping[str, Any]) -> str:
    return str(item.get("name")).rpartition("/")[2]


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
