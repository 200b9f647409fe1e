"""What a decision dialog needs to know about the findings; gathered in a worker thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rules.schema import Fix, Pack
from undercroft.model import Severity
from undercroft.store import Store
from undercroft.triage.scopes import Scope
from undercroft.views import DecisionView, FindingDetail, FindingRow, ResourceRef

__all__ = ["Context", "Reach", "load_context", "load_reach", "load_rule_context", "wider_scopes"]

_SAMPLE = 25
"""So many findings of a selection are looked at for one common fix."""
_OWNERS = 200


@dataclass(frozen=True, slots=True)
class Context:
    """Facts about the selection."""

    critical: int = 0
    """How many of the findings are critical."""
    exploited: int = 0
    """How many are known to be exploited."""
    services: tuple[ResourceRef, ...] = ()
    """Every AI service above any of them."""
    owners: tuple[str, ...] = ()
    """People and teams of earlier decisions and owner tags, most recent first."""
    in_force: DecisionView | None = None
    """The decision that holds now; only for a single finding."""
    lapsed: DecisionView | None = None
    fixes: tuple[Fix, ...] = ()
    """Distinct fixes of the selection's rules."""
    owner: str = ""
    """Who works on it or answers for it now; only for a single finding."""
    severity: Severity | None = None
    """What is in force now; only for a single finding."""
    scopes: tuple[tuple[str, Scope], ...] = ()
    """Wider boundaries that a single finding's rule can be accepted within, narrowest first."""

    covers: tuple[str, ...] = ()
    """Ids of the findings of a rule that is decided about as a whole."""
    rated_alone: int = 0
    """How many of these have a rating of their own."""

    @property
    def weighty(self) -> bool:
        """Whether accepting it needs a second look (triage rules 5.4)."""
        return bool(self.critical or self.exploited)


def load_context(
    store: Store, scan_id: int, findings: Sequence[str], pack: Callable[[], Pack] | None
) -> Context:
    """Gather everything; reads the store and, for the fix, the rule pack."""
    facts = store.facts_for(findings, scan_id)
    sample = [store.finding(scan_id, finding) for finding in findings[:_SAMPLE]]
    single = sample[0] if len(findings) == 1 else None
    return Context(
        critical=sum(fact.severity == Severity.CRITICAL for fact in facts.values()),
        exploited=sum(bool(fact.kev) for fact in facts.values()),
        services=tuple(store.services_of(scan_id, findings)),
        owners=_owners(store, scan_id),
        in_force=single.decision if single else None,
        lapsed=single.lapsed if single else None,
        owner=(single.row.owner or "") if single else "",
        severity=single.row.severity if single else None,
        fixes=_fixes(sample, pack() if pack is not None else None),
        scopes=wider_scopes(single.row) if single else (),
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """What a rule scope covers now."""

    covers: tuple[str, ...]
    """Finding ids."""
    critical: int
    exploited: int
    services: tuple[ResourceRef, ...]


def load_reach(store: Store, scan_id: int, scope: Scope) -> Reach:
    """Count what a scope covers in a scan; reads the store."""
    covers = tuple(store.covered(scope, scan_id))
    facts = store.facts_for(covers, scan_id)
    return Reach(
        covers,
        sum(fact.severity == Severity.CRITICAL for fact in facts.values()),
        sum(bool(fact.kev) for fact in facts.values()),
        tuple(store.services_of(scan_id, covers)),
    )


def load_rule_context(store: Store, scan_id: int, scope: Scope) -> Context:
    """Who may answer for a rule, and what it finds now; reads the store."""
    covers = tuple(store.covered(scope, scan_id))
    return Context(
        owners=_owners(store, scan_id), covers=covers, rated_alone=store.rated_alone(covers)
    )


def wider_scopes(row: FindingRow) -> tuple[tuple[str, Scope], ...]:
    """The boundaries to offer for a finding's rule: its resource, its account, everywhere."""
    found = [("resource", Scope(row.rule, row.cve, resource=row.resource_key))]
    head, account, _ = row.resource_key.partition(f"/{row.account}/")
    # A key without the account in it (an image of a public registry) is in no account.
    if account and row.account:
        found.append(("account", Scope(row.rule, row.cve, prefix=head + account)))
    return (*found, ("everywhere", Scope(row.rule, row.cve)))


def _owners(store: Store, scan_id: int) -> tuple[str, ...]:
    """Owners named before, then owner tags, each once."""
    names: dict[str, None] = {}
    for row in store.history(limit=_OWNERS):
        for said in ("owner", "assignee"):
            name = row.payload.get(said)
            if isinstance(name, str) and name:
                names.setdefault(name)
    for tag in store.suggestions(scan_id, "owner", "", _OWNERS):
        names.setdefault(tag)
    return tuple(names)


def _fixes(details: Sequence[FindingDetail], pack: Pack | None) -> tuple[Fix, ...]:
    if pack is None:
        return ()
    fixes: dict[str, Fix] = {}
    for detail in details:
        rule = pack.find(detail.row.rule)
        if rule is not None:
            fixes.setdefault(rule.id, rule.fix)
    return tuple(fixes.values())
