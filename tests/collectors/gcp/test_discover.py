"""What a machine says about Google Cloud without being connected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from collectors.gcp.discover import sources


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT",
        "CLOUDSDK_CORE_PROJECT", "UNDERCROFT_GCP_ENDPOINT",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    return tmp_path


def configure(folder: Path, name: str, text: str) -> None:
    (folder / "configurations").mkdir(exist_ok=True)
    (folder / "configurations" / f"config_{name}").write_text(text, encoding="utf-8")


def sign_in(folder: Path, **content: str) -> None:
    path = folder / "application_default_credentials.json"
    path.write_text(json.dumps({"type": "authorized_user", **content}), encoding="utf-8")


def test_a_machine_without_gcloud(folder: Path) -> None:
    assert sources() == []


def test_configured_but_not_signed_in(folder: Path) -> None:
    configure(folder, "default", "[core]\nproject = acme-ml\n[compute]\nregion = europe-west4\n")
    (found,) = sources()
    assert (found.project, found.ready, found.regions) == ("acme-ml", False, ("europe-west4",))
    assert "gcloud auth application-default login" in found.hint


def test_signed_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(folder, quota_project_id="acme-billing", refresh_token="1//secret")
    configure(folder, "a", "[core]\nproject = first\n")
    configure(folder, "b", "[core]\nproject = active\naccount = a@example.org\n")
    (folder / "active_config").write_text("b", encoding="utf-8")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "from-environment")
    found = sources()
    assert [s.project for s in found] == ["from-environment", "active", "first", "acme-billing", ""]
    assert all(source.ready for source in found)
    assert "1//secret" not in repr(found)


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00"])
def test_a_broken_file_is_told_not_raised(folder: Path, content: str) -> None:
    configure(folder, "default", "[core]\nproject = acme-ml\n")
    configure(folder, "broken", "project = no section\n")
    (folder / "application_default_credentials.json").write_text(content, encoding="utf-8")
    (found,) = sources()
    assert not found.ready
    assert "application_default_credentials.json" in found.hint


def test_a_named_file_that_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(folder / "no.json"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "acme-ml")
    (found,) = sources()
    assert not found.ready
    assert "does not exist" in found.hint
