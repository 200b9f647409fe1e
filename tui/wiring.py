"""Puts the floors together: which collectors and rules a scan runs with.

The only place that knows collectors, rules and the core at once; everything heavy is imported when
a scan starts, not before.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from tui.settings import Settings
from tui.settings import load as load_settings
from undercroft.clock import stamp, utc_now
from undercroft.model import Json
from undercroft.protocols import Progress, Scope
from undercroft.records import dataclass
from undercroft.views import Query, ScanRow

if TYPE_CHECKING:
    from collectors.demo import DemoDecision
    from rules import Engine, Pack
    from tui.scanning import Discovery, Preflight, ScanRequest, ScanStarter
    from undercroft.risk import RiskModel
    from undercroft.store import Store

__all__ = [
    "AwsRequest",
    "AzureRequest",
    "GcpRequest",
    "Running",
    "build_demo",
    "discover",
    "engine",
    "keep_to_model",
    "pack",
    "prepare_demo",
    "scan_aws",
    "scan_azure",
    "scan_gcp",
    "scan_starter",
]


def engine(extra: Sequence[Path] = ()) -> Engine:
    """The shipped rules, and any further packs, ready to judge."""
    from rules import Engine, load_pack

    return Engine(load_pack(extra))


def pack() -> Pack:
    """The shipped rules as data."""
    from rules import load_pack

    return load_pack()


class Running(TypedDict, total=False):
    """How a scan of any cloud runs, as ``undercroft.scan.run_scan`` takes it."""

    progress: Callable[[Progress], None]
    cancelled: threading.Event
    executor: Executor | None
    keep: bool
    resume: bool
    full: bool


@dataclass(frozen=True, slots=True)
class AwsRequest:
    """What ``scan aws`` was asked for."""

    profiles: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    """Names, or ``all``: every region that is enabled for an account."""
    role_arns: tuple[str, ...] = ()
    """Each is assumed from each profile."""
    external_id: str = ""
    trusted_accounts: tuple[str, ...] = ()
    name: str = ""
    jobs: int = 8
    rules: tuple[Path, ...] = ()
    organization: bool = False
    """Also every active account of the organisation that the credentials belong to."""
    role_name: str = ""
    """The role to assume in each of those; empty: the collector's default."""
    options: Mapping[str, Json] = field(default_factory=dict)

    def scope(self) -> Scope:
        """The same in the pipeline's terms."""
        options: dict[str, Json] = dict(self.options)
        named: dict[str, Json] = {
            **_one_or_several("profile", self.profiles),
            **_one_or_several("role_arn", self.role_arns),
            "external_id": self.external_id,
            "regions": list(self.regions),
            "trusted_accounts": list(self.trusted_accounts),
            "organization": self.organization,
            "role_name": self.role_name if self.organization else "",
        }
        options |= {key: value for key, value in named.items() if value}
        return Scope("aws", locations=self.regions, options=options)

    def title(self) -> str:
        """What the scan is called if it has no name of its own."""
        kind = "AWS organization" if self.organization else "AWS"
        return " ".join([kind, *self.profiles]).strip()


def _one_or_several(option: str, values: tuple[str, ...]) -> dict[str, Json]:
    if len(values) > 1:
        return {f"{option}s": list(values)}
    return {option: values[0]} if values else {}


class Weighing(TypedDict):
    """How findings are weighed, as ``undercroft.scan.run_scan`` takes it."""

    criticality_tag: str
    model: RiskModel | None


def _weighing() -> Weighing:
    """As the settings say."""
    settings = load_settings()
    return {"criticality_tag": settings.criticality_tag, "model": settings.risk}


def keep_to_model(store: Store, settings: Settings) -> str:
    """Have the newest scan scored with the constants that are set, if it is scored with others.

    Returns a sentence about it where there is one to say: that it was done, or that the cache may
    only be read.
    """
    from undercroft.risk import DEFAULT

    model = settings.risk or DEFAULT
    if not store.is_scored_otherwise(model):
        return ""
    scan = store.scan()
    name = scan.name or scan.uid
    if store.read_only:
        other = store.model(scan.id).name
        return (
            f"The scores of {name!r} are by risk model {other}, not {model.name} as is set: "
            "the cache may only be read."
        )
    before = store.score_again(model, settings.criticality_tag)
    if before is not None and before.combines_otherwise(model):
        store.combine_again(engine(), settings.criticality_tag, model=True)
    return f"The scores of {name!r} are by risk model {model.name} now, as is set."


def scan_aws(store: Store, request: AwsRequest, **running: Unpack[Running]) -> ScanRow:
    """Scan AWS accounts into ``store``. Raises ``Cancelled`` if it was asked to stop."""
    from collectors.aws import collectors
    from undercroft.scan import run_scan

    scope = request.scope()
    return run_scan(
        store,
        collectors(scope.options),
        engine(request.rules),
        scope,
        name=request.name or request.title(),
        jobs=request.jobs,
        **_weighing(),
        **running,
    )


