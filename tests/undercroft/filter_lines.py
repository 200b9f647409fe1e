"""Lines and trees of the filter language for properties, over each table of keys."""

from __future__ import annotations

from hypothesis import strategies as st

from undercroft.filter import KEYS, And, Keys, Node, Not, Or, Term, Value, Word, parse
from undercroft.triage.searching import EVENT_KEYS

TABLES: list[Keys] = [KEYS, EVENT_KEYS]

parts = st.text(
    st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from('ab*" \\-():,<>=!%_'),
    max_size=6,
)
_values = st.lists(parts, min_size=1, max_size=3).map(lambda found: Value(tuple(found)))
_words = _values.filter(lambda value: value.parts != ("",)).map(Word)
_tag_terms = st.builds(
    lambda name, found: Term("tag", ":", tuple(found), name),
    parts.filter(bool),
    st.lists(_values, min_size=1, max_size=2),
)


def _combined(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(children, min_size=2, max_size=4).map(tuple)
    return st.one_of(children.map(Not), several.map(And), several.map(Or))


def _trees(keys: Keys, chosen: str) -> st.SearchStrategy[Node]:
    names = [name for name, key in keys.items() if key.kind == "name"]
    leaves: list[st.SearchStrategy[Node]] = [
        _words,
        st.builds(
            lambda key, found: Term(key, ":", tuple(found)),
            st.sampled_from(names),
            st.lists(_values, min_size=1, max_size=3),
        ),
        st.sampled_from([parse(line, keys) for line in chosen.split()]),
    ]
    if "tag" in keys:
        leaves.append(_tag_terms)
    return st.recursive(st.one_of(leaves), _combined, max_leaves=10)


EVENT_TREES = _trees(
    EVENT_KEYS, "kind:accepted kind:ru* kind:comment,undone since<7d live:no conflict:*"
)
TREES: st.SearchStrategy[tuple[Node, Keys]] = st.one_of(
    st.tuples(
        _trees(KEYS, "severity>=high severity:low,info status:active score<3.5 since:7d kev:no"),
        st.just(KEYS),
    ),
    st.tuples(EVENT_TREES, st.just(EVENT_KEYS)),
)
"""Trees, each with the keys it is made of."""

_SYNTAX = st.sampled_from(
    [
        *'()":,<>=!*-. \\ab',
        " or ",
        " and ",
        "not ",
        "severity",
        "status:",
        "score>=",
        "since:",
        "tag.",
        "tag.x:",
        "who:",
        "kind:",
        "live:",
        "high",
        "active",
        "accept",
        "7d",
        "2026-11-01",
        "'; DROP TABLE finding; --",
    ]
)
lines = st.one_of(st.text(max_size=40), st.lists(_SYNTAX, max_size=12).map("".join))
