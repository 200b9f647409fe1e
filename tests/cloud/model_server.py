"""A cloud that answers from botocore's own service models, for the calls that moto lacks.

Records say what exists (service, noun, members); the model says how an operation is routed, which
members its answer has, how they are spelt on the wire, and which of them must be there. So one
record answers both ``ListAgents`` and ``GetAgent``, in pages, with the real error codes, over HTTP.
Members that the model does not know are refused when a record is added: a fixture cannot drift.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import yaml
from botocore.validate import ParamValidator

from tests.cloud.model_request import Call, service_model, understood
from tests.cloud.model_wire import encoded, error, item_of, shaped, status_of

__all__ = ["RECORDS", "ModelCloud", "Record", "load_records"]

ACCOUNT = "123456789012"
RECORDS = "/model-api/records"
"""Where records can be posted to: a list of ``[service, noun, region, members]``."""
_FOLDER = Path(__file__).parent / "records"
_TOKENS = ("nextToken", "NextToken", "Marker", "marker", "PaginationToken")
_LISTING = ("GetEnabledStandards", "GetMLTransforms", "GetModels", "GetResources")
"""Operations that list although they are called otherwise."""
_SIZES = ("maxResults", "MaxResults", "MaxItems", "maxItems", "pageSize")
_PARTS = ("include",)
"""Lists in a request that say how much of a thing is asked for, not which things."""
_VERBS = ("BatchGet", "List", "Describe", "Get")
_LENIENT = ("Missing required", "datetime", "Invalid length")
# Where a missing policy is a validation error, as AWS has it.
_MISSING_CODES = {
    ("sagemaker", "GetEndpointPolicy"): "ValidationException",
    ("sagemaker", "GetModelPackageGroupPolicy"): "ValidationException",
    ("efs", "DescribeFileSystemPolicy"): "PolicyNotFound",
    ("s3vectors", "GetVectorBucketPolicy"): "NotFoundException",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that exists."""

    service: str
    """botocore's client name."""
    noun: str
    """As in the operation names: ``Agent`` of ``GetAgent`` and ``ListAgents``."""
    region: str
    data: Mapping[str, Any]
    under: Mapping[str, str] = field(default_factory=dict)
    """Request parameters that find it and are no members of it (the ARN of a policy's resource)."""

    @property
    def names(self) -> set[str]:
        """Everything that it may be asked for by."""
        return {str(v) for v in (*self.data.values(), *self.under.values()) if isinstance(v, str)}


