"""Lambda: functions that do AI work, told by their variables, layers or image, or by a role that
may call models.

A function that others name is read whatever it does; here are those that nobody names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from botocore.client import BaseClient

from collectors.aws.arns import Arn, Place, function, in_region
from collectors.aws.ecs_workloads import AI_NAMES
from collectors.aws.errors import CallError
from collectors.aws.images import is_ai_name, parse_image
from collectors.aws.model_callers import model_callers
from collectors.aws.session import call, pages
from collectors.aws.subreads import tag_map
from collectors.aws.units import (
    AwsCollector,
    Ended,
    Gaps,
    Reading,
    Unit,
    batches,
    once,
    side_by_side,
)
from collectors.aws.values import jsonable, mappings
from undercroft.model import Edge, Json, Layer, Resource
from undercroft.protocols import Collected
from undercroft.relations import Relation

__all__ = ["LambdaAiFunctions", "marker"]

_KEPT = ("FunctionName", "FunctionArn", "Runtime", "PackageType", "LastModified", "State")


class LambdaAiFunctions(AwsCollector):
    """Rows of the services list, each standing on the function that is read where it is named."""

    name = "aws.lambda"
    lists = ("lambda:ai-function",)

    def read(self, unit: Unit) -> Reading:
        """Every function once, at fifty a page; what runs an image is asked which.

        Roles are only looked at where nothing else tells.
        """
        client = self.clients.client("lambda", unit.place.region)
        gaps, seen, lost = Gaps(), set[tuple[str, str]](), list[CallError]()
        plain: list[Mapping[str, Json]] = []

        def one(config: Mapping[str, Json]) -> list[Collected] | CallError:
            try:
                found = marker(config) or self._image_marker(unit, client, config)
            except CallError as error:
                return error
            if not found:
                plain.append({name: config.get(name) for name in (*_KEPT, "Role")})
            return list(self._row(unit, client, config, found)) if found else []

        listed = pages(unit.meter, client, "list_functions", "Functions")
        for batch in batches(jsonable(item) for item in listed):
            for found in side_by_side(batch, one):
                if isinstance(found, CallError):
                    lost.append(found)
                    continue
                gaps.note(found)
                yield from once(found, seen)
        roles = (str(config["Role"]) for config in plain if config.get("Role"))
        callers, doubt = model_callers(self.clients.client("iam"), unit.meter, roles)
        for config in sorted(plain, key=lambda config: str(config["FunctionArn"])):
            if config.get("Role") in callers:
                found = list(self._row(unit, client, config, "role"))
                gaps.note(found)
                yield from once(found, seen)
        if lost:
            reason = f"{len(lost)} functions whose images could not be told: {lost[0].reason}"
            return Ended(reason, lost[0].status)
        if doubt:
            return Ended(f"roles of functions that may call models: {doubt.reason}", doubt.status)
        return Ended(gaps.sentence())

    def _image_marker(self, unit: Unit, client: BaseClient, config: Mapping[str, Json]) -> str:
        if config.get("PackageType") != "Image":
            return ""
        answer = call(unit.meter, client, "get_function", FunctionName=config["FunctionArn"])
        # The answer also holds a link to the code, which is not looked at.
        image = str((answer.get("Code") or {}).get("ImageUri") or "")
        return "image" if image and parse_image(image).ai else ""

    def _row(
        self, unit: Unit, client: BaseClient, config: Mapping[str, Json], found: str
    ) -> Iterator[Collected]:
        place, arn = unit.place, str(config["FunctionArn"])
        target = function(place, arn)
        if target is None:
            return
        tags: dict[str, str] = {}
        unknown: dict[str, str] = {}
        try:
            tags = tag_map(call(unit.meter, client, "list_tags", Resource=arn).get("Tags"))
        except CallError as error:
            unknown["tags"] = error.unknown
        row = Resource(
            key=_key(place, str(config["FunctionName"])),
            provider="aws",
            account=place.account,
            region=place.region,
            type="lambda:ai-function",
            layer=Layer.SERVICE,
            name=str(config["FunctionName"]),
            native_id=f"{arn}#ai-function",
            tags=tags,
            config={name: config[name] for name in _KEPT if config.get(name) is not None},
            facts={"ai_marker": found},
            unknown=unknown,
            service=True,
            collector=self.name,
        )
        yield row
        yield target.stub
        yield Edge(row.key, target.stub.key, Relation.SAME_WORKLOAD, "FunctionArn")
        yield from in_region(row.key, place)


def marker(config: Mapping[str, Json]) -> str:
    """``environment`` or ``layer``: by what a function is AI work; empty if by neither."""
    environment = config.get("Environment")
    variables = environment.get("Variables") if isinstance(environment, Mapping) else None
    if isinstance(variables, Mapping) and any(AI_NAMES.fullmatch(name) for name in variables):
        return "environment"
    for layer in mappings(config.get("Layers")):
        arn = Arn.parse(str(layer.get("Arn")))
        if arn is not None and is_ai_name(arn.name.partition(":")[0]):
            return "layer"
    return ""


def _key(place: Place, name: str) -> str:
    return place.key("lambda", "ai-function", name)
