"""Making decisions: checks, refusals in words, undo and redo, one batch per action."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final, Protocol

from undercroft import __version__
from undercroft.clock import stamp
from undercroft.model import Json, Severity
from undercroft.records import dataclass
from undercroft.steps import Step, unwatched
from undercroft.triage import wording
from undercroft.triage.dates import DEFAULT_DAYS, check_until, parse_until, until_choices
from undercroft.triage.errors import DecisionError
from undercroft.triage.events import Event, FindingFacts, new_batch
from undercroft.triage.guards import guards_for
from undercroft.triage.limits import MAX_DAYS
from undercroft.triage.reports import StatusChange
from undercroft.triage.undoing import Lines, Log
from undercroft.triage.when import day_end, local_zone, zone_info

__all__ = [
    "CATEGORIES",
    "MIN_REASON",
    "Action",
    "DecisionError",
    "DecisionStore",
    "Triage",
    "acceptance",
    "parse_until",
    "until_choices",
]

MIN_REASON: Final = 10
"""Characters; a shorter reason helps nobody a year later."""

CATEGORIES: Final[Mapping[str, str]] = {
    "wrong_rule_logic": "the rule draws the wrong conclusion",
    "not_applicable": "true, but it does not apply here",
    "compensating_config": "something else makes up for it",
    "bad_data": "what was read is wrong",
}
"""Of a false positive → what each means."""


class DecisionStore(Lines, Protocol):
    """What decisions need from the store."""

    @property
    def read_only(self) -> bool:
        """Whether nothing can be appended."""
        ...

    def facts_for(
        self, finding_ids: Sequence[str], scan_id: int | None = None, step: Step = unwatched
    ) -> dict[str, FindingFacts]:
        """Facts of the findings that are known."""
        ...

    def append_events(self, events: Sequence[Event], step: Step = unwatched) -> Sequence[Event]:
        """Seal, append in one transaction, return what was appended."""
        ...

    def events(self, finding: str | None = None) -> list[Event]:
        """The log."""
        ...

    def preview(self, events: Sequence[Event], step: Step = unwatched) -> Sequence[StatusChange]:
        """What appending drafts would change; nothing is recorded."""
        ...

    def lapsed_acceptance(self, finding: str, scan_id: int | None = None) -> Event | None:
        """The acceptance of a finding that no longer holds, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Action:
    """What was done by one keystroke or command."""

    batch: str
    """What ``undo`` takes it back by."""
    events: tuple[Event, ...]
    findings: tuple[str, ...]
    summary: str
    """Such as ``accepted 14 findings until 2027-02-21``."""
    skipped: tuple[tuple[str, str], ...] = ()
    """(finding, its state) of those that were asked for but are in a state that does not allow it."""


