"""The bench works and says what it found, at a tiny size. Never its timing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import AREAS, main
from bench.estate import Size, SyntheticCollector
from bench.measure import Figure, settled
from rules import Engine, load_pack
from undercroft.model import Outcome, Resource
from undercroft.protocols import Meter, Scope

TINY = ("--services", "8", "--resources", "80", "--findings", "300")
MOST = ("judging", "statuses", "saving", "rescan", "memory", "pages", "jumps", "services",
        "scoring", "rescoring", "export")  # fmt: skip
"""Areas without an interface."""


def resources(changed: float = 0.0, *, most_shared: bool = False) -> list[Resource]:
    collector = SyntheticCollector(Size(8, 80, 300), changed=changed, most_shared=most_shared)
    (target,) = collector.targets(Scope("aws"), ())
    return [item for item in collector.collect(target, Meter()) if isinstance(item, Resource)]


def test_measures_and_writes_its_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    assert main([*TINY, "--json", str(file), "--only", *MOST]) == 0
    document = json.loads(file.read_text(encoding="utf-8"))
    assert {figure["area"] for figure in document["figures"]} == set(MOST)
    assert document["size"] == {"services": 8, "resources": 80, "findings": 300}
    assert {"cores", "load", "python", "sqlite"} <= set(document["conditions"])
    for figure in document["figures"]:
        assert figure["ours"] > 0
        assert figure["bare"] > 0
        if figure["budget"] is not None:
            met = figure["value"] <= figure["budget"]
            assert figure["verdict"] == ("met" if met else "NOT MET")
    printed = capsys.readouterr().out
    assert "first page" in printed
    assert "budgets met" in printed


@pytest.mark.slow
def test_measures_whole_processes(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    assert (
        main([*TINY, "--rounds", "1", "--json", str(file), "--only", "startup", "app", "moves"])
        == 0
    )
    figures = json.loads(file.read_text(encoding="utf-8"))["figures"]
    assert {figure["area"] for figure in figures} == {"startup", "app", "moves"}
    memory = next(figure for figure in figures if figure["unit"] == "MB")
    assert memory["value"] == pytest.approx(memory["ours"] - memory["bare"])


def test_lists_what_it_can_measure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in AREAS)


def test_refuses_a_size_that_cannot_be() -> None:
    with pytest.raises(SystemExit):
        main(["--services", "10", "--resources", "5"])


def test_the_estate_is_the_same_every_time_and_has_its_size() -> None:
    assert resources() == resources()
    assert len(resources()) == 80
    assert sum(resource.service for resource in resources()) == 8


def test_the_rules_can_decide_everything_about_the_estate() -> None:
    engine = Engine(load_pack())
    found = [
        answer
        for resource in resources()
        for answer in engine.judge(resource, "2026-11-01T12:00:00Z")
    ]
    assert {answer.outcome for answer in found} == {Outcome.FAIL}
    assert 250 <= len(found) <= 450


@pytest.mark.parametrize("most_shared", [False, True])
def test_what_changes_gets_another_answer(most_shared: bool) -> None:
    engine = Engine(load_pack())
    before, after = resources(), resources(changed=0.1, most_shared=most_shared)
    touched = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(touched) == 8
    assert (before[0] != after[0]) is most_shared
    for old, new in touched:
        assert old.key == new.key
        now = "2026-11-01T12:00:00Z"
        assert list(engine.judge(old, now)) != list(engine.judge(new, now))


def test_a_ratio_is_taken_pair_by_pair() -> None:
    ours, bare = iter([1.0, 2.0, 30.0]), iter([1.0, 1.0, 10.0])
    pair = settled(lambda: next(ours), lambda: next(bare), rounds=3, warm=False)
    assert pair.ratio == 2.0
    assert Figure.of("x", pair, 1.5).verdict == "NOT MET"
    assert Figure.of("x", pair, 2.0).verdict == "met"
    assert not Figure.of("x", pair, None).verdict
