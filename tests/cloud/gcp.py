"""Google Cloud on loopback: the REST APIs that a scan reads, answering from an estate description.

What Vertex AI says is made of the package's own types, so that an answer here has the fields, the
names and the paging of the real one; a field that the types do not have is an error, unless the
description says that it only exists on the wire. Other services answer what the description holds.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from collectors.gcp.vertex_kinds import KINDS
from tests.cloud.estate import Entry, Estate

__all__ = ["GcpFault", "GcpServer", "denied", "garbage", "throttled"]

Json = dict[str, Any]
_KINDS = {kind.collection: kind for kind in KINDS}


@dataclass(slots=True)
class GcpFault:
    """A bad answer for the requests that it matches."""

    path: str
    """A regular expression that is searched in ``host/path``."""
    status: int
    body: Any = None
    """JSON, or bytes that are sent as they are."""
    times: int | None = None
    """How often; None: always."""
    headers: Mapping[str, str] = field(default_factory=dict)
    hits: int = 0


def denied(path: str, permission: str = "", **more: Any) -> GcpFault:
    """403 as IAM says it: with the permission, if given."""
    details = []
    if permission:
        details = [_info("IAM_PERMISSION_DENIED", {"permission": permission})]
    return GcpFault(path, 403, _error(403, "PERMISSION_DENIED", "made to fail", details), **more)


def throttled(path: str, times: int | None = 2, delay: str = "0.01s", **more: Any) -> GcpFault:
    """429 with the advice when to come again."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    body = _error(429, "RESOURCE_EXHAUSTED", "quota exceeded", details)
    return GcpFault(path, 429, body, times, **more)


def garbage(path: str, content: bytes = b"<html>no</html>", **more: Any) -> GcpFault:
    """200, but not the protocol."""
    return GcpFault(path, 200, content, **more)


