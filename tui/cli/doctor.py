"""``doctor``: what works on this machine, and what to do about what does not."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from tui.cli.aws import AwsSignIn, aws_sign_in
from tui.cli.common import cache_path, db_option, debug_option, say
from tui.cli.errors import Exit
from tui.cli.output import print_json
from undercroft.model import Json
from undercroft.text import count, shown

__all__ = ["doctor_command"]

_FEW = 4
"""Regions of one of many accounts that are named; more are counted."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    what: str
    ok: bool
    text: str


@click.group("doctor", invoke_without_command=True)
@db_option
@debug_option
@click.pass_context
def doctor_command(ctx: click.Context, db: Path | None) -> None:
    """Check credentials, permissions, terminal and cache."""
    if ctx.invoked_subcommand is not None:
        return
    checks = [
        *_terminal(),
        *_cache(db),
        *_risk_model(db),
        *_rules(),
        *_aws_offline(),
        *_gcp_offline(),
    ]
    checks += _azure_offline()
    for check in checks:
        mark = click.style("ok  ", fg="green") if check.ok else click.style("FIX ", fg="red")
        click.echo(f"{mark}{check.what:<12} {shown(check.text)}")
    if not all(check.ok for check in checks):
        raise click.exceptions.Exit(Exit.FAIL_ON)


@doctor_command.command("aws")
@aws_sign_in
@click.option("--policy", is_flag=True, help="Print the IAM policy that a scan needs.")
@click.option(
    "--split", is_flag=True, help="Print it as a list of policies that each fit a managed policy."
)
@debug_option
def aws_command(sign_in: AwsSignIn, *, policy: bool, split: bool) -> None:
    """Ask AWS who you are and what a scan could not read."""
    options = sign_in.request().scope().options
    if split:
        from collectors.aws.guard import policy_documents

        print_json(policy_documents(options))
        return
    if policy:
        from collectors.aws.guard import MANAGED_POLICY, policy_document, policy_size

        document = policy_document(options)
        print_json(document)
        if (size := policy_size(document)) > MANAGED_POLICY:
            say(
                f"{size:,} characters are too many for a managed policy ({MANAGED_POLICY:,}): "
                "make it a role's inline policy (aws iam put-role-policy), or --split it"
            )
        return
    from collectors.aws import preflight

    ready, problems = _accounts(options) if sign_in.is_several else (False, False)
    if not sign_in.is_several:
        found = preflight(options)
        ready, problems = bool(found.arn), bool(found.problems)
        if found.arn:
            click.echo(f"ok  signed in as {shown(found.arn)} in account {shown(found.account)}")
            click.echo(f"ok  regions: {', '.join(found.regions) or 'none'}")
        for problem in found.problems:
            click.echo(f"FIX {shown(problem)}")
    if problems or not ready:
        raise click.exceptions.Exit(Exit.FAIL_ON if ready else Exit.NOTHING_READ)


def _accounts(options: Mapping[str, Json]) -> tuple[bool, bool]:
    """Say of each account whether it can be read; (whether any can, whether one cannot)."""
    from collectors.aws.accounts import Accounts

    found = Accounts(options)
    for account in found.accounts():
        regions = account.regions
        where = ", ".join(regions) if len(regions) <= _FEW else count(len(regions), "region")
        click.echo(f"ok  account {shown(account.number)}: {where}")
    shut, left_out = set[str](), set[str]()
    for record in found.records():
        (shut if record.status.is_gap else left_out).add(record.scope)
        mark = "FIX" if record.status.is_gap else "-- "
        click.echo(f"{mark} account {shown(record.scope)}: {shown(record.reason)}")
    say(
        f"{count(len(found.accounts()), 'account')} can be read"
        + f", {len(shut):,} cannot" * bool(shut)
        + f", {len(left_out):,} left out" * bool(left_out)
    )
    return bool(found.accounts()), bool(shut)


@doctor_command.command("gcp")
@click.option("--project", "projects", multiple=True, help="Project id (repeatable).")
@click.option("--organization", default="", help="Number of an organisation: all its projects.")
@click.option("--quota-project", default="", help="Project that the calls are charged to.")
@click.option("--policy", is_flag=True, help="Print the custom role that a scan needs.")
@debug_option
def gcp_command(
    projects: tuple[str, ...], organization: str, quota_project: str, policy: bool
) -> None:
    """Ask Google Cloud who you are and what a scan could not read.

    With --policy and --project: without the permissions that only an organisation's role may hold.
    """
    if policy:
        from collectors.gcp.guard import role

        print_json(role(within_project=bool(projects)))
        return
    from collectors.gcp import preflight
    from tui.wiring import GcpRequest

    request = GcpRequest(projects, (), organization, quota_project)
    found = preflight(request.scope().options, request.scope())
    if found.identity:
        click.echo(f"ok  signed in as {shown(found.identity)}")
    if found.projects:
        click.echo(f"ok  projects: {shown(', '.join(found.projects))}")
    for problem in found.problems:
        click.echo(f"FIX {shown(problem)}")
    if found.problems or not found.projects:
        raise click.exceptions.Exit(Exit.FAIL_ON if found.projects else Exit.NOTHING_READ)


