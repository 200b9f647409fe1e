"""An Azure estate, scanned over HTTP by the installed command, then read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.arm import ArmServer, Fault
from tests.cloud.arm_seed import seed_arm
from tests.cloud.estate import load_estate
from tests.end_to_end.kit import Shell, outcomes


@pytest.fixture(scope="module")
def arm() -> Iterator[ArmServer]:
    with ArmServer() as server:
        seed_arm(server, load_estate("azure"))
        yield server


@pytest.fixture(scope="module")
def azure(arm: ArmServer, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    home = tmp_path_factory.mktemp("azure")
    shell = Shell(home, home / "cache.db", more={"UNDERCROFT_AZURE_ENDPOINT": arm.endpoint})
    shell.run("scan", "azure", "--name", "first")
    return shell


def test_what_is_planted_is_found_and_nothing_else(azure: Shell) -> None:
    found = outcomes(f for f in azure.findings() if "toxic" not in f["rule"])
    planted = {(item.rule, item.resource) for item in load_estate("azure").expected()}
    assert found == planted


def test_only_reads_came_over_the_wire(azure: Shell, arm: ArmServer) -> None:
    posts = {seen.path for seen in arm.seen if seen.method != "GET"}
    assert posts == {"/providers/Microsoft.ResourceGraph/resources"}
    assert not any(name.lower() == "authorization" for seen in arm.seen for name in seen.headers)


def test_what_an_endpoint_stands_on_is_there(azure: Shell) -> None:
    tower = azure.run("tower", "score").out
    for name in ("ml-identity", "serve", "mlacr", "mlstore"):
        assert name in tower, tower


def test_a_broken_azure_proves_nothing_fixed(azure: Shell, arm: ArmServer) -> None:
    arm.faults = [Fault("Microsoft.CognitiveServices", 403, "AuthorizationFailed"),
                  Fault("Microsoft.ResourceGraph", 403, "AuthorizationFailed")]  # fmt: skip
    try:
        done = azure.run("scan", "azure", "--name", "broken", status=3)
    finally:
        arm.faults = []
    assert "needs Microsoft.CognitiveServices/accounts/read" in done.err
    (finding,) = azure.findings('rule:azure-ai-account-public-network resource:"openai-open"')
    assert finding["status"] == "open", "what was not read is not gone"


def test_doctor_says_who_is_signed_in_and_prints_the_role(azure: Shell) -> None:
    told = azure.run("doctor", "azure", status=1)
    assert "no credential" in told.out
    assert "production" in told.out
    assert "retired is disabled" in told.out
    role = azure.run("doctor", "azure", "--policy", "--subscription", "s1").json
    assert role["AssignableScopes"] == ["/subscriptions/s1"]
    assert role["DataActions"] == []
    assert all(action.endswith("/read") for action in role["Actions"])


@pytest.mark.parametrize("address", ["http://10.1.2.3", "http://localhost.example.com", "nonsense"])
def test_an_address_that_may_not_be_talked_to_is_refused(tmp_path: Path, address: str) -> None:
    shell = Shell(tmp_path, tmp_path / "c.db", more={"UNDERCROFT_AZURE_ENDPOINT": address})
    done = shell.run("scan", "azure", status=2)
    assert "UNDERCROFT_AZURE_ENDPOINT" in done.err
    assert shell.run("doctor", "azure", status=4).out.startswith("FIX ")


def test_weaknesses_that_meet_are_combined_over_real_edges(
    tmp_path: Path,
) -> None:
    """Every combination of the Azure catalogue holds in an estate made for it."""
    worst = load_estate("azure-worst")
    wanted = {(item.rule, item.resource) for item in worst.expected()}
    with ArmServer() as server:
        seed_arm(server, worst)
        shell = Shell(
            tmp_path, tmp_path / "c.db", more={"UNDERCROFT_AZURE_ENDPOINT": server.endpoint}
        )
        shell.run("scan", "azure")
    assert wanted - outcomes(shell.findings("rule:azure-toxic-*")) == set()
    assert len({rule for rule, _ in wanted}) == 15
