"""Names of Google Cloud things: keys, and stubs for whatever a configuration refers to.

Fields hold relative names with a project's id or number, full URLs, ``gs://`` and ``bq://``
addresses, emails and bare names; each function here accepts the forms that its field can hold. A
reference that names nothing we can identify gives None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from collectors.gcp.images import image_stub, parse_image
from collectors.references import Target
from undercroft.identity import gcp_key
from undercroft.model import Layer, Presence, Resource

__all__ = [
    "BUCKET",
    "CRYPTO_KEY",
    "IMAGE",
    "PROJECT",
    "SERVICE_ACCOUNT",
    "Place",
    "Referent",
    "bigquery",
    "bucket",
    "bucket_address",
    "bucket_key",
    "compute",
    "crypto_key",
    "data_uri",
    "image",
    "parse_name",
    "parse_network",
    "project_key",
    "project_stub",
    "secret",
    "service_account",
    "vertex",
]

BUCKET = "storage.googleapis.com/Bucket"
CRYPTO_KEY = "cloudkms.googleapis.com/CryptoKey"
IMAGE = "x-gcp/container-image"
PROJECT = "cloudresourcemanager.googleapis.com/Project"
REQUEST_LOG = "x-gcp/request-log"
"""What a data set is to the endpoint that writes its requests and answers there."""
SERVICE_ACCOUNT = "iam.googleapis.com/ServiceAccount"

_GS = re.compile(r"gs://(?P<bucket>[^/?#\s]+)/?(?P<prefix>[^\s]*)")
_GS_URL = re.compile(
    r"https://storage\.(?:cloud\.google|googleapis)\.com/(?P<bucket>[^/?#\s]+)/?(?P<prefix>[^?#\s]*)"
)
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,221}")
_EMAIL = re.compile(r"(?P<name>[^@\s/]+)@(?P<domain>[a-z0-9.-]+)")
_PROJECT_ACCOUNT = re.compile(r"(?P<project>[a-z0-9][a-z0-9.-]*)\.iam\.gserviceaccount\.com")
_AGENT = re.compile(r"(?:service-)?(?P<number>\d+)(?:-compute|-[a-z0-9-]+)?")
_KEY = re.compile(
    r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/keyRings/(?P<ring>[^/]+)"
    r"/cryptoKeys/(?P<key>[^/]+)(?:/cryptoKeyVersions/[^/]+)?"
)
_SECRET = re.compile(
    r"projects/(?P<project>[^/]+)/(?:locations/[^/]+/)?secrets/(?P<secret>[^/]+)(?:/versions/.*)?"
)
_COMPUTE = re.compile(
    r"(?:.*/)?projects/(?P<project>[^/]+)/(?:global|(?:regions|zones)/(?P<location>[^/]+))"
    r"/(?P<collection>[A-Za-z]+)/(?P<name>[^/]+)"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reference stands, and what the numbers in it mean."""

    project: str
    number: str = ""
    location: str = "-"
    numbers: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)
    """Project number → id, for the projects that are known; grows during a scan."""
    own: frozenset[str] = frozenset()
    """Projects whose registries and buckets are our own."""

    def id_of(self, project: str) -> str:
        """A project's id, also if its number was given; ``#<number>`` if only that is known."""
        if not project.isdigit():
            return project
        if project == self.number:
            return self.project
        return self.numbers.get(project) or f"#{project}"


Referent: TypeAlias = Callable[[Place, str], Target | None]
"""Turns the text of a field into what it names."""


def _stub(
    kind: str, layer: Layer, key: str, name: str, native: str, project: str, region: str = "-"
) -> Resource:
    return Resource(
        key=key,
        provider="gcp",
        account=project,
        region=region or "-",
        type=kind,
        layer=layer,
        name=name,
        native_id=native,
        presence=Presence.STUB,
    )


def project_key(project: str) -> str:
    """Key of a project itself."""
    return gcp_key(project, "cloudresourcemanager", "-", "projects", project)


