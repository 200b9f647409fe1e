"""``explain``: a score taken apart, so that a pocket calculator can put it together again."""

from __future__ import annotations

from pathlib import Path

import click

from tui.cli.common import db_option, debug_option, open_store, scan_option
from tui.cli.moment import as_of_option, now
from tui.cli.output import print_json, severity_style
from undercroft.relations import Relation
from undercroft.risk import RiskModel, band
from undercroft.risk.bills import Bill, BillLine, FindingExplanation, ServiceExplanation
from undercroft.risk.model import Hazard
from undercroft.risk.trends import Change
from undercroft.text import count, minute, shown
from undercroft.views import Path as Reached

__all__ = ["explain_command"]


@click.command("explain")
@click.argument("what", metavar="SERVICE|FINDING")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Every line, however little it weighs, and the model's constants.",
)
@scan_option
@as_of_option
@db_option
@debug_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def explain_command(
    what: str, everything: bool, scan_ref: str | None, db: Path | None, form: str
) -> None:
    """Print how the score of one AI service (key, id or name) or one finding (id) is made."""
    from undercroft.exchange import Head
    from undercroft.exchange.explaining import explain_finding_document, explain_service_document
    from undercroft.store import AmbiguousError, NotFoundError

    with open_store(db, read_only=True) as store:
        scan = store.scan(scan_ref)
        head = Head.of(store, scan, "", now())
        try:
            finding = store.resolve_finding(what)
        except (NotFoundError, AmbiguousError):
            if what.startswith("f1-"):
                raise
            found = store.explain_service(scan.id, store.resolve_resource(scan.id, what))
            change = store.change_of(scan.id, found.service.key)
            if form == "json":
                print_json(explain_service_document(head, found, change))
            else:
                _service(found, change, everything=everything)
            return
        alone = store.explain_finding(scan.id, finding)
        if form == "json":
            print_json(explain_finding_document(head, alone))
        else:
            _finding(alone)


def _service(found: ServiceExplanation, change: Change | None, *, everything: bool) -> None:
    row, residual, inherent = found.service, found.residual, found.inherent
    click.echo(f"{shown(row.name)}  {shown(row.type)}  {shown(row.account)} {shown(row.region)}")
    click.echo(
        f"score {_score(residual, found.model)}, H = {residual.hazard:.4f}   (100 · (1 − e^−H))"
    )
    if inherent.hazard != residual.hazard:
        click.echo(
            f"without acceptances {_score(inherent, found.model)}, H = {inherent.hazard:.4f}"
        )
    if change is not None:
        moved = ", ".join(
            f"{one.name} {one.points:+.1f}" + (f" ({one.findings})" if one.findings else "")
            for one in change.causes
        )
        since = shown(change.since.name or change.since.uid)
        by = f"{change.after - change.before:+.1f}" if moved else "unchanged"
        click.echo(f"{by} since {since}{': ' if moved else ''}{moved}")
    _head(found)
    sums = found.model.table["sums"]
    weights = f"{sums['in_layer']:g}^k · {sums['across_layers']:g}^j"
    click.echo(f"each line: h · a · {weights} = effective, and its share of the score\n")
    _lines(residual, found.model, everything=everything)
    accepted = [line for line in inherent.lines if line.status == "accepted"]
    if accepted:
        click.echo("\naccepted: counted only without acceptances")
        for line in accepted:
            _line(line, found.model)
    if everything:
        _constants(found.model)


def _constants(model: RiskModel) -> None:
    """The model's whole table, so that nothing in a bill is hidden."""
    click.echo(f"\nconstants of risk model {model.name}; [risk.GROUP] of the settings changes them")
    for line in model.lines():
        click.echo(f"  {line}")


def _score(bill: Bill, model: RiskModel) -> str:
    word = band(bill.score, model)
    return f"{bill.printed:.1f} of 100{f', {severity_style(word.value)}' if word else ''}"


def _head(found: ServiceExplanation | FindingExplanation) -> None:
    said = "; ".join(found.feeds) or "none imported (undercroft feeds import)"
    scan = shown(found.scan.name or found.scan.uid)
    click.echo(f"risk model {found.model.name} · as of {minute(found.as_of)} UTC · scan {scan}")
    changed = [
        f"{name} {value:g} instead of {published:g}"
        for name, (value, published) in found.model.changes().items()
    ]
    if changed:
        click.echo(f"constants changed: {', '.join(changed)}")
    click.echo(f"feeds: {shown(said)}")


def _lines(bill: Bill, model: RiskModel, *, everything: bool) -> None:
    if not bill.lines:
        click.echo("nothing open beneath it")
        return
    kept = [line for line in bill.lines if everything or line.printed > 0]
    for line in kept:
        _line(line, model)
    rest = len(bill.lines) - len(kept)
    if rest:
        click.echo(f"  0.0  {count(rest, 'further line')} below 0.1; --all prints them")
    click.echo(f"{bill.printed:5.1f}  sum")


def _line(line: BillLine, model: RiskModel) -> None:
    of = model.table["sums"]
    sums = (
        f"{line.hazard.value:.4f} · {line.attenuation:.4g} · {of['in_layer']:g}^{line.rank} · "
        f"{of['across_layers']:g}^{line.layer_rank} = {line.effective:.4f}"
    )
    click.echo(f"{line.printed:5.1f}  {severity_style(line.severity)}  {shown(line.title)}")
    click.echo(f"       {line.layer}, {sums}   {line.finding[:11]} {shown(line.rule)}")
    click.echo(f"       h: {_factors(line.hazard)}")
    click.echo(
        f"       at {shown(line.owner.name)} ({shown(line.owner.type)}){_path(line.path, model)}"
    )


def _factors(hazard: Hazard) -> str:
    return ", ".join(
        f"{letter} {value:.4g} ({shown(reason)})"
        for letter, (value, reason) in hazard.factors.items()
    )


def _path(path: Reached, model: RiskModel) -> str:
    if not path:
        return ", itself"
    steps = [
        f"{shown(step.dst_name)} ({step.relation.replace('_', ' ')} "
        f"{model.attenuation.get(Relation(step.relation), 0.0):g})"
        for step in path
    ]
    return f", {shown(path[0].src_name)} → " + " → ".join(steps)


def _criticality(own: Hazard, there: Hazard) -> str:
    if own.value == there.value:
        return ""
    value, reason = there.factors["M"]
    return f", h = {there.value:.4f}: M {value:g} ({reason})"


def _finding(found: FindingExplanation) -> None:
    row, hazard = found.row, found.hazard
    click.echo(f"{severity_style(row.severity.value)}  {shown(row.title)}")
    click.echo(f"{row.id}  {shown(row.rule)}  on {shown(row.resource_name)}, {row.status}")
    click.echo(f"score {row.score:.1f} of 100, h = {hazard.value:.4f}   (100 · (1 − e^−h))")
    _head(found)
    for letter, (value, reason) in hazard.factors.items():
        click.echo(f"  {letter}  {value:.4g}  {shown(reason)}")
    if not found.above:
        click.echo("no AI service stands on it")
        return
    click.echo(f"\nbeneath {count(found.above, 'AI service')}")
    for reach in found.services:
        click.echo(
            f"  {reach.printed:5.1f} of {reach.score:.1f}  {shown(reach.service.name)}, "
            f"a = {reach.attenuation:.4g}{_path(reach.path, found.model)}"
            f"{_criticality(found.hazard, reach.hazard)}"
        )
    if found.above > len(found.services):
        click.echo(f"  and {found.above - len(found.services):,} more")
