"""What a rule file may hold, and what is said about one that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules import PackError, load_files, load_pack, load_text
from tests.rules.support import pack_of, rule_text


def problem(text: str) -> str:
    with pytest.raises(PackError) as caught:
        load_text(text, file="my.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            rule_text(more="  fails_wen: x\n"),
            'my.yaml: one: fails_wen: is not a known key; did you mean "fails_when"?',
        ),
        (
            rule_text(more="  traits: [rooot]\n"),
            'one: traits: "rooot" is not known; did you mean "root"?',
        ),
        (rule_text(more="  evidence: [config A]\n"), 'one: evidence: "config A" is not a path'),
        (rule_text(more="  evidence: [item]\n"), 'one: evidence: "item" is not a path'),
        (rule_text(more="  at: {x: item.x}\n"), 'speaks of "item" but the rule has no each'),
        (rule_text("item.x == 1"), 'fails_when: speaks of "item" but the rule has no each'),
        (rule_text("config.A =="), "one: fails_when: at 1:"),
        (rule_text("configg.A == 1"), "undeclared reference"),
        (rule_text('"text"'), "fails_when: "),
        (rule_text("root.config.A == 1"), "may not look at other resources"),
        (rule_text(more="  each: 'facts.x.filter(y, true)'\n"), "each: must be the path of a list"),
        (
            rule_text(more="  severity_when: [{when: config.A >, severity: low}]\n"),
            "severity_when[0].when",
        ),
        (
            rule_text(more="  severity_when: [{when: 'true', severity: worst}]\n"),
            '"worst" is not one of its values',
        ),
        (rule_text(more="  presence: gone\n"), '"gone" is not one of its values'),
        (
            rule_text(more="  examples: [{failz: {}}]\n"),
            'failz: is not a known key; did you mean "fails"?',
        ),
        (rule_text(more="  examples: [{fails: {confg: {}}}]\n"), 'did you mean "config"?'),
        (rule_text().replace("severity: high", "severity: hihg"), 'did you mean "high"?'),
        (rule_text().replace("  why: Somebody gets hurt.\n", ""), "one: why: is missing"),
        (rule_text().replace("{text: Do something.}", "{txt: a}"), "one: fix.text: is missing"),
        (rule_text().replace("id: one", "id: One Rule"), "id: must be lower-case words"),
        (rule_text().replace("A title", "'{at.port}'"), "title: {at.port} is not defined"),
        (rule_text(more="  severity: low\n"), '"severity" is given twice'),
        (rule_text() + rule_text(), "one: is also defined in my.yaml"),
        ("- just text\n", "entry 1 must be a mapping"),
        ("a: b\n", "must be a list of rules"),
        ("- [unclosed", "line "),
        ("- !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
    ],
)
def test_a_problem_is_named_with_file_rule_and_key(text: str, expected: str) -> None:
    assert expected in problem(text)


COMBINATION = """
- id: both
  title: Together
  on: x:y
  severity: critical
  needs:
    - {place: root, any_of: [one]}
    - {place: beneath, any_of: ["trait:priv"]}
  why: x
  fix: {text: x}
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("any_of: [one]", "any_of: [other]", '"other" is no rule of this pack'),
        ("trait:priv", "trait:prive", '"prive" is no trait; did you mean "priv"?'),
        ("place: root", "place: top", '"top" is not root, path or beneath'),
        ("place: root", "place: root, where: holder.name == 'a'", 'speaks of "holder"'),
        ("place: root", "place: root, where: config.A == 'a'", '"config" means nothing here'),
        ("any_of: [one]", "label: x", "exactly one of any_of, resource and produces"),
        ('    - {place: beneath, any_of: ["trait:priv"]}\n', "", "at least two ingredients"),
        ("severity: critical", "severity: critical\n  weight: 0", "weight: must be above 0"),
        ("severity: critical", "severity: critical\n  weight: .inf", "weight: must be above 0"),
    ],
)
def test_combinations_are_checked_too(old: str, new: str, expected: str) -> None:
    assert expected in problem(rule_text() + COMBINATION.replace(old, new))


def test_on_is_a_word_and_not_a_boolean() -> None:
    assert pack_of(rule_text()).rules[0].on == ("x:y",)


def test_rules_of_a_stranger_join_the_bundled_ones(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text(rule_text())
    (folder / "empty.yaml").write_text("")
    pack = load_pack([tmp_path / "mine"])
    assert pack.find("one") is not None
    assert pack.version != load_pack().version


def test_a_file_that_cannot_be_read_is_a_problem_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"nowhere\.yaml"):
        load_files([tmp_path / "nowhere.yaml"])
    with pytest.raises(PackError, match="is not a folder"):
        load_pack([tmp_path / "nowhere"])
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PackError, match="cannot be read"):
        load_files([tmp_path / "bytes.yaml"])
