"""``scan``: read an account and judge what is found."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from tui.cli.aws import AwsSignIn, aws_sign_in
from tui.cli.common import db_option, debug_option, open_store, say
from tui.cli.errors import CommandError, Exit
from undercroft.model import Coverage, CoverageStatus, Severity
from undercroft.protocols import Cancelled, Progress
from undercroft.text import calls, count, shown, standing
from undercroft.views import Query

if TYPE_CHECKING:
    from tui.wiring import Running
    from undercroft.store import Store
    from undercroft.views import ScanRow

__all__ = ["scan_command"]

_SCORE = re.compile(r"score>=(\d+(?:\.\d+)?)$")
_MANY = 10
"""More parts that could not be read for one reason, or are not enabled, are only counted."""
_MANY_UNITS = 100
"""Of more units than this, those that had nothing to read are only counted."""
_INTERRUPTED = (
    "interrupted; earlier scans and all decisions are untouched, "
    "and the same command with --resume goes on from here"
)


@click.group("scan")
def scan_command() -> None:
    """Read an account and judge what is found. Nothing is ever changed in it."""


@dataclass(frozen=True, slots=True)
class _Common:
    """What can be asked of a scan of any cloud."""

    name: str
    gate: str
    jobs: int
    rules: tuple[Path, ...]
    reporter: Callable[[], Callable[[Progress], None]]
    db: Path | None
    executor: str
    resume: bool


_Command = Callable[..., None]
_Scan = Callable[["Store", "Running"], "ScanRow"]

_COMMON = (
    click.option("--name", default="", help="What to call this scan."),
    click.option(
        "--fail-on", metavar="SEVERITY|score>=N", help="Exit 1 if such a finding is active."
    ),
    click.option("--jobs", type=click.IntRange(1, 64), default=8, show_default=True),
    click.option(
        "--executor",
        metavar="local|dask://HOST:PORT",
        default="local",
        help="Where the parts of a scan run [default: threads here].",
    ),
    click.option(
        "--resume",
        is_flag=True,
        help="Go on from an interrupted scan of the same: what was read is not read again.",
    ),
    click.option("--rules", "rule_dirs", multiple=True, type=click.Path(path_type=Path)),
    click.option("--plain", is_flag=True, help="Progress as plain lines."),
    click.option("--json", "as_json", is_flag=True, help="Progress as JSON lines."),
    db_option,
    debug_option,
)


def _common_options(command: _Command) -> _Command:
    """Every option that all clouds share; the command gets them as ``common``."""

    @functools.wraps(command)
    def with_common(
        *,
        name: str,
        fail_on: str | None,
        jobs: int,
        executor: str,
        resume: bool,
        rule_dirs: tuple[Path, ...],
        plain: bool,
        as_json: bool,
        db: Path | None,
        **own: object,
    ) -> None:
        reporter = _json_reporter if as_json else functools.partial(_text_reporter, plain=plain)
        common = _Common(name, _gate(fail_on), jobs, rule_dirs, reporter, db, executor, resume)
        command(common=common, **own)

    for option in reversed(_COMMON):
        with_common = option(with_common)
    return with_common


@scan_command.command("aws")
@aws_sign_in
@click.option("--trusted-account", "trusted", multiple=True, help="Account that is not foreign.")
@click.option(
    "--full", is_flag=True, help="Describe everything again, also what has not changed since."
)
@_common_options
def aws_command(
    sign_in: AwsSignIn,
    trusted: tuple[str, ...],
    full: bool,
    common: _Common,
) -> None:
    """Scan AWS accounts, read-only: all that are named become one scan.

    Each --role-arn is assumed from each --profile. --organization adds every active account of the
    organisation; one that cannot be entered is said to be unread, and the others are read.

    Everything is listed every time; what its list shows to be unchanged since the last scan of the
    same cache is not described again.
    """
    from tui.wiring import scan_aws

    request = sign_in.request(
        trusted_accounts=trusted, name=common.name, jobs=common.jobs, rules=common.rules
    )

    def scan(store: Store, running: Running) -> ScanRow:
        running["full"] = full
        return scan_aws(store, request, **running)

    _run(common, scan)


@scan_command.command("azure")
@click.option(
    "--subscription", "subscriptions", multiple=True, help="Subscription id or name (repeatable)."
)
@click.option("--management-group", default="", help="Every subscription beneath this group.")
@click.option("--trusted-registry", "trusted", multiple=True, help="Registry that is not foreign.")
@click.option(
    "--resource-graph/--no-resource-graph",
    default=True,
    show_default=True,
    help="Ask Azure Resource Graph in bulk, or only plain lists.",
)
@_common_options
def azure_command(
    subscriptions: tuple[str, ...],
    management_group: str,
    trusted: tuple[str, ...],
    resource_graph: bool,
    common: _Common,
) -> None:
    """Scan Azure subscriptions, read-only: those named, or all that the credentials see."""
    from collectors.azure.endpoint import EndpointError, endpoint_of
    from tui.wiring import AzureRequest, scan_azure

    try:
        endpoint_of()
    except EndpointError as error:
        raise CommandError(f"{error}; see UNDERCROFT_AZURE_ENDPOINT") from None
    request = AzureRequest(
        subscriptions,
        management_group,
        trusted,
        resource_graph,
        common.name,
        common.jobs,
        common.rules,
    )
    _run(common, lambda store, running: scan_azure(store, request, **running))


@scan_command.command("gcp")
@click.option("--project", "projects", multiple=True, help="Project id (repeatable).")
@click.option("--location", "locations", multiple=True, help="Location (repeatable).")
@click.option("--organization", default="", help="Number of an organisation: all its projects.")
@click.option("--quota-project", default="", help="Project that the calls are charged to.")
@click.option("--trusted-project", "trusted", multiple=True, help="Project that is not foreign.")
@_common_options
def gcp_command(
    projects: tuple[str, ...],
    locations: tuple[str, ...],
    organization: str,
    quota_project: str,
    trusted: tuple[str, ...],
    common: _Common,
) -> None:
    """Scan Google Cloud projects, read-only.

    Without --project and --organization: every project that the credentials can see. Without
    --location: everywhere that Vertex AI exists.
    """
    from tui.wiring import GcpRequest, scan_gcp

    request = GcpRequest(
        projects, locations, organization, quota_project, trusted,
        common.name, common.jobs, common.rules,
    )  # fmt: skip
    _run(common, lambda store, running: scan_gcp(store, request, **running))


def _run(common: _Common, scan: _Scan) -> None:
    """Make a scan and end with its status."""
    from undercroft.scan.executor import ExecutorError, open_executor

    with ExitStack() as stack:
        try:
            executor = stack.enter_context(open_executor(common.executor))
        except ExecutorError as error:
            raise CommandError(str(error)) from error
        store = stack.enter_context(open_store(common.db, create=True))
        running: Running = {
            "progress": common.reporter(),
            "cancelled": _stop_on_interrupt(),
            "executor": executor,
            "keep": True,
            "resume": common.resume,
        }
        try:
            row = scan(store, running)
        except Cancelled:
            say(_INTERRUPTED)
            raise click.exceptions.Exit(Exit.INTERRUPTED) from None
        _summary(store, row)
        status = _status(store, row, common.gate)
    raise click.exceptions.Exit(status)


def _gate(fail_on: str | None) -> str:
    """The filter that ``--fail-on`` stands for, or an empty text."""
    if fail_on is None:
        return ""
    if match := _SCORE.match(fail_on.replace(" ", "")):
        return f"status:active score>={match[1]}"
    if fail_on in set(Severity):
        return f"status:active severity>={fail_on}"
    names = ", ".join(severity.value for severity in Severity)
    raise CommandError(f"--fail-on takes a severity ({names}) or score>=N, not {fail_on!r}")


def _status(store: Store, row: ScanRow, gate: str) -> Exit:
    if row.state == "failed":
        return Exit.NOTHING_READ
    hits = store.count_findings(row.id, Query(filter=gate)) if gate else 0
    if hits:
        say(f"--fail-on: {count(hits, 'finding')} match {gate!r}")
    if row.state == "partial":
        return Exit.INCOMPLETE
    return Exit.FAIL_ON if hits else Exit.DONE


def _stop_on_interrupt() -> threading.Event:
    """Ctrl-C asks the scan to stop between two calls; a second one insists."""
    stop = threading.Event()

    def handler(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (signal's signature)
        if stop.is_set():
            # Nothing ends a thread that waits for an answer, and Python would wait for the thread.
            # A scan whose process is gone counts as interrupted, and is cleared up later.
            _say_now(_INTERRUPTED)
            os._exit(Exit.INTERRUPTED)
        stop.set()
        _say_now("stopping after the calls that are under way (again to insist)")

    signal.signal(signal.SIGINT, handler)
    return stop


def _say_now(text: str) -> None:
    """A line from a signal handler, which may have come in the middle of another line's output."""
    with contextlib.suppress(OSError):
        os.write(2, f"undercroft: {text}\n".encode())


