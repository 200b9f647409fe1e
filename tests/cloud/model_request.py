"""Which operation of which service a request asks for, by botocore's own models."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote
from wsgiref.types import WSGIEnvironment

import botocore.session

__all__ = ["Call", "service_model", "understood"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, understood."""

    service: str
    operation: str
    region: str
    params: Mapping[str, Any]


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
    shape = service_model(service).operation_model(operation).input_shape
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


@cache
def service_model(service: str) -> Any:
    """botocore's model of a service."""
    return _session().get_service_model(service)


@cache
def _session() -> Any:
    return botocore.session.Session()


@cache
def _by_target() -> dict[str, str]:
    return {
        service_model(service).metadata["targetPrefix"]: service
        for service in _SERVICES
        if "targetPrefix" in service_model(service).metadata
    }


@cache
def _by_signing() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for service in _SERVICES:
        if service_model(service).metadata.get("protocol") == "rest-json":
            found.setdefault(service_model(service).signing_name, []).append(service)
    return found


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    found = []
    for name in service_model(service).operation_names:
        http = service_model(service).operation_model(name).http
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
