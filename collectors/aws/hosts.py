"""Hosts that no API lists: the machines on which AWS runs a notebook, an endpoint or a job.

Each becomes a ``sagemaker:host`` (or the like) on the vm layer whose configuration is what its parent says about
it and nothing else; a path the parent could not be read for stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from collectors.aws.values import mappings
from undercroft.model import Edge, Json, Layer, Resource
from undercroft.relations import Relation

__all__ = [
    "Host",
    "host_type",
    "hosts",
    "notebook_host",
    "only",
    "session_host",
    "training_hosts",
    "variant_hosts",
]

_AGENT_FIELDS = ("agentRuntimeVersion", "metadataConfiguration", "platformVersion")


def host_type(parent: str) -> str:
    """The type of the implied hosts of a resource type: ``sagemaker:host``."""
    return f"{parent.partition(':')[0]}:host"


@dataclass(frozen=True, slots=True)
class Host:
    """One implied machine, or a group of equal ones."""

    group: str
    """Variant or instance group; empty where the parent has one machine."""
    via: str
    """The parent's field that says so."""
    config: Mapping[str, Json]


def hosts(parent: Resource, found: Iterator[Host]) -> Iterator[Resource | Edge]:
    """The host resources of ``parent`` and its edges to them."""
    for host in found:
        suffix = f"#host/{host.group}" if host.group else "#host"
        resource = replace(
            parent,
            key=parent.key + suffix,
            native_id=parent.native_id + suffix,
            type=host_type(parent.type),
            layer=Layer.VM,
            name=f"{parent.name} {host.group}".strip(),
            tags={},
            config=dict(host.config),
            facts={"managed_by": parent.type.partition(":")[0]},
            unknown={
                path: reason
                for path, reason in parent.unknown.items()
                if path.removeprefix("config.") in _FIELDS
            },
            implied=True,
            service=False,
        )
        yield resource
        yield Edge(parent.key, resource.key, Relation.RUNS_ON, host.via)


_NOTEBOOK_FIELDS = (
    "InstanceType",
    "PlatformIdentifier",
    "RootAccess",
    "InstanceMetadataServiceConfiguration",
    "VolumeSizeInGB",
    "AcceleratorTypes",
    "KmsKeyId",
    "LastModifiedTime",
)
_VARIANT_FIELDS = (
    "VariantName",
    "InstanceType",
    "InstancePools",
    "InitialInstanceCount",
    "InferenceAmiVersion",
    "AcceleratorType",
    "VolumeSizeInGB",
    "EnableSSMAccess",
)
_JOB_FIELDS = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
_FIELDS = frozenset({*_NOTEBOOK_FIELDS, *_AGENT_FIELDS})


def notebook_host(config: Mapping[str, Json]) -> Iterator[Host]:
    """The machine beneath a notebook instance."""
    if config.get("InstanceType"):
        yield Host("", "InstanceType", only(config, _NOTEBOOK_FIELDS))


def variant_hosts(config: Mapping[str, Json]) -> Iterator[Host]:
    """One host per variant of an endpoint configuration; a serverless variant has none."""
    for field in ("ProductionVariants", "ShadowProductionVariants"):
        for index, variant in enumerate(mappings(config.get(field))):
            via = next(
                (name for name in ("InstanceType", "InstancePools") if variant.get(name)), ""
            )
            if variant.get("ServerlessConfig") or not via:
                continue
            kept = dict(only(variant, _VARIANT_FIELDS))
            if config.get("KmsKeyId"):
                kept["KmsKeyId"] = config["KmsKeyId"]
            yield Host(str(variant.get("VariantName") or index), f"{field}[{index}].{via}", kept)


def session_host(config: Mapping[str, Json]) -> Iterator[Host]:
    """The small virtual machine that an AgentCore runtime gets for each session.

    None where it is told to run on machines of the account instead.
    """
    if not config.get("capacityProviderConfiguration"):
        yield Host("", "agentRuntimeArtifact", only(config, _AGENT_FIELDS))


def training_hosts(config: Mapping[str, Json]) -> Iterator[Host]:
    """The machines of a training job: one group, or the groups of a heterogeneous cluster."""
    resources = config.get("ResourceConfig")
    if not isinstance(resources, Mapping):
        return
    groups = list(mappings(resources.get("InstanceGroups")))
    for index, group in enumerate(groups):
        kept = {**only(resources, _JOB_FIELDS), **only(group, _JOB_FIELDS)}
        name = str(group.get("InstanceGroupName") or index)
        yield Host(name, f"ResourceConfig.InstanceGroups[{index}].InstanceType", kept)
    if not groups and resources.get("InstanceType"):
        yield Host("", "ResourceConfig.InstanceType", only(resources, _JOB_FIELDS))


def only(values: Mapping[str, Json], names: Sequence[str]) -> dict[str, Json]:
    """The fields of these names that are there."""
    return {name: values[name] for name in names if name in values}
