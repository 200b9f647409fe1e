"""How one resource depends on another, and how much of a weakness travels up that edge.

The one place for inheritance: every cloud's edges use this vocabulary, and the score, the tower,
the paths and the blast radius all read this table.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ATTENUATION", "CUTOFF", "Relation", "attenuation"]


class Relation(StrEnum):
    """Dependant → what it depends on."""

    SAME_WORKLOAD = "same_workload"
    RUNS_ON = "runs_on"
    RUNS_IMAGE = "runs_image"
    USES_IDENTITY = "uses_identity"
    LOADS_ARTIFACT_FROM = "loads_artifact_from"
    INVOKES_TOOL = "invokes_tool"
    READS_DATA_FROM = "reads_data_from"
    PROTECTED_BY = "protected_by"
    WRITES_TO = "writes_to"
    ENCRYPTED_WITH = "encrypted_with"
    CONTAINED_IN = "contained_in"
    PRODUCES = "produces"


ATTENUATION: dict[Relation, float] = {
    Relation.SAME_WORKLOAD: 1.0,
    Relation.RUNS_ON: 1.0,
    Relation.RUNS_IMAGE: 0.95,
    Relation.USES_IDENTITY: 0.9,
    Relation.LOADS_ARTIFACT_FROM: 0.9,
    Relation.INVOKES_TOOL: 0.85,
    Relation.READS_DATA_FROM: 0.8,
    Relation.PROTECTED_BY: 0.7,
    Relation.WRITES_TO: 0.6,
    Relation.ENCRYPTED_WITH: 0.5,
    Relation.CONTAINED_IN: 0.4,
}
"""Share of a finding's hazard that reaches the dependant (0 to 1); risk model 1, section 3.

A relation that is missing here (``produces`` is lineage) does not inherit.
"""

CUTOFF = 0.1
"""Paths whose product of attenuations falls below this are not followed."""


def attenuation(relation: Relation) -> float | None:
    """The share that travels up this relation, or None if nothing does."""
    return ATTENUATION.get(relation)
