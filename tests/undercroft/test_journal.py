"""An interrupted scan goes on: what was read is not read again, and the result is the same."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.undercroft.scan_kit import SmallJudge
from undercroft.model import Coverage, CoverageStatus, Edge, Layer, Presence, Resource
from undercroft.protocols import Cancelled, Collected, Meter, Progress, Scope, Target
from undercroft.relations import Relation
from undercroft.scan import run_scan
from undercroft.scan.journal import Journal, journal_path
from undercroft.scan.unit import BATCH, UnitResult
from undercroft.store import Store
from undercroft.views import ScanRow

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
SCOPE = Scope("aws", options={"organization": True})
ACCOUNTS = ("1", "2", "3", "4")
MANY = BATCH + 20


@dataclass
class Models:
    """A unit per account: more models than one batch holds, each naming a role."""

    accounts: tuple[str, ...] = ACCOUNTS
    read: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    stop_after: str = ""
    denied: frozenset[str] = frozenset()
    name: str = "aws.models"
    stage: int = 0

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        for account in self.accounts:
            yield Target(self.name, "aws", account, "r")

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        meter.check()
        self.read.append(target.scope)
        meter.calls += 1
        meter.spared += 10
        for number in range(MANY):
            key = f"aws/aws/{target.scope}/r/sm/model/{number}"
            role = f"aws/aws/{target.scope}/-/iam/role/exec"
            config = {"Nested": {"List": [number, None, "ü\ud800"]}}
            yield Resource(
                key, "aws", target.scope, "r", "sm:endpoint", Layer.SERVICE, str(number),
                tags={"a": "b"}, config=config, unknown={"config.x": "denied: needs y"},
                service=True, collector=self.name,
            )  # fmt: skip
            yield Resource(
                role, "aws", target.scope, "-", "iam:role", Layer.IDENTITY, "exec",
                facts={"references": [number % 2]}, presence=Presence.STUB,
            )  # fmt: skip
            yield Edge(key, role, Relation.USES_IDENTITY, "RoleArn")
            if target.scope == self.stop_after and number > BATCH:
                self.stop.set()
                meter.check()
        status = CoverageStatus.DENIED if target.scope in self.denied else CoverageStatus.COMPLETE
        yield Coverage("aws", target.scope, "r", self.name, status, "", ("sm:endpoint",))


@dataclass
class Roles:
    """The roles that models name, one unit per account."""

    read: list[str] = field(default_factory=list)
    name: str = "aws.iam"
    stage: int = 1

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        for account in ACCOUNTS:
            mine = tuple(stub for stub in wanted if stub.account == account)
            if mine:
                yield Target(self.name, "aws", account, "-", mine)

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        self.read.append(f"{target.scope}:{len(target.wanted)}")
        yield Coverage("aws", target.scope, "-", self.name, CoverageStatus.COMPLETE)


def scan(
    store: Store,
    models: Models,
    roles: Roles | None = None,
    *,
    resume: bool = False,
    scope: Scope = SCOPE,
    now: datetime = NOW,
    said: list[str] | None = None,
) -> ScanRow:
    def progress(event: Progress) -> None:
        if said is not None and event.kind == "resumed":
            said.append(event.reason)
        elif said is not None and event.recalled:
            said.append(event.scope)

    return run_scan(
        store, [models, roles or Roles()], SmallJudge(), scope, jobs=1, keep=True, resume=resume,
        cancelled=models.stop, progress=progress, clock=lambda: now,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "cache.db") as opened:
        yield opened


@pytest.fixture
def interrupted(store: Store) -> Store:
    """A scan that ended in the middle of its third account."""
    models = Models(stop_after="3")
    with pytest.raises(Cancelled):
        scan(store, models)
    assert models.read == ["1", "2", "3"]
    return store


def everything(store: Store, row: ScanRow) -> tuple[object, ...]:
    return (
        [(unit.scope, unit.collector, unit.status) for unit in store.coverage(row.id)],
        row.resources,
        row.services,
        row.findings,
        row.calls,
        row.spared,
    )


def test_what_was_read_is_not_read_again(interrupted: Store, tmp_path: Path) -> None:
    models, roles, said = Models(), Roles(), list[str]()
    row = scan(interrupted, models, roles, resume=True, said=said)
    assert models.read == ["3", "4"], "the half-read account is read again"
    assert roles.read == [f"{account}:2" for account in ACCOUNTS], "each way to name it counts"
    resumed = "2 units read since 2026-08-01T12:00 before the interruption, not read again"
    assert said == [resumed, "1", "2"]
    with Store.open(tmp_path / "whole.db") as other:
        assert everything(interrupted, row) == everything(other, scan(other, Models()))


def test_it_can_be_interrupted_again(interrupted: Store) -> None:
    with pytest.raises(Cancelled):
        scan(interrupted, Models(stop_after="4"), resume=True)
    models = Models()
    scan(interrupted, models, resume=True)
    assert models.read == ["4"]


def test_a_saved_scan_leaves_nothing(interrupted: Store) -> None:
    path = journal_path(interrupted.path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    scan(interrupted, Models(), resume=True)
    assert not path.exists()


def test_without_asking_everything_is_read(interrupted: Store) -> None:
    models = Models()
    scan(interrupted, models)
    assert models.read == list(ACCOUNTS)


def test_another_scan_is_not_gone_on_with(interrupted: Store) -> None:
    models, said = Models(), list[str]()
    scan(interrupted, models, resume=True, scope=Scope("aws", locations=("x",)), said=said)
    assert models.read == list(ACCOUNTS)
    assert said == ["nothing is left of an interrupted scan of the same; everything is read"]


def test_what_was_read_long_ago_is_read_again(store: Store) -> None:
    with pytest.raises(Cancelled):
        scan(store, Models(stop_after="3"), now=NOW - timedelta(days=2))
    models = Models()
    scan(store, models, resume=True)
    assert models.read == list(ACCOUNTS)


def test_what_could_not_be_read_is_tried_again(store: Store) -> None:
    models = Models(denied=frozenset({"1"}), stop_after="3")
    with pytest.raises(Cancelled):
        scan(store, models)
    models = Models()
    scan(store, models, resume=True)
    assert models.read == ["1", "3", "4"]


def test_a_line_that_was_cut_off_does_not_count(interrupted: Store) -> None:
    path = journal_path(interrupted.path)
    text = path.read_bytes()
    path.write_bytes(text[: text.rindex(b" = ") + 40])
    models = Models()
    scan(interrupted, models, resume=True)
    assert models.read == ["2", "3", "4"]


@pytest.mark.parametrize("end", range(0, 4_000, 173))
def test_wherever_it_was_cut_off(tmp_path: Path, end: int) -> None:
    path = tmp_path / "journal"
    target = Target("c", "aws", "1", "r")
    done = UnitResult([], CoverageStatus.COMPLETE, "", 1, 1, 0)
    items = list(Models().collect(target, Meter()))[:6]
    journal = Journal(path, SCOPE, "1", NOW, resume=False)
    for number in range(3):
        unit = journal.begin()
        journal.note(unit, items)
        journal.end(unit, Target("c", "aws", str(number), "r"), done)
    journal.close(done=False)
    path.write_bytes(path.read_bytes()[:end])
    again = Journal(path, SCOPE, "1", NOW, resume=True)
    for number in range(again.units):
        known = again.recall(Target("c", "aws", str(number), "r"))
        assert known is not None
        assert [item for batch in known.batches for item in batch] == items
    again.close(done=True)
