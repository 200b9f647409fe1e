"""``rules``: what is looked for, and whether the rules say what their examples say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.common import debug_option, say
from tui.cli.errors import CommandError, Exit
from tui.cli.output import print_json, print_rows, severity_style
from undercroft.text import count, shown

if TYPE_CHECKING:
    from rules import Combination, Rule

__all__ = ["rules_command"]


@click.group("rules")
@debug_option
def rules_command() -> None:
    """List, show or test the rules."""


@rules_command.command("list")
@click.option("--rules", "dirs", multiple=True, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@debug_option
def list_command(dirs: tuple[Path, ...], form: str) -> None:
    """List every rule."""
    from rules import load_pack

    pack = load_pack(dirs)
    rows = [
        (rule.id, rule.severity.value, rule.layer.value, rule.on, rule.title)
        for rule in pack.entries()
    ]
    if form == "json":
        keys = ("id", "severity", "layer", "on", "title")
        print_json(
            {
                "schema": "undercroft/rules/1",
                "version": pack.version,
                "rules": [dict(zip(keys, row, strict=True)) for row in rows],
            }
        )
        return
    print_rows(
        ("RULE", "SEVERITY", "LAYER", "ON", "TITLE"),
        [(*start, ", ".join(on), title) for *start, on, title in rows],
    )


@rules_command.command("show")
@click.argument("rule_id")
@click.option("--rules", "dirs", multiple=True, type=click.Path(path_type=Path))
@debug_option
def show_command(rule_id: str, dirs: tuple[Path, ...]) -> None:
    """Print one rule: what it looks for, why, how to repair it."""
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
    click.echo(f"{severity_style(rule.severity.value)}  {shown(rule.title)}")
    for label, text in _lines(rule):
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
