"""EKS: clusters with nodes made for AI work.

What runs in a cluster only Kubernetes itself could say, which is not asked: the cluster counts as
one workload.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from botocore.client import BaseClient

from collectors.aws.arns import in_region, named
from collectors.aws.ec2 import ACCELERATED_FAMILY
from collectors.aws.errors import CallError
from collectors.aws.session import call, pages
from collectors.aws.target_groups import TargetGroups, standing_behind
from collectors.aws.units import AwsCollector, Ended, Gaps, Reading, Unit, once, side_by_side
from undercroft.model import Edge, Json, Layer, Resource
from undercroft.protocols import Collected
from undercroft.relations import Relation

__all__ = ["EksAiWorkloads", "is_accelerated"]

_ACCELERATED = ("_NVIDIA", "_NEURON", "_GPU")
_CLUSTER = named("eks", "cluster", "eks:cluster", Layer.CONTAINER)


class EksAiWorkloads(AwsCollector):
    """Rows of the services list, each standing on the cluster that is read where it is named."""

    name = "aws.eks"
    lists = ("eks:workload",)

    def read(self, unit: Unit) -> Reading:
        """Every cluster, and its node groups up to the first that is accelerated."""
        client = self.clients.client("eks", unit.place.region)
        gaps, seen, lost = Gaps(), set[tuple[str, str]](), list[CallError]()

        def one(cluster: str) -> tuple[str, Mapping[str, Json] | CallError | None]:
            try:
                return cluster, self._accelerated(unit, client, cluster)
            except CallError as error:
                return cluster, error

        clusters = (str(name) for name in pages(unit.meter, client, "list_clusters", "clusters"))
        chosen: dict[str, Mapping[str, Json]] = {}
        for cluster, group in side_by_side(clusters, one):
            if isinstance(group, CallError):
                lost.append(group)
            elif group:
                chosen[cluster] = group
        before = TargetGroups(self.clients, unit).of_clusters(chosen)
        for cluster, group in chosen.items():
            found = list(self._row(unit, cluster, group, before))
            gaps.note(found)
            yield from once(found, seen)
        if lost:
            reason = f"{len(lost)} clusters whose nodes could not be told: {lost[0].reason}"
            return Ended(reason, lost[0].status)
        return Ended(gaps.sentence())

    def _accelerated(
        self, unit: Unit, client: BaseClient, cluster: str
    ) -> Mapping[str, Json] | None:
        names = pages(unit.meter, client, "list_nodegroups", "nodegroups", clusterName=cluster)
        for name in names:
            asked = {"clusterName": cluster, "nodegroupName": str(name)}
            group: Mapping[str, Json] = call(unit.meter, client, "describe_nodegroup", **asked)[
                "nodegroup"
            ]
            if is_accelerated(group):
                return group
        return None

    def _row(
        self,
        unit: Unit,
        cluster: str,
        group: Mapping[str, Json],
        before: Mapping[str, list[str]] | CallError,
    ) -> Iterator[Collected]:
        place = unit.place
        target = _CLUSTER(place, cluster)
        if target is None:
            return
        row = Resource(
            key=place.key("eks", "workload", cluster),
            provider="aws",
            account=place.account,
            region=place.region,
            type="eks:workload",
            layer=Layer.SERVICE,
            name=cluster,
            native_id=f"{target.stub.native_id}#workload",
            config={"name": cluster, "nodegroupName": group.get("nodegroupName")},
            facts={"ai_marker": "accelerator"},
            unknown={"facts.target_groups": before.unknown}
            if isinstance(before, CallError)
            else {},
            service=True,
            collector=self.name,
        )
        yield row
        yield target.stub
        yield Edge(row.key, target.stub.key, Relation.RUNS_ON, "name")
        if not isinstance(before, CallError):
            yield from standing_behind(place, row.key, before[cluster], "TagDescriptions[].Tags")
        yield from in_region(row.key, place)


def is_accelerated(group: Mapping[str, Json]) -> bool:
    """Whether the nodes of a group have accelerators, by their image or their types."""
    types = group.get("instanceTypes")
    return str(group.get("amiType") or "").endswith(_ACCELERATED) or any(
        ACCELERATED_FAMILY.match(str(kind)) for kind in (types if isinstance(types, list) else ())
    )
