"""What moto's SageMaker forgets, put back between the HTTP server and moto.

AWS gives back the fields it was sent; moto 5.2 drops many of them, refuses instance types that are
newer than its list, and lacks some list calls. This WSGI layer remembers every SageMaker create and
update request and completes the answers with it. One mechanism instead of a patch per class:

* ``Describe…``: fields of the request that the answer's own shape (botocore's model) has come back
  as they were sent; defaults that AWS fills in (``RootAccess``) are filled in; empty ``Containers``
  and ``VpcConfig``, which AWS leaves out, are left out.
* ``DescribeEndpoint``: ``DeployedImages``, from the endpoint configuration and its models.
* ``Create…`` with an instance type moto does not know: moto gets one that it knows.
* User profiles, Studio lifecycle configurations and the list of notebook lifecycle configurations
  are kept here, since moto has none.
* ``Update…`` of notebooks, endpoints and domains: moto has none; the remembered request changes.
* ``ListTags``: from the remembered requests; moto cannot find domains, nor names with a slash.
* ``GetResources`` of the tagging API, asked for types of SageMaker: from the same.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeAlias
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import botocore.session

__all__ = ["ACCOUNT", "ANSWERED", "Fidelity"]

ACCOUNT = "123456789012"
"""The account that moto gives to credentials it does not know."""

_Record: TypeAlias = dict[str, Any]

_IDS: Mapping[str, tuple[str, ...]] = {
    "Domain": ("DomainId",),
    "Endpoint": ("EndpointName",),
    "EndpointConfig": ("EndpointConfigName",),
    "Model": ("ModelName",),
    "NotebookInstance": ("NotebookInstanceName",),
    "NotebookInstanceLifecycleConfig": ("NotebookInstanceLifecycleConfigName",),
    "ProcessingJob": ("ProcessingJobName",),
    "StudioLifecycleConfig": ("StudioLifecycleConfigName",),
    "TrainingJob": ("TrainingJobName",),
    "UserProfile": ("DomainId", "UserProfileName"),
}
"""Kind → the request fields that name one."""

_TAGGING = "ResourceGroupsTaggingAPI_20170126"

_OURS = frozenset({"UserProfile", "StudioLifecycleConfig"})
"""Kinds that moto does not have at all."""

_LISTED_HERE: Mapping[str, tuple[str, str]] = {
    "ListUserProfiles": ("UserProfile", "UserProfiles"),
    "ListStudioLifecycleConfigs": ("StudioLifecycleConfig", "StudioLifecycleConfigs"),
    "ListNotebookInstanceLifecycleConfigs": (
        "NotebookInstanceLifecycleConfig",
        "NotebookInstanceLifecycleConfigs",
    ),
}
ANSWERED = frozenset(
    {
        *_LISTED_HERE,
        *(f"{verb}{kind}" for kind in _OURS for verb in ("Create", "Describe", "Delete")),
    }
    | {f"Update{kind}" for kind in ("NotebookInstance", "Endpoint", "Domain", "UserProfile")}
)
"""SageMaker operations that are answered here and that moto does not have."""
_UPDATED_HERE = frozenset({"NotebookInstance", "Endpoint", "Domain", "UserProfile"})

_RENAMED: Mapping[str, Mapping[str, str]] = {
    "NotebookInstance": {
        "LifecycleConfigName": "NotebookInstanceLifecycleConfigName",
        "SecurityGroupIds": "SecurityGroups",
    },
}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "NotebookInstance": {
        "DirectInternetAccess": "Enabled",
        "InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": "1"},
        "PlatformIdentifier": "notebook-al2023-v1",
        "RootAccess": "Enabled",
    },
    "Domain": {"AppNetworkAccessType": "PublicInternetOnly"},
    "Model": {"EnableNetworkIsolation": False},
    "TrainingJob": {
        "EnableInterContainerTrafficEncryption": False,
        "EnableNetworkIsolation": False,
    },
}
_LEFT_OUT_WHEN_EMPTY = frozenset({"Containers", "VpcConfig"})
_KNOWN_INSTANCE = {"NotebookInstance": "ml.t3.medium", "EndpointConfig": "ml.m5.large"}
_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<name>[^:@]+)(?::(?P<tag>[^@]+))?"
)


class Fidelity:
    """WSGI middleware around moto's server application."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._records: dict[tuple[str, str, tuple[str, ...]], _Record] = {}
        self._tags: dict[str, list[dict[str, str]]] = {}

    def reset(self) -> None:
        """Forget everything, as moto does on its own reset."""
        self._records.clear()
        self._tags.clear()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer SageMaker calls here or complete moto's answer; pass everything else through."""
        service, _, operation = str(environ.get("HTTP_X_AMZ_TARGET", "")).partition(".")
        if service not in ("SageMaker", _TAGGING):
            return self._app(environ, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = json.loads(environ["wsgi.input"].read(length) or b"{}")
        kinds = [str(kind) for kind in body.get("ResourceTypeFilters") or ()]
        if service == _TAGGING and kinds and all(kind.startswith("sagemaker:") for kind in kinds):
            status, answer = "200 OK", self._tagged(_region(environ), kinds, body)
        else:
            status, answer = self._answer(environ, operation, body)
        content = json.dumps(answer).encode()
        headers = [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("Content-Length", str(len(content))),
        ]
        start_response(status, headers)
        return [content]

    def _tagged(self, region: str, kinds: list[str], body: _Record) -> _Record:
        starts = tuple(f"arn:aws:sagemaker:{region}:{ACCOUNT}:{kind[10:]}/" for kind in kinds)
        found = [
            {"ResourceARN": arn, "Tags": tags}
            for arn, tags in sorted(self._tags.items())
            if tags and arn.startswith(starts)
        ]
        start, size = int(body.get("PaginationToken") or 0), int(body.get("ResourcesPerPage") or 50)
        following = str(start + size) if start + size < len(found) else ""
        return {
            "ResourceTagMappingList": found[start : start + size],
            "PaginationToken": following,
        }

    def _answer(
        self, environ: WSGIEnvironment, operation: str, body: _Record
    ) -> tuple[str, _Record]:
        region = _region(environ)
        verb, kind = _split(operation)
        if operation in _LISTED_HERE:
            return "200 OK", self._list(region, operation, body)
        if operation == "ListTags" and body.get("ResourceArn") in self._tags:
            return "200 OK", {"Tags": self._tags[body["ResourceArn"]]}
        if kind not in _IDS:
            return self._moto(environ, body)
        if verb == "Create":
            return self._create(environ, region, kind, body)
        name = (region, kind, tuple(str(body.get(field)) for field in _IDS[kind]))
        if verb == "Update" and kind in _UPDATED_HERE:
            if name not in self._records:
                return _missing(kind)
            self._records[name].update(_renamed(kind, body))
            self._records[name]["LastModifiedTime"] = time.time()
            return "200 OK", {}
        if verb == "Delete":
            self._records.pop(name, None)
            return ("200 OK", {}) if kind in _OURS else self._moto(environ, body)
        if kind in _OURS:
            record = self._records.get(name)
            return _missing(kind) if record is None else ("200 OK", _public(kind, record))
        status, answer = self._moto(environ, body)
        if verb == "Describe" and status.startswith("200"):
            self._complete(region, kind, name[2], answer)
        return status, answer

    def _create(
        self, environ: WSGIEnvironment, region: str, kind: str, body: _Record
    ) -> tuple[str, _Record]:
        record = _renamed(kind, body)
        if kind in _OURS:
            now = time.time()
            names = "/".join(str(body[field]).lower() for field in _IDS[kind])
            arn = f"arn:aws:sagemaker:{region}:{ACCOUNT}:{_dashed(kind)}/{names}"
            record |= {f"{kind}Arn": arn, "CreationTime": now, "LastModifiedTime": now}
            if kind == "UserProfile":
                record["Status"] = "InService"
            status, answer = "200 OK", {f"{kind}Arn": arn}
        else:
            status, answer = self._moto(environ, _acceptable(kind, body))
        if status.startswith("200"):
            if kind == "Domain":
                record["DomainId"] = str(answer["DomainArn"]).rpartition("/")[2]
            if kind == "NotebookInstanceLifecycleConfig":
                record["CreationTime"] = record["LastModifiedTime"] = time.time()
            name = tuple(str(record[field]) for field in _IDS[kind])
            self._records[region, kind, name] = record
            self._tags[str(answer.get(f"{kind}Arn"))] = list(body.get("Tags") or ())
        return status, answer

    def _complete(self, region: str, kind: str, name: tuple[str, ...], answer: _Record) -> None:
        record = self._records.get((region, kind, name), {})
        members = _members(f"Describe{kind}")
        answer.update({key: value for key, value in record.items() if key in members})
        for key, value in _DEFAULTS.get(kind, {}).items():
            if answer.get(key) in (None, "", {}):
                answer[key] = value
        for key in _LEFT_OUT_WHEN_EMPTY & set(answer):
            if not answer[key]:
                del answer[key]
        if kind == "Endpoint":
            self._deploy(region, answer)

    def _deploy(self, region: str, endpoint: _Record) -> None:
        """Say which images an endpoint runs, as AWS does for every variant."""
        config = self._records.get(
            (region, "EndpointConfig", (endpoint["EndpointConfigName"],)), {}
        )
        models = {
            v["VariantName"]: v.get("ModelName") for v in config.get("ProductionVariants", ())
        }
        present = {v["VariantName"]: v for v in endpoint.get("ProductionVariants") or ()}
        endpoint["ProductionVariants"] = [
            {
                **present.get(variant, {"VariantName": variant}),
                "DeployedImages": self._images(region, model, endpoint.get("LastModifiedTime")),
            }
            for variant, model in models.items()
        ]

    def _images(self, region: str, model: str | None, when: Any) -> list[_Record]:
        record = self._records.get((region, "Model", (str(model),)), {})
        containers = [record.get("PrimaryContainer") or {}, *(record.get("Containers") or ())]
        return [
            {
                "SpecifiedImage": container["Image"],
                "ResolvedImage": _resolved(container["Image"]),
                # Images are looked up when an endpoint is deployed, not when somebody asks.
                "ResolutionTime": when,
            }
            for container in containers
            if container.get("Image")
        ]

    def _list(self, region: str, operation: str, body: _Record) -> _Record:
        kind, key = _LISTED_HERE[operation]
        members = _list_members(operation, key)
        chosen = [
            {k: v for k, v in record.items() if k in members}
            | ({f"{kind}Arn": _arn(region, kind, name)} if f"{kind}Arn" in members else {})
            for (where, what, name), record in sorted(self._records.items())
            if (where, what) == (region, kind)
            and body.get("DomainIdEquals", record.get("DomainId")) == record.get("DomainId")
        ]
        start, size = int(body.get("NextToken") or 0), int(body.get("MaxResults") or 100)
        page: _Record = {key: chosen[start : start + size]}
        if start + size < len(chosen):
            page["NextToken"] = str(start + size)
        return page

    def _moto(self, environ: WSGIEnvironment, body: _Record) -> tuple[str, _Record]:
        content = json.dumps(body).encode()
        inner: WSGIEnvironment = {
            **environ,
            "wsgi.input": io.BytesIO(content),
            "CONTENT_LENGTH": str(len(content)),
        }
        said: list[str] = []

        def start(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
            said.append(status)
            return lambda _: None

        result = self._app(inner, start)
        try:
            text = b"".join(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        try:
            return said[0], json.loads(text or b"{}")
        except ValueError:
            if said[0].startswith("403"):
                # moto's enforcement of policies answers in XML.
                return "400 Bad Request", {"__type": "AccessDeniedException", "message": "no"}
            # moto says so in HTML where it has not implemented an operation.
            message = {"__type": "InternalFailure", "message": "not implemented"}
            return "501 Not Implemented", message


def _region(environ: WSGIEnvironment) -> str:
    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/", str(environ.get("HTTP_AUTHORIZATION", "")))
    return scope[1] if scope else "us-east-1"


def _split(operation: str) -> tuple[str, str]:
    verb = re.match(r"Create|Describe|Update|Delete|List", operation)
    return (verb[0], operation[len(verb[0]) :]) if verb else ("", operation)


def _missing(kind: str) -> tuple[str, _Record]:
    return "400 Bad Request", {"__type": "ResourceNotFound", "message": f"{kind} not found"}


def _renamed(kind: str, body: _Record) -> _Record:
    names = _RENAMED.get(kind, {})
    return {names.get(key, key): value for key, value in body.items()}


def _public(kind: str, record: _Record) -> _Record:
    members = _members(f"Describe{kind}")
    return {key: value for key, value in record.items() if key in members}


def _arn(region: str, kind: str, name: tuple[str, ...]) -> str:
    return f"arn:aws:sagemaker:{region}:{ACCOUNT}:{_dashed(kind)}/{'/'.join(name).lower()}"


def _dashed(kind: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind).lower()


def _acceptable(kind: str, body: _Record) -> _Record:
    known = _KNOWN_INSTANCE.get(kind)
    if known is None:
        return body
    changed = dict(body)
    if "InstanceType" in changed:
        changed["InstanceType"] = known
    if "ProductionVariants" in changed:
        changed["ProductionVariants"] = [
            {**variant, "InstanceType": known} if "InstanceType" in variant else variant
            for variant in changed["ProductionVariants"]
        ]
    return changed


def _resolved(image: str) -> str:
    """The image by digest: our own registry's, or one made up from the name."""
    if "@" in image:
        return image
    digest = "sha256:" + hashlib.sha256(image.encode()).hexdigest()
    base = image
    if match := _ECR.fullmatch(image):
        base = image.removesuffix(f":{match['tag']}") if match["tag"] else image
        digest = _digest_in_moto(match) or digest
    elif ":" in image.rpartition("/")[2]:
        base = image.rpartition(":")[0]
    return f"{base}@{digest}"


def _digest_in_moto(match: re.Match[str]) -> str | None:
    from moto.ecr.models import ecr_backends

    backend = ecr_backends[match["account"]][match["region"]]
    repository = backend.repositories.get(match["name"])
    wanted = match["tag"] or "latest"
    for image in repository.images if repository else ():
        if wanted in image.image_tags:
            return str(image.get_image_digest())
    return None


@cache
def _model() -> Any:
    return botocore.session.Session().get_service_model("sagemaker")


@cache
def _members(operation: str) -> frozenset[str]:
    shape = _model().operation_model(operation).output_shape
    return frozenset(shape.members) if shape is not None else frozenset()


@cache
def _list_members(operation: str, key: str) -> frozenset[str]:
    shape = _model().operation_model(operation).output_shape
    return frozenset(shape.members[key].member.members)
