"""Names of AWS things: keys, and stubs for whatever a configuration refers to.

A reference becomes a ``Target``: the stub resource it names and what it adds to it (an object
prefix, an image tag). Fields hold ARNs, names, ids or URLs; each function here accepts the forms
its field can hold. A reference that names nothing we can identify gives None.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from collectors.aws.images import image_stub, parse_image
from collectors.references import Target
from undercroft.identity import aws_key
from undercroft.model import Certainty, Edge, Layer, Presence, Resource
from undercroft.relations import Relation

__all__ = [
    "Arn",
    "Place",
    "Referent",
    "account",
    "account_region",
    "agent",
    "bucket",
    "by_arn",
    "code_repository",
    "ec2",
    "file_system",
    "function",
    "image",
    "in_region",
    "kms_key",
    "log_group",
    "model",
    "named",
    "parse_bucket",
    "role",
    "sagemaker",
    "settings",
]

# bucket.s3.eu-west-1.amazonaws.com, bucket.s3-eu-west-1.…, bucket.s3.dualstack.…, bucket.s3.…com.cn
_VIRTUAL_HOST = re.compile(r"(?P<bucket>[^/]+?)\.s3[.-](?:[a-z0-9.-]+\.)?amazonaws\.com(?:\.cn)?")
_PATH_HOST = re.compile(r"s3[.-](?:[a-z0-9.-]+\.)?amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a unit reads, and whose resources count as our own."""

    partition: str
    account: str
    region: str
    trusted: frozenset[str] = field(default=frozenset())
    """Accounts whose container registries are our own; the scanned account is one of them."""

    def key(
        self,
        service: str,
        kind: str,
        name: str,
        *,
        account: str | None = None,
        region: str | None = None,
    ) -> str:
        """Canonical resource key; account and region are this place's unless given."""
        where = self.region if region is None else region
        return aws_key(self.partition, account or self.account, where, service, kind, name)

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this place, for resources that AWS refers to by a bare id."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def stub(
        self,
        resource_type: str,
        layer: Layer,
        key: str,
        name: str,
        native_id: str,
        *,
        account: str | None = None,
        region: str | None = None,
    ) -> Resource:
        """Something that is named here and not yet read."""
        return Resource(
            key=key,
            provider="aws",
            account=account or self.account,
            region=(self.region if region is None else region) or "-",
            type=resource_type,
            layer=layer,
            name=name,
            native_id=native_id,
            presence=Presence.STUB,
        )


class Arn(NamedTuple):
    """The six fields of an ARN; ``resource`` may hold colons and slashes."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn | None:
        """Take an ARN apart; None if ``text`` is not one."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[5]:
            return None
        return cls(parts[1].lower(), parts[2].lower(), parts[3].lower(), parts[4], parts[5])

    @property
    def name(self) -> str:
        """What follows the resource type: ``role/team/r`` → ``team/r``, ``secret:a/b`` → ``a/b``."""
        return re.split("[/:]", self.resource, maxsplit=1)[-1]


Referent: TypeAlias = Callable[[Place, str], Target | None]
"""Turns the text of a field into what it names."""


def role(place: Place, text: str) -> Target | None:
    """An IAM role by ARN (or by name, in this account)."""
    arn = Arn.parse(text)
    if arn is not None and not arn.resource.startswith("role/"):
        return None
    partition, account, name = (
        (arn.partition, arn.account, arn.name) if arn else (place.partition, place.account, text)
    )
    native = f"arn:{partition}:iam::{account}:role/{name}"
    key = aws_key(partition, account, "-", "iam", "role", name)
    last = name.rpartition("/")[2]
    return Target(
        place.stub("iam:role", Layer.IDENTITY, key, last, native, account=account, region="-")
    )


def parse_bucket(text: str) -> tuple[str, str] | None:
    """Bucket and object prefix of an S3 reference, or None.

    Accepts ``s3://bucket/prefix``, both ``https`` forms, ``arn:aws:s3:::bucket/prefix`` and a bare
    bucket name.
    """
    arn = Arn.parse(text)
    if arn is not None:
        if arn.service != "s3" or arn.account:
            return None
        name, _, prefix = arn.resource.partition("/")
        return name, prefix
    url = _url(text)
    if url is None:
        return None
    scheme = url.scheme.lower()
    if scheme in {"s3", "s3a", "s3n"}:
        # netloc keeps the case and whatever odd characters the field holds
        return (url.netloc, url.path.lstrip("/")) if url.netloc else None
    if scheme in {"http", "https"}:
        host, path = (url.hostname or "").lower(), unquote(url.path.lstrip("/"))
        if _PATH_HOST.fullmatch(host):
            name, _, prefix = path.partition("/")
            return (name, prefix) if name else None
        virtual = _VIRTUAL_HOST.fullmatch(host)
        return (virtual["bucket"], path) if virtual else None
    if not text or "/" in text or ":" in text:
        return None
    return text, ""


