"""Answers in the shapes of botocore's models, spelt as each protocol spells them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

__all__ = ["encoded", "error", "item_of", "shaped", "status_of"]

_TIME = 1_790_000_000


def item_of(shape: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """One item of a list, as its shape has it."""
    return _filled(shape, {k: v for k, v in data.items() if k in shape.members})


def shaped(output: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """The answer around ``data``: its members at the top, or inside the one member that has them."""
    inner = {
        name: shape for name, shape in output.members.items() if shape.type_name == "structure"
    }
    best, fits = "", len(set(data) & set(output.members))
    for name, shape in inner.items():
        if len(set(data) & set(shape.members)) > fits:
            best, fits = name, len(set(data) & set(shape.members))
    if best:
        return {best: item_of(inner[best], data)}
    return item_of(output, data)


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


def encoded(model: Any, operation: str, output: Any, answer: Any) -> tuple[int, str, bytes]:
    """Status, content type and body of an answer."""
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


def status_of(model: Any, code: str) -> int:
    """The status of an error code."""
    shape = next((s for s in model.error_shapes if s.name == code), None)
    return int((shape.metadata.get("error") or {}).get("httpStatusCode") or 400) if shape else 400


def error(model: Any, status: int, code: str, message: str) -> tuple[int, str, bytes]:
    """An error as the service's protocol writes it."""
    if model.metadata.get("protocol") == "query":
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        return status, "text/xml", text.encode()
    body = {"__type": code, "message": message, "Message": message, "code": code}
    return status, "application/json", json.dumps(body).encode()
