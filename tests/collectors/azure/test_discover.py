"""What is found on this machine without asking Azure: from files and names of variables only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from collectors.azure.discover import sources


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "AZURE_CLIENT_ID",
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_CLIENT_CERTIFICATE_PATH",
        "AZURE_FEDERATED_TOKEN_FILE",
        "UNDERCROFT_AZURE_ENDPOINT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    return tmp_path


def subscription(name: str, **more: object) -> dict[str, object]:
    user = {"name": "ada@example.org", "type": "user"}
    return {
        "id": f"id-{name}",
        "name": name,
        "state": "Enabled",
        "tenantId": "t",
        "user": user,
        **more,
    }


def test_nothing_on_an_empty_machine() -> None:
    assert sources() == []


def test_the_cli_s_subscriptions_with_its_default_first(folder: Path) -> None:
    listed = [
        subscription("a"),
        subscription("b", isDefault=True),
        subscription("c", state="Disabled"),
        subscription("tenant", tenantId="id-tenant"),
    ]
    (folder / "azureProfile.json").write_text(
        "\ufeff" + json.dumps({"subscriptions": listed}), "utf-8"
    )
    every, *rest = sources()
    assert (every.subscription, every.ready) == ("", True)
    assert every.detail == "the Azure CLI as ada@example.org"
    assert [(one.name, one.ready) for one in rest] == [("b", True), ("a", True), ("c", False)]
    assert rest[2].hint == "it is disabled"


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"subscriptions": 7}', '{"subscriptions": [1, {}]}']
)
def test_a_damaged_profile_is_no_sign_in(folder: Path, text: str) -> None:
    (folder / "azureProfile.json").write_text(text, "utf-8")
    assert sources() == []


def test_the_environment_s_values_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", "client")
    monkeypatch.setenv("AZURE_TENANT_ID", "tenant")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "hush")
    (found,) = sources()
    assert found.ready
    assert "hush" not in repr(found)


def test_an_endpoint_that_may_not_be_talked_to_is_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UNDERCROFT_AZURE_ENDPOINT", "http://10.0.0.1")
    (found,) = sources()
    assert not found.ready
    assert "https" in found.hint
    monkeypatch.setenv("UNDERCROFT_AZURE_ENDPOINT", "http://127.0.0.1:9")
    assert sources()[0].ready