def bucket(place: Place, text: str) -> Target | None:
    """An S3 bucket; who owns it is not in the reference, so it is keyed under this account."""
    found = parse_bucket(text)
    if found is None:
        return None
    name, prefix = found
    key = place.key("s3", "bucket", name, region="-")
    native = f"arn:{place.partition}:s3:::{name}"
    return Target(place.stub("s3:bucket", Layer.STORAGE, key, name, native, region="-"), prefix)


def kms_key(place: Place, text: str) -> Target | None:
    """A KMS key by key ARN, alias ARN, ``alias/name`` or bare id.

    Aliases keep a key of their own (``…/kms/alias/<name>``): what they point to is not in the text.
    """
    arn = Arn.parse(text)
    if arn is not None:
        resource, account, region, partition = arn.resource, arn.account, arn.region, arn.partition
    else:
        resource = text if text.startswith(("alias/", "key/")) else f"key/{text}"
        account, region, partition = place.account, place.region, place.partition
    kind, _, name = resource.partition("/")
    if kind not in {"key", "alias"} or not name:
        return None
    key = aws_key(partition, account, region, "kms", kind, name)
    native = f"arn:{partition}:kms:{region}:{account}:{resource}"
    label = name if kind == "key" else resource
    return Target(
        place.stub("kms:key", Layer.STORAGE, key, label, native, account=account, region=region)
    )


def image(place: Place, text: str) -> Target | None:
    """A container image; tag and digest are what the reference adds."""
    if not text.strip():
        return None
    reference = parse_image(text, place.trusted)
    return Target(image_stub(reference), reference.detail)


def ec2(kind: str, layer: Layer) -> Callable[[Place, str], Target]:
    """An EC2 thing by bare id, in this account and region: ``subnet-…``, ``sg-…``, ``vol-…``."""

    def referent(place: Place, text: str) -> Target:
        native = place.arn("ec2", f"{kind}/{text}")
        return Target(place.stub(f"ec2:{kind}", layer, place.key("ec2", kind, text), text, native))

    return referent


def sagemaker(kind: str, resource_type: str, layer: Layer = Layer.SERVICE) -> Referent:
    """A SageMaker thing by name (in this place) or by ARN. ``kind``: the ARN's resource type."""
    return named("sagemaker", kind, resource_type, layer)


def named(
    service: str,
    kind: str,
    resource_type: str,
    layer: Layer = Layer.SERVICE,
    *,
    colon: bool = False,
) -> Referent:
    """A thing by its id or name (in this place) or by its ARN.

    ``service`` and ``kind``: as the ARN has them; an ARN of something else names nothing.
    ``colon``: what follows a colon or a slash in its name (a version, a member) is a detail.
    """

    def referent(place: Place, text: str) -> Target | None:
        arn = Arn.parse(text)
        if arn is None:
            name, detail = _split(text) if colon else (text, "")
            native = place.arn(service, f"{kind}/{name}")
            key = place.key(service, kind, name)
            return Target(place.stub(resource_type, layer, key, name, native), detail)
        if arn.service != service or not arn.resource.startswith((f"{kind}/", f"{kind}:")):
            return None
        name, detail = _split(arn.name) if colon else (arn.name, "")
        native = text.removesuffix(text[len(text) - len(detail) - 1 :]) if detail else text
        key = aws_key(arn.partition, arn.account, arn.region, service, kind, name)
        stub = place.stub(
            resource_type, layer, key, name, native, account=arn.account, region=arn.region
        )
        return Target(stub, detail)

    return referent


def _split(name: str) -> tuple[str, str]:
    match = re.match(r"([^:/]+)[:/](.+)", name)
    return (match[1], match[2]) if match else (name, "")


def function(place: Place, text: str) -> Target | None:
    """A Lambda function by ARN; a version or alias behind its name is a detail."""
    return _FUNCTION(place, text) if text.startswith("arn:") else None


def agent(place: Place, text: str) -> Target | None:
    """A Bedrock agent, by the ARN of one of its aliases or by its own."""
    arn = Arn.parse(text)
    if arn is not None and arn.resource.startswith("agent-alias/"):
        identifier, _, alias = arn.name.partition("/")
        native = f"arn:{arn.partition}:bedrock:{arn.region}:{arn.account}:agent/{identifier}"
        target = _AGENT(place, native)
        return Target(target.stub, alias) if target else None
    return _AGENT(place, text)


