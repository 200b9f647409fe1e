"""``scan gcp`` as people run it: the installed command over a cloud on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.cloud.estate import load_estate
from tests.cloud.gcp import GcpServer, denied
from tests.end_to_end.kit import Shell, outcomes


@pytest.fixture(scope="module")
def server() -> Iterator[GcpServer]:
    with GcpServer(load_estate("gcp"), page_limit=100) as server:
        yield server


@pytest.fixture
def gcp_shell(server: GcpServer, new_shell: Shell) -> Shell:
    server.repair()
    more = {**new_shell.more, "UNDERCROFT_GCP_ENDPOINT": server.endpoint}
    return replace(new_shell, more=more)


def test_the_planted_problems_are_found(gcp_shell: Shell, server: GcpServer) -> None:
    done = gcp_shell.run("scan", "gcp", "--project", "acme-ml", "--project", "acme-lab")
    assert done.out == ""
    assert "AI services" in done.err
    found = outcomes(gcp_shell.findings())
    planted = {(item.rule, item.resource) for item in server.estate.expected()}
    assert planted
    assert found >= planted


def test_services_that_are_off_are_counted_not_listed(gcp_shell: Shell) -> None:
    done = gcp_shell.run("scan", "gcp")
    assert "not enabled, so nothing to read: 15 parts" in done.err
    assert "Cloud TPU is not enabled" in done.err, "progress still says it"


def test_what_was_denied_is_named_and_the_status_says_so(
    gcp_shell: Shell, server: GcpServer
) -> None:
    server.break_(denied(r"europe-west4/models$", "aiplatform.models.list"))
    done = gcp_shell.run(
        "scan", "gcp", "--project", "acme-ml", "--location", "europe-west4", status=3
    )
    assert "needs aiplatform.models.list" in done.err


def test_an_unsafe_endpoint_reads_nothing(gcp_shell: Shell) -> None:
    gcp_shell.more["UNDERCROFT_GCP_ENDPOINT"] = "http://example.org"
    done = gcp_shell.run("scan", "gcp", "--project", "acme-ml", status=4)
    assert "must be https" in done.err


def test_the_doctor_says_who_and_what(gcp_shell: Shell, server: GcpServer) -> None:
    done = gcp_shell.run("doctor", "gcp", "--project", "acme-ml")
    assert "ok  projects: acme-ml" in done.out
    server.break_(denied("cloudasset", "cloudasset.assets.searchAllResources"))
    done = gcp_shell.run("doctor", "gcp", "--project", "acme-ml", status=1)
    assert "FIX acme-ml: needs cloudasset.assets.searchAllResources" in done.out


def test_the_role_is_printed_without_asking_anybody(new_shell: Shell) -> None:
    role = new_shell.run("doctor", "gcp", "--policy").json
    assert "aiplatform.endpoints.list" in role["includedPermissions"]
    assert "resourcemanager.organizations.getIamPolicy" in role["includedPermissions"]
    role = new_shell.run("doctor", "gcp", "--policy", "--project", "p").json
    assert "resourcemanager.organizations.getIamPolicy" not in role["includedPermissions"]


def test_the_interface_finds_checks_and_scans_a_project(gcp_shell: Shell) -> None:
    script = """
import os, threading
from pathlib import Path
from tui.scanning import ScanRequest
from tui.wiring import discover, scan_starter
os.environ["GOOGLE_CLOUD_PROJECT"] = "acme-lab"
discovery = discover()
found = next(one for one in discovery.found if one.provider == "gcp" and one.label == "acme-lab")
request = ScanRequest(found.provider, found.label, ("europe-west4",))
preflight = discovery.check(request)
print(preflight.account, preflight.ready)
start = scan_starter(lambda: Path(os.environ["UNDERCROFT_DB"]))
print(start(request, lambda event: None, threading.Event()).services)
"""
    done = gcp_shell.python(script)
    assert done.err == ""
    assert done.out.splitlines() == ["acme-lab True", "1"]
