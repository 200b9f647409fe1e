"""Small parts that the tests of the rules share."""

from __future__ import annotations

from typing import Any

from rules import Engine, Pack, load_text
from undercroft.model import Layer, Observation, Outcome, Presence, Resource

NOW = "2026-06-01T00:00:00Z"


def rule_text(
    fails_when: str = 'config.A == "bad"', *, rule_id: str = "one", more: str = "", on: str = "x:y"
) -> str:
    """YAML of one rule with that condition and the lines of ``more``."""
    return f"""
- id: {rule_id}
  title: A title
  layer: service
  on: "{on}"
  severity: high
  threat: conditional
  fails_when: |-
    {fails_when}
  why: Somebody gets hurt.
  fix: {{text: Do something.}}
{more}"""


def pack_of(*texts: str) -> Pack:
    return load_text("".join(texts))


def resource(
    config: Any = None,
    facts: Any = None,
    *,
    unknown: Any = (),
    key: str = "r",
    kind: str = "x:y",
    presence: Presence = Presence.READ,
    layer: Layer = Layer.SERVICE,
    name: str = "name",
    tags: Any = None,
) -> Resource:
    reasons = unknown if isinstance(unknown, dict) else dict.fromkeys(unknown, "denied: needs a:B")
    return Resource(
        key=key,
        provider="aws",
        account="111122223333",
        region="eu-central-1",
        type=kind,
        layer=layer,
        name=name,
        config=config or {},
        facts=facts or {},
        tags=tags or {},
        unknown=reasons,
        presence=presence,
    )


def outcome(fails_when: str, *args: Any, **kwargs: Any) -> str:
    """``pass``, ``fail`` or ``unknown``: the answer of a rule with that condition."""
    found = Engine(pack_of(rule_text(fails_when))).judge(resource(*args, **kwargs), NOW)
    assert len(found) <= 1
    return str(found[0].outcome) if found else "pass"


def of(found: Any, wanted: Outcome) -> list[Observation]:
    return [observation for observation in found if observation.outcome is wanted]
