"""Which lines of the history a filter asks for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings

from tests.undercroft.filter_lines import EVENT_TREES
from undercroft.filter import FilterError, Node, Not, unparse
from undercroft.triage.searching import searching
from undercroft.views import EventRow

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def row(name: str, kind: str, at: str, actor: str = "Ann Smith <ann@example.com>") -> EventRow:
    return EventRow(
        id=name,
        type=kind,
        at=at,
        actor=actor,
        finding=None,
        title="",
        resource_name="",
        reason="",
        payload={},
        batch=None,
        live=True,
    )


ROWS = [
    row("accepted", "accept", "2026-11-26T09:00:00+01:00")._replace(
        finding="f1-abcd2345",
        title="Anybody may read the bucket",
        resource_name="Training-Data",
        reason="Öffentliche Beispieldaten",
        batch="4f1a99",
    ),
    row("wide", "scope_accept", "2026-11-25T23:30:00Z")._replace(
        scope="public-bucket in account 111122223333",
        conflict=True,
    ),
    row("undone", "note", "2026-11-20T10:00:00Z", "bob")._replace(
        finding="f1-zzzz",
        resource_name="logs",
        reason="a*b, then c",
        live=False,
    ),
    row("undated", "undo", "some day", "bob"),
]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "accepted wide undone undated"),
        ("BUCKET", "accepted wide"),
        ("öffentliche", "accepted"),
        ("bucket -read", "wide"),
        ("any*bucket", "accepted"),
        ("bucket*any", ""),
        ("read*training", ""),
        ('"a*b"', "undone"),
        ("c or wide or scope_accept", "accepted wide undone"),
        ("who:ann", "accepted wide"),
        ("who:SMITH,bob", "accepted wide undone undated"),
        ("who:ann*example", "accepted wide"),
        ('who:"Ann Smith"', "accepted wide"),
        ("kind:accept", "accepted wide"),
        ("kind:accepted -kind:scope", "accepted"),
        ("kind:comment,undo", "undone undated"),
        ("kind:rule-*", "wide"),
        ("kind:rule", "wide"),
        ("kind:scope_accept,note", "wide undone"),
        ("reopened or comment", "undone"),
        ("finding:abcd", "accepted"),
        ("finding:F1-*", "accepted undone"),
        ("finding:*", "accepted undone"),
        ('finding:""', "wide undated"),
        ("resource:data", "accepted"),
        ("batch:4f", "accepted"),
        ("live:no", "undone"),
        ("live:*", "accepted wide undone undated"),
        ("conflict:yes", "wide"),
        ("-conflict:yes", "accepted undone undated"),
        ("since:today", "accepted"),
        ("since:13h", "accepted wide"),
        ("since<=2026-11-25", "wide undone"),
        ("since<2026-11-25", "undone"),
        ("since>2026-11-25", "accepted"),
        ("-since:7d", "undated"),
        ("since>=2026-11-26T08:00Z", "accepted"),
        ("since>2026-11-26T08:00Z", ""),
        ("(who:bob or bucket) live:yes since:1w", "accepted wide"),
    ],
)
def test_what_a_line_of_the_history_is_asked(line: str, expected: str) -> None:
    found = filter(searching(line, NOW), ROWS)
    assert [one.id for one in found] == expected.split()


@pytest.mark.parametrize(
    ("line", "message", "position", "suggestion"),
    [
        ("a whom:bob", "unknown key 'whom' at 3: did you mean 'who'?", 2, "who"),
        (
            "kind:acept",
            "'acept' at 6 is no value of 'kind': did you mean 'accepted'?",
            5,
            "accepted",
        ),
        ("severity:high", "unknown key 'severity' at 1: put the text in quotes", 0, ""),
        ("tag.env:prod", "unknown key 'tag.env' at 1", 0, ""),
        ('tag."a b":x', "':' at 10 does not follow a key", 9, ""),
        ("who>ann", "'who' at 1 has no order", 0, "who:"),
        ("bob since:9999y", "'9999y' at 5 is outside of the calendar", 4, ""),
    ],
)
def test_what_is_wrong_with_a_line_of_the_history(
    line: str, message: str, position: int, suggestion: str
) -> None:
    with pytest.raises(FilterError) as caught:
        searching(line, NOW)
    error = caught.value
    assert error.message.startswith(message)
    assert (error.position, error.suggestion) == (position, suggestion)


@settings(max_examples=100)
@given(EVENT_TREES)
def test_every_line_is_asked_for_or_excluded(tree: Node) -> None:
    wanted, rest = searching(unparse(tree), NOW), searching(unparse(Not(tree)), NOW)
    assert all(wanted(one) is not rest(one) for one in ROWS)
