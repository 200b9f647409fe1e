"""The present moment, and moments as text."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["stamp", "utc_now"]


def utc_now() -> datetime:
    """The present moment in UTC: the clock of everything that is not given another one."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with six digits of a second, so that such texts sort as their instants do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
