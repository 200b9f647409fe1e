"""A Google Cloud estate on loopback, in a process of its own: ``python -m bench.gcp_cloud``.

Prints one line of JSON with its endpoint, then serves until its standard input ends. A process of
its own, so that the CPU time of the scan is the scan's alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from tests.cloud.estate import Entry, Estate
from tests.cloud.gcp import GcpServer

__all__ = ["PROJECT", "estate"]

PROJECT = "acme-ml"
EMPTY = "acme-empty"
"""A project in which the APIs are on and nothing is."""
NUMBER = "100000000001"
LOCATIONS = ("europe-west4", "us-central1", "us-east4", "asia-northeast1")
KINDS = {"endpoints": 300, "customJobs": 100, "pipelineJobs": 50, "reasoningEngines": 20}
NOTEBOOKS = 30
"""With the above 500 AI services."""
ACCOUNTS, BUCKETS, IMAGES = 10, 20, 10


def estate() -> Estate:
    """Endpoints with models, jobs, pipelines, agents and notebooks on shared foundations."""
    services = [
        "aiplatform", "notebooks", "storage", "compute", "iam", "artifactregistry", "cloudkms",
        "cloudasset",
    ]  # fmt: skip
    projects = (
        Entry(PROJECT, "", {"number": NUMBER, "services": services, "locations": [*LOCATIONS]}),
        Entry(
            EMPTY, "", {"number": "100000000002", "services": services, "locations": [*LOCATIONS]}
        ),
    )
    machines = [Entry(f"notebook-{n}", f"{_location(n)}-a", {}) for n in range(NOTEBOOKS)]
    digest = "sha256:" + "4" * 64
    done = {"kind": "DISCOVERY", "discovery": {"analysisStatus": "FINISHED_SUCCESS"}}
    return Estate(
        "bench",
        {
            "projects": projects,
            "vertex": tuple(_vertex()),
            "workbench": tuple(machines),
            "instances": tuple(machines),
            "buckets": tuple(Entry(f"bucket-{n}", "", {}) for n in range(BUCKETS)),
            "service_accounts": (
                Entry(f"{NUMBER}-compute@developer.gserviceaccount.com", "", {}),
                *(Entry(_account(n), "", {}) for n in range(ACCOUNTS)),
            ),
            "repositories": tuple(Entry("serving", location, {}) for location in LOCATIONS[:1]),
            "images": tuple(
                Entry(f"image-{n}", "", {"tags": {"1": digest}, "occurrences": {digest: [done]}})
                for n in range(IMAGES)
            ),
            "keys": (Entry("vertex", LOCATIONS[0], {}),),
        },
    )


def _vertex() -> Iterator[Entry]:
    for collection, many in KINDS.items():
        for number in range(many):
            name = f"{collection}-{number}"
            yield _item(collection, name, number, _service(collection, number))
            if collection == "endpoints":
                yield _item("models", f"model-{number}", number, _model(number))


def _item(collection: str, name: str, number: int, described: dict[str, Any]) -> Entry:
    return Entry(name, _location(number), {"collection": collection, "set": described})


def _service(collection: str, number: int) -> dict[str, Any]:
    if collection == "endpoints":
        model = f"projects/{NUMBER}/locations/{_location(number)}/models/model-{number}"
        machine = {"machineSpec": {"machineType": "n1-standard-4"}, "minReplicaCount": 1}
        deployed = {
            "model": model,
            "serviceAccount": _account(number),
            "dedicatedResources": machine,
        }
        return {"deployedModels": [deployed]}
    if collection == "customJobs":
        container = {"imageUri": _image(number), "args": [f"gs://bucket-{number % BUCKETS}/data"]}
        return {
            "state": "JOB_STATE_RUNNING",
            "jobSpec": {
                "serviceAccount": _account(number),
                "workerPoolSpecs": [
                    {"containerSpec": container, "machineSpec": {"machineType": "a2"}}
                ],
            },
        }
    if collection == "pipelineJobs":
        output = f"gs://bucket-{number % BUCKETS}/runs"
        return {"serviceAccount": _account(number), "runtimeConfig": {"gcsOutputDirectory": output}}
    return {"spec": {"serviceAccount": _account(number)}}


def _model(number: int) -> dict[str, Any]:
    key = f"projects/{PROJECT}/locations/{LOCATIONS[0]}/keyRings/ml/cryptoKeys/vertex"
    return {
        "artifactUri": f"gs://bucket-{number % BUCKETS}/model-{number}/",
        "containerSpec": {"imageUri": _image(number)},
        "encryptionSpec": {"kmsKeyName": key},
    }


def _location(number: int) -> str:
    return LOCATIONS[number % len(LOCATIONS)]


def _account(number: int) -> str:
    return f"account-{number % ACCOUNTS}@{PROJECT}.iam.gserviceaccount.com"


def _image(number: int) -> str:
    return f"{LOCATIONS[0]}-docker.pkg.dev/{PROJECT}/serving/image-{number % IMAGES}:1"


def main() -> None:
    """Serve it."""
    with GcpServer(estate(), page_limit=1000) as server:
        print(json.dumps({"endpoint": server.endpoint}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
