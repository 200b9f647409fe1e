"""Decisions as a file to share: one event a line, which version control may merge by union."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TextIO

from undercroft.identity import canonical_json
from undercroft.triage.events import Event, EventError, order_key

__all__ = ["DecisionFileError", "read_decisions", "write_decisions"]


class DecisionFileError(ValueError):
    """A file that is not one of decisions; the text names the line."""


def write_decisions(events: Iterable[Event], out: TextIO) -> int:
    """Every event once, sorted by logical clock and id, each line ended by a line feed; how many.

    Sorted so, two people's files differ by whole lines only.
    """
    known = {event.id: event for event in events}
    out.writelines(
        canonical_json(event.to_json()) + "\n" for event in sorted(known.values(), key=order_key)
    )
    return len(known)


def read_decisions(text: str, name: str) -> list[Event]:
    """The events of a file, each once. ``name``: what to call the file in errors.

    Empty lines and the marks of a merge that version control could not finish are passed over: both
    sides of it are lines of their own, and all of them are wanted.

    Raises:
        DecisionFileError: a line is no event, or is not what its id says.
    """
    found: dict[str, Event] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()  # noqa: PLW2901  (what is around it says nothing)
        if not line or line.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||")):
            continue
        try:
            data = json.loads(line)
            if not isinstance(data, dict):
                raise EventError("it is not a JSON object")
            json.dumps(data, ensure_ascii=False).encode("utf-8")
            event = Event.from_json(data)
        except (ValueError, TypeError, RecursionError) as error:
            msg = f"{name}, line {number}: {_problem(error)}; nothing was taken over"
            raise DecisionFileError(msg) from error
        found[event.id] = event
    return list(found.values())


def _problem(error: Exception) -> str:
    if isinstance(error, EventError):
        return str(error)
    if isinstance(error, UnicodeEncodeError):
        return "it holds text that is not text"
    return "it is not a line of JSON"
