"""A cloud that answers from botocore's own service models, for the calls that moto lacks.

Records say what exists (service, noun, members); the model says how an operation is routed, which
members its answer has, how they are spelt on the wire, and which of them must be there. So one
record answers both ``ListAgents`` and ``GetAgent``, in pages, with the real error codes, over HTTP.
Members that the model does not know are refused when a record is added: a fixture cannot drift.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, unquote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from xml.sax.saxutils import escape

import botocore.session
import yaml
from botocore.validate import ParamValidator

__all__ = ["RECORDS", "Call", "ModelCloud", "Record", "load_records", "understood"]

ACCOUNT = "123456789012"
RECORDS = "/model-api/records"
"""Where records can be posted to: a list of ``[service, noun, region, members]``."""
_FOLDER = Path(__file__).parent / "records"
_TIME = 1_790_000_000
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


@dataclass(frozen=True, slots=True)
class Call:
    """One request, understood."""

    service: str
    operation: str
    region: str
    params: Mapping[str, Any]


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
        model = _model(call.service)
        operation = model.operation_model(call.operation)
        failure = self._failures.get((call.service, call.operation))
        if failure and failure[2] != 0:
            failure[2] -= 1
            return _error(model, failure[1], failure[0], failure[3])
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
                return _error(model, _status(model, code), code, f"{nouns} does not exist")
            answer = _shaped(output, found[0].data) if found else {}
        return _encoded(model, call.operation, output, answer)

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
            items: list[Any] = [_item(item, r.data) for r in found]
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


# ------------------------------------------------------------------------------------ the request


def understood(environ: WSGIEnvironment, body: bytes) -> Call | None:
    """Which operation of which service a request asks for; None if no model here knows it."""
    scope = re.search(
        r"Credential=[^/]+/\d+/(?P<region>[^/]+)/(?P<name>[^/]+)/",
        str(environ.get("HTTP_AUTHORIZATION", "")),
    )
    region = scope["region"] if scope else "us-east-1"
    signing = scope["name"] if scope else ""
    prefix, _, operation = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")
    if operation:
        service = _by_target().get(prefix)
        return (service and Call(service, operation, region, json.loads(body or b"{}"))) or None
    if signing in ("iam", "sts"):
        form = {k: v[0] for k, v in parse_qs(body.decode()).items()}
        return Call(signing, form.pop("Action", ""), region, form)
    path, query = str(environ.get("PATH_INFO", "")), str(environ.get("QUERY_STRING", ""))
    raw = str(environ.get("REQUEST_URI") or environ.get("RAW_URI") or path).partition("?")[0]
    for service in _by_signing().get(signing, ()):
        for method, pattern, name in _routes(service):
            match = pattern.fullmatch(raw) if method == environ["REQUEST_METHOD"] else None
            if match:
                labels = {k: unquote(v) for k, v in match.groupdict().items()}
                return Call(service, name, region, _params(service, name, labels, query, body))
    return None


def _params(
    service: str, operation: str, labels: Mapping[str, str], query: str, body: bytes
) -> dict[str, Any]:
    shape = _model(service).operation_model(operation).input_shape
    asked = parse_qs(query)
    sent = json.loads(body) if body.strip().startswith(b"{") else {}
    found: dict[str, Any] = {}
    for member, inner in shape.members.items():
        name = inner.serialization.get("name", member)
        if member in labels or name in labels:
            found[member] = labels.get(member, labels.get(name))
        elif inner.serialization.get("location") == "querystring" and name in asked:
            found[member] = asked[name] if inner.type_name == "list" else asked[name][0]
        elif name in sent:
            found[member] = sent[name]
    return found


# Every service that a record may be about. REST services are told apart by path and signing name.
_SERVICES = (
    "sts",
    "iam",
    "sagemaker",
    "bedrock",
    "bedrock-agent",
    "bedrock-agentcore-control",
    "bedrock-data-automation",
    "comprehend",
    "kendra",
    "qbusiness",
    "glue",
    "translate",
    "healthlake",
    "forecast",
    "frauddetector",
    "lookoutequipment",
    "lexv2-models",
    "opensearchserverless",
    "opensearch",
    "s3vectors",
    "batch",
    "ecs",
    "eks",
    "ecr",
    "lambda",
    "inspector2",
    "guardduty",
    "macie2",
    "securityhub",
    "cloudtrail",
    "logs",
    "organizations",
    "account",
    "resourcegroupstaggingapi",
    "efs",
    "fsx",
    "kms",
    "secretsmanager",
)


@cache
def _model(service: str) -> Any:
    return _session().get_service_model(service)


@cache
def _session() -> Any:
    return botocore.session.Session()


@cache
def _by_target() -> dict[str, str]:
    return {
        _model(service).metadata["targetPrefix"]: service
        for service in _SERVICES
        if "targetPrefix" in _model(service).metadata
    }


@cache
def _by_signing() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for service in _SERVICES:
        if _model(service).metadata.get("protocol") == "rest-json":
            found.setdefault(_model(service).signing_name, []).append(service)
    return found


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    found = []
    for name in _model(service).operation_names:
        http = _model(service).operation_model(name).http
        path = http["requestUri"].partition("?")[0]
        pattern = "".join(
            f"(?P<{part[1:-1].rstrip('+')}>{'.+' if part.endswith('+}') else '[^/]+'})"
            if part.startswith("{")
            else re.escape(part)
            for part in re.split(r"(\{[^}]+\})", path)
        )
        found.append((path.count("{"), http["method"], re.compile(pattern), name))
    # The route with the fewest labels is the more exact one.
    return [entry[1:] for entry in sorted(found, key=lambda e: (e[0], e[3]))]


# ------------------------------------------------------------------------------------- the answer


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


def _item(shape: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    return _filled(shape, {k: v for k, v in data.items() if k in shape.members})


def _shaped(output: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """The answer around ``data``: its members at the top, or inside the one member that has them."""
    inner = {
        name: shape for name, shape in output.members.items() if shape.type_name == "structure"
    }
    best, fits = "", len(set(data) & set(output.members))
    for name, shape in inner.items():
        if len(set(data) & set(shape.members)) > fits:
            best, fits = name, len(set(data) & set(shape.members))
    if best:
        return {best: _item(inner[best], data)}
    return _item(output, data)


def _filled(shape: Any, value: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """``value`` with the members that the model requires, made up where they are missing."""
    filled = dict(value)
    for name in shape.required_members:
        if name not in filled and depth < 4:
            filled[name] = _made_up(shape.members[name], depth + 1)
    for name, inner in list(filled.items()):
        member = shape.members[name]
        if member.type_name == "structure" and isinstance(inner, Mapping):
            filled[name] = dict(inner) if _free(member) else _filled(member, inner, depth + 1)
    return filled


def _made_up(shape: Any, depth: int) -> Any:
    kind = shape.type_name
    if kind == "structure":
        if shape.is_tagged_union and shape.members:
            first = next(iter(shape.members))
            return {first: _made_up(shape.members[first], depth + 1)}
        return {} if _free(shape) else _filled(shape, {}, depth)
    if kind == "string":
        return shape.enum[0] if shape.enum else "x"
    if kind == "timestamp":
        return _TIME
    simple: dict[str, Any] = {"list": [], "map": {}, "boolean": False, "blob": ""}
    return simple.get(kind, 1)


def _free(shape: Any) -> bool:
    """A member that takes any JSON."""
    return bool(getattr(shape, "is_document_type", False))


def _encoded(model: Any, operation: str, output: Any, answer: Any) -> tuple[int, str, bytes]:
    protocol = model.metadata.get("protocol")
    if protocol == "query":
        inner = "".join(_xml(output, answer))
        text = (
            f"<{operation}Response><{operation}Result>{inner}</{operation}Result>"
            f"<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{operation}Response>"
        )
        return 200, "text/xml", text.encode()
    payload = output.serialization.get("payload")
    wire = _wire(output, answer)
    if payload:
        name = output.members[payload].serialization.get("name", payload)
        wire = wire.get(name)
        if isinstance(wire, str):
            return 200, "application/json", wire.encode()
    kind = "application/json" if protocol == "rest-json" else "application/x-amz-json-1.1"
    return 200, kind, json.dumps(wire).encode()


def _wire(shape: Any, value: Any) -> Any:
    kind = shape.type_name
    if kind == "structure" and not _free(shape):
        return {
            shape.members[name].serialization.get("name", name): _wire(shape.members[name], inner)
            for name, inner in value.items()
            if name in shape.members
        }
    if kind == "list":
        return [_wire(shape.member, inner) for inner in value]
    if kind == "map":
        return {key: _wire(shape.value, inner) for key, inner in value.items()}
    if kind == "timestamp":
        return _moment(shape, value)
    if kind == "blob" and isinstance(value, str):
        return base64.b64encode(value.encode()).decode()
    return value


def _moment(shape: Any, value: Any) -> Any:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    seconds = moment.timestamp() if isinstance(moment, datetime) else moment
    if shape.serialization.get("timestampFormat") == "iso8601":
        return datetime.fromtimestamp(seconds).astimezone().isoformat()
    return seconds


def _xml(shape: Any, value: Any) -> Iterator[str]:
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield f"<{name}>{''.join(_xml(shape.members[name], inner))}</{name}>"
    elif shape.type_name == "list":
        for item in value:
            yield f"<member>{''.join(_xml(shape.member, item))}</member>"
    elif shape.type_name == "timestamp":
        # A number is made up, for a time that must be there.
        moment = datetime.fromtimestamp(value).astimezone() if isinstance(value, int) else value
        yield escape(str(moment))
    else:
        yield escape(str(value).lower() if isinstance(value, bool) else str(value))


def _missing_code(call: Call, operation: Any) -> str:
    named = _MISSING_CODES.get((call.service, call.operation))
    if named:
        return named
    shapes = [shape.name for shape in operation.error_shapes]
    return next((s for s in shapes if "NotFound" in s), "ResourceNotFoundException")


def _status(model: Any, code: str) -> int:
    shape = next((s for s in model.error_shapes if s.name == code), None)
    return int((shape.metadata.get("error") or {}).get("httpStatusCode") or 400) if shape else 400


def _error(model: Any, status: int, code: str, message: str) -> tuple[int, str, bytes]:
    if model.metadata.get("protocol") == "query":
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        return status, "text/xml", text.encode()
    body = {"__type": code, "message": message, "Message": message, "code": code}
    return status, "application/json", json.dumps(body).encode()


# -------------------------------------------------------------------------------- fixtures checked


def _check(record: Record) -> None:
    """Raise ValueError if no operation of the noun knows what the record holds."""
    problems: dict[str, str] = {}
    rest = set(record.data)
    for name in _model(record.service).operation_names:
        if record.noun not in _nouns(name) or not name.startswith(_VERBS):
            continue
        output = _model(record.service).operation_model(name).output_shape
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
