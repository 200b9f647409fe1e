"""A small Azure Resource Manager on loopback, fed from an estate description.

It answers as the real one documents: lists in pages with a ``nextLink``, single resources, error
bodies with codes, Resource Graph by POST. What a test wants to go wrong is a ``Fault``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.cloud.loopback import Loopback

__all__ = ["ArmServer", "Fault", "Seen"]

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(slots=True)
class Fault:
    """What goes wrong where ``path`` (a regular expression, case ignored) is asked for."""

    path: str
    status: int = 500
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    """Sent as it is, instead of an error in Azure's form."""
    times: int = 1_000_000
    change: Callable[[Body], Body] | None = None
    """Instead of an error: what becomes of the true answer."""


class ArmServer(Loopback):
    """A context manager: Resource Manager at ``endpoint`` for as long as it is open."""

    def __init__(self, page: int = 50) -> None:
        self.page = page
        self.resources: dict[str, Body] = {}
        """Resource id in small letters → what is answered."""
        self.subscriptions: list[Body] = []
        self.groups: dict[str, list[str]] = {}
        """Management group → subscriptions beneath it."""
        self.rows: dict[str, list[Body]] = {}
        """Rows of Resource Graph's other tables, by type in small letters."""
        self.versions: dict[str, frozenset[str]] = {}
        """Provider in small letters → the only API versions it answers."""
        self.faults: list[Fault] = []
        self.headers: dict[str, str] = {}
        """Sent with every answer."""
        self.seen: list[Seen] = []
        self._lock = Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One write per answer: in two, each would wait 40 ms for the other side.
            wbufsize = 1 << 16
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                status, headers, text = server.answer(
                    self.command, self.path, dict(self.headers), body
                )
                data = text.encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        super().__init__(Server(("127.0.0.1", 0), Handler))

    def put(self, identifier: str, body: Body) -> Body:
        """Add a resource; id, name and type come from its id."""
        steps = identifier.strip("/").split("/")
        start = len(steps) - 1 - [step.lower() for step in reversed(steps)].index("providers")
        kind = "/".join([steps[start + 1], *steps[start + 2 :: 2]])
        known = {"id": identifier, "name": steps[-1], "type": kind, **body}
        self.resources[identifier.lower()] = known
        return known

    def calls(self, pattern: str = "") -> list[str]:
        """``GET /path`` of everything that was asked for and matches."""
        wanted = re.compile(pattern, re.IGNORECASE)
        return [f"{s.method} {s.path}" for s in self.seen if wanted.search(s.path)]

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], str]:
        """(status, headers, body) of one request."""
        parts = urlsplit(target)
        path = unquote(parts.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        with self._lock:
            self.seen.append(Seen(method, path, query, headers))
            fault = self._fault(path)
        if fault is not None and fault.change is None:
            text = fault.body
            if text is None:
                text = json.dumps({"error": {"code": fault.code, "message": f"{fault.code}."}})
            return fault.status, {**self.headers, **fault.headers}, text
        status, answer = self._true_answer(method, path, query, body)
        if fault is not None and fault.change is not None and status == 200:
            answer = fault.change(answer)
        return status, self.headers, json.dumps(answer)

    def _fault(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.path, path, re.IGNORECASE):
                fault.times -= 1
                return fault
        return None

    def _true_answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> tuple[int, Body]:
        lowered = path.lower().rstrip("/")
        if method == "POST" and lowered == "/providers/microsoft.resourcegraph/resources":
            return 200, self._graph(json.loads(body))
        if method != "GET":
            return 405, _error("MethodNotAllowed")
        if lowered == "/subscriptions":
            return 200, {"value": self.subscriptions}
        group = re.fullmatch(
            r"/providers/microsoft\.management/managementgroups/([^/]+)/descendants", lowered
        )
        if group:
            kind = "Microsoft.Management/managementGroups/subscriptions"
            beneath = self.groups.get(group[1])
            if beneath is None:
                return 403, _error("AuthorizationFailed")
            return 200, {"value": [{"name": one, "type": kind} for one in beneath]}
        provider = re.findall(r"/providers/([^/]+)", lowered)
        allowed = self.versions.get(provider[-1] if provider else "")
        if allowed is not None and query.get("api-version") not in allowed:
            return 400, _error("NoRegisteredProviderFound")
        if lowered in self.resources:
            return 200, self.resources[lowered]
        return self._list(path, lowered, query)

    def _list(self, path: str, lowered: str, query: Mapping[str, str]) -> tuple[int, Body]:
        if lowered.count("/") % 2 == 0 and "/providers/" in lowered:
            return 404, _error("ResourceNotFound")
        found = list(self._members(lowered, query))
        start = int((query.get("$skipToken") or "page/0").rpartition("/")[2])
        page: Body = {"value": found[start : start + self.page]}
        if start + self.page < len(found):
            # Real tokens hold escaped slashes.
            token = quote(f"page/{start + self.page}", safe="")
            version = query.get("api-version", "")
            page["nextLink"] = (
                f"{self.endpoint}{quote(path)}?api-version={version}&%24skipToken={token}"
            )
        return 200, page

    def _members(self, lowered: str, query: Mapping[str, str]) -> Iterator[Body]:
        whole = re.fullmatch(r"/subscriptions/([^/]+)/providers/([^/]+/[^/]+)", lowered)
        if whole:
            kind, subscription = whole[2], whole[1]
            if kind == "microsoft.security/subassessments":
                kind = "microsoft.security/assessments/subassessments"
            if kind in self.rows:
                for row in self.rows[kind]:
                    scope = str(row["properties"].get("scope") or row["id"]).lower()
                    inside = scope.startswith(f"/subscriptions/{subscription}")
                    at = (
                        scope in {f"/subscriptions/{subscription}", "/"}
                        or "managementgroups" in scope
                    )
                    at = at or scope.startswith(
                        "/providers/microsoft.authorization/roledefinitions"
                    )
                    if at or (inside and not query.get("$filter")):
                        yield row
                return
            for identifier, body in self.resources.items():
                if identifier.startswith(f"/subscriptions/{subscription}/") and (
                    str(body["type"]).lower() == kind
                ):
                    yield body
            return
        for identifier, body in self.resources.items():
            if identifier.rpartition("/")[0] == lowered:
                yield body

    def _graph(self, asked: Body) -> Body:
        text, options = asked["query"], asked.get("options") or {}
        chosen = {one.lower() for one in asked["subscriptions"]}
        types = {t.lower() for t in re.findall(r"'([^']+/[^']+)'", text)}
        if text.startswith("resources "):
            rows = [
                {**body, "type": str(body["type"]).lower(), "subscriptionId": _subscription(i)}
                for i, body in sorted(self.resources.items())
                if str(body["type"]).lower() in types and _subscription(i) in chosen
            ]
        else:
            rows = [
                {**row, "subscriptionId": _subscription(str(row["id"]).lower())}
                for kind in types
                for row in self.rows.get(kind, [])
                if _subscription(str(row["id"]).lower()) in {*chosen, ""}
                and "managementgroups" not in str(row["properties"].get("scope")).lower()
            ]
        top = min(int(options.get("$top", 100)), self.page * 4)
        start = int(options.get("$skipToken") or 0)
        page: Body = {
            "totalRecords": len(rows),
            "count": len(rows[start : start + top]),
            "resultTruncated": "false",
            "data": rows[start : start + top],
        }
        if start + top < len(rows):
            page["$skipToken"] = str(start + top)
        return page


def _error(code: str) -> Body:
    return {"error": {"code": code, "message": f"{code}."}}


def _subscription(identifier: str) -> str:
    match = re.match(r"/subscriptions/([^/]+)", identifier)
    return match[1] if match else ""