class GcpServer:
    """A context manager: Google Cloud at ``endpoint`` for as long as it is open.

    ``inventory``: whether Cloud Asset Inventory is enabled. ``page_limit``: items per page at most.
    """

    def __init__(self, estate: Estate, *, inventory: bool = True, page_limit: int = 2) -> None:
        self.estate = estate
        self.inventory = inventory
        self.page_limit = page_limit
        self.latency = 0.0
        self.faults: list[GcpFault] = []
        self.seen: Counter[tuple[str, str]] = Counter()
        """(method, host/path) → requests, the badly answered ones included."""
        self.headers: list[Mapping[str, str]] = []
        self._lock = Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._cloud = _Cloud(self)

    @property
    def endpoint(self) -> str:
        """For ``UNDERCROFT_GCP_ENDPOINT``."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def change(self, estate: Estate) -> None:
        """From now on the estate is another one."""
        with self._lock:
            self.estate = estate
            self._cloud = _Cloud(self)

    def break_(self, *faults: GcpFault) -> None:
        """Answer badly from now on."""
        with self._lock:
            self.faults.extend(faults)

    def repair(self) -> None:
        """Answer well again, and forget what was seen."""
        with self._lock:
            self.faults.clear()
            self.seen.clear()
            self.headers.clear()

    def __enter__(self) -> GcpServer:
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(
        self, method: str, host: str, target: str, headers: Mapping[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers for one request."""
        url = urlsplit(target)
        where = f"{host}{url.path}"
        with self._lock:
            self.seen[method, where] += 1
            self.headers.append(headers)
            fault = next(
                (
                    fault
                    for fault in self.faults
                    if re.search(fault.path, where)
                    and (fault.times is None or fault.hits < fault.times)
                ),
                None,
            )
            if fault is not None:
                fault.hits += 1
        if self.latency:
            time.sleep(self.latency)
        if fault is not None:
            body = fault.body if isinstance(fault.body, bytes) else json.dumps(fault.body).encode()
            return fault.status, body, fault.headers
        status, answer = self._cloud.answer(method, host, url.path, parse_qs(url.query))
        return status, json.dumps(answer).encode(), {}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def _handler(server: GcpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name)
            """Say nothing."""

        def serve(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            host = (self.headers.get("Host") or "").partition(":")[0]
            status, body, headers = server.answer(self.command, host, self.path, dict(self.headers))
            self.send_response_only(status)
            self.send_header("Content-Type", "application/json")
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815  (their names)

    return Handler


_REGIONAL = re.compile(r"(?P<location>.+)-(?P<service>aiplatform|dialogflow|discoveryengine)")

Route = tuple[re.Pattern[str], Callable[..., Any]]


class _Cloud:
    """The answers themselves: one method per request, found by service and path."""

    def __init__(self, server: GcpServer) -> None:
        self._server = server
        self._estate = server.estate
        self._ids = {str(p.get("number")): p.name for p in self._estate["projects"]}
        self._items: dict[tuple[str, str, str], list[Json]] = {}
        for entry in self._estate["vertex"]:
            project, region, path = self._project(entry), entry.region, str(entry.get("collection"))
            parent = f"{entry.get('parent')}/" if entry.get("parent") else ""
            self._items.setdefault((project.name, region, f"{parent}{path}"), []).append(
                _vertex_item(entry, project, parent)
            )
        self._routes: dict[str, list[Route]] = {}
        for service, routes in self._table().items():
            self._routes[service] = [
                (re.compile(pattern.replace("{}", "([^/:]+)")), function)
                for pattern, function in routes.items()
            ]

    def answer(
        self, method: str, host: str, path: str, query: Mapping[str, list[str]]
    ) -> tuple[int, Any]:
        service = host.partition(".")[0]
        location = ""
        if found := _REGIONAL.fullmatch(service):
            location, service = found["location"], found["service"]
        elif host.endswith(".rep.googleapis.com"):
            location = host.split(".")[1]
        if method not in {"GET", "POST"} or (method == "POST" and ":getIamPolicy" not in path):
            return 405, _error(405, "METHOD", f"{method} {host}{path}: a scan only reads")
        for pattern, function in self._routes.get(service, ()):
            if found := pattern.fullmatch(path):
                parts = [unquote(part) for part in found.groups()]
                if location and location not in parts:
                    return 400, _error(400, "INVALID_ARGUMENT", "wrong region for this host")
                try:
                    return 200, function(*parts, query=query)
                except _Failure as failure:
                    return failure.status, failure.body
        return 404, _error(404, "NOT_FOUND", f"{method} {host}{path} is not known here")

    def _table(self) -> dict[str, dict[str, Callable[..., Any]]]:
        where = "/v1/projects/{}/locations/{}"
        return {
            "cloudresourcemanager": {
                "/v3/projects:search": self.search_projects,
                "/v3/projects": self.child_projects,
                "/v3/folders": self.child_folders,
                "/v3/projects/{}": self.project,
                "/v3/folders/{}": self.folder,
                "/v3/(projects|folders|organizations)/{}:getIamPolicy": self.hierarchy_policy,
            },
            "serviceusage": {"/v1/projects/{}/services": self.services},
            "aiplatform": {
                "/v1/projects/{}/locations": self.locations,
                f"{where}/{{}}": self.vertex,
                f"{where}/([^/:]+/[^/:]+/[^/:]+)": self.vertex,
            },
            "cloudasset": {
                "/v1/(projects|organizations)/{}:searchAllResources": self.search_assets,
                "/v1/projects/{}/assets": self.policies,
            },
            "notebooks": {
                "/v2/projects/{}/locations/-/instances": self.notebooks,
                f"/v2{where[3:]}/instances/{{}}:getIamPolicy": self.notebook_policy,
                "/v1/projects/{}/locations/-/instances": self.old_notebooks,
                "/v1/projects/{}/locations/-/runtimes": self.old_runtimes,
            },
            "compute": {
                "/compute/v1/projects/{}": self.compute_project,
                "/compute/v1/projects/{}/aggregated/(instances|disks)": self.aggregated,
                "/compute/v1/projects/{}/global/firewalls": self.firewalls,
            },
            "osconfig": {
                f"{where}/instances/-/vulnerabilityReports": self.vulnerability_reports,
            },
            "run": {
                "/v1/projects/{}/locations": self.run_locations,
                f"/v2{where[3:]}/services": self.run_services,
                f"/v2{where[3:]}/services/{{}}:getIamPolicy": self.run_policy,
            },
            "container": {"/v1/projects/{}/locations/-/clusters": self.clusters},
            "dialogflow": {
                f"/v3{where[3:]}/(agents|securitySettings)": self.agents,
                f"/v3{where[3:]}/agents/{{}}/webhooks": self.webhooks,
            },
            "discoveryengine": {
                f"{where}/collections/default_collection/(dataStores|engines)": self.search,
            },
            "tpu": {"/v2/projects/{}/locations/-/nodes": self.tpus},
            "bigquery": {"/bigquery/v2/projects/{}/datasets/{}": self.dataset},
            "artifactregistry": {
                f"{where}/repositories/{{}}": self.repository,
                f"{where}/repositories/{{}}:getIamPolicy": self.repository_policy,
                f"{where}/repositories/{{}}/packages/{{}}/tags/{{}}": self.tag,
            },
            "containeranalysis": {"/v1/projects/{}/occurrences": self.occurrences},
            "cloudkms": {
                f"{where}/keyRings/{{}}/cryptoKeys/{{}}": self.key,
                f"{where}/keyRings/{{}}/cryptoKeys/{{}}:getIamPolicy": self.key_policy,
                f"{where}/keyRings/{{}}:getIamPolicy": self.ring_policy,
            },
            "orgpolicy": {"/v2/projects/{}/policies/{}:getEffectivePolicy": self.org_policy},
            "apikeys": {"/v2/projects/{}/locations/global/keys": self.api_keys},
            "modelarmor": {"/v1/projects/{}/locations/global/floorSetting": self.floor_setting},
            "storage": {
                "/storage/v1/b": self.buckets,
                "/storage/v1/b/{}": self.bucket,
                "/storage/v1/b/{}/iam": self.bucket_policy,
            },
            "iam": {
                "/v1/projects/{}/serviceAccounts/{}": self.service_account,
                "/v1/projects/{}/serviceAccounts/{}/keys": self.service_account_keys,
                "/v1/projects/{}/serviceAccounts/{}:getIamPolicy": self.service_account_policy,
                "/v1/(projects|organizations)/{}/roles/{}": self.role,
                "/v1/projects/{}/locations/global/workloadIdentityPools": self.pools,
                "/v1/projects/{}/locations/global/workloadIdentityPools/{}/providers": self.providers,
            },
            "accesscontextmanager": {
                "/v1/accessPolicies": self.access_policies,
                "/v1/accessPolicies/{}/servicePerimeters": self.perimeters,
            },
        }

    # projects

    def search_projects(self, query: Mapping[str, list[str]]) -> Json:
        return self._page("projects", map(self._project_json, self._estate["projects"]), query)

    def child_projects(self, query: Mapping[str, list[str]]) -> Json:
        parent = query["parent"][0]
        found = [p for p in self._estate["projects"] if p.get("parent") == parent]
        return self._page("projects", map(self._project_json, found), query)

    def child_folders(self, query: Mapping[str, list[str]]) -> Json:
        parent = query["parent"][0]
        found = [f for f in self._estate["folders"] if f.get("parent") == parent]
        return self._page(
            "folders", ({"name": f"folders/{f.name}", "parent": parent} for f in found), query
        )

    def project(self, project: str, query: Any) -> Json:
        return self._project_json(self._project_named(project))

    def folder(self, folder: str, query: Any) -> Json:
        entry = self._one("folders", folder)
        return {"name": f"folders/{entry.name}", "parent": entry.get("parent"), "state": "ACTIVE"}

    def hierarchy_policy(self, kind: str, name: str, query: Any) -> Json:
        entry = self._project_named(name) if kind == "projects" else self._one(kind, name)
        return _policy_json(entry.get("policy"))

    def services(self, project: str, query: Mapping[str, list[str]]) -> Json:
        entry = self._project_named(project)
        names = [f"{name}.googleapis.com" for name in entry.get("services", ())]
        found = [
            {"name": f"projects/{entry.get('number')}/services/{name}", "config": {"name": name},
             "state": "ENABLED"}
            for name in names
        ]  # fmt: skip
        return self._page("services", found, query)

    # Vertex AI

    def locations(self, project: str, query: Mapping[str, list[str]]) -> Json:
        self._enabled(project, "aiplatform")
        names = self._project_named(project).get("locations") or sorted(
            {entry.region for entry in self._estate["vertex"]}
        )
        found = [{"name": f"projects/{project}/locations/{n}", "locationId": n} for n in names]
        return self._page("locations", found, query)

    def vertex(
        self, project: str, location: str, path: str, query: Mapping[str, list[str]]
    ) -> Json:
        self._enabled(project, "aiplatform")
        collection = path.rpartition("/")[2]
        if collection not in _KINDS:
            raise _Failure(404, "NOT_FOUND", f"{path} is not known here")
        found = self._items.get((self._project_named(project).name, location, path), [])
        return self._page(collection, found, query)

    # Asset Inventory

    def search_assets(self, kind: str, name: str, query: Mapping[str, list[str]]) -> Json:
        self._inventory()
        if kind == "projects":
            self._project_named(name)
        wanted = [re.compile(pattern) for pattern in query["assetTypes"]]
        found = []
        for section, asset_type in (("vertex", _vertex_type), ("workbench", _workbench_type)):
            for entry in self._estate[section]:
                project = self._project(entry)
                if kind == "projects" and name not in (project.name, project.get("number")):
                    continue
                if any(pattern.fullmatch(asset_type(entry)) for pattern in wanted):
                    found.append(
                        {
                            "name": f"//x/{entry.name}",
                            "assetType": asset_type(entry),
                            "project": f"projects/{project.get('number')}",
                            "location": entry.region,
                        }
                    )
        return self._page("results", found, query)

    def policies(self, project: str, query: Mapping[str, list[str]]) -> Json:
        self._inventory()
        return self._page("assets", self._policies(self._project_named(project)), query)

    def _policies(self, project: Entry) -> Iterator[Json]:
        number = project.get("number")
        for section, name in _ASSET_NAMES.items():
            for entry in self._estate[section]:
                if entry.get("policy") and self._project(entry) == project:
                    full = name.format(
                        project=project.name, number=number, region=entry.region, name=entry.name,
                        id=entry.get("id", entry.name), collection=entry.get("collection"),
                    )  # fmt: skip
                    yield {"name": full, "iamPolicy": _policy_json(entry.get("policy"))}

    # storage and IAM

    def buckets(self, query: Mapping[str, list[str]]) -> Json:
        project = self._project_named(query["project"][0])
        found = [
            self._bucket_json(bucket)
            for bucket in self._estate["buckets"]
            if self._project(bucket) == project and not bucket.get("owner")
        ]
        return self._page("items", found, query, size="maxResults")

    def bucket(self, name: str, query: Any) -> Json:
        entry = self._one("buckets", name, legacy=True)
        if entry.get("hidden"):
            raise _Failure(403, "forbidden", "no access", legacy=True)
        return self._bucket_json(entry)

    def bucket_policy(self, name: str, query: Any) -> Json:
        entry = self._one("buckets", name, legacy=True)
        return {"kind": "storage#policy", **_policy_json(entry.get("policy"))}

    def service_account(self, project: str, email: str, query: Any) -> Json:
        entry = self._one("service_accounts", email)
        owner = self._project(entry)
        return {
            "name": f"projects/{owner.name}/serviceAccounts/{email}", "projectId": owner.name,
            "uniqueId": f"1{abs(hash(email)) % 10**20:020}", "email": email, **(entry.get("set") or {}),
        }  # fmt: skip

    def service_account_keys(self, project: str, email: str, query: Any) -> Json:
        keys = self._one("service_accounts", email).get("keys")
        return {"keys": keys} if keys else {}

    def service_account_policy(self, project: str, email: str, query: Any) -> Json:
        return _policy_json(self._one("service_accounts", email).get("policy"))

    def role(self, kind: str, parent: str, name: str, query: Any) -> Json:
        entry = self._one("roles", name)
        return {"name": f"{kind}/{parent}/roles/{name}", **(entry.get("set") or {})}

    def pools(self, project: str, query: Mapping[str, list[str]]) -> Json:
        base = f"projects/{project}/locations/global/workloadIdentityPools"
        names = sorted({str(entry.get("pool")) for entry in self._of("pool_providers", project)})
        found = [{"name": f"{base}/{name}", "state": "ACTIVE"} for name in names]
        return self._page("workloadIdentityPools", found, query)

    def providers(self, project: str, pool: str, query: Mapping[str, list[str]]) -> Json:
        base = f"projects/{project}/locations/global/workloadIdentityPools/{pool}/providers"
        found = [
            {"name": f"{base}/{entry.name.rpartition('/')[2]}", **(entry.get("set") or {})}
            for entry in self._of("pool_providers", project)
            if entry.get("pool") == pool
        ]
        return self._page("workloadIdentityPoolProviders", found, query)

    def access_policies(self, query: Mapping[str, list[str]]) -> Json:
        (organization,) = query["parent"]
        known = [f"organizations/{entry.name}" for entry in self._estate["organizations"]]
        found = [{"name": "accessPolicies/42"}] if organization in known else []
        return self._page("accessPolicies", found, query)

    def perimeters(self, policy: str, query: Mapping[str, list[str]]) -> Json:
        found = [
            {
                "name": f"accessPolicies/{policy}/servicePerimeters/{entry.name}",
                **(entry.get("set") or {}),
            }
            for entry in self._estate["perimeters"]
        ]
        return self._page("servicePerimeters", found, query)

    # notebooks, machines, containers

    def notebooks(self, project: str, query: Mapping[str, list[str]]) -> Json:
        self._enabled(project, "notebooks")
        found = self._located("workbench", project, "instances")
        return {**self._page("instances", found, query), **self._silent()}

    def notebook_policy(self, project: str, zone: str, name: str, query: Any) -> Json:
        return _policy_json(self._one("workbench", name).get("policy"))

    def old_notebooks(self, project: str, query: Mapping[str, list[str]]) -> Json:
        return self._page("instances", self._located("old_notebooks", project, "instances"), query)

    def old_runtimes(self, project: str, query: Mapping[str, list[str]]) -> Json:
        return self._page("runtimes", self._located("old_runtimes", project, "runtimes"), query)

    def compute_project(self, project: str, query: Any) -> Json:
        entry = self._project_named(project)
        return {"name": project, "commonInstanceMetadata": entry.get("metadata") or {}}

    def aggregated(self, project: str, kind: str, query: Mapping[str, list[str]]) -> Json:
        self._enabled(project, "compute")
        base = f"https://www.googleapis.com/compute/v1/projects/{project}/zones"
        scopes: dict[str, Json] = {"zones/empty-a": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
        for entry in self._of(kind, project):
            item = {
                "name": entry.name, "zone": f"{base}/{entry.region}", "id": str(len(entry.name)),
                "selfLink": f"{base}/{entry.region}/{kind}/{entry.name}", **(entry.get("set") or {}),
            }  # fmt: skip
            scopes.setdefault(f"zones/{entry.region}", {}).setdefault(kind, []).append(item)
        return {"kind": f"compute#{kind}AggregatedList", "items": scopes}

    def vulnerability_reports(
        self, project: str, zone: str, query: Mapping[str, list[str]]
    ) -> Json:
        self._enabled(project, "osconfig")
        number = self._project_named(project).get("number")
        found = [
            {
                "name": f"projects/{number}/locations/{zone}/instances"
                f"/{(entry.get('set') or {}).get('id')}/vulnerabilityReport",
                "updateTime": "2026-11-01T00:00:00Z",
                "vulnerabilities": entry.get("report"),
            }
            for entry in self._of("instances", project)
            if entry.region == zone and entry.get("report") is not None
        ]
        return self._page("vulnerabilityReports", found, query)

    def firewalls(self, project: str, query: Mapping[str, list[str]]) -> Json:
        found = [
            {"name": entry.name, "direction": "INGRESS", **(entry.get("set") or {})}
            for entry in self._of("firewalls", project)
        ]
        return self._page("items", found, query, size="maxResults")

    def run_locations(self, project: str, query: Mapping[str, list[str]]) -> Json:
        names = sorted({entry.region for entry in self._of("run", project)} | {"us-central1"})
        return self._page("locations", [{"locationId": name} for name in names], query)

    def run_services(self, project: str, location: str, query: Mapping[str, list[str]]) -> Json:
        found = self._located("run", project, "services")
        here = [item for item in found if f"/locations/{location}/" in item["name"]]
        return self._page("services", here, query)

    def run_policy(self, project: str, location: str, name: str, query: Any) -> Json:
        return _policy_json(self._one("run", name).get("policy"))

    def clusters(self, project: str, query: Any) -> Json:
        found = [
            {"name": entry.name, "location": entry.region, **(entry.get("set") or {})}
            for entry in self._of("clusters", project)
        ]
        return {"clusters": found} if found else {}

    def tpus(self, project: str, query: Mapping[str, list[str]]) -> Json:
        return self._page("nodes", self._located("tpus", project, "nodes"), query)

    def agents(
        self, project: str, location: str, kind: str, query: Mapping[str, list[str]]
    ) -> Json:
        section = "agents" if kind == "agents" else "security_settings"
        return self._page(kind, self._here(section, project, location, kind), query)

    def webhooks(
        self, project: str, location: str, agent: str, query: Mapping[str, list[str]]
    ) -> Json:
        found = [
            item
            for item in self._here("webhooks", project, location, f"agents/{agent}/webhooks")
            if item.pop("agent") == agent
        ]
        return self._page("webhooks", found, query)

    def search(
        self, project: str, location: str, kind: str, query: Mapping[str, list[str]]
    ) -> Json:
        section = "data_stores" if kind == "dataStores" else "engines"
        found = self._here(section, project, location, f"collections/default_collection/{kind}")
        return self._page(kind, found, query)

    # data, images, keys

    def dataset(self, project: str, name: str, query: Any) -> Json:
        return {"id": f"{project}:{name}", **(self._one("datasets", name).get("set") or {})}

    def repository(self, project: str, location: str, name: str, query: Any) -> Json:
        entry = self._one("repositories", name)
        full = f"projects/{project}/locations/{location}/repositories/{name}"
        return {"name": full, "format": "DOCKER", **(entry.get("set") or {})}

    def repository_policy(self, project: str, location: str, name: str, query: Any) -> Json:
        return _policy_json(self._one("repositories", name).get("policy"))

    def tag(
        self, project: str, location: str, repository: str, package: str, tag: str, query: Any
    ) -> Json:
        digest = (self._one("images", package).get("tags") or {}).get(tag)
        if digest is None:
            raise _Failure(404, "NOT_FOUND", f"no tag {tag}")
        base = (
            f"projects/{project}/locations/{location}/repositories/{repository}/packages/{package}"
        )
        return {"name": f"{base}/tags/{tag}", "version": f"{base}/versions/{digest}"}

    def occurrences(self, project: str, query: Mapping[str, list[str]]) -> Json:
        wanted = query["filter"][0].removeprefix('resourceUrl="').removesuffix('"')
        found = [
            {"resourceUri": wanted, **occurrence}
            for entry in self._estate["images"]
            for digest, occurrences in (entry.get("occurrences") or {}).items()
            if wanted.endswith(f"/{entry.name}@{digest}")
            for occurrence in occurrences
        ]
        return self._page("occurrences", found, query)

    def key(self, project: str, location: str, ring: str, name: str, query: Any) -> Json:
        full = f"projects/{project}/locations/{location}/keyRings/{ring}/cryptoKeys/{name}"
        return {
            "name": full,
            "purpose": "ENCRYPT_DECRYPT",
            **(self._one("keys", name).get("set") or {}),
        }

    def key_policy(self, project: str, location: str, ring: str, name: str, query: Any) -> Json:
        return _policy_json(self._one("keys", name).get("policy"))

    def ring_policy(self, project: str, location: str, ring: str, query: Any) -> Json:
        return _policy_json([])

    # what a project forbids, screens and hands out

    def org_policy(self, project: str, constraint: str, query: Any) -> Json:
        rules = (self._project_named(project).get("org_policies") or {}).get(constraint)
        if rules is None:
            rules = [{"enforce": False}]
        return {"name": f"projects/{project}/policies/{constraint}", "spec": {"rules": rules}}

    def api_keys(self, project: str, query: Mapping[str, list[str]]) -> Json:
        found = [
            {
                "name": f"projects/{project}/locations/global/keys/{entry.name}",
                "displayName": entry.name, "uid": entry.name, **(entry.get("set") or {}),
            }
            for entry in self._of("api_keys", project)
        ]  # fmt: skip
        return self._page("keys", found, query)

    def floor_setting(self, project: str, query: Any) -> Json:
        setting = self._project_named(project).get("floor_setting") or {}
        return {"name": f"projects/{project}/locations/global/floorSetting", **setting}

    # helpers

    def _of(self, section: str, project: str) -> list[Entry]:
        owner = self._project_named(project)
        return [entry for entry in self._estate[section] if self._project(entry) == owner]

    def _located(self, section: str, project: str, collection: str) -> list[Json]:
        return [
            {
                "name": f"projects/{project}/locations/{entry.region}/{collection}/{entry.name}",
                "createTime": "2026-10-01T00:00:00Z", **(entry.get("set") or {}),
            }
            for entry in self._of(section, project)
        ]  # fmt: skip

    def _here(self, section: str, project: str, location: str, collection: str) -> list[Json]:
        return [
            {
                "name": f"projects/{project}/locations/{location}/{collection}/{entry.name}",
                "displayName": entry.name, **(entry.get("set") or {}),
                **({"agent": entry.get("agent")} if entry.get("agent") else {}),
            }
            for entry in self._of(section, project)
            if entry.region == location
        ]  # fmt: skip

    def _silent(self) -> Json:
        names = [entry.name for entry in self._estate["silent_zones"]]
        return {"unreachable": [f"projects/x/locations/{name}" for name in names]} if names else {}

    def _project_json(self, entry: Entry) -> Json:
        from google.cloud.resourcemanager_v3 import Project

        state = {"name": f"projects/{entry.get('number')}", "projectId": entry.name}
        more = {"parent": entry.get("parent"), "labels": entry.get("labels") or {}}
        return _through(Project, {**state, **more, "state": entry.get("state", "ACTIVE")})

    def _bucket_json(self, entry: Entry) -> Json:
        number = entry.get("owner") or self._project(entry).get("number")
        clean = {"name": entry.name, "projectNumber": str(number), "location": "EUROPE-WEST4"}
        return {**clean, **(entry.get("set") or {})}

    def _project(self, entry: Entry) -> Entry:
        named = str(entry.get("project") or self._estate["projects"][0].name)
        return self._project_named(named)

    def _project_named(self, name: str) -> Entry:
        return self._one("projects", self._ids.get(name, name), denied=True)

    def _one(self, section: str, name: str, *, legacy: bool = False, denied: bool = False) -> Entry:
        for entry in self._estate[section]:
            if entry.name == name:
                return entry
        if denied:
            # Resource Manager does not say whether a project exists.
            raise _Failure(403, "PERMISSION_DENIED", f"no access to {name}")
        raise _Failure(404, "notFound" if legacy else "NOT_FOUND", f"no {name}", legacy=legacy)

    def _enabled(self, project: str, service: str) -> None:
        entry = self._project_named(project)
        if service not in entry.get("services", ()):
            consumer = {
                "service": f"{service}.googleapis.com",
                "consumer": f"projects/{entry.get('number')}",
            }
            raise _Failure(
                403,
                "PERMISSION_DENIED",
                "API has not been used",
                _info("SERVICE_DISABLED", consumer),
            )

    def _inventory(self) -> None:
        if not self._server.inventory:
            raise _Failure(403, "PERMISSION_DENIED", "no", _info("IAM_PERMISSION_DENIED", {}))

    def _page(
        self,
        key: str,
        items: Iterable[Json],
        query: Mapping[str, list[str]],
        size: str = "pageSize",
    ) -> Json:
        found = list(items)
        start = int(query.get("pageToken", ["0"])[0])
        end = start + min(int(query.get(size, ["1000"])[0]), self._server.page_limit)
        page: Json = {key: found[start:end]} if found else {}
        if end < len(found):
            page["nextPageToken"] = str(end)
        return page


class _Failure(Exception):  # noqa: N818  (becomes an answer)
    def __init__(
        self, status: int, code: str, message: str, *details: Json, legacy: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = _error(status, code, message, details)
        if legacy:
            self.body["error"]["errors"] = [{"reason": code, "message": message}]
            del self.body["error"]["status"]


_ASSET_NAMES = {
    "vertex": "//aiplatform.googleapis.com/projects/{number}/locations/{region}/{collection}/{id}",
    "workbench": "//notebooks.googleapis.com/projects/{project}/locations/{region}/instances/{name}",
    "buckets": "//storage.googleapis.com/{name}",
    "service_accounts": "//iam.googleapis.com/projects/{project}/serviceAccounts/{name}",
    "keys": "//cloudkms.googleapis.com/projects/{project}/locations/{region}/keyRings/ml/cryptoKeys/{name}",
    "repositories": "//artifactregistry.googleapis.com/projects/{project}/locations/{region}/repositories/{name}",
    "run": "//run.googleapis.com/projects/{project}/locations/{region}/services/{name}",
}


def _vertex_type(entry: Entry) -> str:
    return _KINDS[str(entry.get("collection"))].type


def _workbench_type(entry: Entry) -> str:
    return "notebooks.googleapis.com/Instance"


def _vertex_item(entry: Entry, project: Entry, parent: str) -> Json:
    """One item as the API would write it: through the package's own type, strictly."""
    kind = _KINDS[str(entry.get("collection"))]
    name = (
        f"projects/{project.get('number')}/locations/{entry.region}/{parent}{kind.collection}"
        f"/{entry.get('id', entry.name)}"
    )
    described: Json = {
        "name": name,
        "createTime": "2026-03-01T10:00:00Z",
        **(entry.get("set") or {}),
    }
    message = _message(kind.short) if kind.client else None
    if message is not None:
        if "display_name" in message.meta.fields:
            described.setdefault("displayName", entry.name)
        described = _through(message, described)
    return {**described, **(entry.get("wire") or {})}


@cache
def _message(short: str) -> Any:
    from google.cloud import aiplatform_v1

    return getattr(aiplatform_v1, short)


def _through(message: Any, value: Json) -> Json:
    """``value`` as a message of that type and back: unknown fields are refused."""
    from google.protobuf import json_format  # type: ignore[import-untyped]

    parsed = message.pb(message())
    json_format.ParseDict(value, parsed)
    written: Json = json_format.MessageToDict(parsed)
    return written


def _policy_json(policy: Any) -> Json:
    """An IAM policy, through the type that the APIs share."""
    from google.iam.v1 import policy_pb2  # type: ignore[import-untyped]
    from google.protobuf import json_format

    described = {"bindings": policy} if isinstance(policy, list) else policy or {}
    parsed = policy_pb2.Policy()
    json_format.ParseDict(described, parsed)
    written: Json = json_format.MessageToDict(parsed)
    return {"etag": "BwX=", **written}


def _error(status: int, code: str, message: str, details: Iterable[Json] = ()) -> Json:
    return {"error": {"code": status, "status": code, "message": message, "details": [*details]}}


def _info(reason: str, metadata: Mapping[str, str]) -> Json:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
        "domain": "googleapis.com", "metadata": dict(metadata),
    }  # fmt: skip