class ModelCloud:
    """WSGI application. ``app`` takes what is not answered here; without it that is a 501.

    ``others(service, operation)`` says which operations ``app`` has; those are only answered here
    if there is a record for them.
    """

    def __init__(self, app: WSGIApplication | None = None, others: Any = None) -> None:
        self._app = app
        self._others = others or (lambda _service, _operation: False)
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """Forget every record, failure and call."""
        self.records: list[Record] = []
        self.delay = 0.0
        """Seconds that every answer takes, as if it came from afar."""
        self.page = 2
        """Most items of one page, so that small estates have pages too."""
        self.calls: Counter[tuple[str, str]] = Counter()
        self._failures: dict[tuple[str, str], list[Any]] = {}

    def add(self, records: Iterable[Record]) -> None:
        """Let these exist. Raises ValueError for members that the model does not know."""
        for record in records:
            _check(record)
            self.records.append(record)

    def fail(
        self,
        service: str,
        operation: str,
        code: str,
        status: int,
        times: int = -1,
        message: str = "made to fail",
    ) -> None:
        """Answer an operation with an error, always or so many times."""
        self._failures[service, operation] = [code, status, times, message]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer here what has a model and is ours; pass on the rest."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        if environ.get("PATH_INFO") == RECORDS:
            self.add(Record(*entry) for entry in json.loads(body))
            start_response("200 OK", [("Content-Length", "0")])
            return [b""]
        if self.delay:
            time.sleep(self.delay)
        call = understood(environ, body)
        if call is not None:
            with self._lock:
                self.calls[call.service, call.operation] += 1
        if call is None or not self._is_ours(call):
            if self._app is None:
                start_response("501 Not Implemented", [("Content-Type", "text/html")])
                return [b"<h1>not here</h1>"]
            import io

            return self._app({**environ, "wsgi.input": io.BytesIO(body)}, start_response)
        status, kind, content = self.answer(call)
        headers = [("Content-Type", kind), ("Content-Length", str(len(content)))]
        start_response(f"{status} X", headers)
        return [content]

    def _is_ours(self, call: Call) -> bool:
        if (call.service, call.operation) in self._failures or self._app is None:
            return True
        noun = _nouns(call.operation)
        if any(r.service == call.service and r.noun in noun for r in self.records):
            return True
        return not self._others(call.service, call.operation)

    def answer(self, call: Call) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        model = service_model(call.service)
        operation = model.operation_model(call.operation)
        failure = self._failures.get((call.service, call.operation))
        if failure and failure[2] != 0:
            failure[2] -= 1
            return error(model, failure[1], failure[0], failure[3])
        nouns = _nouns(call.operation)
        known = [
            r
            for r in self.records
            if r.service == call.service and r.noun in nouns and r.region in ("", call.region)
        ]
        output = operation.output_shape
        if output is None:
            return 200, "application/json", b"{}"
        listed = _list_member(output, call.operation)
        if call.operation.startswith("ListTags") and not known:
            answer = _owned(output)
        elif listed:
            answer = self._listing(call, operation, listed, known)
        else:
            needed = _needed(operation, call.params)
            found = [r for r in known if needed <= r.names]
            if not found and needed and not call.operation.startswith("ListTags"):
                code = _missing_code(call, operation)
                return error(model, status_of(model, code), code, f"{nouns} does not exist")
            answer = shaped(output, found[0].data) if found else {}
        return encoded(model, call.operation, output, answer)

    def _listing(
        self, call: Call, operation: Any, listed: str, known: list[Record]
    ) -> dict[str, Any]:
        output = operation.output_shape
        asked = [
            set(v)
            for name, v in call.params.items()
            if isinstance(v, list) and v and name not in _PARTS
        ]
        needed = _needed(operation, call.params)
        found = [
            r
            for r in known
            if needed <= r.names and all(_named_in(r, names) for names in asked if known)
        ]
        item = output.members[listed].member
        if item.type_name == "structure":
            items: list[Any] = [item_of(item, r.data) for r in found]
        else:
            items = [name for r in found for name in _identifiers(listed, r)]
        token = next((name for name in _TOKENS if name in output.members), "")
        asked_for = next((n for n in _TOKENS if n in operation.input_shape.members), token)
        if not token:
            return {listed: items}
        sizes = [int(call.params[n]) for n in _SIZES if n in call.params]
        size = min([self.page, *sizes])
        start = int(call.params.get(asked_for) or 0)
        answer: dict[str, Any] = {listed: items[start : start + size]}
        if start + size < len(items):
            answer[token] = str(start + size)
            if "IsTruncated" in output.members:
                answer["IsTruncated"] = True
        return answer


def load_records(name: str, region: str = "") -> list[Record]:
    """Read ``records/<name>.yaml``: service → noun → list of things.

    ``_under`` holds request parameters that find the thing, ``_region`` the region it is in.
    """
    text = (_FOLDER / f"{name}.yaml").read_text("utf-8")
    data = yaml.safe_load(text)
    found = []
    for service, nouns in data.items():
        for noun, things in nouns.items():
            for thing in things:
                members = {k: v for k, v in thing.items() if not k.startswith("_")}
                where = str(thing.get("_region", region))
                found.append(Record(service, noun, where, members, thing.get("_under") or {}))
    return found


# Every service that a record may be about. REST services are told apart by path and signing name.


@cache
def _nouns(operation: str) -> frozenset[str]:
    """What an operation is about, in the singular, as far as its name tells."""
    verb = next((v for v in _VERBS if operation.startswith(v)), "")
    noun = operation.removeprefix(verb)
    found = {noun, noun.removesuffix("V2"), noun.removesuffix("s"), noun.removesuffix("es")}
    if noun.endswith("ies"):
        found.add(noun[:-3] + "y")
    if noun.endswith("Indices"):
        found.add(noun[:-7] + "Index")
    return frozenset(found)


