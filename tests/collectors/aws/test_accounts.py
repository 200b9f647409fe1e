"""Many accounts in one scan: profiles, roles, an organisation with a member that keeps us out."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from collectors.aws import collectors
from collectors.aws.accounts import AccountRecords, Accounts
from collectors.aws.session import Clients
from collectors.aws.units import AwsCollector
from rules import Engine, load_pack
from tests.collectors.aws.conftest import ACCOUNT, REGION, Answer, Proxy
from tui.cli import doctor
from undercroft.model import Coverage, CoverageStatus, Json
from undercroft.protocols import Meter, Scope
from undercroft.scan import run_scan
from undercroft.store import Store
from undercroft.views import Query, ScanRow

ONE, TWO, THREE = "111111111111", "222222222222", "333333333333"
KEPT_OUT = Answer.xml_error("AccessDenied", 403)


def role(account: str, name: str = "audit") -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def numbers(accounts: Accounts) -> list[str]:
    return [account.number for account in accounts.accounts()]


def said(accounts: Accounts) -> dict[tuple[str, str], tuple[CoverageStatus, str]]:
    """(account, collector) → status and reason of what cannot be read."""
    return {
        (record.scope, record.collector): (record.status, record.reason)
        for record in accounts.records()
    }


def notebook(aws: Proxy, account: str, name: str, region: str = REGION) -> None:
    """A notebook in that account, straight to moto."""
    endpoint = f"http://{aws.moto[0]}:{aws.moto[1]}"
    make: Any = boto3.client
    got = make("sts", region_name=REGION, endpoint_url=endpoint).assume_role(
        RoleArn=role(account), RoleSessionName="seed"
    )["Credentials"]
    make(
        "sagemaker",
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=got["AccessKeyId"],
        aws_secret_access_key=got["SecretAccessKey"],
        aws_session_token=got["SessionToken"],
    ).create_notebook_instance(
        NotebookInstanceName=name,
        InstanceType="ml.t3.medium",
        RoleArn=role(account, "exec"),
        RootAccess="Enabled",
        DirectInternetAccess="Enabled",
    )


@pytest.fixture
def organization(aws: Proxy, seed: Any) -> Callable[[str], str]:
    """An organisation; call it to add a member account, whose number it says."""
    org = seed("organizations")
    org.create_organization(FeatureSet="ALL")

    def member(name: str) -> str:
        made = org.create_account(AccountName=name, Email=f"{name}@example.org")
        return str(made["CreateAccountStatus"]["AccountId"])

    return member


# ------------------------------------------------------------------------------ finding accounts


def test_several_roles_are_several_accounts(aws: Proxy) -> None:
    accounts = Accounts({"role_arns": [role(ONE), role(TWO)]})
    assert numbers(accounts) == [ONE, TWO]
    assert accounts.records() == ()
    for account in accounts.accounts():
        assert accounts.at(account.options).identity().account == account.number
        assert account.regions == (REGION,)
        assert account.options["own_accounts"] == [ONE, TWO]
    assert sorted(aws.seen) == ["AssumeRole"] * 2 + ["GetCallerIdentity"] * 2


def test_several_profiles_are_several_accounts(
    aws: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile base]\naws_access_key_id=a\naws_secret_access_key=b\nregion=eu-west-1\n"
        f"[profile one]\nrole_arn={role(ONE)}\nsource_profile=base\nregion=eu-west-2\n"
        f"[profile again]\nrole_arn={role(ONE)}\nsource_profile=base\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    accounts = Accounts({"profiles": ["base", "one", "again", "nobody"]})
    assert [(found.number, found.regions) for found in accounts.accounts()] == [
        (ACCOUNT, ("eu-west-1",)),
        (ONE, ("eu-west-2",)),
    ], "each with its own region; an account that two profiles open is read once"
    ((status, reason),) = said(accounts).values()
    assert status is CoverageStatus.DENIED
    assert "nobody" in reason


def test_a_failure_does_not_count_where_another_way_works(
    aws: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile base]\naws_access_key_id=a\naws_secret_access_key=b\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    accounts = Accounts({"profiles": ["nobody", "base"], "role_arns": [role(ONE)]})
    assert numbers(accounts) == [ONE]
    assert accounts.records() == ()


def test_an_organisation_is_every_active_account(
    aws: Proxy,
    seed: Any,
    organization: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    active, closed, shut = (organization(name) for name in ("active", "closed", "shut"))
    seed("organizations").close_account(AccountId=closed)
    aws.about[f"{shut}%3Arole"] = KEPT_OUT
    accounts = Accounts({"organization": True})
    assert numbers(accounts) == [ACCOUNT, active], "our own account needs no role"
    found = said(accounts)
    assert found[closed, "aws"][0] is CoverageStatus.SKIPPED
    assert found[closed, "aws"][1].startswith("the account is ")
    assert found[shut, "aws"][0] is CoverageStatus.DENIED
    assert found[shut, "aws"][1].startswith("needs sts:AssumeRole on a role that")
    assert len(found) == 2
    assert "role/UndercroftRead" in str(accounts.accounts()[1].options)
    own = accounts.accounts()[0].options["own_accounts"]
    assert isinstance(own, list)
    assert sorted(map(str, own)) == sorted([ACCOUNT, active, closed, shut])
    assert doctor._accounts({"organization": True, "regions": list("abcde")}) == (True, True)
    told = capsys.readouterr()
    assert f"ok  account {active}: 5 regions\n" in told.out
    assert f"FIX account {shut}: needs sts:AssumeRole" in told.out
    assert told.err == "2 accounts can be read, 1 cannot, 1 left out\n"
    named = Accounts({"organization": True, "role_name": "look/around"})
    assert f"{active}:role/look/around" in str(named.accounts()[1].options)


def test_roles_are_assumed_one_from_the_other(
    aws: Proxy, organization: Callable[[str], str]
) -> None:
    member = organization("member")
    accounts = Accounts({"organization": True, "role_arn": role(ACCOUNT, "list-accounts")})
    assert numbers(accounts) == [ACCOUNT, member]
    options = accounts.accounts()[1].options
    assert options["role_arn"] == [role(ACCOUNT, "list-accounts"), role(member, "UndercroftRead")]
    assert accounts.at(options).identity().account == member


def test_an_organisation_that_may_not_be_listed(aws: Proxy) -> None:
    aws.always["ListAccounts"] = Answer.error("AccessDeniedException", 400)
    accounts = Accounts({"organization": True})
    assert numbers(accounts) == [ACCOUNT]
    ((status, reason),) = said(accounts).values()
    assert status is CoverageStatus.DENIED
    assert "other accounts are not read: needs organizations:ListAccounts" in reason


def test_regions_are_asked_of_each_account(aws: Proxy) -> None:
    enabled = "<item><regionName>{}</regionName></item>"
    answer = "<r><regionInfo>" + "".join(map(enabled.format, ["b", "a"])) + "</regionInfo></r>"
    aws.always["DescribeRegions"] = Answer(200, answer.encode(), "text/xml")
    accounts = Accounts({"role_arns": [role(ONE), role(TWO)], "regions": ["all"]})
    assert [account.regions for account in accounts.accounts()] == [("a", "b")] * 2
    assert aws.seen.count("DescribeRegions") == 2


def test_regions_that_may_not_be_listed_are_a_gap(aws: Proxy) -> None:
    aws.always["DescribeRegions"] = Answer.xml_error("UnauthorizedOperation", 403)
    accounts = Accounts({"regions": ["all"]})
    assert [account.regions for account in accounts.accounts()] == [(REGION,)]
    assert list(said(accounts)) == [(ACCOUNT, "aws.region")]
    assert said(accounts)[ACCOUNT, "aws.region"][1].startswith(
        f"only {REGION} is read: needs ec2:DescribeRegions"
    )


def test_every_account_is_asked_once(aws: Proxy) -> None:
    accounts = Accounts({"role_arns": [role(ONE), role(TWO)]})
    for _ in range(3):
        accounts.accounts()
        accounts.records()
    assert aws.seen.count("AssumeRole") == 2


# ------------------------------------------------------------------------------------- one scan


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_pack())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "cache.db") as opened:
        yield opened


def scan(store: Store, engine: Engine, options: dict[str, Json]) -> ScanRow:
    scope = Scope("aws", options=options)
    return run_scan(store, collectors(options), engine, scope)


def notebooks(store: Store, row: ScanRow) -> dict[str, tuple[str, bool]]:
    """Account → status of the finding that its notebook gives root, and whether it is unconfirmed."""
    found = store.findings(row.id, Query(filter="rule:aws-sagemaker-notebook-root-access"))
    return {finding.account: (finding.status, finding.unconfirmed) for finding in found}


def test_an_account_that_keeps_us_out_costs_itself_only(
    aws: Proxy, store: Store, engine: Engine, organization: Callable[[str], str]
) -> None:
    second = organization("second")
    for account in (ACCOUNT, second):
        notebook(aws, account, f"nb-{account}")
    options: dict[str, Json] = {"organization": True, "max_attempts": 1}
    row = scan(store, engine, options)
    open_ = ("open", False)
    assert notebooks(store, row) == {ACCOUNT: open_, second: open_}

    aws.about[f"{second}%3Arole"] = KEPT_OUT
    aws.seen.clear()
    row = scan(store, engine, options)
    assert row.state == "partial"
    whole = [record for record in store.coverage(row.id) if record.collector == "aws"]
    assert [(record.scope, record.status) for record in whole] == [(second, CoverageStatus.DENIED)]
    assert not [
        unit for unit in store.coverage(row.id) if unit.scope == second and unit not in whole
    ]
    assert notebooks(store, row) == {ACCOUNT: open_, second: ("open", True)}, (
        "what could not be read is neither gone nor confirmed"
    )
    assert aws.seen.count("AssumeRole") == 1, "nobody tries again for each unit"


def test_what_lies_in_another_account_of_ours_is_read_there(
    aws: Proxy, store: Store, engine: Engine
) -> None:
    notebook(aws, ONE, "nb")
    options: dict[str, Json] = {"role_arns": [role(ONE), role(TWO)], "max_attempts": 1}
    row = scan(store, engine, options)
    units = {(unit.scope, unit.collector) for unit in store.coverage(row.id)}
    assert (ONE, "aws.iam") in units
    assert (TWO, "aws.iam") not in units, "nothing there is referred to"
    assert {unit.status for unit in store.coverage(row.id)} == {CoverageStatus.COMPLETE}


# ------------------------------------------------------------------------------------ elsewhere


def test_a_unit_signs_in_by_what_its_target_carries(aws: Proxy) -> None:
    options: dict[str, Json] = {"role_arns": [role(ONE), role(TWO)], "max_attempts": 1}
    found = [c for c in collectors(options) if c.name == "aws.sagemaker.model"]
    scope = Scope("aws", options=options)
    for target in found[0].targets(scope, ()):
        travelled, there = pickle.loads(pickle.dumps((found[0], target)))
        *_, coverage = travelled.collect(there, Meter())
        assert isinstance(coverage, Coverage)
        assert (coverage.scope, coverage.status) == (target.scope, CoverageStatus.COMPLETE)


def test_a_process_opens_one_session_for_all_its_units(aws: Proxy) -> None:
    first, second = (pickle.loads(pickle.dumps(Clients({"max_attempts": 1}))) for _ in range(2))
    assert first is second
    other = pickle.loads(pickle.dumps(Clients({"max_attempts": 2})))
    assert other is not first


def test_records_travel(aws: Proxy) -> None:
    aws.always["AssumeRole"] = KEPT_OUT
    records = AccountRecords(Accounts({"role_arn": role(ONE)}))
    (target,) = records.targets(Scope("aws"), ())
    travelled, there = pickle.loads(pickle.dumps((records, target)))
    (coverage,) = travelled.collect(there, Meter())
    assert (coverage.scope, coverage.status) == (ONE, CoverageStatus.DENIED)


def test_only_so_many_clients_are_kept(
    aws: Proxy, monkeypatch: pytest.MonkeyPatch, clients: Clients
) -> None:
    monkeypatch.setattr("collectors.aws.session._CLIENTS", 3)
    first = clients.client("sts", "eu-west-1")
    assert clients.client("sts", "eu-west-1") is first
    for number in range(1, 5):
        clients.client("sts", f"us-west-{number}")
    assert clients.client("sts", "eu-west-1") is not first


def test_every_collector_knows_its_accounts(aws: Proxy) -> None:
    options: dict[str, Json] = {"role_arns": [role(ONE), role(TWO)], "max_attempts": 1}
    scope = Scope("aws", locations=("eu-west-1",), options=options)
    for collector in collectors(options, lambda: datetime(2026, 1, 1, tzinfo=UTC)):
        if isinstance(collector, AwsCollector) and not collector.reads:
            places = [(target.scope, target.location) for target in collector.targets(scope, ())]
            # Whoever holds keys belongs to no region.
            where = "-" if collector.name == "aws.iam.bedrock-keys" else "eu-west-1"
            assert places == [(ONE, where), (TWO, where)], collector.name