def project_stub(project: str) -> Resource:
    """A project that something stands in. Beside the tower: it fences in what is inside."""
    native = f"//cloudresourcemanager.googleapis.com/projects/{project}"
    return _stub(PROJECT, Layer.NETWORK, project_key(project), project, native, project)


def bucket_key(name: str) -> str:
    """Bucket names are unique in the world, and do not say whose they are."""
    return gcp_key("-", "storage", "-", "buckets", name)


def bucket(place: Place, text: str) -> Target | None:  # noqa: ARG001  (a Referent)
    """A bucket by ``gs://bucket/prefix``, by its web address, or by its bare name."""
    found = _GS.match(text) or _GS_URL.match(text)
    name, prefix = (found["bucket"], found["prefix"]) if found else (text, "")
    if not _BUCKET_NAME.fullmatch(name):
        return None
    native = f"//storage.googleapis.com/{name}"
    return Target(_stub(BUCKET, Layer.STORAGE, bucket_key(name), name, native, "-"), prefix)


def bucket_address(place: Place, text: str) -> Target | None:
    """A bucket, only where the text is an address of one: arguments hold all sorts of things."""
    return bucket(place, text) if _GS.match(text) or _GS_URL.match(text) else None


def bigquery(place: Place, text: str) -> Target | None:
    """A BigQuery data set by ``bq://project.dataset.table`` (or ``project.dataset.table``)."""
    parts = re.split(r"[.:]", text.removeprefix("bq://"), maxsplit=2)
    if len(parts) < 2 or not all(parts[:2]) or "/" in text.removeprefix("bq://"):
        return None
    project, dataset = place.id_of(parts[0]), parts[1]
    key = gcp_key(project, "bigquery", "-", "datasets", dataset)
    native = f"//bigquery.googleapis.com/projects/{project}/datasets/{dataset}"
    stub = _stub("bigquery.googleapis.com/Dataset", Layer.STORAGE, key, dataset, native, project)
    return Target(stub, parts[2] if len(parts) > 2 else "")


def data_uri(place: Place, text: str) -> Target | None:
    """A bucket or a BigQuery data set, whichever the address says."""
    return bigquery(place, text) if text.startswith("bq://") else bucket_address(place, text)


def request_log(place: Place, text: str) -> Target | None:
    """The log of requests and answers that a BigQuery address receives.

    A node beside the data set: who may read a log is judged only where something says it is one.
    """
    found = bigquery(place, text)
    if found is None:
        return None
    stub = found.stub
    return Target(
        replace(
            stub,
            type=REQUEST_LOG,
            key=f"{stub.key}#requests",
            native_id=f"{stub.native_id}#requests",
        ),
        found.detail,
    )


def service_account(place: Place, text: str) -> Target | None:
    """A service account by email, or by a name that ends in one; ``default`` is Compute Engine's."""
    email = text.rpartition("/")[2].lower()
    if email == "default":
        if not place.number:
            return None
        email = f"{place.number}-compute@developer.gserviceaccount.com"
    if not _EMAIL.fullmatch(email):
        return None
    project = _home(place, email)
    key = gcp_key(project, "iam", "-", "serviceAccounts", email)
    native = f"//iam.googleapis.com/projects/{project}/serviceAccounts/{email}"
    return Target(_stub(SERVICE_ACCOUNT, Layer.IDENTITY, key, email, native, project))


def _home(place: Place, email: str) -> str:
    found = _EMAIL.fullmatch(email)
    if found is None:
        return "-"
    project = _PROJECT_ACCOUNT.fullmatch(found["domain"])
    agent = _AGENT.fullmatch(found["name"])
    if project is not None and not project["project"].startswith("gcp-sa-"):
        return project["project"]
    if agent is not None:
        return place.id_of(agent["number"])
    return found["name"] if found["domain"] == "appspot.gserviceaccount.com" else "-"


