"""What the services of the loopback Google Cloud share: entries, pages, errors, types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tests.cloud.estate import Entry

if TYPE_CHECKING:
    from tests.cloud.gcp.server import GcpServer

__all__ = ["Answers", "Failure", "Json", "Routes", "error", "info", "policy_json", "through"]

Json = dict[str, Any]
Routes = dict[str, dict[str, Callable[..., Any]]]


class Answers:
    """Some services: one method per request."""

    def __init__(self, server: GcpServer) -> None:
        self.server = server
        self.estate = server.estate
        self._ids = {str(p.get("number")): p.name for p in self.estate["projects"]}

    def routes(self) -> Routes:
        """Host's first word → path, ``{}`` for a part of it → what answers."""
        raise NotImplementedError

    def of(self, section: str, project: str) -> list[Entry]:
        """Entries of a section that are a project's."""
        owner = self.project_named(project)
        return [entry for entry in self.estate[section] if self.owner(entry) == owner]

    def located(self, section: str, project: str, collection: str) -> list[Json]:
        """A project's entries of a section, as items with a place in their names."""
        return [
            {
                "name": f"projects/{project}/locations/{entry.region}/{collection}/{entry.name}",
                "createTime": "2026-10-01T00:00:00Z", **(entry.get("set") or {}),
            }
            for entry in self.of(section, project)
        ]  # fmt: skip

    def here(self, section: str, project: str, location: str, collection: str) -> list[Json]:
        """Those of one place."""
        return [
            {
                "name": f"projects/{project}/locations/{location}/{collection}/{entry.name}",
                "displayName": entry.name, **(entry.get("set") or {}),
                **({"agent": entry.get("agent")} if entry.get("agent") else {}),
            }
            for entry in self.of(section, project)
            if entry.region == location
        ]  # fmt: skip

    def owner(self, entry: Entry) -> Entry:
        """The project that an entry lies in."""
        named = str(entry.get("project") or self.estate["projects"][0].name)
        return self.project_named(named)

    def project_named(self, name: str) -> Entry:
        """By id or number."""
        return self.one("projects", self._ids.get(name, name), denied=True)

    def one(self, section: str, name: str, *, legacy: bool = False, denied: bool = False) -> Entry:
        """The entry of that name; Failure if there is none."""
        for entry in self.estate[section]:
            if entry.name == name:
                return entry
        if denied:
            # Resource Manager does not say whether a project exists.
            raise Failure(403, "PERMISSION_DENIED", f"no access to {name}")
        raise Failure(404, "notFound" if legacy else "NOT_FOUND", f"no {name}", legacy=legacy)

    def enabled(self, project: str, service: str) -> None:
        """Failure if a project does not use a service."""
        entry = self.project_named(project)
        if service not in entry.get("services", ()):
            consumer = {
                "service": f"{service}.googleapis.com",
                "consumer": f"projects/{entry.get('number')}",
            }
            raise Failure(
                403,
                "PERMISSION_DENIED",
                "API has not been used",
                info("SERVICE_DISABLED", consumer),
            )

    def page(
        self,
        key: str,
        items: Iterable[Json],
        query: Mapping[str, list[str]],
        size: str = "pageSize",
    ) -> Json:
        """A page of items, with the token of the next one."""
        found = list(items)
        start = int(query.get("pageToken", ["0"])[0])
        end = start + min(int(query.get(size, ["1000"])[0]), self.server.page_limit)
        page: Json = {key: found[start:end]} if found else {}
        if end < len(found):
            page["nextPageToken"] = str(end)
        return page


class Failure(Exception):  # noqa: N818  (becomes an answer)
    """An answer that is none."""

    def __init__(
        self, status: int, code: str, message: str, *details: Json, legacy: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = error(status, code, message, details)
        if legacy:
            self.body["error"]["errors"] = [{"reason": code, "message": message}]
            del self.body["error"]["status"]


def through(message: Any, value: Json) -> Json:
    """``value`` as a message of that type and back: unknown fields are refused."""
    from google.protobuf import json_format  # type: ignore[import-untyped]

    parsed = message.pb(message())
    json_format.ParseDict(value, parsed)
    written: Json = json_format.MessageToDict(parsed)
    return written


def policy_json(policy: Any) -> Json:
    """An IAM policy, through the type that the APIs share."""
    from google.iam.v1 import policy_pb2  # type: ignore[import-untyped]
    from google.protobuf import json_format

    described = {"bindings": policy} if isinstance(policy, list) else policy or {}
    parsed = policy_pb2.Policy()
    json_format.ParseDict(described, parsed)
    written: Json = json_format.MessageToDict(parsed)
    return {"etag": "BwX=", **written}


def error(status: int, code: str, message: str, details: Iterable[Json] = ()) -> Json:
    """As Google writes it."""
    return {"error": {"code": status, "status": code, "message": message, "details": [*details]}}


def info(reason: str, metadata: Mapping[str, str]) -> Json:
    """A detail that says why."""
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
        "domain": "googleapis.com", "metadata": dict(metadata),
    }  # fmt: skip
