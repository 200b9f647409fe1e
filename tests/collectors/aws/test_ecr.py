"""Images and repositories: ours with their scan results, everybody else's by name."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from contextlib import suppress
from typing import Any
from urllib.request import Request, urlopen

import pytest

from collectors.aws.ecr import EcrCollector
from collectors.aws.ecr_scan import vulnerabilities
from collectors.aws.session import Clients
from tests.collectors.aws.conftest import Answer, Proxy
from tests.collectors.aws.lower_layers import (
    ACCOUNT,
    PARTNER,
    collect,
    coverage,
    document,
    edges,
    image_stub_of,
    read,
    resources,
)
from undercroft.model import CoverageStatus, Presence, Resource
from undercroft.relations import Relation

REGISTRY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"


def manifest(name: str) -> str:
    digest = f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    layer = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 1}
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": "x", "size": 1, "digest": digest},
            "layers": [{**layer, "digest": digest}],
        }
    )


BASIC = {
    "name": "CVE-2023-38545",
    "severity": "CRITICAL",
    "uri": "https://security-tracker.debian.org/tracker/CVE-2023-38545",
    "attributes": [
        {"key": "package_name", "value": "curl"},
        {"key": "package_version", "value": "7.88.1-10"},
        {"key": "CVSS3_SCORE", "value": "9.8"},
        {"key": "CVSS3_VECTOR", "value": "CVSS:3.1/AV:N"},
        {"key": "CVSS2_SCORE", "value": "7.5"},
    ],
}
ENHANCED = {
    "type": "PACKAGE_VULNERABILITY",
    "status": "ACTIVE",
    "severity": "HIGH",
    "exploitAvailable": "YES",
    "fixAvailable": "YES",
    "packageVulnerabilityDetails": {
        "vulnerabilityId": "CVE-2025-32434",
        "cvss": [{"baseScore": 9.3, "scoringVector": "CVSS:4.0/AV:N", "version": "4.0"}],
        "vulnerablePackages": [
            {
                "name": "torch",
                "version": "2.5.1",
                "packageManager": "PYTHONPKG",
                "fixedInVersion": "2.6.0",
            },
            {
                "name": "libtorch",
                "version": "2.5",
                "release": "1",
                "epoch": 1,
                "packageManager": "OS",
                "fixedInVersion": "NotAvailable",
            },
        ],
    },
    "resources": [{"details": {"awsEcrContainerImage": {"platform": "UBUNTU_22_04"}}}],
}


@pytest.fixture
def push(aws: Proxy, seed: Any) -> Any:
    """Push an image; say what scanning found in it."""

    def push(repository: str, tag: str, scan: dict[str, Any] | None = None) -> str:
        ecr = seed("ecr")
        with suppress(ecr.exceptions.RepositoryAlreadyExistsException):
            ecr.create_repository(repositoryName=repository)
        pushed = ecr.put_image(
            repositoryName=repository, imageTag=tag, imageManifest=manifest(repository + tag)
        )
        digest: str = pushed["image"]["imageId"]["imageDigest"]
        if scan is not None:
            ecr.start_image_scan(repositoryName=repository, imageId={"imageDigest": digest})
            result = {
                "repositoryName": repository,
                "imageId": {"imageDigest": digest},
                "imageScanStatus": {"status": scan.pop("status", "COMPLETE")},
                "imageScanFindings": {"imageScanCompletedAt": 1760000000, **scan},
            }
            url = f"http://{aws.moto[0]}:{aws.moto[1]}/moto-api/static/ecr/scan-finding-results"
            body = {"account_id": ACCOUNT, "region": "us-east-1", "results": [result]}
            urlopen(Request(url, json.dumps(body).encode(), method="POST")).read()
        return digest

    return push


def images(items: Any) -> dict[str, Resource]:
    return read(items, "ecr:image", "container:image")


def test_basic_results(clients: Clients, push: Any) -> None:
    digest = push("team/llm", "v1", {"findings": [BASIC]})
    items = collect(EcrCollector(clients), [image_stub_of(f"{REGISTRY}/team/llm:v1")])
    image = images(items)["team/llm"]
    assert image.facts["scan"] == {
        "status": "COMPLETE",
        "completed_at": "2025-10-09T08:53:20Z",
        "source": "basic",
    }
    assert image.facts["vulnerabilities"] == [
        {
            "id": "CVE-2023-38545",
            "severity": "critical",
            "package": "curl",
            "purl_type": "deb",
            "installed": "7.88.1-10",
            "fixed": "",
            "cvss": 9.8,
            "vector": "CVSS:3.1/AV:N",
            "digest": digest,
        }
    ]
    assert not image.unknown
    (repository,) = read(items, "ecr:repository").values()
    assert repository.facts == {
        "exists": True,
        "public": False,
        "foreign_push": [],
        "registry_scan_type": "BASIC",
        "scan_frequency": "MANUAL",
    }
    (registry,) = read(items, "ecr:registry").values()
    whole, edge = edges(items)
    assert (whole.src, whole.dst) == (repository.key, registry.key)
    assert (edge.src, edge.dst) == (image.key, repository.key)
    assert (edge.relation, edge.detail) == (Relation.SAME_WORKLOAD, ":v1")
    assert coverage(items)[0].status is CoverageStatus.COMPLETE


def test_enhanced_results(clients: Clients, push: Any) -> None:
    digest = push("llm", "v1", {"status": "ACTIVE", "enhancedFindings": [ENHANCED]})
    image = images(collect(EcrCollector(clients), [image_stub_of(f"{REGISTRY}/llm@{digest}")]))
    assert image["llm"].facts["scan"]["source"] == "enhanced"  # type: ignore[call-overload,index]
    torch, libtorch = vulnerabilities({"enhancedFindings": [ENHANCED]}, digest)
    assert image["llm"].facts["vulnerabilities"] == [torch, libtorch]
    assert torch == {
        "id": "CVE-2025-32434",
        "severity": "high",
        "package": "torch",
        "purl_type": "pypi",
        "installed": "2.5.1",
        "fixed": "2.6.0",
        "cvss": 9.3,
        "vector": "CVSS:4.0/AV:N",
        "digest": digest,
        "exploit_available": True,
        "fix_available": True,
    }
    assert (libtorch["purl_type"], libtorch["installed"], libtorch["fixed"]) == (
        "deb",
        "1:2.5-1",
        "",
    )


def test_closed_and_other_findings_are_no_vulnerabilities() -> None:
    findings = [{**ENHANCED, "status": "CLOSED"}, {"type": "CODE_VULNERABILITY"}]
    assert vulnerabilities({"enhancedFindings": findings}, "d") == []


def test_every_page_is_read(aws: Proxy, clients: Clients, push: Any) -> None:
    push("llm", "v1", {"findings": [BASIC]})

    def page(name: str, token: str | None) -> Answer:
        body: dict[str, Any] = {
            "imageScanStatus": {"status": "COMPLETE"},
            "imageScanFindings": {"findings": [{**BASIC, "name": name}]},
        }
        return Answer.json(body | ({"nextToken": token} if token else {}))

    aws.script["DescribeImageScanFindings"] = deque([page("CVE-1", "t"), page("CVE-2", None)])
    image = images(collect(EcrCollector(clients), [image_stub_of(f"{REGISTRY}/llm:v1")]))["llm"]
    found: Any = image.facts["vulnerabilities"]
    assert [entry["id"] for entry in found] == ["CVE-1", "CVE-2"]


def test_a_lost_page_leaves_the_whole_result_unknown(
    aws: Proxy, clients: Clients, push: Any
) -> None:
    push("llm", "v1", {"findings": [BASIC]})
    first = Answer.json(
        {
            "imageScanStatus": {"status": "COMPLETE"},
            "imageScanFindings": {"findings": []},
            "nextToken": "t",
        }
    )
    aws.script["DescribeImageScanFindings"] = deque([first])
    aws.always["DescribeImageScanFindings"] = Answer.error("AccessDeniedException", 400)
    image = images(collect(EcrCollector(clients), [image_stub_of(f"{REGISTRY}/llm:v1")]))["llm"]
    assert set(image.unknown) == {"facts.vulnerabilities", "facts.scan"}


def test_unscanned_and_missing(clients: Clients, push: Any) -> None:
    push("llm", "v1")
    stubs = [
        image_stub_of(f"{REGISTRY}/llm:v1"),
        image_stub_of(f"{REGISTRY}/gone:1"),
        image_stub_of(f"{REGISTRY}/llm-other:1"),
    ]
    found = resources(collect(EcrCollector(clients), stubs), "ecr:image")
    assert found["llm"].facts["scan"]["status"] == "NOT_SCANNED"  # type: ignore[call-overload,index]
    assert found["llm"].unknown == {"facts.vulnerabilities": "the image has not been scanned"}
    assert found["gone"].presence is Presence.ABSENT


def test_all_references_to_an_image_meet(clients: Clients, push: Any) -> None:
    digest = push("llm", "v1", {"findings": [BASIC]})
    stubs = [
        image_stub_of(text)
        for text in (f"{REGISTRY}/llm:v1", f"{REGISTRY}/llm@{digest}", f"{REGISTRY}/llm:gone")
    ]
    image = images(collect(EcrCollector(clients), stubs))["llm"]
    references: Any = image.facts["references"]
    assert [reference["pinned"] for reference in references] == [False, False, True]
    details: Any = image.config["imageDetails"]
    assert len(details) == 1


def test_what_is_not_ours_is_read_without_calls(aws: Proxy, clients: Clients) -> None:
    theirs = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.3"
    stubs = [image_stub_of(theirs), image_stub_of("vllm/vllm-openai:v0.8")]
    found = images(collect(EcrCollector(clients), stubs))
    assert aws.seen == ["GetCallerIdentity"]
    aws_owned, third = found["pytorch-training"], found["vllm/vllm-openai"]
    assert (aws_owned.facts["owner"], third.facts["owner"]) == ("aws", "third_party")
    assert "AWS does not let others" in aws_owned.unknown["facts.vulnerabilities"]
    assert third.facts["scan"]["source"] == "none"  # type: ignore[call-overload,index]


@pytest.mark.parametrize(
    ("statement", "public", "foreign"),
    [
        ({"Principal": "*", "Action": "ecr:BatchGetImage"}, True, []),
        (
            {
                "Principal": "*",
                "Action": "ecr:*",
                "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
            },
            False,
            [],
        ),
        ({"Principal": {"AWS": PARTNER}, "Action": "ecr:BatchGetImage"}, False, []),
        ({"Principal": {"AWS": PARTNER}, "Action": "ecr:PutImage"}, False, [PARTNER]),
    ],
)
def test_repository_policies(
    clients: Clients, push: Any, seed: Any, statement: Any, public: bool, foreign: list[str]
) -> None:
    push("llm", "v1")
    text = document({"Effect": "Allow", **statement})
    seed("ecr").set_repository_policy(repositoryName="llm", policyText=text)
    stub = image_stub_of(f"{REGISTRY}/llm:v1")
    (repository,) = read(collect(EcrCollector(clients), [stub]), "ecr:repository").values()
    assert (repository.facts["public"], repository.facts["foreign_push"]) == (public, foreign)


@pytest.mark.parametrize(
    ("operation", "lost"),
    [
        ("GetRepositoryPolicy", {"config.RepositoryPolicy", "facts.public", "facts.foreign_push"}),
        ("GetRegistryScanningConfiguration", {"facts.registry_scan_type"}),
        ("BatchGetRepositoryScanningConfiguration", {"facts.scan_frequency"}),
    ],
)
def test_refused_reads_of_a_repository(
    aws: Proxy, clients: Clients, push: Any, operation: str, lost: set[str]
) -> None:
    push("llm", "v1")
    aws.always[operation] = Answer.error("AccessDeniedException", 400)
    stub = image_stub_of(f"{REGISTRY}/llm:v1")
    (repository,) = read(collect(EcrCollector(clients), [stub]), "ecr:repository").values()
    assert set(repository.unknown) == lost


@pytest.mark.parametrize("operation", ["DescribeRepositories", "DescribeImages"])
def test_a_refused_image_stays_a_stub(
    aws: Proxy, clients: Clients, push: Any, operation: str
) -> None:
    push("llm", "v1", {"findings": []})
    aws.always[operation] = Answer.error("AccessDeniedException", 400)
    items = collect(EcrCollector(clients), [image_stub_of(f"{REGISTRY}/llm:v1")])
    (image,) = resources(items, "ecr:image").values()
    assert image.presence is Presence.STUB
    assert image.unknown == {"config": f"denied: needs ecr:{operation}"}
    assert coverage(items)[0].status is CoverageStatus.DENIED


def test_the_registry_of_a_trusted_account(clients: Clients, aws: Proxy) -> None:
    stub = image_stub_of(f"{PARTNER}.dkr.ecr.us-east-1.amazonaws.com/x:1")
    assert images(collect(EcrCollector(clients), [stub]))["x"].facts["owner"] == "third_party"


SIGNS = Answer.json({"signingConfiguration": {"rules": [{"signingProfileArn": "arn:aws:signer"}]}})


@pytest.mark.parametrize(
    ("statuses", "unsigned"),
    [(["COMPLETE"], False), (["FAILED", "COMPLETE"], False), (["FAILED"], True), ([], True)],
)
def test_where_the_registry_signs_every_image_is_asked(
    aws: Proxy, clients: Clients, push: Any, statuses: list[str], unsigned: bool
) -> None:
    push("llm", "v1")
    aws.always["GetSigningConfiguration"] = SIGNS
    said = {"signingStatuses": [{"status": status} for status in statuses]}
    aws.always["DescribeImageSigningStatus"] = Answer.json(said)
    items = collect(EcrCollector(clients), [image_stub_of(f"{REGISTRY}/llm:v1")])
    assert images(items)["llm"].facts["unsigned"] is unsigned
    (registry,) = read(items, "ecr:registry").values()
    assert registry.facts == {"unsigned": False}


def test_where_it_does_not_sign_it_is_the_registry_that_is_unsigned(
    aws: Proxy, clients: Clients, push: Any
) -> None:
    push("llm", "v1")
    aws.always["GetSigningConfiguration"] = Answer.error(
        "SigningConfigurationNotFoundException", 400
    )
    items = collect(EcrCollector(clients), [image_stub_of(f"{REGISTRY}/llm:v1")])
    assert "unsigned" not in images(items)["llm"].facts
    (registry,) = read(items, "ecr:registry").values()
    assert registry.facts == {"unsigned": True}
    assert "DescribeImageSigningStatus" not in aws.seen


@pytest.mark.parametrize("operation", ["GetSigningConfiguration", "DescribeImageSigningStatus"])
def test_signatures_that_may_not_be_read_are_unknown(
    aws: Proxy, clients: Clients, push: Any, operation: str
) -> None:
    push("llm", "v1")
    aws.always["GetSigningConfiguration"] = SIGNS
    aws.always[operation] = Answer.error("AccessDeniedException", 400)
    items = collect(EcrCollector(clients), [image_stub_of(f"{REGISTRY}/llm:v1")])
    image = images(items)["llm"]
    assert image.unknown["facts.unsigned"] == f"denied: needs ecr:{operation}"
    assert "unsigned" not in image.facts
