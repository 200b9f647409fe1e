"""JSON as foldable lines: layout, folding, search, marks, unread places."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.json_tree import JsonTree, Mark, normal_path
from undercroft.model import Json, Severity

DOCUMENT: dict[str, Json] = {
    "config": {
        "Name": "research",
        "Variants": [{"Model": "a"}, {"Model": "b", "Weight": 1.5}],
        "Nothing": None,
        "Empty": {},
        "Policy": {"Statement": [{"Principal": "*"}]},
    },
    "facts": {"public": True},
}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


def paths(tree: JsonTree) -> list[str]:
    return [tree.lines[index].path for index in tree.visible()]


def test_every_value_has_the_path_that_rules_use() -> None:
    tree = JsonTree.build(DOCUMENT)
    assert "config.Variants[1].Weight" in paths(tree)
    line = tree.lines[tree.find("config.Variants[1].Weight") or 0]
    assert (line.value, line.kind, line.depth) == (1.5, "number", 3)


def test_spellings_of_one_path_are_one() -> None:
    assert normal_path("config['a'].0.b") == normal_path("config.a[0].b") == "config.a[0].b"


def test_fold_hides_what_is_inside_and_toggling_a_scalar_folds_its_container() -> None:
    tree = JsonTree.build(DOCUMENT)
    before = paths(tree)
    weight = tree.find("config.Variants[1].Weight")
    assert weight is not None
    changed = tree.toggle(weight)
    assert tree.lines[changed].path == "config.Variants[1]"
    assert "config.Variants[1].Weight" not in paths(tree)
    tree.toggle(changed)
    assert paths(tree) == before


def test_an_empty_container_cannot_be_folded() -> None:
    tree = JsonTree.build(DOCUMENT)
    line = tree.lines[tree.find("config.Empty") or 0]
    assert not line.foldable
    assert line.text() == "{}"


def test_search_finds_keys_and_values_also_inside_folded_ones() -> None:
    tree = JsonTree.build(DOCUMENT)
    tree.fold_all()
    found = [tree.lines[index].path for index in tree.search("MODEL")]
    assert found == ["config.Variants[0].Model", "config.Variants[1].Model"]
    tree.reveal(tree.search("model")[1])
    assert "config.Variants[1].Model" in paths(tree)


def test_marks_are_unfolded_and_the_worst_comes_first() -> None:
    big: Json = [{"Value": str(number)} for number in range(100)]
    marks = [
        Mark("config.Big[70].Value", Severity.LOW, "low"),
        Mark("config.Big[70].Value", Severity.CRITICAL, "critical"),
    ]
    tree = JsonTree.build({"config": {"Big": big}}, marks=marks)
    assert "config.Big[70].Value" in paths(tree)
    index = tree.find("config.Big[70].Value")
    assert index is not None
    assert [mark.title for mark in tree.marks[index]] == ["critical", "low"]
    assert tree.marked_beneath(0) is Severity.CRITICAL


def test_large_lists_start_folded() -> None:
    tree = JsonTree.build({"config": {"Big": list(range(100))}})
    assert paths(tree) == ["config", "config.Big"]


def test_a_mark_on_a_missing_path_goes_to_what_is_around_it() -> None:
    tree = JsonTree.build(DOCUMENT, marks=[Mark("config.Policy.Version", Severity.LOW, "x")])
    assert [tree.lines[index].path for index in tree.marks] == ["config.Policy"]


def test_unread_paths_are_shown_with_their_reason() -> None:
    unread = {
        "config.Policy": "denied: a",
        "config.Tags": "denied: b",
        "facts.admin": "c",
        "config.Name.Deep": "d",
        "tags": "e",
    }
    tree = JsonTree.build(DOCUMENT, unread)
    texts = {line.path: line.text() for line in tree.lines if line.kind == "unread"}
    assert texts["config.Tags"] == "could not be read: denied: b"
    assert texts["facts.admin"] == "could not be read: c"
    assert texts["tags"] == "could not be read: e"
    assert texts["config.Policy.…"] == "could not be read: denied: a"
    assert "config.Policy.Statement[0].Principal" in paths(tree), "what was read stays"
    assert any("Deep" in path for path in texts)


def test_the_document_itself_is_not_changed() -> None:
    JsonTree.build(DOCUMENT, {"config.New.Path": "x"})
    assert "New" not in DOCUMENT["config"]  # type: ignore[operator]


def test_deep_nesting_is_no_problem() -> None:
    value: Json = 1
    for _ in range(5000):
        value = [value]
    tree = JsonTree.build({"config": value})
    assert tree.lines[0].end == len(tree.lines) == 5001


@given(values)
def test_each_line_ends_where_its_contents_end(value: Json) -> None:
    tree = JsonTree.build({"config": value})
    for index, line in enumerate(tree.lines):
        inside = [
            other
            for other in range(index + 1, len(tree.lines))
            if tree.lines[other].depth > line.depth
        ]
        run = index + 1
        while run in inside:
            run += 1
        assert line.end == run
    tree.fold_all()
    assert set(tree.visible()) <= set(range(len(tree.lines)))
