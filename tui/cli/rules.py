"""``rules``: what is looked for, and whether the rules say what their examples say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.common import cache_path, db_option, debug_option, open_store, say
from tui.cli.errors import CommandError, Exit
from tui.cli.moment import as_of_option
from tui.cli.output import print_json, print_rows, severity_style
from undercroft.text import count, shown

if TYPE_CHECKING:
    from rules import Combination, Rule
    from undercroft.model import Json
    from undercroft.triage.reports import Ruling
    from undercroft.views import DecisionView

__all__ = ["rules_command"]


@click.group("rules")
@debug_option
def rules_command() -> None:
    """List, show or test the rules."""


@rules_command.command("list")
@click.option("--rules", "dirs", multiple=True, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@db_option
@as_of_option
@debug_option
def list_command(dirs: tuple[Path, ...], form: str, db: Path | None) -> None:
    """List every rule, and what was decided about it as a whole."""
    from rules import load_pack

    pack = load_pack(dirs)
    rulings = _rulings(db)
    if form == "json":
        records = [_record(rule, rulings) for rule in pack.entries()]
        print_json({"schema": "undercroft/rules/1", "version": pack.version, "rules": records})
        return
    head: tuple[str, ...] = ("RULE", "SEVERITY", "LAYER", "ON", "TITLE")
    print_rows(head if rulings is None else (*head, "DECIDED"), [*_rows(pack.entries(), rulings)])


def _rows(
    rules: Iterable[Rule | Combination], rulings: Mapping[str, Ruling] | None
) -> Iterator[tuple[str, ...]]:
    for rule in rules:
        start = (rule.id, _severity(rule, rulings), rule.layer.value, ", ".join(rule.on))
        if rulings is None:
            yield (*start, rule.title)
        else:
            decided = [
                f"{what} until {decision.until}" for what, decision in _decided(rule, rulings)
            ]
            yield (*start, rule.title, "; ".join(decided))


def _record(rule: Rule | Combination, rulings: Mapping[str, Ruling] | None) -> Mapping[str, Json]:
    found: dict[str, Json] = {
        "id": rule.id,
        "severity": rule.severity.value,
        "layer": rule.layer.value,
        "on": list(rule.on),
        "title": rule.title,
    }
    if rulings is None:
        return found
    from undercroft.exchange.records import decision_record

    ruling = rulings.get(rule.id)
    off, rated = (ruling.off, ruling.rated) if ruling is not None else (None, None)
    found["off"] = decision_record(off) if off is not None else None
    found["rated"] = (
        {"severity": _severity(rule, rulings), **decision_record(rated)}
        if rated is not None
        else None
    )
    return found


def _rulings(db: Path | None) -> Mapping[str, Ruling] | None:
    """Rule → what was decided about it as a whole; None where no cache says so.

    Rules can be read without one: only a cache that was named has to be there and in order.
    """
    if db is None and not cache_path(db).exists():
        return None
    from undercroft.store import StoreError

    try:
        with open_store(db, read_only=True) as store:
            return store.rulings()
    except StoreError as error:
        if db is not None:
            raise
        say(f"what was decided about rules could not be read: {shown(str(error))}")
        return None


def _severity(rule: Rule | Combination, rulings: Mapping[str, Ruling] | None) -> str:
    """What is in force."""
    ruling = rulings.get(rule.id) if rulings is not None else None
    return (ruling.severity if ruling and ruling.severity else rule.severity).value


def _decided(
    rule: Rule | Combination, rulings: Mapping[str, Ruling] | None
) -> Iterator[tuple[str, DecisionView]]:
    """What holds for it as a whole, in words, and the decision that says so."""
    ruling = rulings.get(rule.id) if rulings is not None else None
    if ruling is not None and ruling.off is not None:
        yield "off", ruling.off
    if ruling is not None and ruling.rated is not None:
        yield f"{_severity(rule, rulings)} instead of {rule.severity.value}", ruling.rated


@rules_command.command("show")
@click.argument("rule_id")
@click.option("--rules", "dirs", multiple=True, type=click.Path(path_type=Path))
@db_option
@as_of_option
@debug_option
def show_command(rule_id: str, dirs: tuple[Path, ...], db: Path | None) -> None:
    """Print one rule: what it looks for, why, how to repair it, and what was decided about it."""
    from difflib import get_close_matches

    from rules import load_pack

    pack = load_pack(dirs)
    known = {rule.id: rule for rule in pack.entries()}
    rule = known.get(rule_id)
    if rule is None:
        near = get_close_matches(rule_id, known, 1)
        raise CommandError(
            f"no rule is called {rule_id!r}"
            + (f": did you mean {near[0]!r}?" if near else "; see 'undercroft rules list'")
        )
    rulings = _rulings(db)
    decided = [
        ("decided", f"{what} until {one.until} by {one.actor}: {one.reason}")
        for what, one in _decided(rule, rulings)
    ]
    click.echo(f"{severity_style(_severity(rule, rulings))}  {shown(rule.title)}")
    for label, text in (*_lines(rule), *decided):
        if text:
            click.echo(f"  {label:<12} {shown(text)}")


def _lines(rule: Rule | Combination) -> Iterator[tuple[str, str]]:
    """Label → text; empty ones are left out."""
    from rules import Rule

    yield "id", rule.id
    yield "on", ", ".join(rule.on)
    yield "layer", rule.layer.value
    yield "threat", rule.threat.value
    if isinstance(rule, Rule):
        yield "for each", rule.each
        yield "fails when", " ".join(rule.fails_when.split())
        yield "evidence", ", ".join(rule.evidence)
        yield "traits", ", ".join(rule.traits)
    else:
        for need in rule.needs:
            what = ", ".join(need.any_of) or need.resource or need.label
            yield f"needs {need.place}", what
    yield "why", rule.why
    yield "fix", rule.fix.text
    yield "command", rule.fix.command
    for tool, ids in rule.equivalents.items():
        yield tool, ", ".join(ids)
    for framework, ids in rule.frameworks.items():
        yield framework, ", ".join(ids)
    for link in rule.references:
        yield "see", link


@rules_command.command("test")
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@debug_option
def test_command(path: Path | None) -> None:
    """Run every rule's examples (of the shipped rules, or of the pack at PATH)."""
    from rules import load_pack, run_examples

    pack = load_pack((path,)) if path else load_pack()
    results = run_examples(pack)
    wrong = [result for result in results if not result.ok]
    for result in wrong:
        click.echo(f"{result.rule}: example {result.index + 1}: {shown(result.detail)}")
    rules = len({result.rule for result in results})
    say(f"{count(len(results), 'example')} of {count(rules, 'rule')}: {len(wrong)} wrong")
    if wrong:
        raise click.exceptions.Exit(Exit.FAIL_ON)
