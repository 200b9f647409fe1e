"""The scan dialog with the real wiring: an Azure on loopback is found, checked and scanned by keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.cloud.arm import ArmServer
from tests.cloud.arm_seed import SUBSCRIPTION, seed_arm
from tests.cloud.estate import Entry, Estate
from tests.tui.piloting import screen_text, settle
from tui.app import UndercroftApp
from tui.wiring import discover, scan_starter
from undercroft.store import Store
from undercroft.views import Query

SMALL = Estate(
    "small",
    {
        "subscriptions": (Entry("production", "", {}),),
        "resources": (
            Entry("openai-open", "", {"type": "account", "set": {"properties": {"disableLocalAuth": False}}}),
            Entry("ml-identity", "", {"type": "identity"}),
        ),
    },
)  # fmt: skip


async def test_an_azure_subscription_is_chosen_checked_and_scanned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "CLOUDSDK_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    for name in ("AWS_ACCESS_KEY_ID", "GOOGLE_APPLICATION_CREDENTIALS", "UNDERCROFT_GCP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    one = {"id": SUBSCRIPTION, "name": "production", "state": "Enabled", "isDefault": True}
    (tmp_path / "azureProfile.json").write_text(json.dumps({"subscriptions": [one]}))
    path = tmp_path / "cache.db"
    Store.open(path).close()
    with ArmServer() as arm:
        seed_arm(arm, SMALL)
        monkeypatch.setenv("UNDERCROFT_AZURE_ENDPOINT", arm.endpoint)
        app = UndercroftApp(
            path,
            actor="ada <ada@example.com>",
            discover=discover,
            scan_starter=scan_starter(lambda: path),
            screen="scans",
        )
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await pilot.press("n")
            await settle(pilot)
            text = screen_text(app)
            assert "Azure · all subscriptions" in text
            assert "Azure · production" in text
            assert app.screen.query_one("#regions", Input).disabled
            assert "every region at once" in text
            await pilot.press("down", "enter")
            await settle(pilot)
            assert "no credential (plain http on this machine); production" in screen_text(app)
            await pilot.press("enter")
            await settle(pilot)
            assert app.scan_run is not None
            assert app.scan_run.summary().startswith("Scan finished: 1 AI service"), (
                app.scan_run.summary()
            )
    with Store.open(path, read_only=True) as store:
        (scan,) = store.scans()
        assert {row.rule for row in store.findings(scan.id, Query())} >= {
            "azure-ai-account-local-auth"
        }