def model(place: Place, text: str) -> Target | None:
    """What a model identifier of Bedrock names.

    A custom, imported or provisioned model of an account, an application's inference profile, a
    SageMaker endpoint, or one of the foundation models that are AWS's own.
    """
    arn = Arn.parse(text)
    if arn is None:
        if not text or "/" in text:
            return None
        key = aws_key(place.partition, "aws", "-", "bedrock", "foundation-model", text)
        stub = place.stub(
            "bedrock:foundation-model", Layer.SERVICE, key, text, text, account="-", region="-"
        )
        return Target(stub)
    kind = arn.resource.partition("/")[0]
    if kind in _MODELS:
        return named(arn.service, kind, _MODELS[kind])(place, text)
    if arn.service == "bedrock" and kind in {"foundation-model", "inference-profile"}:
        return model(place, arn.name)
    return None


def settings(place: Place, service: str) -> Resource:
    """What is set once for all of a service in a region, as something that is not yet read."""
    key = place.key(service, "settings", place.region)
    native = place.arn(service, "settings")
    name = f"{service} in {place.region}"
    return place.stub(f"{service}:settings", Layer.SERVICE, key, name, native)


def account_region(place: Place) -> Resource:
    """An account's share of a region: what watches over everything in it."""
    key = place.key("account", "region", place.region)
    native = f"arn:{place.partition}:account::{place.account}:region/{place.region}"
    return place.stub("account:region", Layer.SERVICE, key, place.region, native)


def in_region(key: str, place: Place) -> tuple[Resource, Edge]:
    """The share of its region that a service of an account lies in, and that it lies there."""
    region = account_region(place)
    return region, Edge(key, region.key, Relation.CONTAINED_IN, "region", Certainty.DEFAULT)


def account(place: Place) -> Resource:
    """An account as a whole."""
    key = place.key("account", "account", place.account, region="-")
    native = f"arn:{place.partition}:account::{place.account}:account"
    return place.stub("account", Layer.SERVICE, key, place.account, native, region="-")


def log_group(place: Place, text: str) -> Target | None:
    """A log group by name."""
    key = place.key("logs", "log-group", text)
    native = place.arn("logs", f"log-group:{text}")
    return Target(place.stub("logs:log-group", Layer.STORAGE, key, text, native))


def by_arn(service: str, kind: str, resource_type: str, layer: Layer) -> Referent:
    """Anything that is always referred to by its ARN; a text that is no ARN names nothing."""

    def referent(place: Place, text: str) -> Target | None:
        arn = Arn.parse(text)
        if arn is None:
            return None
        account, region = arn.account or place.account, arn.region or "-"
        key = aws_key(arn.partition, account, region, service, kind, arn.name)
        return Target(
            place.stub(resource_type, layer, key, arn.name, text, account=account, region=region)
        )

    return referent


def file_system(service: str) -> Referent:
    """A file system by id; ``service`` is ``efs`` or ``fsx`` (the ids look alike)."""
    arn_service = {"efs": "elasticfilesystem"}.get(service, service)

    def referent(place: Place, text: str) -> Target:
        key = place.key(arn_service, "file-system", text)
        native = place.arn(arn_service, f"file-system/{text}")
        return Target(place.stub(f"{service}:file-system", Layer.STORAGE, key, text, native))

    return referent


def code_repository(place: Place, text: str) -> Target | None:
    """A Git repository: the name of one registered with SageMaker, or a URL.

    A URL's user and password are never kept.
    """
    if "://" not in text:
        return _REGISTERED(place, text)
    url = _url(text)
    if url is None:
        return None
    name = f"{(url.hostname or '').lower()}{url.path.rstrip('/').removesuffix('.git')}"
    return Target(
        place.stub(
            "git:repository", Layer.SERVICE, f"git/{name}", name, name, account="-", region="-"
        )
    )


def _url(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        # Brackets that hold no IPv6 address, characters that look like others.
        return None


_REGISTERED = sagemaker("code-repository", "sagemaker:code-repository")
_FUNCTION = named("lambda", "function", "lambda:function", Layer.CONTAINER, colon=True)
_AGENT = named("bedrock", "agent", "bedrock:agent")
_MODELS = {
    "application-inference-profile": "bedrock:inference-profile",
    "custom-model": "bedrock:custom-model",
    "custom-model-deployment": "bedrock:custom-model-deployment",
    "endpoint": "sagemaker:endpoint",
    "imported-model": "bedrock:imported-model",
    "provisioned-model": "bedrock:provisioned-model",
}
"""Resource types in the ARN of a model that some account owns."""
