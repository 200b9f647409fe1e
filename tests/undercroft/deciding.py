"""A process that decides without pause, and says what was promised: to be watched, or killed.

``python -m tests.undercroft.deciding CACHE ACTOR [COUNT] [OTHER…]``: after every action a line with the
ids of its events and the seconds that it took. Now and then it merges the decisions of OTHER caches.
"""

from __future__ import annotations

import random
import sys
import time
from datetime import timedelta

from undercroft.clock import utc_now
from undercroft.model import Severity
from undercroft.store import Store
from undercroft.triage.decide import Action, DecisionError, Triage
from undercroft.triage.scopes import Scope
from undercroft.triage.scoping import accept_scope, rate_scope
from undercroft.views import Query

__all__ = ["main"]


def act(store: Store, triage: Triage, rng: random.Random, ids: list[str]) -> Action:
    """Something that a person might do next."""
    until = triage.today + timedelta(days=rng.randint(1, 90))
    chosen = rng.sample(ids, rng.randint(1, min(5, len(ids))))
    match rng.randint(0, 7):
        case 0 | 1:
            return triage.accept(chosen, reason="the risk is known", until=until, owner="ml")
        case 2:
            return triage.false_positive(chosen, reason="it misreads it", category="bad_data")
        case 3:
            return triage.claim_fixed(chosen)
        case 4:
            return triage.reopen(chosen, reason="it is not so after all")
        case 5:
            return triage.undo()
        case 6:
            scope, why = Scope("nb-root", prefix="aws/"), "all of them"
            if rng.random() < 0.5:
                severity = rng.choice(list(Severity))
                return rate_scope(triage, scope, ids, severity=severity, reason=why, until=until)
            return accept_scope(triage, scope, ids, reason=why, until=until, owner="ml")
        case _:
            return triage.note(chosen, text="seen")


def _tell(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def main(path: str, actor: str, number: int = 10**9, *others: str) -> None:
    """Decide ``number`` times."""
    rng = random.Random()
    with Store.open(path) as store:
        triage = Triage(store, actor=actor, clock=utc_now, zone="UTC")
        ids = [row.id for row in store.findings(store.scan().id, Query())]
        _tell("ready")
        done = 0
        while done < number:
            begun = time.monotonic()
            if others and rng.random() < 0.2:
                with Store.open(rng.choice(others), read_only=True) as other:
                    theirs = other.events()
                store.merge_events(theirs)
                said = [event.id for event in theirs]
            else:
                try:
                    said = [event.id for event in act(store, triage, rng, ids).events]
                except DecisionError:
                    continue
            done += 1
            _tell(f"{time.monotonic() - begun:.3f}", *said)


if __name__ == "__main__":
    path, actor, *more = sys.argv[1:]
    main(path, actor, int(more[0]) if more else 10**9, *more[1:])
