"""What the texts in configurations name, whose images are whose, what doors let in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.gcp import names
from collectors.gcp.doors import door_facts, lets_in
from collectors.gcp.images import parse_image
from collectors.gcp.names import Place, compute, vertex
from collectors.gcp.occurrences import summary, vulnerabilities
from collectors.gcp.principals import holds_power, is_broad, is_foreign, is_google_account

PLACE = Place("acme-ml", "11", "europe-west4", {"22": "acme-lab"}, frozenset({"acme-ml"}))


@pytest.mark.parametrize(
    ("referent", "text", "key"),
    [
        (names.bucket, "gs://b-1/some/prefix", "gcp/-/storage/-/buckets/b-1"),
        (names.bucket, "https://storage.googleapis.com/b-1/x.sh", "gcp/-/storage/-/buckets/b-1"),
        (names.bucket, "b-1", "gcp/-/storage/-/buckets/b-1"),
        (names.bucket, "Not A Bucket", ""),
        (names.bucket_address, "b-1", ""),
        (names.data_uri, "bq://acme-lab.sales.orders", "gcp/acme-lab/bigquery/-/datasets/sales"),
        (names.data_uri, "bq://22.sales", "gcp/acme-lab/bigquery/-/datasets/sales"),
        (
            names.service_account, "11-compute@developer.gserviceaccount.com",
            "gcp/acme-ml/iam/-/serviceAccounts/11-compute@developer.gserviceaccount.com",
        ),
        (
            names.service_account, "default",
            "gcp/acme-ml/iam/-/serviceAccounts/11-compute@developer.gserviceaccount.com",
        ),
        (
            names.service_account, "service-33@gcp-sa-aiplatform.iam.gserviceaccount.com",
            "gcp/#33/iam/-/serviceAccounts/service-33@gcp-sa-aiplatform.iam.gserviceaccount.com",
        ),
        (
            names.service_account, "a@other.iam.gserviceaccount.com",
            "gcp/other/iam/-/serviceAccounts/a@other.iam.gserviceaccount.com",
        ),
        (
            names.crypto_key, "projects/22/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/3",
            "gcp/acme-lab/cloudkms/l/cryptoKeys/r/k",
        ),
        (
            vertex("models", "Model"), "projects/11/locations/l/models/5@2",
            "gcp/acme-ml/aiplatform/l/models/5",
        ),
        (vertex("models", "Model"), "publishers/google/models/gemini", ""),
        (
            compute("networks"), "https://www.googleapis.com/compute/v1/projects/22/global/networks/n",
            "gcp/acme-lab/compute/-/networks/n",
        ),
        (compute("networks"), "default", "gcp/acme-ml/compute/-/networks/default"),
        (compute("networks"), "projects/p/regions/r/subnetworks/s", ""),
        (
            compute("disks"), "projects/p/zones/z/disks/d", "gcp/p/compute/z/disks/d",
        ),
    ],
)  # fmt: skip
def test_references(referent: names.Referent, text: str, key: str) -> None:
    target = referent(PLACE, text)
    assert (target.stub.key if target else "") == key


REFERENTS: list[Any] = [
    names.bucket, names.data_uri, names.service_account, names.crypto_key, names.secret,
    names.image, compute("networks"), vertex("models", "Model"),
]  # fmt: skip


@given(st.sampled_from(REFERENTS), st.text(max_size=60))
def test_no_text_is_too_strange(referent: names.Referent, text: str) -> None:
    referent(PLACE, text)


@pytest.mark.parametrize(
    ("ref", "owner", "store", "package"),
    [
        ("europe-west4-docker.pkg.dev/acme-ml/serving/team/gbm:1", "own",
         "projects/acme-ml/locations/europe-west4/repositories/serving", "team/gbm"),
        ("eu.gcr.io/acme-ml/gbm", "own", "projects/acme-ml/locations/europe/repositories/eu.gcr.io", "gbm"),
        ("us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest", "google",
         "projects/vertex-ai/locations/us/repositories/prediction", "tf2-cpu.2-15"),
        ("vllm/vllm-openai", "third_party", "", ""),
        ("europe-west4-docker.pkg.dev/stranger/r/i@sha256:" + "a" * 64, "third_party",
         "projects/stranger/locations/europe-west4/repositories/r", "i"),
    ],
)  # fmt: skip
def test_whose_image(ref: str, owner: str, store: str, package: str) -> None:
    image = parse_image(ref, {"acme-ml"})
    assert (image.owner, image.store, image.package) == (owner, store, package)


def rule(*allowed: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"direction": "INGRESS", "sourceRanges": ["0.0.0.0/0"], "allowed": list(allowed), **more}


def test_doors() -> None:
    machine = {"tags": {"items": ["jupyter"]}, "serviceAccounts": [{"email": "a@b"}]}
    open_door = rule({"IPProtocol": "tcp", "ports": ["8000-9000"]})
    assert lets_in(open_door, machine)
    assert lets_in({**open_door, "targetTags": ["jupyter"]}, machine)
    assert lets_in({**open_door, "targetServiceAccounts": ["a@b"]}, machine)
    assert not lets_in({**open_door, "targetTags": ["web"]}, machine)
    assert not lets_in({**open_door, "disabled": True}, machine)
    assert not lets_in({**open_door, "direction": "EGRESS"}, machine)
    assert not lets_in({"direction": "INGRESS", "denied": [{"IPProtocol": "all"}]}, machine)
    facts = door_facts(open_door, [True])
    assert facts["ai_ports"] == [8000, 8001, 8002, 8080, 8265, 8501, 8888]
    assert (facts["admin_ports"], facts["all_ports"]) == ([], False)
    assert door_facts(rule({"IPProtocol": "all"}), [])["all_ports"] is True
    assert door_facts(rule({"IPProtocol": "udp", "ports": ["8888"]}), [])["ai_ports"] == []
    assert door_facts(rule({"IPProtocol": "tcp", "ports": ["x"]}), [])["ai_ports"] == []


def test_principals() -> None:
    assert is_google_account("service-1@gcp-sa-aiplatform.iam.gserviceaccount.com")
    assert not is_google_account("a@acme-ml.iam.gserviceaccount.com")
    assert is_broad("roles/resourcemanager.projectIamAdmin")
    assert not is_broad("roles/aiplatform.user")
    assert holds_power(["storage.buckets.setIamPolicy"])
    assert not holds_power(["storage.objects.get"])
    assert is_foreign("user:a@gmail.com", (), ())
    assert not is_foreign("user:a@acme.example", (), ())
    assert is_foreign("user:a@other.example", (), ("acme.example",))
    assert is_foreign("serviceAccount:a@other.iam.gserviceaccount.com", ("acme-ml",), ())
    assert not is_foreign("serviceAccount:a@acme-ml.iam.gserviceaccount.com", ("acme-ml",), ())


def test_occurrences() -> None:
    uri = "https://h/p/r/i@sha256:a"
    issue = {
        "affectedPackage": "pip", "packageType": "PYPI",
        "affectedVersion": {"name": "1.0", "epoch": 1, "revision": "2"},
        "fixedVersion": {"kind": "MAXIMUM"},
    }  # fmt: skip
    found = {
        "kind": "VULNERABILITY", "resourceUri": uri, "noteName": "projects/x/notes/CVE-2024-1",
        "vulnerability": {"effectiveSeverity": "HIGH", "cvssScore": 7.5, "packageIssue": [issue]},
    }  # fmt: skip
    (entry,) = vulnerabilities([found, {"kind": "BUILD"}, {"kind": "VULNERABILITY"}])
    assert (entry["id"], entry["severity"], entry["purl_type"]) == ("CVE-2024-1", "high", "pypi")
    assert (entry["installed"], entry["fixed"], entry["kev"]) == ("1:1.0-2", "", False)
    done = {
        "kind": "DISCOVERY",
        "resourceUri": uri,
        "discovery": {"analysisStatus": "FINISHED_SUCCESS"},
    }
    assert summary([done], ["sha256:a"])["status"] == "FINISHED_SUCCESS"
    # One digest that nobody has looked into leaves the image unscanned.
    assert summary([done], ["sha256:a", "sha256:b"])["status"] == ""
