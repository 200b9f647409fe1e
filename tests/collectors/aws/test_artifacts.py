"""What a model is loaded from, and whether loading it runs code."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.aws.artifacts import ArtifactCollector, artifact_facts, artifacts
from collectors.aws.session import Clients
from tests.collectors.aws.conftest import Answer, Proxy
from tests.collectors.aws.lower_layers import PLACE, collect, coverage, resources
from undercroft.model import CoverageStatus, Json, Layer, Presence, Resource


def model(**container: Json) -> Resource:
    return Resource(
        key="aws/aws/1/r/sagemaker/model/m",
        provider="aws",
        account="1",
        region="r",
        type="sagemaker:model",
        layer=Layer.SERVICE,
        name="m",
        config={"PrimaryContainer": container},
    )


def stubs(*uris: str) -> list[Resource]:
    more: list[Json] = [{"S3DataSource": {"S3Uri": uri}} for uri in uris]
    found = artifacts(PLACE, model(AdditionalModelDataSources=more))
    return [item for item in found if isinstance(item, Resource)]


def test_every_place_that_a_model_is_loaded_from() -> None:
    source: Json = {"S3DataSource": {"S3Uri": "s3://weights/llama/"}}
    first = model(ModelDataUrl="https://s3.amazonaws.com/b/m.tar.gz", ModelDataSource=source)
    stub, edge, other, _ = artifacts(PLACE, first)
    assert isinstance(stub, Resource)
    assert isinstance(other, Resource)
    assert (stub.type, stub.name) == ("s3:artifact", "b/m.tar.gz")
    assert (other.name, other.facts) == ("weights/llama", {"prefix": "llama/"})
    assert not isinstance(edge, Resource)
    assert (edge.via, edge.relation.value) == (
        "PrimaryContainer.ModelDataUrl",
        "loads_artifact_from",
    )
    assert list(artifacts(PLACE, model(Image="x"))) == []


@pytest.mark.parametrize(
    ("keys", "unsafe"),
    [
        (["m/model.safetensors", "m/config.json"], []),
        (["m/pytorch_model.bin", "m/config.json"], ["m/pytorch_model.bin"]),
        (["m/pytorch_model.bin", "m/model.safetensors"], []),
        (["m/model.safetensors", "n/model.PKL"], ["n/model.PKL"]),
        (["m/", "m/model.onnx"], []),
        (["model.gguf"], []),
        (["a/x.joblib", "a/w.keras"], ["a/w.keras", "a/x.joblib"]),
        ([], []),
    ],
)
def test_formats_that_run_code(keys: list[str], unsafe: list[str]) -> None:
    facts, unknown = artifact_facts(keys)
    assert facts["unsafe"] == unsafe
    assert unknown == {}


@pytest.mark.parametrize(
    ("keys", "whole"), [(["m/model.safetensors"], False), (["m/x.tar.gz"], True)]
)
def test_what_cannot_be_said_is_unknown(keys: list[str], whole: bool) -> None:
    facts, unknown = artifact_facts(keys, whole=whole)
    assert "unsafe" not in facts
    assert set(unknown) == {"facts.unsafe"}
    assert artifact_facts([*keys, "n/model.pkl"], whole=whole)[0]["unsafe"] == ["n/model.pkl"]


def test_names_are_listed_and_archives_are_not_asked_for(
    aws: Proxy, clients: Clients, seed: Any
) -> None:
    s3 = seed("s3")
    s3.create_bucket(Bucket="weights")
    s3.put_object(Bucket="weights", Key="churn/model.pkl", Body=b"x")
    places = ("s3://weights/churn/", "s3://weights/a/model.tar.gz", "s3://gone/x")
    items = collect(ArtifactCollector(clients), stubs(*places))
    found = resources(items)
    churn = found["weights/churn"]
    assert churn.facts == {"formats": {".pkl": 1}, "unsafe": ["churn/model.pkl"]}
    assert (churn.presence, churn.config) == (Presence.READ, {"Uri": "s3://weights/churn"})
    archive = found["weights/a/model.tar.gz"]
    assert set(archive.unknown) == {"facts.unsafe", "facts.formats"}
    assert found["gone/x"].presence is Presence.ABSENT
    assert len([call for call in aws.seen if "list-type" in call]) == 2
    assert [(c.status, c.reason) for c in coverage(items)] == [(CoverageStatus.COMPLETE, "")]


def test_names_that_may_not_be_listed_are_unknown(aws: Proxy, clients: Clients) -> None:
    refused = Answer(403, b"<Error><Code>AccessDenied</Code></Error>", "application/xml")
    aws.always["GET /weights?list-type=2&prefix=m%2F&encoding-type=url"] = refused
    items = collect(ArtifactCollector(clients), stubs("s3://weights/m/"))
    (lost,) = resources(items).values()
    assert lost.presence is Presence.STUB
    assert lost.unknown["facts.unsafe"] == "denied: needs s3:ListBucket"
    assert coverage(items)[0].status is CoverageStatus.DENIED
