"""How many calls an estate costs, with Resource Graph and without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud.arm import ArmServer
from tests.cloud.arm_seed import seed_arm
from tests.cloud.estate import Entry, Estate
from tests.collectors.azure.kit import Reading, read

BENEATH = (
    ("mlstore", "storage"),
    ("ml-vault", "vault"),
    ("mlacr", "registry"),
    ("ml-identity", "identity"),
    ("ml-net", "vnet"),
)


def estate(workspaces: int, computes: int, endpoints: int, accounts: int, search: int) -> Estate:
    """Workspaces with computes and endpoints (a deployment each), accounts with two deployments."""

    def entries() -> Iterator[Entry]:
        for name, kind in BENEATH:
            yield Entry(name, "", {"type": kind})
        for w in range(workspaces):
            ws = f"ws-{w}"
            yield Entry(ws, "", {"type": "workspace"})
            for name, kind in (
                ("serve", "environment"),
                ("credit", "model"),
                ("clean", "datastore"),
            ):
                yield Entry(name, "", {"type": kind, "within": ws})
            for c in range(computes):
                yield Entry(f"ci-{w}-{c}", "", {"type": "compute", "within": ws})
            for e in range(endpoints):
                yield Entry(f"score-{w}-{e}", "", {"type": "online", "within": ws})
                of = {"type": "online-deployment", "within": ws, "of": f"score-{w}-{e}"}
                yield Entry("blue", "", of)
        for a in range(accounts):
            yield Entry(f"ai-{a}", "", {"type": "account"})
            yield Entry("strict", "", {"type": "filter", "within": f"ai-{a}"})
            for d in range(2):
                yield Entry(f"chat-{d}", "", {"type": "deployment", "within": f"ai-{a}"})
        for s in range(search):
            yield Entry(f"search-{s}", "", {"type": "search"})

    return Estate(
        "scale", {"subscriptions": (Entry("one", "", {}),), "resources": tuple(entries())}
    )


def services(found: Reading) -> int:
    return sum(resource.service for resource in found.resources.values())


def count(description: Estate, *, graph: bool) -> tuple[Reading, int]:
    with ArmServer() as server:
        seed_arm(server, description)
        found = read(server, resource_graph=graph)
        assert len(server.seen) - found.calls in {0, 1, 2}, "every call is counted but planning's"
        return found, len(server.seen)


def test_calls_grow_with_what_only_a_parent_can_tell() -> None:
    """A deployment more costs nothing with Resource Graph, and a call without."""
    _, few = count(estate(1, 1, 1, 1, 1), graph=True)
    _, more = count(estate(1, 1, 4, 1, 1), graph=True)
    assert more == few
    _, plain_few = count(estate(1, 1, 1, 1, 1), graph=False)
    _, plain_more = count(estate(1, 1, 4, 1, 1), graph=False)
    assert plain_more == plain_few + 3
    assert plain_few > few


@pytest.mark.slow
def test_five_hundred_services() -> None:
    description = estate(50, 4, 4, 30, 20)
    found, calls = count(description, graph=True)
    plain, plain_calls = count(description, graph=False)
    assert services(found) == services(plain) == 500
    assert found.resources.keys() == plain.resources.keys()
    print(f"500 services: {calls} calls with Resource Graph, {plain_calls} without")  # noqa: T201
    # Per workspace: logs, eight lists of children, the newest environment and model; per account:
    # logs, five lists; per search service: logs. And a dozen for all of it.
    assert calls <= 50 * 11 + 30 * 6 + 20 + 30
    assert plain_calls >= calls + 50 * 3 + 50 * 4