@cache
def _list_member(output: Any, operation: str) -> str:
    """The member that an operation lists things in; empty if it describes one thing."""
    if operation == "GetEventSelectors":
        return ""
    if operation.startswith(("Get", "Describe")):
        plural = operation.endswith("s") and not operation.endswith(("Alias", "Status", "ss"))
        if not plural or (operation.startswith("Get") and operation not in _LISTING):
            return ""
    lists = [name for name, shape in output.members.items() if shape.type_name == "list"]
    return min(lists, key=lambda name: name in ("failures", "errors", "failedAccounts"), default="")


def _needed(operation: Any, params: Mapping[str, Any]) -> set[str]:
    shape = operation.input_shape
    return {
        str(params[name])
        for name in (shape.members if shape else ())
        if isinstance(params.get(name), str)
        and (
            name in shape.required_members
            or name.endswith(("Arn", "Id", "Name", "Identifier", "Version", "ApprovalStatus"))
        )
        and name not in _TOKENS
    }


def _named_in(record: Record, names: set[Any]) -> bool:
    # Ids, ARNs, and names that an ARN ends with.
    plain = {str(name) for name in names}
    return any(n in plain or n.rpartition("/")[2] in plain for n in record.names)


def _identifiers(listed: str, record: Record) -> list[str]:
    """What a list of bare names holds of a record."""
    if isinstance(whole := record.data.get(listed), list):
        return whole
    wanted = listed[:-1]
    known = {key.lower(): str(v) for key, v in record.data.items() if isinstance(v, str)}
    names = (wanted.lower(), f"{wanted.lower()}name", "name")
    return [next((known[name] for name in names if name in known), next(iter(known.values())))]


def _owned(output: Any) -> dict[str, Any]:
    """Everything has an owner unless a record says otherwise."""
    tags = next(n for n, shape in output.members.items() if shape.type_name in ("list", "map"))
    shape = output.members[tags]
    if shape.type_name == "map":
        return {tags: {"owner": "platform"}}
    spelt = {name.lower().removeprefix("tag"): name for name in shape.member.members}
    return {tags: [{spelt["key"]: "owner", spelt["value"]: "platform"}]}


def _missing_code(call: Call, operation: Any) -> str:
    named = _MISSING_CODES.get((call.service, call.operation))
    if named:
        return named
    shapes = [shape.name for shape in operation.error_shapes]
    return next((s for s in shapes if "NotFound" in s), "ResourceNotFoundException")


# -------------------------------------------------------------------------------- fixtures checked


def _check(record: Record) -> None:
    """Raise ValueError if no operation of the noun knows what the record holds."""
    problems: dict[str, str] = {}
    rest = set(record.data)
    for name in service_model(record.service).operation_names:
        if record.noun not in _nouns(name) or not name.startswith(_VERBS):
            continue
        output = service_model(record.service).operation_model(name).output_shape
        for shape in _holders(output):
            mine = {k: v for k, v in record.data.items() if k in shape.members}
            rest -= set(mine)
            for problem in _problems(shape, mine) if mine else ():
                problems[name] = problem
    if rest or problems:
        said = [f"unknown: {', '.join(sorted(rest))}"] * bool(rest)
        raise ValueError(
            f"{record.service} {record.noun}: {'; '.join([*said, *problems.values()])}"
        )


def _holders(output: Any) -> Iterator[Any]:
    if output is None:
        return
    yield output
    for shape in output.members.values():
        inner = shape.member if shape.type_name == "list" else shape
        if inner.type_name == "structure":
            yield inner


def _problems(shape: Any, value: Mapping[str, Any]) -> list[str]:
    if shape.type_name != "structure":
        return []
    report = ParamValidator().validate(value, shape).generate_report()
    # What is required and missing is made up; a time may be a text here, and a text short.
    return [
        line for line in report.splitlines() if line and not any(word in line for word in _LENIENT)
    ]
