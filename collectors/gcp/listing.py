"""Which projects a scan covers: the record of it, and the planning calls of all other collectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collectors.gcp.clients import Clients
from collectors.gcp.errors import CallError
from collectors.gcp.projects import Projects
from collectors.gcp.units import GLOBAL
from undercroft.model import Coverage, CoverageStatus, Resource
from undercroft.protocols import Collected, Meter, Scope, Target

__all__ = ["ProjectList"]

_NONE = (
    "no project is visible to these credentials; name one with --project, "
    "or grant resourcemanager.projects.get"
)


class ProjectList:
    """One unit, before all others: their plans are made from what it asked."""

    name = "gcp.projects"
    stage = 0

    def __init__(self, clients: Clients) -> None:
        self._projects = Projects(clients)

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:  # noqa: ARG002
        """One unit for the whole scan."""
        options = {
            **scope.options,
            "accounts": list(scope.accounts),
            "locations": list(scope.locations),
        }
        yield Target(self.name, "gcp", GLOBAL, GLOBAL, (), options)

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        """Nothing but coverage: whether it could be said which projects there are."""
        asked = Scope(
            "gcp", _texts(target.options.get("accounts")), _texts(target.options.get("locations"))
        )
        try:
            projects = self._projects.in_scope(asked, meter)
        except CallError as error:
            yield self._record(GLOBAL, error.status, error.reason)
            return
        if not projects:
            yield self._record(GLOBAL, CoverageStatus.DENIED, _NONE)
            return
        if any(project.error is None for project in projects):
            yield self._record(GLOBAL, CoverageStatus.COMPLETE, "")
        for project in projects:
            # Everything inside can still be read, but not what folders grant from above.
            if project.error is not None:
                yield self._record(project.id, project.error.status, project.error.reason)

    def _record(self, project: str, status: CoverageStatus, reason: str) -> Coverage:
        return Coverage("gcp", project, GLOBAL, self.name, status, reason)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()