def _text_reporter(*, plain: bool) -> Callable[[Progress], None]:
    lock = threading.Lock()
    live = sys.stderr.isatty() and not plain
    phase = ""

    def report(event: Progress) -> None:
        nonlocal phase
        where = f"{event.scope} {event.location} {event.collector}".strip()
        so_far = f"[{event.done}/{event.total}]"
        with lock:
            if event.kind == "unit_done" and _is_news(event):
                say(("\r\x1b[K" if live else "") + f"{so_far} {_unit_line(event, where)}")
            elif event.kind == "unit_done" and live:
                click.echo(f"\r\x1b[K{so_far} {where}", err=True, nl=False)
            elif event.kind == "unit_done" and event.done % _MANY_UNITS == 0:
                say(so_far)
            elif event.kind == "resumed":
                say(event.reason)
            elif event.kind in {"judging", "saving"} and event.kind != phase:
                phase = event.kind
                say(("\r\x1b[K" if live else "") + phase)
            elif live and event.kind == "unit_progress":
                click.echo(f"\r\x1b[K{so_far} {where}: {event.calls} calls", err=True, nl=False)

    return report


def _is_news(event: Progress) -> bool:
    """Whether the end of a unit is worth a line: of very many, most have nothing to read."""
    if event.recalled:
        return False
    few = event.total <= _MANY_UNITS
    whole = event.status in {None, CoverageStatus.COMPLETE, CoverageStatus.NOT_ENABLED}
    return few or not whole or bool(event.resources or event.throttled)


