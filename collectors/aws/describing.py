"""One resource of a kind: described, with what belongs to it and everything that it refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from collectors.aws.arns import Arn, Place, in_region, settings
from collectors.aws.errors import CallError
from collectors.aws.hosts import hosts
from collectors.aws.kinds import ARN, Child, Kind, Read
from collectors.aws.policy.documents import PolicyError, decode, parse_policy
from collectors.aws.policy.trust import grants
from collectors.aws.session import Clients, call, pages, spare
from collectors.aws.shared import Shared
from collectors.aws.subreads import SubReads, tag_map
from collectors.aws.unchanged import kept_answer
from collectors.aws.units import Unit, batches
from collectors.aws.values import jsonable
from collectors.references import link
from undercroft.model import Certainty, CoverageStatus, Edge, Json, Resource
from undercroft.protocols import Collected
from undercroft.relations import Relation

__all__ = ["TOGETHER", "Reader", "policy_facts"]

TOGETHER = "$together"
"""In an item: what a call about several has answered about it."""

# SageMaker has no error code of its own for "does not exist".
_MISSING = re.compile(r"not find|not found|does not exist|RecordNotFound", re.IGNORECASE)
_MISSING_CODES = frozenset(
    {
        "ClusterNotFoundException",
        "FileSystemNotFound",
        "NotFoundException",
        "ResourceNotFound",
        "ResourceNotFoundException",
    }
)


class Reader:
    """Lists and describes in one unit."""

    def __init__(self, clients: Clients, unit: Unit, collector: str) -> None:
        self._clients = clients
        self._place = unit.place
        self._meter = unit.meter
        self._collector = collector
        self._known = unit.known
        self._shared = Shared(unit.meter, self._client)
        self.many = False
        """There are enough of them for one question about the tags of all."""
        self.lost: list[CallError] = []
        """Lists of children that could not be had."""

    def list_(self, kind: Kind, arguments: Mapping[str, Any]) -> Iterator[dict[str, Json]]:
        """The items of a list; where it holds bare names, as items with that one field."""
        client = self._client(kind.client)
        for item in pages(self._meter, client, kind.list_operation, kind.list_key, **arguments):
            if not isinstance(item, Mapping):
                yield {kind.identifiers[-1]: str(item)}
            elif item.get("Status") not in kind.gone and (not kind.keep or kind.keep(item)):
                yield jsonable(item)

    def describe(
        self, kind: Kind, item: dict[str, Json], *, stub: Resource | None = None
    ) -> list[Collected]:
        """One resource with everything it refers to and its children; empty if it is gone.

        If it cannot be described, its list entry is kept and all that is missing is marked unknown;
        a mere reference (``stub``) has no list entry, so the error goes on.
        """
        reads = SubReads(self._meter)
        config = {name: value for name, value in item.items() if not name.startswith("$")}
        refused: CallError | None = None
        if kind.describe_operation:
            try:
                config = self._unchanged(kind, item) or self._answer(kind, item)
            except CallError as error:
                if _is_missing(error):
                    return []
                if stub is not None:
                    raise
                refused = error
                reads.unknown.update(_unread(kind, self._client(kind.client), item, error))
        resource = self._resource(kind, item, config, stub)
        arn = resource.native_id
        facts: dict[str, Json] = _status(config)
        for read in kind.reads:
            self._more(kind, read, item, config, arn, reads, facts)
        if kind.facts:
            for name in kind.derived:
                if why := _why_lost(reads.unknown, kind.needs.get(name)):
                    reads.lost([f"facts.{name}"], why)
            facts.update(
                {
                    name: value
                    for name, value in kind.facts(self._place, config).items()
                    if f"facts.{name}" not in reads.unknown
                }
            )
        tags = self._tags(kind, config, arn, reads) if kind.service else {}
        resource = replace(resource, tags=tags, facts=facts, config=config, unknown=reads.unknown)
        found: list[Collected] = [
            resource,
            *link(self._place, resource.key, config, kind.references),
        ]
        if kind.service:
            found += in_region(resource.key, self._place)
        if kind.settings:
            shared = settings(self._place, kind.settings)
            lies = Edge(
                resource.key, shared.key, Relation.CONTAINED_IN, "region", Certainty.DEFAULT
            )
            found += [shared, lies]
        if kind.hosts:
            found += hosts(resource, kind.hosts(config))
        if kind.more:
            found += kind.more(self._place, resource)
        for child in kind.children:
            arguments = _arguments(child.arguments, {**item, **config}, arn)
            if arguments is not None:
                found += self._children(child, arguments, resource)
            elif refused is not None:
                # What lies beneath can only be asked for by what the description says.
                self.lost.append(refused)
        return found

    def _client(self, service: str) -> BaseClient:
        return self._clients.client(service, self._place.region)

    def _unchanged(self, kind: Kind, item: Mapping[str, Json]) -> dict[str, Json] | None:
        """The answer that an earlier scan kept, if the list shows that it still holds."""
        if not self._known:
            return None
        known = self._known.get(self._named(kind, item, item.get(kind.arn))[0])
        answer = kept_answer(kind, item, known) if known else None
        if answer is not None:
            spare(self._meter)
        return answer

    def _named(self, kind: Kind, item: Mapping[str, Json], arn: Json) -> tuple[str, str]:
        """Key and name of an item of a list."""
        parsed = Arn.parse(str(arn)) if kind.by_arn else None
        name = "/".join(str(item[field]) for field in kind.identifiers)
        if parsed:
            name = parsed.resource if kind.typed else parsed.name
        return self._place.key(kind.prefix, kind.segment, name), name

    def together(self, kind: Kind, names: Sequence[str]) -> dict[str, Json]:
        """Name → what describing several at once answers about it, None where there is none.

        Empty if the kind has no such call, or it failed: then each is asked for alone.
        """
        found: dict[str, Json] = {}
        for batch in batches(names, kind.batch) if kind.batch else ():
            (argument,) = kind.arguments
            client = self._client(kind.client)
            try:
                answer = call(self._meter, client, kind.describe_operation, **{argument: batch})
            except CallError:
                return {}
            told = {item[kind.batch_by]: jsonable(item) for item in answer.get(kind.answer) or ()}
            found |= {name: told.get(name) for name in batch}
        return found

    def _answer(self, kind: Kind, item: Mapping[str, Json]) -> dict[str, Json]:
        if TOGETHER in item:
            return self._existing(kind, item[TOGETHER])
        arguments: Any = _arguments(kind.describe_arguments, item, str(item.get(ARN) or "")) or {}
        for name in kind.numbers:
            # What is no number the SDK refuses to ask for.
            if str(arguments.get(name)).isdecimal():
                arguments[name] = int(arguments[name])
        answer = jsonable(
            call(self._meter, self._client(kind.client), kind.describe_operation, **arguments)
        )
        inner = answer.get(kind.answer) if kind.answer else answer
        if isinstance(inner, list):
            # Described several at a time, or answered with an empty list where it is gone.
            inner = inner[0] if inner else None
        return self._existing(kind, inner)

    def _existing(self, kind: Kind, answer: Any) -> dict[str, Json]:
        """The answer, or the error that AWS has for what does not exist."""
        if isinstance(answer, dict):
            return {name: said for name, said in answer.items() if name not in kind.passing}
        told: Any = {"Error": {"Code": "ResourceNotFoundException", "Message": "not in the answer"}}
        gone = ClientError(told, kind.describe_operation)
        raise CallError(kind.client, self._place.region, kind.describe_operation, gone)

    def _resource(
        self,
        kind: Kind,
        item: Mapping[str, Json],
        config: Mapping[str, Json],
        stub: Resource | None,
    ) -> Resource:
        said = config.get(kind.arn) or item.get(kind.arn)
        if stub is not None:
            key, name = stub.key, stub.name
            arn = str(said or stub.native_id)
        else:
            key, name = self._named(kind, item, said)
            arn = str(said or self._place.arn(kind.prefix, f"{kind.segment}/{name}"))
        created = config.get(kind.created)
        return Resource(
            key=key,
            provider="aws",
            account=self._place.account,
            region=self._place.region,
            type=kind.type,
            layer=kind.layer,
            # An alias is called as its list says, not like what it leads to.
            name=str(item.get(kind.title) or config.get(kind.title) or name),
            native_id=arn,
            incarnation=created if isinstance(created, str) else None,
            service=kind.service,
            collector=self._collector,
        )

    def _more(
        self,
        kind: Kind,
        read: Read,
        item: Mapping[str, Json],
        config: dict[str, Json],
        arn: str,
        reads: SubReads,
        facts: dict[str, Json],
    ) -> None:
        arguments: Any = _arguments(read.arguments, {**item, **config}, arn)
        if arguments is None or (read.where and not read.where(self._place, config)):
            return
        paths = [f"config.{read.into}"]
        if read.grants:
            paths += ["facts.public", "facts.open_to"]
        client = self._client(read.client or kind.client)
        if read.listed:
            try:
                config[read.into] = self._listed(client, read, arguments)
            except CallError as error:
                if error.code in read.answers:
                    config[read.into] = []
                else:
                    reads.lost(paths, error.unknown)
            return
        answer = reads.read(
            paths, client, read.operation, answers=read.answers, none_if=read.none_if, **arguments
        )
        if answer is None:
            return
        value = jsonable(answer.get(read.pick) if read.pick else answer)
        if read.exists:
            value = bool(value)
        if read.fields and isinstance(value, Mapping):
            value = {name: value[name] for name in read.fields if name in value}
        if read.grants:
            found, unknown = policy_facts(value, read.grants, self._place, arn)
            facts.update(found)
            reads.unknown.update(unknown)
            value = _readable(value)
        if value not in (None, {}):
            config[read.into] = value

    def _listed(self, client: BaseClient, read: Read, arguments: Mapping[str, Json]) -> list[Json]:
        def ask(sent: Mapping[str, Any]) -> list[Json]:
            found = pages(self._meter, client, read.operation, read.pick, **sent)
            return [self._each(client, read, jsonable(entry)) for entry in found]

        if not read.shared:
            return ask(arguments)
        always = {name for name, source in read.arguments.items() if source.startswith("=")}
        sent = {name: value for name, value in arguments.items() if name in always}
        own = {name: value for name, value in arguments.items() if name not in always}
        return self._shared.items(f"{read.operation} {sent}", lambda: ask(sent), own)

    def _each(self, client: BaseClient, read: Read, entry: Json) -> Json:
        if not read.each:
            return entry
        item: dict[str, Json] = dict(entry) if isinstance(entry, Mapping) else {"id": entry}
        for more in read.each:
            arguments: Any = _arguments(more.arguments, item, "") or {}
            if more.listed:
                found = pages(self._meter, client, more.operation, more.pick, **arguments)
                item[more.into] = [jsonable(entry) for entry in found]
                continue
            answer = jsonable(call(self._meter, client, more.operation, **arguments))
            item[more.into] = answer.get(more.pick) if more.pick else answer
        return item

    def _tags(
        self, kind: Kind, config: Mapping[str, Json], arn: str, reads: SubReads
    ) -> dict[str, str]:
        if kind.tags is None:
            return tag_map(config.get("tags") or config.get("Tags"))
        tags = kind.tags
        if self.many and tags.of == ARN and (found := self._shared.tags(kind, arn)) is not None:
            return found
        client = self._client(kind.client)
        arguments: Any = _arguments({tags.argument: tags.of}, config, arn) or {}
        try:
            if client.can_paginate(tags.operation):
                return tag_map(
                    list(pages(self._meter, client, tags.operation, tags.key, **arguments))
                )
            return tag_map(call(self._meter, client, tags.operation, **arguments).get(tags.key))
        except CallError as error:
            reads.lost(["tags"], error.unknown)
            return {}

    def _children(
        self, child: Child, arguments: Mapping[str, Json], resource: Resource
    ) -> Iterator[Collected]:
        try:
            for item in self.list_(child.kind, {**child.kind.list_arguments, **arguments}):
                found = self.describe(child.kind, {**arguments, **item})
                for one in found[:1]:
                    if isinstance(one, Resource):
                        yield from found
                        yield Edge(resource.key, one.key, child.relation, child.via)
        except CallError as error:
            self.lost.append(error)


def policy_facts(
    document: Any, actions: tuple[str, ...], place: Place, arn: str
) -> tuple[dict[str, Json], dict[str, str]]:
    """``public`` and ``open_to`` of a resource policy, or why they are unknown.

    No document is a policy that gives nobody anything.
    """
    try:
        given = grants(parse_policy(document or {}), actions, place.trusted, arn)
    except PolicyError as error:
        reason = f"{CoverageStatus.ERROR}: {error}"
        return {}, {"facts.public": reason, "facts.open_to": reason}
    public = any(grant.public for grant in given)
    outside = [who for grant in given for who in grant.foreign]
    open_to: list[Json] = list(dict.fromkeys([*(["*"] if public else []), *outside]))
    return {"public": public, "open_to": open_to}, {}


def _readable(document: Json) -> Json:
    """A policy as an object, if it is one."""
    try:
        found: Json = jsonable(decode(document)) if isinstance(document, str) else document
    except PolicyError:
        return document
    return found


def _arguments(
    wanted: Mapping[str, str], known: Mapping[str, Json], arn: str
) -> dict[str, Json] | None:
    """The arguments of a call; None if a field that one of them comes from is not there."""
    found: dict[str, Json] = {}
    for argument, source in wanted.items():
        listed = source.endswith("[]")
        field = source.removesuffix("[]")
        value: Json = field[1:] if field.startswith("=") else arn if field == ARN else None
        if value is None:
            value = known
            for step in field.split("."):
                value = value[0] if isinstance(value, list) and value else value
                value = value.get(step) if isinstance(value, Mapping) else None
        if value in (None, ""):
            return None
        found[argument] = [value] if listed else value
    return found


def _status(config: Mapping[str, Json]) -> dict[str, Json]:
    status = config.get("EndpointStatus")
    return {"in_service": status == "InService"} if status is not None else {}


def _why_lost(unknown: Mapping[str, str], needs: tuple[str, ...] | None) -> str:
    """Why a fact that follows from these fields (None: from any) cannot be told; or nothing."""
    for path, reason in unknown.items():
        root, _, rest = path.partition(".")
        if root == "config" and (not rest or needs is None or rest.partition(".")[0] in needs):
            return reason
    return ""


def _unread(
    kind: Kind, client: BaseClient, item: Mapping[str, Json], error: CallError
) -> dict[str, str]:
    """Every field of the answer that the list's item does not hold, and why it is unknown."""
    operation = client.meta.method_to_api_mapping.get(kind.describe_operation)
    shape: Any = operation and client.meta.service_model.operation_model(operation).output_shape
    if shape and kind.answer:
        shape = shape.members.get(kind.answer)
        shape = shape.member if shape and shape.type_name == "list" else shape
    if not shape:
        return {"config": error.unknown}
    unknown = {f"config.{name}": error.unknown for name in shape.members if name not in item}
    # Secrets are looked for in fields that were not read.
    return {**unknown, "facts.secrets": error.unknown}


def _is_missing(error: CallError) -> bool:
    if error.code in _MISSING_CODES:
        return True
    message = str(error.response.get("Error", {}).get("Message") or "")
    return error.code == "ValidationException" and bool(_MISSING.search(message))
