"""The filter language: what a line means, how it is printed, and how it is wrong."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.undercroft.filter_lines import TABLES, TREES, lines, parts
from undercroft.filter import (
    KEYS,
    And,
    Completion,
    FilterError,
    Keys,
    Node,
    Not,
    Or,
    Term,
    Value,
    Word,
    complete,
    offers,
    parse,
    typed,
    unparse,
)
from undercroft.filter.parser import MAX_DEPTH, MAX_LENGTH, MAX_VALUES
from undercroft.filter.values import matches
from undercroft.triage.searching import EVENT_KEYS


def v(*parts: str) -> Value:
    return Value(parts)


def term(key: str, *values: str, op: str = ":", tag: str = "") -> Term:
    return Term(key, op, tuple(Value((value,)) for value in values), tag)


A, B, C = Word(v("a")), Word(v("b")), Word(v("c"))


@pytest.mark.parametrize(
    ("line", "tree"),
    [
        ("", And(())),
        ("   ", And(())),
        ("a", A),
        ("a b", And((A, B))),
        ("a and b", And((A, B))),
        ("a AND b", And((A, B))),
        ("a or b", Or((A, B))),
        ("a b or c", Or((And((A, B)), C))),
        ("a (b or c)", And((A, Or((B, C))))),
        ("a(b)", And((A, B))),
        ("((a))", A),
        ("-a", Not(A)),
        ("not a", Not(A)),
        ("--a", Not(Not(A))),
        ("-(a b)", Not(And((A, B)))),
        ("a -b", And((A, Not(B)))),
        ("a-b", Word(v("a-b"))),
        ('"a b"', Word(v("a b"))),
        ('a" "b', Word(v("a b"))),
        ('"or"', Word(v("or"))),
        ('"-a"', Word(v("-a"))),
        (r'"say \"hi\" \\ \n"', Word(v(r'say "hi" \ \n'))),
        (r"back\slash", Word(v(r"back\slash"))),
        ("a*b", Word(v("a", "b"))),
        ("*", Word(v("", ""))),
        ('"a*b"', Word(v("a*b"))),
        ('"a b"*', Word(v("a b", ""))),
        ("a,b", Word(v("a,b"))),
        ("order", Word(v("order"))),
        ("android", Word(v("android"))),
        ("100%", Word(v("100%"))),
        ("ünï", Word(v("ünï"))),
        ("severity:high", term("severity", "high")),
        ("SEVERITY:High", term("severity", "high")),
        ("severity=high", term("severity", "high")),
        ("severity:crit", term("severity", "critical")),
        ("severity>=high", term("severity", "high", op=">=")),
        ("severity!=high", Not(term("severity", "high"))),
        ("severity:high,low", term("severity", "high", "low")),
        ("-status:fixed", Not(term("status", "fixed"))),
        ("status:claimed", term("status", "fix_claimed")),
        ("status:fixed-claimed", term("status", "fix_claimed")),
        ("status:fix_claimed", term("status", "fix_claimed")),
        ("status:active", term("status", "active")),
        ("status:fix*", Term("status", ":", (v("fix", ""),))),
        ("new:yes", term("new", "yes")),
        ("new:true", term("new", "yes")),
        ("kev:0", term("kev", "no")),
        ("cloud:google", term("cloud", "gcp")),
        ("score>40.5", term("score", "40.5", op=">")),
        ("score:40..70", term("score", "40..70")),
        ("epss>=10%", term("epss", "10%", op=">=")),
        ("since:7d", term("since", "7d")),
        ("since>=2026-11-01", term("since", "2026-11-01", op=">=")),
        ("since:2026-11-01T10:00Z", term("since", "2026-11-01T10:00Z")),
        ("lapses<=2w", term("lapses", "2w", op="<=")),
        ("lapses:tomorrow", term("lapses", "tomorrow")),
        ("type:sagemaker:endpoint", term("type", "sagemaker:endpoint")),
        (
            'resource:"arn:aws:s3:::a b"*,c',
            Term("resource", ":", (v("arn:aws:s3:::a b", ""), v("c"))),
        ),
        ('owner:""', term("owner", "")),
        ("owner:*", Term("owner", ":", (v("", ""),))),
        ("tag.env:prod", term("tag", "prod", tag="env")),
        ("tag.Env.x:prod", term("tag", "prod", tag="Env.x")),
        ('tag."aws:stack name":x', term("tag", "x", tag="aws:stack name")),
        ("tag.env!=prod", Not(term("tag", "prod", tag="env"))),
        ("region:us-east-1(a or b)", And((term("region", "us-east-1"), Or((A, B))))),
    ],
)
def test_what_a_line_means(line: str, tree: Node) -> None:
    assert parse(line) == tree
    assert parse(unparse(tree)) == tree


@pytest.mark.parametrize(
    ("line", "message", "position", "suggestion"),
    [
        ("sevrity:high", "unknown key 'sevrity' at 1: did you mean 'severity'?", 0, "severity"),
        ("a sev:high", "unknown key 'sev' at 3: did you mean 'severity'?", 2, "severity"),
        ("-statsu:open", "unknown key 'statsu' at 2: did you mean 'status'?", 1, "status"),
        ("arn:aws:s3", "unknown key 'arn' at 1: put the text in quotes to search for it", 0, ""),
        ("tag:env", "'tag' at 1 needs the tag's name: write tag.NAME:value", 0, "tag."),
        ("tag.:env", "'tag' at 1 needs the tag's name", 0, "tag."),
        ('tag."a b" c', "tag.NAME at 1 needs a value", 0, ""),
        ("severity.x:high", "unknown key 'severity.x' at 1", 0, "severity"),
        ("status:opne", "'opne' at 8 is no value of 'status': did you mean 'open'?", 7, "open"),
        ("severity:zzz", "'zzz' at 10 is no value of 'severity': use one of critical, high", 9, ""),
        ("layer:x*", "'x*' at 7 is no value of 'layer'", 6, ""),
        ("severity>=h*", "'h*' at 11 is no value of 'severity'", 10, ""),
        ("status:", "no value after 'status:' at 8: for example status:active", 7, ""),
        ("status: open", "no value after 'status:' at 8", 7, ""),
        ("region:a,,b", "no value after ',' at 10", 9, ""),
        ("region:a,", "no value after ',' at 10", 9, ""),
        ("severity>=high,low", "'severity>=' takes one value, but there is a ',' at 15", 14, ""),
        ("region>=a", "'region' at 1 has no order: write region:VALUE", 0, "region:"),
        ("score:high", "'high' at 7 is not a number, which 'score' needs", 6, ""),
        ("score:1e400", "'1e400' at 7 is not a number", 6, ""),
        ("score>=1..2", "'1..2' at 8 is not one number", 7, ""),
        (
            "since:soon",
            "'soon' at 7 is not a day (2027-01-31, today) or a time (7d, 2w, 3m)",
            6,
            "",
        ),
        ("since:2027-02-30", "'2027-02-30' at 7 is not a day", 6, ""),
        ("lapses:3h", "'3h' at 8 is not a day", 7, ""),
        ("(a", "'(' at 1 is not closed: add a ')'", 0, ""),
        ("(", "'(' at 1 is not closed", 0, ""),
        ("a)", "')' at 2 closes nothing", 1, ""),
        (")", "')' at 1 closes nothing", 0, ""),
        ("(a or b c))", "')' at 11 closes nothing", 10, ""),
        ("a -)", "'-' at 3 has nothing to exclude", 2, ""),
        ("a ()", "the parentheses at 3 are empty", 2, ""),
        ("a or", "'or' at 3 has nothing after it", 2, ""),
        ("or a", "'or' at 1 has nothing before it", 0, ""),
        ("a or or b", "'or' at 6 has nothing before it", 5, ""),
        ("a and", "'and' at 3 has nothing after it", 2, ""),
        ("(a or)", "'or' at 4 has nothing after it", 3, ""),
        ("not", "'not' at 1 has nothing after it", 0, ""),
        ("-", "'-' at 1 has nothing to exclude", 0, ""),
        ("a - b", "'-' at 3 has nothing to exclude", 2, ""),
        ('"a', "the quote opened at 1 is not closed", 0, ""),
        ('a ""', "the quotes at 3 are empty", 2, ""),
        (":a", "':' at 1 has no key before it", 0, ""),
        (">=a", "'>=' at 1 has no key before it", 0, ""),
        ('"status":open', "':' at 9 does not follow a key", 8, ""),
        ("a\x00b", "the character at 2 cannot be searched for", 1, ""),
        ("a\ud800", "the character at 2 cannot be searched for", 1, ""),
        ("x" * (MAX_LENGTH + 1), "the filter is longer than", MAX_LENGTH, ""),
        ("(" * 500, f"more than {MAX_DEPTH} levels of nesting", MAX_DEPTH, ""),
        ("-" * 500 + "a", f"more than {MAX_DEPTH} levels of nesting", MAX_DEPTH, ""),
        ("a " * (MAX_VALUES + 1), f"more than {MAX_VALUES} words and values", 2 * MAX_VALUES, ""),
    ],
)
def test_what_is_wrong_with_a_line(line: str, message: str, position: int, suggestion: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(line)
    error = caught.value
    assert error.message.startswith(message)
    assert str(error) == error.message
    assert (error.position, error.suggestion) == (position, suggestion)


@pytest.mark.parametrize("keys", TABLES, ids=["findings", "history"])
def test_every_key_has_help_and_an_example_that_parses(keys: Keys) -> None:
    for name, key in keys.items():
        assert key.name == name
        assert key.help
        assert not key.help.endswith(".")
        tree = parse(key.example, keys)
        assert isinstance(tree, Term)
        assert tree.key == name


def test_the_language_has_the_keys_that_were_promised() -> None:
    promised = """severity status layer cloud account region service resource type rule cve kev
        epss score owner tag new since lapses combination framework"""
    assert set(promised.split()) <= KEYS.keys()


# Properties


@settings(max_examples=250)
@given(TREES)
def test_a_printed_tree_parses_to_itself(found: tuple[Node, Keys]) -> None:
    tree, keys = found
    assert parse(unparse(tree), keys) == tree


def parsed(line: str, keys: Keys) -> Node | FilterError:
    try:
        return parse(line, keys)
    except FilterError as error:
        return error


@pytest.mark.parametrize("keys", TABLES, ids=["findings", "history"])
@settings(max_examples=250)
@given(lines)
@example("tag.:x")
@example('tag."":x')
@example("-")
@example("a!b")
@example("since:9999-12-31")
def test_no_line_raises_anything_else_and_printing_is_stable(keys: Keys, line: str) -> None:
    tree = parsed(line, keys)
    if isinstance(tree, FilterError):
        assert 0 <= tree.position <= len(line)
        assert tree.message
        return
    printed = unparse(tree)
    assert parse(printed, keys) == tree
    assert unparse(parse(printed, keys)) == printed


@settings(max_examples=300)
@given(
    st.text(max_size=30) | parts, st.sampled_from(["resource:", "-region:", "tag.x:", "a or id:"])
)
@example('x" or "', "resource:")
@example("\x1b[31m*", "resource:")
@example("\ud800", "resource:")
def test_any_text_can_be_typed_as_a_value(text: str, before: str) -> None:
    tree = parse(before + typed(text))
    while not isinstance(tree, Term):
        tree = tree.child if isinstance(tree, Not) else tree.children[-1]  # type: ignore[union-attr]
    (value,) = tree.values
    assert matches(value, text)
    if not value.is_wild:
        assert value == Value((text,))


# Completion


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("|", Completion("key", "", "", 0)),
        ("se|", Completion("key", "", "se", 0)),
        ("a -se|", Completion("key", "", "se", 3)),
        ("(se|", Completion("key", "", "se", 1)),
        ("a or (-se|", Completion("key", "", "se", 7)),
        ("severity:|", Completion("value", "severity", "", 9)),
        ("severity>=hi|", Completion("value", "severity", "hi", 10)),
        ("Severity>=hi|", Completion("value", "severity", "hi", 10)),
        ("status:open,fi|", Completion("value", "status", "fi", 12)),
        ("status:open,fi|xed and", Completion("value", "status", "fi", 12)),
        ("tag.env:pr|", Completion("value", "tag.env", "pr", 8)),
        ("tag.e|", Completion("key", "", "tag.e", 0)),
        ('resource:"my buc|', Completion("value", "resource", "my buc", 9)),
        ('resource:"a,b",c|', Completion("value", "resource", "c", 15)),
        ('"two words" se|', Completion("key", "", "se", 12)),
        ('"two wo|', Completion("key", "", "two wo", 0)),
        ("nonsense:x|", Completion("value", "", "x", 9)),
        ("status:open |", Completion("key", "", "", 12)),
        ("type:sagemaker:en|", Completion("value", "type", "sagemaker:en", 5)),
    ],
)
def test_completion(line: str, expected: Completion) -> None:
    cursor = line.index("|")
    assert complete(line.replace("|", ""), cursor) == expected


def test_what_is_offered() -> None:
    assert [text for text, _ in offers(complete("re", 2))] == ["region:", "resource:"]
    assert [text for text, _ in offers(complete("ta", 2))] == ["tag."]
    assert [text for text, _ in offers(complete("status:", 7))][:3] == [
        "active",
        "open",
        "reopened",
    ]
    assert [text for text, _ in offers(complete("severity>=c", 11))] == ["critical"]
    assert offers(complete("region:", 7)) == []
    assert len(offers(complete("", 0), 3)) == 3
    kinds = offers(complete("kind:ac", 7, EVENT_KEYS), keys=EVENT_KEYS)
    assert kinds == [("accepted", "accepted, rule-accepted")], (
        "once, though a group has a value's name"
    )


@pytest.mark.parametrize("keys", TABLES, ids=["findings", "history"])
@given(lines, st.integers(-5, 60))
@settings(max_examples=50)
def test_completion_never_fails_and_stays_within_the_line(
    keys: Keys, line: str, cursor: int
) -> None:
    found = complete(line, cursor, keys)
    assert 0 <= found.start <= max(0, min(cursor, len(line)))
    offers(found, keys=keys)


@pytest.mark.parametrize("keys", TABLES, ids=["findings", "history"])
def test_accepting_an_offered_key_gives_the_start_of_a_good_line(keys: Keys) -> None:
    for name in keys:
        for length in range(len(name) + 1):
            found = complete(name[:length], length, keys)
            offered = [text for text, _ in offers(found, 50, keys)]
            assert any(text.rstrip(":.") == name for text in offered)
            for text in offered:
                assert keys[text.rstrip(":.")].example.startswith(text.rstrip(":"))
