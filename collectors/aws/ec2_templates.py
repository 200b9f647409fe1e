"""EC2: the launch templates that nodes of AI clusters start from, by id and version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from botocore.client import BaseClient

from collectors.aws.arns import Place, ec2
from collectors.aws.errors import CallError
from collectors.aws.references import GROUP
from collectors.aws.session import pages
from collectors.aws.subreads import Unread
from collectors.aws.units import AwsCollector, Gaps, Reading, Unit, side_by_side
from collectors.aws.values import jsonable
from collectors.references import Reference, link
from undercroft.model import CoverageStatus, Edge, Json, Layer, Presence, Resource
from undercroft.protocols import Collected
from undercroft.redact import secrets_in_script
from undercroft.relations import Relation

__all__ = ["TEMPLATE", "Ec2Templates", "started_from"]

_TEMPLATE = ec2("launch-template", Layer.VM)
_GONE = ("InvalidLaunchTemplateId", "InvalidLaunchTemplateVersion")
"""How the codes begin that mean there is no such template, or no such version of it."""
_NO_TEXT = f"{CoverageStatus.ERROR}: the user data is not text"

TEMPLATE = (
    Reference("LaunchTemplateData.SecurityGroupIds[]", GROUP, Relation.PROTECTED_BY),
    Reference("LaunchTemplateData.NetworkInterfaces[].Groups[]", GROUP, Relation.PROTECTED_BY),
)


def started_from(place: Place, nodes: Resource) -> Iterator[Resource | Edge]:
    """The version of a template that a group of nodes names: two fields say which."""
    named = nodes.config.get("launchTemplate")
    identifier, version = (
        (named.get("id"), named.get("version")) if isinstance(named, Mapping) else (None, None)
    )
    if identifier and version:
        stub = _TEMPLATE(place, f"{identifier}/{version}").stub
        yield stub
        yield Edge(nodes.key, stub.key, Relation.SAME_WORKLOAD, "launchTemplate.id")


class Ec2Templates(AwsCollector):
    """Versions of launch templates that something starts from."""

    name = "aws.ec2.template"
    reads = ("ec2:launch-template",)

    def read(self, unit: Unit) -> Reading:
        """One call per version; its start script is examined and not kept."""
        client = self.clients.client("ec2", unit.place.region)
        gaps, unread = Gaps(), Unread()
        stubs = unit.wanted
        answers = side_by_side(stubs, lambda stub: _version(unit, client, stub))
        for stub, answer in zip(stubs, answers, strict=True):
            if isinstance(answer, CallError):
                if answer.code.startswith(_GONE):
                    yield replace(stub, presence=Presence.ABSENT, collector=self.name)
                else:
                    unread.add(answer)
                    yield replace(stub, unknown={"config": answer.unknown}, collector=self.name)
                continue
            found = list(self._template(unit.place, stub, answer))
            gaps.note(found)
            yield from found
        return unread.ended(gaps)

    def _template(
        self, place: Place, stub: Resource, answer: Mapping[str, Any]
    ) -> Iterator[Collected]:
        data: dict[str, Any] = dict(answer.get("LaunchTemplateData") or {})
        script = str(data.pop("UserData", None) or "")
        secrets = secrets_in_script(script) if script else []
        config: dict[str, Json] = {**jsonable(answer), "LaunchTemplateData": jsonable(data)}
        yield replace(
            stub,
            name=str(answer.get("LaunchTemplateName") or stub.name),
            config=config,
            facts={} if secrets is None else {"user_data_secrets": [*secrets]},
            unknown={"facts.user_data_secrets": _NO_TEXT} if secrets is None else {},
            presence=Presence.READ,
            collector=self.name,
        )
        yield from link(place, stub.key, config, TEMPLATE)


def _version(unit: Unit, client: BaseClient, stub: Resource) -> Mapping[str, Any] | CallError:
    identifier, _, version = stub.name.partition("/")
    try:
        listed = pages(
            unit.meter,
            client,
            "describe_launch_template_versions",
            "LaunchTemplateVersions",
            LaunchTemplateId=identifier,
            Versions=[version],
        )
        found: Mapping[str, Any] = next(iter(listed), {})
    except CallError as error:
        return error
    return found