@dataclass(frozen=True, slots=True)
class AzureRequest:
    """What ``scan azure`` was asked for."""

    subscriptions: tuple[str, ...] = ()
    """Ids or names; none: all that are seen, or all beneath the management group."""
    management_group: str = ""
    trusted_registries: tuple[str, ...] = ()
    resource_graph: bool = True
    name: str = ""
    jobs: int = 8
    rules: tuple[Path, ...] = ()

    def scope(self) -> Scope:
        """The same in the pipeline's terms."""
        named: dict[str, Json] = {
            "subscriptions": list(self.subscriptions),
            "management_group": self.management_group,
            "trusted_registries": list(self.trusted_registries),
        }
        options = {key: value for key, value in named.items() if value}
        if not self.resource_graph:
            options["resource_graph"] = False
        return Scope("azure", self.subscriptions, options=options)


def scan_azure(store: Store, request: AzureRequest, **running: Unpack[Running]) -> ScanRow:
    """Scan Azure subscriptions into ``store``. Raises ``Cancelled`` if it was asked to stop."""
    from collectors.azure import collectors
    from undercroft.scan import run_scan

    scope = request.scope()
    where = (request.management_group, *request.subscriptions[:1])
    return run_scan(
        store,
        collectors(scope.options),
        engine(request.rules),
        scope,
        name=request.name or " ".join(("Azure", *filter(None, where))),
        jobs=request.jobs,
        **_weighing(),
        **running,
    )


@dataclass(frozen=True, slots=True)
class GcpRequest:
    """What ``scan gcp`` was asked for."""

    projects: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    organization: str = ""
    """Number of the organisation whose projects are scanned, unless some are named."""
    quota_project: str = ""
    trusted_projects: tuple[str, ...] = ()
    name: str = ""
    jobs: int = 8
    rules: tuple[Path, ...] = ()
    options: Mapping[str, Json] = field(default_factory=dict)

    def scope(self) -> Scope:
        """The same in the pipeline's terms."""
        options: dict[str, Json] = dict(self.options)
        named: dict[str, Json] = {
            "organization": self.organization.removeprefix("organizations/"),
            "quota_project": self.quota_project,
            "trusted_projects": list(self.trusted_projects),
        }
        options |= {key: value for key, value in named.items() if value}
        return Scope("gcp", self.projects, self.locations, options)


def scan_gcp(store: Store, request: GcpRequest, **running: Unpack[Running]) -> ScanRow:
    """Scan Google Cloud projects into ``store``. Raises ``Cancelled`` if it was asked to stop."""
    from collectors.gcp import collectors
    from undercroft.scan import run_scan

    scope = request.scope()
    return run_scan(
        store,
        collectors(scope.options),
        engine(request.rules),
        scope,
        name=request.name or " ".join(("Google Cloud", *request.projects[:1])),
        jobs=request.jobs,
        **_weighing(),
        **running,
    )


def scan_starter(path: Callable[[], Path]) -> ScanStarter:
    """Starts scans for the interface; ``path`` says into which cache, when one starts."""

    def start(
        request: ScanRequest,
        progress: Callable[[Progress], None],
        cancelled: threading.Event,
    ) -> ScanRow:
        from undercroft.store import Store

        with Store.open(path()) as store:
            running: Running = {
                "progress": progress,
                "cancelled": cancelled,
                "keep": True,
                "resume": request.resume,
            }
            if request.provider == "gcp":
                return scan_gcp(store, _gcp(request), **running)
            if request.provider == "azure":
                return scan_azure(store, _azure(request), **running)
            return scan_aws(store, _aws(request), **running)

    return start


def discover(cache: Path | None = None) -> Discovery:
    """What this machine could scan with. Reads configuration files only; asks no cloud.

    ``cache``: where an interrupted scan may have left what it had read.
    """
    from collectors.aws.discover import profiles
    from collectors.azure.discover import sources as azure_sources
    from collectors.gcp.discover import sources
    from tui.scanning import Discovery, Found

    found = [
        Found("aws", profile.name, profile.detail, profile.ready, profile.hint, profile.regions)
        for profile in profiles()
    ]
    found += [
        Found("gcp", source.project, source.detail, source.ready, source.hint, source.regions)
        for source in sources()
    ]
    found += [
        Found("azure", one.name or one.subscription, one.detail, one.ready, one.hint)
        for one in azure_sources()
    ]
    return Discovery(tuple(found), check_request, _unfinished(cache))


