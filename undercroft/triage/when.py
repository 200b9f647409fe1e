"""Days, zones and instants: an acceptance ends with a calendar day where the decider lives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path

from undercroft.model import Json

__all__ = ["day_end", "instant", "lapse_instant", "local_zone", "zone_info"]


@lru_cache(maxsize=65_536)
def instant(text: str) -> datetime | None:
    """The instant that an RFC 3339 text names, in UTC; None if it names none (no zone, no time)."""
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def zone_info(name: str) -> tzinfo:
    """An IANA zone.

    Raises:
        ValueError: this machine knows no such zone.
    """
    if name == "UTC":
        # Needs no zone database, which a slim container may lack.
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # filters need none of this

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"no time zone is called {name!r}"
        raise ValueError(msg) from error


def day_end(day: date, zone: str) -> datetime:
    """The first instant (UTC) after ``day`` in an IANA ``zone``: its local midnight.

    Where clocks jump over that midnight, it is the instant of the jump; where they repeat it, the
    first of the two.

    Raises:
        ValueError: no such zone, or the day is the calendar's last.
    """
    local = zone_info(zone)
    try:
        # fold=0: in a gap, the offset before it; in an overlap, the first pass.
        return datetime.combine(day + timedelta(days=1), time.min, tzinfo=local).astimezone(UTC)
    except OverflowError as error:
        msg = f"{day} is too far away"
        raise ValueError(msg) from error


def lapse_instant(payload: Mapping[str, Json]) -> datetime | None:
    """When a decision with an ``until`` ends: the instant it recorded, else worked out from day and zone.

    None if it says nothing that can be read; such a decision counts as lapsed.
    """
    recorded = payload.get("lapses_at")
    if isinstance(recorded, str) and (moment := instant(recorded)) is not None:
        return moment
    until, zone = payload.get("until"), payload.get("zone")
    if not isinstance(until, str):
        return None
    try:
        return day_end(date.fromisoformat(until), zone if isinstance(zone, str) else "UTC")
    except ValueError:
        return None


def local_zone() -> str:
    """IANA name of this machine's zone; ``UTC`` if it does not say."""
    for name in _zone_names():
        try:
            zone_info(name)
        except ValueError:
            continue
        return name
    return "UTC"


def _zone_names() -> list[str]:
    names = []
    if configured := os.environ.get("TZ"):
        names.append(configured.removeprefix(":"))
    try:
        target = str(Path("/etc/localtime").resolve())
        if "zoneinfo/" in target:
            names.append(target.rpartition("zoneinfo/")[2])
        names.append(Path("/etc/timezone").read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        # Not every system has these files; the answer is then UTC.
        pass
    return [name for name in names if name]
