"""What this machine has configured for Google Cloud, without asking Google anything."""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Source", "sources"]

_SIGN_IN = "run 'gcloud auth application-default login'"
_KINDS = {
    "authorized_user": "your own Google account",
    "service_account": "a service account's key",
    "impersonated_service_account": "an impersonated service account",
    "external_account": "workload identity federation",
    "external_account_authorized_user": "workforce identity federation",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A project that could be scanned, or all that the credentials can see."""

    project: str
    """Empty: every project that can be seen."""
    detail: str
    """Where the credentials come from."""
    ready: bool
    hint: str
    """What to do when it is not ready."""
    regions: tuple[str, ...] = ()


def sources() -> list[Source]:
    """Projects that the environment and gcloud's configurations name, then all that can be seen.

    Nothing if neither credentials nor a configuration of gcloud are here.
    """
    detail, quota, hint = _credentials()
    ready = bool(detail) and not hint
    projects = dict[str, tuple[str, ...]]()
    for name in ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"):
        if os.environ.get(name):
            projects.setdefault(os.environ[name], ())
    for project, region in _configurations():
        projects.setdefault(project, (region,) if region else ())
    if quota:
        projects.setdefault(quota, ())
    said = hint or ("" if ready else _SIGN_IN)
    found = [
        Source(project, detail or "named by gcloud", ready, said, regions)
        for project, regions in projects.items()
    ]
    if ready:
        found.append(Source("", f"every project that can be seen, as {detail}", True, ""))
    return found


def _credentials() -> tuple[str, str, str]:
    """(where credentials come from, their quota project, what is wrong with them)."""
    if os.environ.get("UNDERCROFT_GCP_ENDPOINT", "").startswith("http://"):
        return "the local endpoint", "", ""
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    path = Path(named) if named else _folder() / "application_default_credentials.json"
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "", "", f"{path} does not exist" if named else ""
    except (OSError, ValueError) as error:
        return "", "", f"{path} cannot be read: {type(error).__name__}"
    if not isinstance(content, dict):
        return "", "", f"{path} holds no credentials"
    # From the kind and the names in the file; never from the secrets in it.
    kind = _KINDS.get(str(content.get("type")), "application default credentials")
    project = content.get("quota_project_id") or content.get("project_id") or ""
    return kind, str(project), ""


def _configurations() -> Iterator[tuple[str, str]]:
    """(project, region) of every configuration of gcloud, the active one first."""
    folder = _folder() / "configurations"
    active = ""
    try:
        active = (_folder() / "active_config").read_text(encoding="utf-8").strip()
        files = sorted(folder.glob("config_*"))
    except OSError:
        files = sorted(folder.glob("config_*")) if folder.is_dir() else []
    for path in sorted(files, key=lambda path: path.name != f"config_{active}"):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        project = parser.get("core", "project", fallback="")
        if project:
            yield project, parser.get("compute", "region", fallback="")


def _folder() -> Path:
    named = os.environ.get("CLOUDSDK_CONFIG")
    if named:
        return Path(named)
    if os.name == "nt":
        return Path(os.environ.get("APPDATA", "")) / "gcloud"
    return Path.home() / ".config" / "gcloud"
