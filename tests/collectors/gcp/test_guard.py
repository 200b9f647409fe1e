"""Nothing but reads is ever sent."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.gcp import guard
from collectors.gcp.clients import Clients
from collectors.gcp.guard import READS, WriteRefusedError, permit, role
from collectors.gcp.session import metered
from collectors.gcp.typed import TypedLists
from tests.cloud.gcp import GcpServer
from undercroft.protocols import Meter

WRITES = [
    ("aiplatform", "DELETE", "/v1/projects/p/locations/l/endpoints/1"),
    ("aiplatform", "POST", "/v1/projects/p/locations/l/endpoints"),
    ("aiplatform", "GET", "/v1/projects/p/locations/l/endpoints/1:predict"),
    ("aiplatform", "POST", "/v1/projects/p/locations/l/endpoints/1:predict"),
    ("storage", "PUT", "/storage/v1/b/x/iam"),
    ("storage", "PATCH", "/storage/v1/b/x"),
    ("storage", "GET", "/storage/v1/b/x/o"),
    ("iam", "POST", "/v1/projects/p/serviceAccounts/a:setIamPolicy"),
    ("iam", "POST", "/v1/projects/p/serviceAccounts/a/keys"),
    ("cloudresourcemanager", "POST", "/v3/projects/p:setIamPolicy"),
    ("secretmanager", "GET", "/v1/projects/p/secrets/s/versions/1:access"),
    ("unheard-of", "GET", "/v1/anything"),
]


@pytest.mark.parametrize(("service", "method", "path"), WRITES)
def test_what_is_not_in_the_list_is_refused(service: str, method: str, path: str) -> None:
    with pytest.raises(WriteRefusedError, match="nothing was sent"):
        permit(service, method, path)


@given(
    st.sampled_from(sorted(READS)),
    st.sampled_from(["PUT", "PATCH", "DELETE", "POST", "HEAD", "OPTIONS"]),
    st.text(alphabet="/vp1*:abgetIamPolicy", max_size=30),
)
def test_no_other_method_ever_passes(service: str, method: str, tail: str) -> None:
    with pytest.raises(WriteRefusedError):
        permit(service, method, f"/v1/projects/p{tail}x")


def test_the_table_itself_holds_reads_only() -> None:
    for reads in READS.values():
        for read in reads:
            assert read.method == "GET" or read.path.endswith(":getIamPolicy")
            verb = read.path.rpartition(":")[2] if ":" in read.path else "get"
            assert re.match(r"get|list|search|aggregate|testIamPermissions", verb)
            last = read.permission.rpartition(".")[2]
            assert re.match(r"get|list|search", last), read.permission


def test_typed_clients_cannot_write_either(gcp: GcpServer, clients: Clients) -> None:
    from google.cloud import aiplatform_v1

    kind: Any = type("Kind", (), {"client": "EndpointServiceClient", "method": "delete_endpoint"})
    delete = TypedLists(clients)._method(kind)
    with pytest.raises(WriteRefusedError), metered(Meter()):
        delete(name="projects/acme-ml/locations/europe-west4/endpoints/1001")
    assert not gcp.seen
    assert aiplatform_v1.Endpoint is not None


def test_plain_requests_cannot_write(gcp: GcpServer, clients: Clients) -> None:
    for method in ("delete", "put", "patch", "post"):
        with pytest.raises(WriteRefusedError):
            getattr(clients.session, method)(
                "https://storage.googleapis.com/storage/v1/b/acme-models"
            )
    assert not gcp.seen


def test_the_role_grants_what_is_read_and_no_more() -> None:
    granted = role()["includedPermissions"]
    assert isinstance(granted, list)
    assert granted == sorted(set(map(str, granted)))
    for permission in granted:
        assert re.search(r"\.(get|list|search|use$)", str(permission)), permission
    forbidden = ("storage.objects", "secretmanager", "predict", "actAs", "getAccessToken")
    assert not [p for p in granted if any(word in str(p) for word in forbidden)]
    within = role(within_project=True)["includedPermissions"]
    assert isinstance(within, list)
    assert set(map(str, granted)) - set(map(str, within)) == {
        p for p in guard.permissions()
        if p.startswith(("accesscontextmanager.", "resourcemanager.folders", "resourcemanager.organizations", "resourcemanager.projects.list"))
    }  # fmt: skip