def _unfinished(cache: Path | None) -> str:
    """When an interrupted scan last wrote down what it had read; empty if none is to be resumed."""
    from undercroft.scan.journal import journal_path

    if cache is None:
        return ""
    try:
        written = journal_path(cache).stat().st_mtime
    except OSError:
        return ""
    return stamp(datetime.fromtimestamp(written, UTC))


def _aws(request: ScanRequest) -> AwsRequest:
    """What the interface asked of AWS."""
    return AwsRequest(
        profiles=(request.profile,),
        regions=tuple(request.locations),
        name=request.name,
        organization=request.wide,
        role_name=request.wide_name,
    )


def _gcp(request: ScanRequest) -> GcpRequest:
    """What the interface asked of Google Cloud; without a project, all that can be seen."""
    projects = (request.profile,) if request.profile and not request.wide else ()
    locations = tuple(request.locations)
    return GcpRequest(projects, locations, request.wide_name, name=request.name)


def check_request(request: ScanRequest) -> Preflight:
    """Who would scan, and what stands in the way. Asks the cloud."""
    from tui.scanning import Preflight

    if request.provider == "gcp":
        return _check_gcp(_gcp(request))
    if request.provider == "azure":
        return _check_azure(_azure(request))
    from collectors.aws import preflight

    found = preflight(_aws(request).scope().options)
    return Preflight(found.arn, found.account, found.regions, found.problems)


def _azure(request: ScanRequest) -> AzureRequest:
    """What the interface asked of Azure; without a subscription, all that are seen."""
    chosen = (request.profile,) if request.profile and not request.wide else ()
    return AzureRequest(chosen, request.wide_name, name=request.name)


def _check_azure(request: AzureRequest) -> Preflight:
    from collectors.azure import preflight
    from tui.scanning import Preflight

    found = preflight(request.scope().options)
    names = tuple(name or identifier for identifier, name in found.subscriptions)
    # Without a subscription there is nothing to scan, whoever the credentials are.
    identity = f"{found.signed_in}; {', '.join(names)}" if names else ""
    return Preflight(identity, problems=found.problems)


def _check_gcp(request: GcpRequest) -> Preflight:
    from collectors.gcp import preflight
    from tui.scanning import Preflight

    found = preflight(request.scope().options, request.scope())
    # Without a project there is nothing to scan, whoever the credentials are.
    identity = found.identity if found.projects else ""
    return Preflight(identity, ", ".join(found.projects), request.locations, found.problems)


def prepare_demo(report: Callable[[str], None]) -> Path:
    """The demo in a cache of its own, which is removed when the program ends."""
    folder = tempfile.mkdtemp(prefix="undercroft-demo-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return build_demo(Path(folder) / "demo.db", report)


def build_demo(
    path: Path, report: Callable[[str], None], clock: Callable[[], datetime] = utc_now
) -> Path:
    """Fill ``path`` with the demo estate: real pipeline, real rules, decisions in between."""
    from collectors.demo import load_demo
    from undercroft.scan import run_scan
    from undercroft.store import Store

    now = clock()
    report("Reading the demo estate")
    demo = load_demo(now)
    judge = engine()
    for number, scan in enumerate(demo.scans, start=1):
        report(f"Judging scan {number} of {len(demo.scans)}: {scan.name}")
        then = partial(_moment, scan.at)
        with Store.open(path, clock=then) as store:
            row = run_scan(
                store,
                scan.collectors,
                judge,
                Scope("demo"),
                name=scan.name,
                kind="demo",
                clock=then,
            )
            _decide(store, row, scan.decisions)
    return path


def _moment(moment: datetime) -> datetime:
    """A clock that stands still."""
    return moment


def _decide(store: Store, scan: ScanRow, decisions: Sequence[DemoDecision]) -> None:
    from undercroft.triage.dates import parse_until
    from undercroft.triage.decide import Triage

    for decision in decisions:
        found = store.findings(
            scan.id, Query(filter=f'rule:{decision.rule} resource:"{decision.resource}"')
        )
        ids = [row.id for row in found]
        if not ids:
            raise ValueError(
                f"the demo decides about {decision.rule} on {decision.resource}, "
                f"which is no finding of {scan.name!r}"
            )
        triage = Triage(store, actor=decision.actor, clock=partial(_moment, decision.at))
        with_ = decision.payload
        if decision.kind == "accept":
            day = parse_until(with_["until"], decision.at.date())
            triage.accept(
                ids, reason=with_["reason"], until=day, owner=with_["owner"], scan_id=scan.id
            )
        elif decision.kind == "false_positive":
            triage.false_positive(
                ids, reason=with_["reason"], category=with_["category"], scan_id=scan.id
            )
        elif decision.kind == "claim_fixed":
            triage.claim_fixed(ids, note=with_["note"], scan_id=scan.id)
        else:
            triage.note(ids, text=with_["text"], scan_id=scan.id)