@doctor_command.command("azure")
@click.option(
    "--subscription", "subscriptions", multiple=True, help="Subscription id or name (repeatable)."
)
@click.option("--management-group", default="", help="Every subscription beneath this group.")
@click.option("--policy", is_flag=True, help="Print the custom role that a scan needs.")
@debug_option
def azure_command(subscriptions: tuple[str, ...], management_group: str, policy: bool) -> None:
    """Ask Azure who you are and what a scan would read."""
    if policy:
        from collectors.azure.permissions import role_definition

        print_json(role_definition(subscriptions))
        return
    from collectors.azure import preflight
    from tui.wiring import AzureRequest

    found = preflight(AzureRequest(subscriptions, management_group).scope().options)
    if found.signed_in and found.subscriptions:
        click.echo(f"ok  signed in through {shown(found.signed_in)} at {shown(found.endpoint)}")
    for identifier, name in found.subscriptions:
        click.echo(f"ok  subscription {shown(name or '(no name)')} ({shown(identifier)})")
    for problem in found.problems:
        click.echo(f"FIX {shown(problem)}")
    if found.problems or not found.subscriptions:
        raise click.exceptions.Exit(Exit.FAIL_ON if found.subscriptions else Exit.NOTHING_READ)


def _terminal() -> Iterator[Check]:
    size = shutil.get_terminal_size((0, 0))
    name = os.environ.get("TERM", "")
    inside = " in tmux" if os.environ.get("TMUX") else ""
    if not sys.stdout.isatty():
        yield Check("terminal", True, "output is not a terminal; commands work, the interface not")
    elif name in {"", "dumb"}:
        yield Check(
            "terminal",
            False,
            f"TERM={name or '(unset)'} cannot draw; set it, say to xterm-256color",
        )
    else:
        fits = size.columns >= 80 and size.lines >= 24
        text = f"{name}{inside}, {size.columns}x{size.lines}"
        yield Check("terminal", fits, text if fits else f"{text}; 80x24 is the least")
    deep = os.environ.get("COLORTERM", "") in {"truecolor", "24bit"}
    plain = "NO_COLOR" in os.environ
    colours = (
        "none (NO_COLOR)"
        if plain
        else "24-bit"
        if deep
        else "256 or fewer; set COLORTERM=truecolor if it can"
    )
    yield Check("colours", True, colours)
    encoding = (sys.stdout.encoding or "").lower()
    utf8 = encoding.replace("-", "") == "utf8"
    yield Check("text", utf8, encoding if utf8 else f"{encoding}: set LANG to a UTF-8 locale")


def _cache(db: Path | None) -> Iterator[Check]:
    path = cache_path(db)
    if not path.exists():
        yield Check("cache", True, f"none yet at {path}; the first scan makes it")
        return
    from undercroft.store import Store, StoreError

    try:
        with Store.open(path, read_only=True) as store:
            problem = store.check()
            scans = [] if problem else store.scans()
            _, free = store.space()
    except StoreError as error:
        yield Check("cache", False, str(error))
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    private = not mode & 0o077
    size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*") if file.is_file())
    text = f"{path}, {size / 1_000_000:.1f} MB"
    yield Check(
        "cache", private, text if private else f"{text}; others can read it: chmod 600 {path}"
    )
    yield Check("integrity", not problem, problem or "file and decision log are whole")
    if not problem:
        room = f", {free / 1e6:.1f} MB of the cache free for more" if free else ""
        yield Check("scans", True, f"{count(len(scans), 'saved scan')}{room}")


def _risk_model(db: Path | None) -> Iterator[Check]:
    from tui.settings import SettingsError, load
    from undercroft.risk import DEFAULT
    from undercroft.risk.ssvc import in_words
    from undercroft.store import Store, StoreError

    try:
        model = load().risk or DEFAULT
    except SettingsError as error:
        yield Check("risk model", False, str(error))
        return
    enough, said = in_words(model)
    changed = "".join(f"{name} {now:g}, " for name, (now, _) in model.changes().items())
    yield Check("risk model", enough, f"{model.name}: {changed}{said}")
    path = cache_path(db)
    if not path.exists():
        return
    try:
        with Store.open(path, read_only=True) as store:
            otherwise = store.is_scored_otherwise(model)
    except StoreError:
        return  # said above
    if otherwise:
        text = "the newest scan is scored by another; whatever opens the cache next scores it again"
        yield Check("scores", True, text)


def _rules() -> Iterator[Check]:
    from rules import PackError, load_pack

    try:
        pack = load_pack()
    except PackError as error:
        yield Check("rules", False, str(error))
        return
    text = f"{count(len(pack.rules), 'rule')}, {count(len(pack.combinations), 'combination')}"
    yield Check("rules", True, f"{text}, version {pack.version[:12]}")


def _aws_offline() -> Iterator[Check]:
    from collectors.aws.discover import profiles

    found = profiles()
    if not found:
        yield Check("aws", True, "no credentials on this machine; 'aws configure sso' makes some")
    for profile in found:
        name = profile.name or "environment"
        yield Check("aws", profile.ready, f"{name}: {profile.hint or profile.detail}")
    if found:
        yield Check("aws", True, "'undercroft doctor aws' asks AWS what a scan may read")


def _gcp_offline() -> Iterator[Check]:
    from collectors.gcp.discover import sources

    found = sources()
    if not found:
        hint = "'gcloud auth application-default login' makes some"
        yield Check("gcp", True, f"no credentials on this machine; {hint}")
    for source in found:
        yield Check(
            "gcp",
            source.ready,
            f"{source.project or 'all projects'}: {source.hint or source.detail}",
        )
    if found:
        yield Check("gcp", True, "'undercroft doctor gcp' asks Google Cloud what a scan may read")


def _azure_offline() -> Iterator[Check]:
    from collectors.azure.discover import sources

    found = sources()
    if not found:
        yield Check("azure", True, "no credentials on this machine; 'az login' makes some")
    for source in found:
        name = source.name or source.subscription or "all subscriptions"
        # One subscription that is switched off is nothing to repair.
        ok = source.ready or bool(source.subscription)
        yield Check("azure", ok, f"{name}: {source.hint or source.detail}")
    if found:
        yield Check("azure", True, "'undercroft doctor azure' asks Azure what a scan may read")
