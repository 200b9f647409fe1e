"""The store as others see it: a thin front over the modules beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Self

from undercroft.clock import utc_now
from undercroft.steps import Step, unwatched
from undercroft.store.connection import Database, in_words
from undercroft.store.errors import StoreError
from undercroft.triage.limits import CRITICALITY_TAG, UNCONFIRMED_DAYS

if TYPE_CHECKING:
    from undercroft.comparison import Comparison
    from undercroft.feeds import Exploitable, FeedInfo, ParsedFeed
    from undercroft.fields import FieldChange
    from undercroft.model import Coverage, Json, Resource
    from undercroft.protocols import Judge, Target
    from undercroft.risk import RiskModel
    from undercroft.risk.bills import FindingExplanation, ServiceExplanation
    from undercroft.risk.paths import AttackPath, Possible
    from undercroft.risk.trends import Change, TrendPoint
    from undercroft.store import (
        decisions,
        facts,
        feeds,
        grouping,
        health,
        news,
        previews,
        read_bills,
        read_details,
        read_exports,
        read_findings,
        read_scopes,
        read_services,
        read_trends,
        replica,
        scans,
        suggest,
    )
    from undercroft.store.controls import Frameworks
    from undercroft.store.planning import RepairPlan
    from undercroft.store.recombine import Recombined
    from undercroft.store.writer import ScanWriter
    from undercroft.triage.events import Event, FindingFacts
    from undercroft.triage.reports import MergeReport, Ruling, ScopeRow, StatusChange
    from undercroft.triage.scopes import Scope
    from undercroft.triage.undoing import Line
    from undercroft.views import (
        EventRow,
        FindingDetail,
        FindingRecord,
        FindingRow,
        GroupRow,
        Query,
        ResourceDetail,
        ResourceRef,
        ScanRow,
        ServiceRow,
        Today,
        Tower,
    )
else:
    from undercroft.store.later import Later

    # Most who open a cache need a few of these; one that is imported for nothing delays a prompt.
    decisions = Later("undercroft.store.decisions")
    facts = Later("undercroft.store.facts")
    feeds = Later("undercroft.store.feeds")
    grouping = Later("undercroft.store.grouping")
    health = Later("undercroft.store.health")
    news = Later("undercroft.store.news")
    previews = Later("undercroft.store.previews")
    read_bills = Later("undercroft.store.read_bills")
    read_details = Later("undercroft.store.read_details")
    read_exports = Later("undercroft.store.read_exports")
    read_findings = Later("undercroft.store.read_findings")
    read_scopes = Later("undercroft.store.read_scopes")
    read_services = Later("undercroft.store.read_services")
    read_trends = Later("undercroft.store.read_trends")
    replica = Later("undercroft.store.replica")
    scans = Later("undercroft.store.scans")
    suggest = Later("undercroft.store.suggest")

__all__ = ["Store"]


class Store:
    """One cache file. Safe to use from any thread; several processes may have it open.

    Every read names a scan by its row id (``ScanRow.id``); lists are windows and never load more
    than they return. What a person decides is appended, never changed.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self.path = database.path
        self.read_only = database.read_only

    @classmethod
    def open(
        cls,
        path: FilePath | str,
        *,
        read_only: bool = False,
        clock: Callable[[], datetime] = utc_now,
    ) -> Self:
        """Open a cache; unless ``read_only``, create it if it is missing and migrate it if it is old.

        ``clock`` answers what time it is wherever an acceptance may have lapsed.

        Raises:
            NotFoundError: nothing there, and ``read_only``.
            NewerSchemaError: written by a newer release.
            ReadOnlyError: there, but it may only be read.
            StoreError: not a cache, or the file cannot be read or written.
        """
        database = Database.open(FilePath(path), read_only=read_only, clock=clock)
        try:
            if not read_only:
                scans.clean_interrupted(database)
                replica.settle(database)
            # The first look into one of our tables: says here if the file is damaged.
            database.meta("replica")
            return cls(database)
        except sqlite3.DatabaseError as error:
            database.close()
            raise StoreError(in_words(database.path, error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection of this store, those of other threads included."""
        self._db.close()

    @property
    def replica(self) -> str:
        """Under which this cache writes its part of the decision log; a copy takes another."""
        return self._db.meta("replica")

    def salt(self) -> bytes:
        """Random per cache: fingerprints of secrets cannot be compared across caches."""
        return bytes.fromhex(self._db.meta("salt"))

    def data_version(self) -> int:
        """A number that changes whenever what readers see has changed, whoever wrote it."""
        return int(self._db.meta("revision"))

    def check(self) -> str:
        """What is wrong with the file or the decision log, in words; empty if nothing is."""
        return health.problem(self._db)

    # scans

    def scans(self) -> list[ScanRow]:
        """Every scan, newest first; running and interrupted ones included."""
        return scans.listing(self._db)

    def scan(self, ref: str | None = None) -> ScanRow:
        """A scan by ``latest`` (also None), ``previous``, row id, uid, start of a uid, or name.

        ``latest`` is the newest that holds data. NotFoundError, AmbiguousError.
        """
        return scans.find(self._db, ref)

    def rename_scan(self, scan_id: int, name: str) -> None:
        """Give a scan another name."""
        scans.rename(self._db, scan_id, name)

    def delete_scan(self, scan_id: int) -> None:
        """Remove a scan and what only it refers to. Decisions survive."""
        scans.delete(self._db, scan_id)
        health.compact(self._db)

    def prune_scans(self, keep: int) -> list[ScanRow]:
        """Remove all but the ``keep`` newest scans that hold data; those removed, newest first.

        Failed and interrupted ones go with what is older than those; running ones stay.
        """
        removed = scans.prune(self._db, keep)
        if removed:
            health.compact(self._db)
        return removed

    def space(self) -> tuple[int, int]:
        """Bytes of the cache file, and of those the ones that are free for what comes next."""
        return health.space(self._db)

    def coverage(self, scan_id: int) -> list[Coverage]:
        """What each unit of a scan could see."""
        return scans.coverage(self._db, scan_id)

    def write_scan(
        self,
        *,
        name: str,
        kind: str,
        scope: Mapping[str, Json],
        rules: Mapping[str, str],
        pack: str,
        renamed: Mapping[str, str] | None = None,
        frameworks: Frameworks | None = None,
        criticality_tag: str = CRITICALITY_TAG,
        model: RiskModel | None = None,
    ) -> ScanWriter:
        """Begin a scan. ``rules``: id → logic version of every enabled rule; ``pack``: its version.

        ``renamed``: first id of a rule → its id now; what was decided about all of it goes along.
        ``frameworks``: rule id → framework → controls; None leaves what is known of them as it is.
        ``criticality_tag``: name of the tag that says what a resource is worth; empty: none does.
        ``model``: by which it is scored; None: with the constants as published.
        """
        from undercroft.risk import DEFAULT
        from undercroft.store.writer import ScanWriter

        return ScanWriter(
            self._db,
            name=name,
            kind=kind,
            scope=scope,
            rules=rules,
            pack=pack,
            renamed=renamed or {},
            frameworks=frameworks,
            criticality_tag=criticality_tag,
            model=model or DEFAULT,
        )

    def memory(self) -> Callable[[Target, str], tuple[Resource, ...]]:
        """What the newest scan by the same reader read in a unit: ``(target, reader)`` → resources.

        Without what was only carried over, and without what is merely named.
        """
        from undercroft.store.memory import Memory

        return Memory(self._db).of

    # feeds

    def feeds(self) -> list[FeedInfo]:
        """What is known about exploitation, and of which day."""
        return feeds.listing(self._db)

    def import_feed(self, feed: ParsedFeed) -> int:
        """Take a feed instead of the one of its kind that is there, and weigh every saved scan anew.

        Returns how many resources had findings that weigh another than before. ReadOnlyError.
        """
        return feeds.import_feed(self._db, feed)

    def exploitable(self, model: RiskModel | None = None) -> Exploitable:
        """The vulnerabilities that the imported feeds make an ingredient of combinations.

        ``model``: None: with the constants as published.
        """
        from undercroft.risk import DEFAULT

        return feeds.exploitable(self._db, model or DEFAULT)

    def combine_again(
        self, judge: Judge, criticality_tag: str = CRITICALITY_TAG, *, model: bool = False
    ) -> Recombined:
        """Evaluate the combinations of the newest scan anew, with what feeds say now.

        ``model``: it is done because of other constants of the risk model, not of a feed.
        Nothing is evaluated if ``judge`` has other rules than the scan. ReadOnlyError.
        """
        from undercroft.store.recombine import combine_again

        return combine_again(self._db, judge, criticality_tag, model=model)

    # the risk model

    def model(self, scan_id: int) -> RiskModel:
        """The constants by which a scan is scored."""
        from undercroft.store.models import model_of

        return model_of(self._db.connection(), scan_id)

    def is_scored_otherwise(self, model: RiskModel | None) -> bool:
        """Whether other constants than these scored the newest scan; None: than those published."""
        digest = scans.PUBLISHED if model is None else model.digest
        return scans.scored_otherwise(self._db.connection(), digest) is not None

    def score_again(
        self, model: RiskModel, criticality_tag: str = CRITICALITY_TAG
    ) -> RiskModel | None:
        """Score the newest scan by these constants. The model that scored it before; None if it is
        scored by them already.

        Older scans keep their numbers. What a service reaches may be other things afterwards:
        ``combine_again`` looks at its combinations. ReadOnlyError.
        """
        from undercroft.store.rescore import score_again

        return score_again(self._db, model, criticality_tag)

    # lists

    def giving_up(self, when: Callable[[], bool]) -> AbstractContextManager[None]:
        """What this thread reads inside ends with GivenUpError as soon as ``when`` says so."""
        return self._db.giving_up(when)

    def services(
        self, scan_id: int, query: Query, offset: int = 0, limit: int | None = None
    ) -> list[ServiceRow]:
        """A window of the services list, worst first unless the query says otherwise."""
        return read_services.window(self._db, scan_id, query, offset, limit)

    def count_services(self, scan_id: int, query: Query) -> int:
        """How many services the query matches."""
        return read_services.count(self._db, scan_id, query)

    def findings(
        self, scan_id: int, query: Query, offset: int = 0, limit: int | None = None
    ) -> list[FindingRow]:
        """A window of the findings table, worst first unless the query says otherwise."""
        return read_findings.window(self._db, scan_id, query, offset, limit)

    def count_findings(self, scan_id: int, query: Query) -> int:
        """How many findings the query matches."""
        return read_findings.count(self._db, scan_id, query)

    def iter_findings(self, scan_id: int, query: Query) -> Iterator[FindingRow]:
        """Every finding the query matches, in its order, read as it is consumed."""
        return read_findings.iterate(self._db, scan_id, query)

    def iter_records(
        self, scan_id: int, query: Query, *, ages: bool = True
    ) -> Iterator[FindingRecord]:
        """Like ``iter_findings``, each with its evidence, decision and services, for exports.

        ``ages``: also with its times, which takes some working out.
        """
        return read_exports.records(self._db, scan_id, query, ages=ages)

    def group_findings(self, scan_id: int, query: Query, by: str) -> list[GroupRow]:
        """The query's findings by rule, resource, service, account, layer, package, severity or status."""
        return grouping.groups(self._db, scan_id, query, by)

    # details

    def finding(self, scan_id: int, finding_id: str) -> FindingDetail:
        """Everything about one finding. NotFoundError if the scan does not know it."""
        return read_details.finding(self._db, scan_id, finding_id)

    def resolve_finding(self, text: str) -> str:
        """A full finding id from its beginning, with or without ``f1-``. NotFoundError, AmbiguousError."""
        return read_details.resolve_finding(self._db, text)

    def resolve_resource(self, scan_id: int, text: str) -> str:
        """A resource key from a key, a native id or a name; services win over others."""
        return read_details.resolve_resource(self._db, scan_id, text)

    def tower(self, scan_id: int, service_key: str) -> Tower:
        """One service and all it stands on."""
        return read_services.tower(self._db, scan_id, service_key)

    def resource(self, scan_id: int, key: str) -> ResourceDetail:
        """One resource: configuration, neighbours, blast radius, findings, history."""
        return read_details.resource(self._db, scan_id, key)

    def explain_service(self, scan_id: int, service_key: str) -> ServiceExplanation:
        """The whole bill behind a service's score, with and without acceptances. NotFoundError."""
        return read_bills.explain_service(self._db, scan_id, service_key)

    def explain_finding(self, scan_id: int, finding_id: str, most: int = 20) -> FindingExplanation:
        """A finding's own score, and its part in the ``most`` worst services above. NotFoundError."""
        return read_bills.explain_finding(self._db, scan_id, finding_id, most)

    def trend(self, scan_id: int) -> list[TrendPoint]:
        """Points over all services in every saved scan up to this one, oldest first."""
        return read_trends.trend(self._db, scan_id)

    def trends_of(self, scan_id: int, keys: Sequence[str]) -> dict[str, list[float | None]]:
        """Service → its score in every saved scan up to this one; None where it was not there."""
        return read_trends.trends_of(self._db, scan_id, keys)

    def change_of(self, scan_id: int, service_key: str) -> Change | None:
        """What moved a service's score since the scan before; None if that did not have it."""
        return read_trends.change_of(self._db, scan_id, service_key)

    def change_of_all(self, scan_id: int) -> Change | None:
        """The same over all services (of very many, those that moved most)."""
        return read_trends.change_of_all(self._db, scan_id)

    def attack_path(self, scan_id: int, finding_id: str) -> AttackPath:
        """A toxic combination part by part, and the cheapest link to cut. NotFoundError."""
        from undercroft.store.read_combinations import attack_path

        return attack_path(self._db, scan_id, finding_id)

    def possible_combinations(self, scan_id: int) -> list[Possible]:
        """Combinations that may hold: something that they hang on could not be read."""
        from undercroft.store.read_combinations import possible

        return possible(self._db, scan_id)

    def repair_plan(self, scan_id: int) -> RepairPlan:
        """What to repair first in a scan as it is now, and what if. Reads it all: use a worker."""
        from undercroft.store.planning import RepairPlan
        from undercroft.store.read_plan import load_world

        return RepairPlan(load_world(self._db, scan_id))

    def today(self, scan_id: int, unconfirmed_days: int = UNCONFIRMED_DAYS) -> Today:
        """What calls for action; ``unconfirmed_days``: how long a finding may go without a look."""
        newly, conflicts = news.news(self._db, scan_id)
        today = read_services.today(self._db, scan_id, unconfirmed_days)
        return today._replace(newly_covered=newly, conflicts=conflicts)

    def lapsed(self, scan_id: int, since: str, most: int = 0) -> tuple[int, list[str]]:
        """How many findings have an acceptance that ended since a moment (RFC 3339), as the filter
        ``lapsed:`` finds them; and the ids of ``most`` of them.
        """
        return news.lapsed(self._db, scan_id, since, most)

    def compare(self, older: int, newer: int, other: Store | None = None) -> Comparison:
        """Two scans side by side. ``newer`` is a scan of ``other`` where that is given.

        StoreError if the classes do not add up to what the scans hold.
        """
        database = self._db if other is None else other._db  # noqa: SLF001  (of the same class)
        # It brings along all that saving a scan needs; most who open a cache only read.
        from undercroft.store import compare as comparing

        return comparing.compare((self._db, older), (database, newer))

    def config_changes(
        self, older: int, newer: int, key: str, other: Store | None = None
    ) -> list[FieldChange]:
        """Fields of one resource's configuration and tags that differ between two scans."""
        database = self._db if other is None else other._db  # noqa: SLF001  (of the same class)
        from undercroft.store import compare as comparing

        return comparing.config_changes((self._db, older), (database, newer), key)

    def services_of(self, scan_id: int, finding_ids: Sequence[str]) -> list[ResourceRef]:
        """The distinct AI services above these findings."""
        return read_details.services_of(self._db, scan_id, finding_ids)

    def suggestions(self, scan_id: int, key: str, prefix: str, limit: int = 20) -> list[str]:
        """Values of a filter key that occur in a scan and begin with (then: contain) ``prefix``."""
        return suggest.values(self._db, scan_id, key, prefix, limit)

    # decisions

    def append_events(self, events: Sequence[Event], step: Step = unwatched) -> list[Event]:
        """Append decisions in one transaction and bring everything derived up to date.

        ``step`` hears how far it is, and may stop it: then nothing was appended.

        Drafts (without a replica) are sealed first: lamport, replica, seq, prev and parents are
        filled in. Returns what was appended. ReadOnlyError.
        """
        return decisions.append(self._db, events, step)

    def preview(self, events: Sequence[Event], step: Step = unwatched) -> list[StatusChange]:
        """What appending these drafts would change in the newest scan; nothing is recorded.

        ReadOnlyError. ``step`` hears how far it is, and may raise ``Cancelled`` to stop it.
        """
        return previews.preview(self._db, events, step)

    def merge_events(self, events: Sequence[Event]) -> MergeReport:
        """Take over events of other copies: a union, nothing is dropped or changed. Idempotent.

        ReadOnlyError.
        """
        return decisions.merge(self._db, events)

    def covered(self, scope: Scope, scan_id: int) -> list[str]:
        """Ids of the findings that a rule scope covers in a scan and that still stand."""
        return read_scopes.covered_now(self._db, scope, scan_id)

    def scopes(self, scan_id: int) -> list[ScopeRow]:
        """Everything ever decided within a rule scope, newest first, with what it covers in a scan."""
        return read_scopes.scopes(self._db, scan_id)

    def rulings(self) -> dict[str, Ruling]:
        """Rule → what holds for it as a whole: switched off, rated otherwise; others are left out."""
        return read_scopes.rulings(self._db)

    def rated_alone(self, findings: Iterable[str]) -> int:
        """How many of these findings have a rating of their own, which gives way to one of their rule."""
        return read_scopes.rated_alone(self._db, findings)

    def conflicts(self) -> list[tuple[str, tuple[EventRow, ...]]]:
        """Findings about which copies decided differently, each with these decisions, the one in
        force first.
        """
        return read_scopes.conflicts(self._db)

    def unused_decisions(self, scan_id: int) -> list[EventRow]:
        """Acceptances and false positives that match nothing in a scan, newest first."""
        return read_scopes.unused(self._db, scan_id)

    def lapsed_acceptance(self, finding: str, scan_id: int | None = None) -> Event | None:
        """The acceptance of a finding that no longer holds, if there is one."""
        return read_scopes.lapsed_acceptance(self._db, finding, scan_id)

    def events(self, finding: str | None = None) -> list[Event]:
        """All events, or those of one finding, in (lamport, id) order."""
        return decisions.events(self._db, finding)

    def event_lines(
        self,
        *,
        kind: str = "",
        name: str = "",
        actor: str = "",
    ) -> Iterator[Line]:
        """The log in outline, newest first, as it is consumed: of a type, a person, of an event's id
        or a batch (``name``).
        """
        return decisions.lines(self._db, kind=kind, name=name, actor=actor)

    def decided_so_far(self) -> tuple[int, str]:
        """How many events there are, and the id of the last one (empty if there is none)."""
        return decisions.so_far(self._db)

    def event(self, event_id: str) -> Event:
        """One event. NotFoundError."""
        return decisions.one(self._db, event_id)

    def history(self, *, text: str = "", limit: int | None = None) -> list[EventRow]:
        """Decisions as lines to read, newest first, that a filter asks for (its keys are
        ``EVENT_KEYS``). FilterError.
        """
        return decisions.history(self._db, text, limit)

    def history_suggestions(self, key: str, prefix: str, limit: int = 20) -> list[str]:
        """Values of a key of the history that occur in its newest part and begin with (then: contain)
        ``prefix``.
        """
        return suggest.event_values(self._db, key, prefix, limit)

    def facts_for(
        self,
        finding_ids: Sequence[str],
        scan_id: int | None = None,
        step: Step = unwatched,
    ) -> dict[str, FindingFacts]:
        """What a decision on these findings is based on; from the newest scan unless one is named."""
        return facts.facts_for(self._db, finding_ids, scan_id, step)