def crypto_key(place: Place, text: str) -> Target | None:
    """A KMS key by its name, with or without a version."""
    found = _KEY.fullmatch(text)
    if found is None:
        return None
    project, location = place.id_of(found["project"]), found["location"]
    name = f"{found['ring']}/{found['key']}"
    key = gcp_key(project, "cloudkms", location, "cryptoKeys", name)
    native = (
        f"//cloudkms.googleapis.com/projects/{project}/locations/{location}"
        f"/keyRings/{found['ring']}/cryptoKeys/{found['key']}"
    )
    return Target(_stub(CRYPTO_KEY, Layer.IDENTITY, key, name, native, project, location))


def secret(place: Place, text: str) -> Target | None:
    """A secret of Secret Manager, by its full name or bare in this project."""
    found = _SECRET.fullmatch(text)
    if found is None and "/" in text:
        return None
    project = place.id_of(found["project"]) if found else place.project
    name = found["secret"] if found else text
    key = gcp_key(project, "secretmanager", "-", "secrets", name)
    native = f"//secretmanager.googleapis.com/projects/{project}/secrets/{name}"
    kind = "secretmanager.googleapis.com/Secret"
    return Target(_stub(kind, Layer.IDENTITY, key, name, native, project))


def image(place: Place, text: str) -> Target | None:
    """A container image; tag and digest are what the reference adds."""
    if not text.strip():
        return None
    reference = parse_image(text, place.own)
    return Target(image_stub(reference), reference.detail)


def vertex(collection: str, kind: str, layer: Layer = Layer.SERVICE) -> Referent:
    """A Vertex AI resource by its name: ``projects/p/locations/l/models/1@2``."""
    pattern = re.compile(
        rf"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/{collection}"
        r"/(?P<name>[^/@]+)(?:@(?P<version>[^/]+))?(?:/.*)?"
    )

    def referent(place: Place, text: str) -> Target | None:
        found = pattern.fullmatch(text)
        if found is None:
            return None
        project, location, name = place.id_of(found["project"]), found["location"], found["name"]
        key = gcp_key(project, "aiplatform", location, collection, name)
        native = (
            f"//aiplatform.googleapis.com/projects/{project}/locations/{location}"
            f"/{collection}/{name}"
        )
        stub = _stub(
            f"aiplatform.googleapis.com/{kind}", layer, key, name, native, project, location
        )
        return Target(stub, f"@{found['version']}" if found["version"] else "")

    return referent


def parse_name(place: Place, name: str) -> tuple[str, str, str] | None:
    """(project id, location, id) of ``projects/p/locations/l/collection/id``, or None."""
    parts = name.split("/")
    if len(parts) < 6 or parts[0] != "projects" or parts[2] != "locations":
        return None
    return place.id_of(parts[1]), parts[3], "/".join(parts[5::2])


_KINDS = {
    "networks": ("Network", Layer.NETWORK),
    "subnetworks": ("Subnetwork", Layer.NETWORK),
    "networkAttachments": ("NetworkAttachment", Layer.NETWORK),
    "disks": ("Disk", Layer.STORAGE),
    "instances": ("Instance", Layer.VM),
    "images": ("Image", Layer.VM),
}


def compute(collection: str) -> Referent:
    """A Compute Engine resource by URL, by relative name, or (a network) by its bare name."""
    kind, layer = _KINDS[collection]

    def referent(place: Place, text: str) -> Target | None:
        found = _COMPUTE.fullmatch(text)
        if found is not None:
            if found["collection"] != collection:
                return None
            project, location = place.id_of(found["project"]), found["location"] or "-"
            name = found["name"]
        elif collection == "networks" and text and "/" not in text:
            project, location, name = place.project, "-", text
        else:
            return None
        key = gcp_key(project, "compute", location, collection, name)
        scope = "global" if location == "-" else location
        native = f"//compute.googleapis.com/projects/{project}/{scope}/{collection}/{name}"
        return Target(
            _stub(f"compute.googleapis.com/{kind}", layer, key, name, native, project, location)
        )

    return referent


def parse_network(place: Place, text: str) -> str:
    """Key of the network that a rule or an interface names; empty if it names none."""
    target = compute("networks")(place, text)
    return target.stub.key if target else ""