def _unit_line(event: Progress, where: str) -> str:
    """What became of one unit."""
    mark = event.status.value if event.status else "complete"
    did = [count(event.resources, "resource"), count(event.calls, "call")]
    if event.throttled:
        did.append(f"{count(event.throttled, 'retry', 'retries')} after throttling")
    told = [", ".join(did)] if event.resources or event.calls or not event.reason else []
    told += [shown(event.reason)] if event.reason else []
    return f"{mark:<10} {where}: {'; '.join(told)}"


def _json_reporter() -> Callable[[Progress], None]:
    lock = threading.Lock()

    def report(event: Progress) -> None:
        with lock:
            say(json.dumps({key: value for key, value in asdict(event).items() if value}))

    return report


def _summary(store: Store, row: ScanRow) -> None:
    coverage = store.coverage(row.id)
    gaps = [item for item in coverage if item.status.is_gap]
    say(
        f"{row.name or row.uid}: {count(row.services, 'AI service')}, "
        f"{count(row.resources, 'resource')}, {standing(row.findings)}, "
        f"{calls(row.calls, row.spared)}"
    )
    complete = sum(unit.status is CoverageStatus.COMPLETE for unit in coverage)
    say(f"read completely: {count(complete, 'unit')}")
    if row.gaps:
        say(f"could not be read: {count(row.gaps, 'part')}")
    # A unit that went on to its end may still have read some things only in part.
    told = [unit for unit in coverage if unit.reason and unit not in gaps]
    off = [unit for unit in told if unit.status is CoverageStatus.NOT_ENABLED]
    if len(off) > _MANY:
        # A hundred projects without most services are no news line by line.
        say(f"not enabled, so nothing to read: {count(len(off), 'part')}")
        told = [unit for unit in told if unit not in off]
    alike: dict[tuple[CoverageStatus, str], list[Coverage]] = {}
    for item in (*gaps, *told):
        alike.setdefault((item.status, item.reason), []).append(item)
    for (status, reason), items in alike.items():
        how = "in part" if status is CoverageStatus.COMPLETE else status.value
        if len(items) > _MANY:
            where = (
                f"{count(len(items), 'part')}, all of which 'undercroft scans show {row.id}' names"
            )
            say(f"  {how:<10} {where}: {shown(reason)}")
            continue
        for item in items:
            where = f"{item.scope} {item.location} {item.collector}"
            say(f"  {how:<10} {where}: {shown(reason)}")