class Triage:
    """One person's decisions on one store. Methods may be called from any thread."""

    def __init__(
        self,
        store: DecisionStore,
        *,
        actor: str,
        clock: Callable[[], datetime],
        zone: str | None = None,
        max_days: int = MAX_DAYS,
    ) -> None:
        self.store = store
        self.actor = actor.strip()
        self.zone = zone or local_zone()
        """IANA zone in which this person's days end."""
        self.max_days = max_days
        try:
            self._tz = zone_info(self.zone)
        except ValueError as error:
            raise DecisionError(str(error)) from error
        self._clock = clock
        self._done: list[str] = []
        self._undone: list[str] = []
        self._lock = threading.RLock()
        self._watching = threading.local()

    @contextmanager
    def watched(self, step: Step) -> Iterator[None]:
        """What this thread decides meanwhile tells ``step`` how far it is.

        ``step`` may raise ``Cancelled`` to stop it: then nothing was recorded.
        """
        self._watching.step = step
        try:
            yield
        finally:
            self._watching.step = unwatched

    @property
    def step(self) -> Step:
        """Whom this thread tells how far it is."""
        found: Step = getattr(self._watching, "step", unwatched)
        return found

    @property
    def today(self) -> date:
        """The day where the decider lives."""
        return self._clock().astimezone(self._tz).date()

    def must_confirm(
        self, findings: Sequence[str], scan_id: int | None = None
    ) -> tuple[FindingFacts, ...]:
        """Those whose acceptance is to be confirmed first, because they are critical or exploited."""
        known = self.store.facts_for(list(findings), scan_id)
        return tuple(
            known[finding]
            for finding in dict.fromkeys(findings)
            if finding in known
            and (known[finding].severity is Severity.CRITICAL or known[finding].kev)
        )

    # Decisions. Each raises DecisionError when it cannot be recorded.

    def accept(
        self,
        findings: Sequence[str],
        *,
        reason: str,
        until: date,
        owner: str,
        ticket: str = "",
        guards_off: Collection[str] = (),
        scan_id: int | None = None,
    ) -> Action:
        """Tolerate until the end of a day; ``owner`` is the person or team that answers for it."""
        payload = acceptance(self, reason=reason, until=until, owner=owner)
        return self._decide(
            "accept",
            findings,
            _with(payload, ticket=ticket),
            scan_id,
            lambda facts: guards_for("accept", facts, off=guards_off),
        )

    def false_positive(
        self,
        findings: Sequence[str],
        *,
        reason: str,
        category: str,
        guards_off: Collection[str] = (),
        scan_id: int | None = None,
    ) -> Action:
        """The rule is wrong here; ``category`` is one of ``CATEGORIES``."""
        reason = _reason(reason)
        if category not in CATEGORIES:
            msg = f"{category!r} is no category of false positive: use one of " + ", ".join(
                CATEGORIES
            )
            raise DecisionError(msg)
        return self._decide(
            "false_positive",
            findings,
            {"reason": reason, "category": category},
            scan_id,
            lambda facts: guards_for("false_positive", facts, category=category, off=guards_off),
        )

    def claim_fixed(
        self,
        findings: Sequence[str],
        *,
        note: str = "",
        ticket: str = "",
        fixed_at: datetime | None = None,
        scan_id: int | None = None,
    ) -> Action:
        """Say that it is repaired (``fixed_at``: now); a scan of a later moment verifies it."""
        payload: dict[str, Json] = {"fixed_at": stamp(fixed_at or self._clock())}
        return self._decide(
            "claim_fixed", findings, _with(payload, note=note, ticket=ticket), scan_id
        )

    def reopen(self, findings: Sequence[str], *, reason: str, scan_id: int | None = None) -> Action:
        """Withdraw the decision in force."""
        return self._decide("clear", findings, {"reason": _reason(reason)}, scan_id)

    def note(
        self,
        findings: Sequence[str],
        *,
        text: str,
        replaces: str | None = None,
        scan_id: int | None = None,
    ) -> Action:
        """Write a comment; ``replaces``: id of the note that it corrects."""
        if not (text := _clean(text)):
            raise DecisionError("the comment is empty: write what others should know")
        return self._decide("note", findings, _with({"text": text}, replaces=replaces), scan_id)

    def assign(
        self, findings: Sequence[str], *, assignee: str, scan_id: int | None = None
    ) -> Action:
        """Say who works on it; an empty ``assignee`` says nobody does."""
        return self._decide("assign", findings, {"assignee": _clean(assignee)}, scan_id)

    def override_severity(
        self,
        findings: Sequence[str],
        *,
        severity: Severity,
        reason: str,
        until: date,
        scan_id: int | None = None,
    ) -> Action:
        """Rate findings otherwise than their rule does, until the end of a day."""
        payload: dict[str, Json] = {"severity": severity.value, "reason": _reason(reason)}
        return self._decide("override_severity", findings, payload | self.ends(until), scan_id)

    def accept_again(self, findings: Sequence[str], *, scan_id: int | None = None) -> Action:
        """The acceptances that no longer hold once more: same reason, new date, as one action.

        Each runs as long as the lapsed one did, and never longer than policy allows. Findings
        without a lapsed acceptance are left out if another has one.
        """
        payloads: dict[str, Mapping[str, Json]] = {}
        for finding in dict.fromkeys(findings):
            event = self.store.lapsed_acceptance(finding, scan_id)
            if event is not None:
                said = {name: str(event.payload.get(name, "")) for name in ("reason", "owner")}
                payload = acceptance(self, until=self.again_until(event), **said)
                payloads[finding] = _with(payload, ticket=str(event.payload.get("ticket", "")))
        if not payloads:
            raise DecisionError("no acceptance of this finding has lapsed: accept it in full")
        return self._decide(
            "accept",
            list(payloads),
            payloads.__getitem__,
            scan_id,
            lambda facts: guards_for("accept", facts),
        )

    def again_until(self, event: Event) -> date:
        """The last day of a lapsed acceptance that is made again today."""
        days = DEFAULT_DAYS
        try:
            until = date.fromisoformat(str(event.payload.get("until")))
            days = (until - date.fromisoformat(event.at[:10])).days
        except ValueError:
            pass
        return self.today + timedelta(days=min(max(days, 1), self.max_days))

    # For decisions that are about more than some findings

    def record(self, drafts: Sequence[Event], findings: Sequence[str]) -> Action:
        """Append drafts as one action that ``undo`` takes back whole."""
        self._check_may_write()
        batch = new_batch()
        tool = f"undercroft {__version__}"
        with self._lock:
            events = tuple(
                self.store.append_events(
                    [replace(d, batch=batch, tool=tool) for d in drafts], self.step
                )
            )
            self._done.append(batch)
            self._undone.clear()
        return Action(batch, events, tuple(findings), wording.describe(events))

    def ends(self, until: date) -> dict[str, Json]:
        """The payload of a decision's last day. DecisionError if policy forbids it."""
        check_until(until, self.today, self.max_days)
        try:
            moment = day_end(until, self.zone)
        except ValueError as error:
            raise DecisionError(str(error)) from error
        return {"until": until.isoformat(), "zone": self.zone, "lapses_at": stamp(moment)}

    def checked_reason(self, text: str) -> str:
        """A reason as it is recorded. DecisionError if it is too short."""
        return _reason(text)

    def now(self) -> datetime:
        """What the clock says."""
        return self._clock()

    def stamp(self) -> str:
        """The present moment with the offset of this person's zone."""
        return self._at()

    # Undo and redo

    def undo(self, target: str | None = None, *, reason: str = "") -> Action:
        """Take back an action (batch id) or event (event id), by one event.

        Without ``target``: the newest own action that still holds, of this object first, then of
        the log. Taking back somebody else's needs a reason.
        """
        self._check_may_write()
        with self._lock:
            log = self._log()
            chosen = target or log.last_action(self._done)
            if chosen is None:
                raise DecisionError("there is no decision of yours left to undo")
            return self._take_back(log, chosen, reason)

    def redo(self) -> Action:
        """Undo the newest own undo, unless something else was decided after it."""
        self._check_may_write()
        with self._lock:
            log = self._log()
            chosen = log.last_undo(self._done, self._undone)
            if chosen is None:
                raise DecisionError("there is nothing to redo: you undid nothing since you decided")
            return self._take_back(log, chosen, "")

    def next_undo(self, *, dated: bool = True) -> str | None:
        """What ``undo`` would take back, such as ``accepted 14 findings until …, 3 min ago``.

        ``dated``: with how long ago that was.
        """
        with self._lock:
            log = self._log()
            chosen = log.last_action(self._done)
        return None if chosen is None else log.preview(chosen, self._clock() if dated else None)

    def next_redo(self) -> str | None:
        """What ``redo`` would bring back."""
        with self._lock:
            log = self._log()
            chosen = log.last_undo(self._done, self._undone)
        return None if chosen is None else log.preview(chosen, self._clock())

    def _decide(
        self,
        kind: str,
        findings: Sequence[str],
        payload: Mapping[str, Json] | Callable[[str], Mapping[str, Json]],
        scan_id: int | None,
        guards: Callable[[FindingFacts], Mapping[str, Json]] | None = None,
    ) -> Action:
        self._check_may_write()
        wanted = list(dict.fromkeys(findings))
        if not wanted:
            raise DecisionError("no finding is selected: move to one, or select some")
        known = self.store.facts_for(wanted, scan_id, self.step)
        for finding in wanted:
            if finding not in known:
                raise DecisionError(f"no finding is called {finding} here: look it up again")
        allowed = wording.ALLOWED.get(kind)
        chosen = [known[f] for f in wanted if allowed is None or known[f].status in allowed]
        left = [known[f] for f in wanted if allowed is not None and known[f].status not in allowed]
        if not chosen:
            raise DecisionError(wording.refusal(kind, [facts.status for facts in left]))
        batch, at = new_batch(), self._at()
        drafts = [
            Event(
                type=kind,
                actor=self.actor,
                at=at,
                finding=facts.finding,
                payload=payload(facts.finding) if callable(payload) else payload,
                guards=guards(facts) if guards else None,
                seen={
                    "scan": facts.scan,
                    "collected_at": facts.collected_at,
                    "outcome": facts.outcome.value,
                },
                batch=batch,
                tool=f"undercroft {__version__}",
            )
            for facts in chosen
        ]
        with self._lock:
            events = tuple(self.store.append_events(drafts, self.step))
            self._done.append(batch)
            self._undone.clear()
        return Action(
            batch,
            events,
            tuple(facts.finding for facts in chosen),
            wording.describe(events) + wording.skipped([facts.status for facts in left]),
            tuple((facts.finding, facts.status) for facts in left),
        )

    def _take_back(self, log: Log, target: str, reason: str) -> Action:
        log.check_undo(target, reason=_clean(reason), min_reason=MIN_REASON)
        origin, turns = log.origin(target)
        findings = tuple(sorted(log.touched(target)))
        batch = new_batch()
        event = Event(
            type="undo",
            actor=self.actor,
            at=self._at(),
            # The finding's own history names the undo; that of a batch is found by its target.
            finding=findings[0] if len(findings) == 1 else None,
            payload=_with({"target": target}, reason=reason),
            batch=batch,
            tool=f"undercroft {__version__}",
        )
        events = tuple(self.store.append_events([event], self.step))
        if turns % 2:
            self._undone = [undo for undo in self._undone if undo != target]
            self._done += [origin[0].action] if origin else []
        else:
            self._done = [done for done in self._done if done != target]
            self._undone.append(batch)
        verb = "redid" if turns % 2 else "undid"
        return Action(batch, events, findings, f"{verb}: {log.describe(origin)}")

    def _log(self) -> Log:
        return Log(self.store, self.actor)

    def _check_may_write(self) -> None:
        if self.store.read_only:
            raise DecisionError("this cache is open for reading only: open it again for writing")
        if not self.actor:
            raise DecisionError("a decision carries a name, and none is configured: set yours")

    def _at(self) -> str:
        return self._clock().astimezone(self._tz).isoformat(timespec="seconds")


def acceptance(triage: Triage, *, reason: str, until: date, owner: str) -> dict[str, Json]:
    """The payload of an acceptance. DecisionError if a part of it is missing or not allowed."""
    reason, owner = _reason(reason), _clean(owner)
    if not owner:
        raise DecisionError("an acceptance needs an owner: the person or team that answers")
    return {"reason": reason, "owner": owner, **triage.ends(until)}


def _with(payload: dict[str, Json], **optional: str | None) -> dict[str, Json]:
    for name, value in optional.items():
        if value and (cleaned := _clean(value)):
            payload[name] = cleaned
    return payload


def _clean(text: str) -> str:
    """Without spaces around it and without what cannot be stored as UTF-8."""
    return text.strip().encode("utf-8", "replace").decode("utf-8")


def _reason(text: str) -> str:
    cleaned = _clean(text)
    if len(cleaned) < MIN_REASON:
        msg = (
            f"the reason has {len(cleaned)} of at least {MIN_REASON} characters: "
            "say why, for whoever reads it in a year"
        )
        raise DecisionError(msg)
    return cleaned
