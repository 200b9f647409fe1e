"""An AWS estate on loopback, in a process of its own: ``python -m bench.cloud``.

Prints one line of JSON with its endpoint, then serves until its standard input ends; a number that
is written there is the seconds that each answer takes from then on. A process of its own, so that
the CPU time of the scan is the scan's alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from tests.cloud.estate import Entry, Estate
from tests.cloud.seed import seed
from tests.cloud.server import AwsServer
from tests.cloud.texts import tags

__all__ = ["EMPTY", "ENDPOINTS", "JOBS", "NOTEBOOKS", "REGION", "SHARED", "estate"]

REGION = "us-east-1"
EMPTY = "eu-west-1"
"""A region with nothing in it."""
NOTEBOOKS, ENDPOINTS, JOBS = 150, 200, 150
"""AI services: 500. Each endpoint has a model, a configuration and a schedule that watches it.
All of them are tagged."""
SHARED = 20
"""Roles, buckets and repositories that they share; endpoints and jobs use two more buckets."""


def estate() -> Estate:
    """Notebooks, endpoints and training jobs on shared roles, buckets and images."""

    def entries(section: str, number: int, **spec: Any) -> tuple[Entry, ...]:
        return tuple(
            Entry(f"{section}-{index}", REGION, {**spec, **_shared(index)})
            for index in range(number)
        )

    clean = Entry("ml-clean", REGION, {})
    repositories = entries("repository", SHARED, images=[{"tag": "1.0"}])
    sections: Mapping[str, tuple[Entry, ...]] = {
        "keys": (Entry("ml", REGION, {"alias": "ml"}),),
        "groups": (Entry("closed", REGION, {}),),
        "roles": (clean, *entries("role", SHARED)),
        "buckets": (
            Entry("ml-clean-capture", REGION, {}),
            Entry("ml-clean-data", REGION, {}),
            *entries("bucket", SHARED),
        ),
        "repositories": repositories,
        "notebooks": entries("notebook", NOTEBOOKS),
        "endpoints": entries("endpoint", ENDPOINTS),
        "training_jobs": entries("job", JOBS, set={"Tags": tags({"owner": "ml"})}),
    }
    return Estate("bench", sections)


def _shared(index: int) -> dict[str, str]:
    number = index % SHARED
    return {
        "role": f"role-{number}",
        "bucket": f"bucket-{number}",
        "image": f"repository-{number}",
    }


def main() -> None:
    """Serve it."""
    with AwsServer() as server:
        seed(server.endpoint, estate())
        print(json.dumps({"endpoint": server.endpoint}), flush=True)
        for line in sys.stdin:
            server.model.delay = float(line)
            print("so", flush=True)


if __name__ == "__main__":
    main()
