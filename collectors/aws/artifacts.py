"""Model artifacts in S3: in which formats a model is loaded, told by the names of its objects.

Some formats run code of whoever wrote them as soon as they are loaded. Names are listed, objects
are never opened; so of an archive nobody can say what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from collectors.aws.arns import Place, bucket, parse_bucket
from collectors.aws.errors import CallError
from collectors.aws.session import call
from collectors.aws.subreads import Unread
from collectors.aws.units import AwsCollector, Gaps, Reading, Unit, side_by_side
from collectors.values import find
from undercroft.model import Edge, Json, Layer, Presence, Resource
from undercroft.protocols import Meter
from undercroft.relations import Relation

__all__ = ["ArtifactCollector", "artifact_facts", "artifacts"]

_GONE = frozenset({"404", "NoSuchBucket", "NotFound"})
_FIELDS = (
    "ModelDataUrl",
    "ModelDataSource.S3DataSource.S3Uri",
    "AdditionalModelDataSources[].S3DataSource.S3Uri",
)
_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
_SAFE = frozenset({".safetensors", ".onnx", ".gguf"})
_RUNS_CODE = frozenset(
    {
        ".bin",
        ".ckpt",
        ".dill",
        ".h5",
        ".joblib",
        ".keras",
        ".nemo",
        ".npy",
        ".pickle",
        ".pkl",
        ".pt",
        ".pth",
    }
)
"""Formats whose loaders run what is in the file (pickle and what is built on it, Keras layers)."""
_SHOWN = 20
"""Names that are kept."""


def artifacts(place: Place, model: Resource) -> Iterator[Resource | Edge]:
    """What a SageMaker model is loaded from, each place once, as something that is not yet read."""
    for holder in ("PrimaryContainer", "Containers[]"):
        for field in _FIELDS:
            for via, text in find(model.config, f"{holder}.{field}"):
                stub = _stub(place, text) if isinstance(text, str) else None
                if stub is not None:
                    yield stub
                    prefix = str(stub.facts["prefix"])
                    yield Edge(
                        model.key, stub.key, Relation.LOADS_ARTIFACT_FROM, via, detail=prefix
                    )


def _stub(place: Place, text: str) -> Resource | None:
    found, whole = parse_bucket(text), bucket(place, text)
    if found is None or whole is None:
        return None
    name, prefix = found
    path = f"{name}/{prefix}".rstrip("/")
    return replace(
        whole.stub,
        key=place.key("s3", "artifact", path, region="-"),
        type="s3:artifact",
        name=path,
        native_id=f"arn:{place.partition}:s3:::{path}",
        facts={"prefix": prefix},
        layer=Layer.STORAGE,
    )


class ArtifactCollector(AwsCollector):
    """The names beneath every place that a model is loaded from: one call each."""

    name = "aws.s3.artifacts"
    reads = ("s3:artifact",)

    def read(self, unit: Unit) -> Reading:
        """List the first thousand names of each; an archive is not asked for."""
        unread = Unread()

        def one(stub: Resource) -> Resource | tuple[Resource, CallError]:
            try:
                return self._artifact(stub, unit.meter)
            except CallError as error:
                lost = {"facts.unsafe": error.unknown, "facts.formats": error.unknown}
                return replace(stub, unknown=lost, collector=self.name), error

        wanted = {stub.key: stub for stub in unit.wanted}.values()
        for found in side_by_side(wanted, one):
            if isinstance(found, tuple):
                unread.add(found[1])
                yield found[0]
            else:
                yield found
        return unread.ended(Gaps())

    def _artifact(self, stub: Resource, meter: Meter) -> Resource:
        prefix = str(stub.facts.get("prefix") or "")
        read = replace(stub, presence=Presence.READ, collector=self.name)
        config: dict[str, Json] = {"Uri": f"s3://{stub.name}"}
        if prefix.lower().endswith(_ARCHIVES):
            reason = "an archive does not show what is in it without being opened"
            return replace(
                read,
                config=config,
                facts={},
                unknown={"facts.unsafe": reason, "facts.formats": reason},
            )
        name = stub.name.partition("/")[0]
        client = self.clients.client("s3")
        try:
            answer = call(meter, client, "list_objects_v2", Bucket=name, Prefix=prefix)
        except CallError as error:
            if error.code in _GONE or error.http_status == 404:
                return replace(stub, presence=Presence.ABSENT, facts={}, collector=self.name)
            raise
        keys = [str(item["Key"]) for item in answer.get("Contents") or ()]
        facts, unknown = artifact_facts(keys, whole=not answer.get("IsTruncated"))
        return replace(read, config=config, facts=facts, unknown=unknown)


def artifact_facts(
    keys: Iterable[str], *, whole: bool = True
) -> tuple[dict[str, Json], dict[str, str]]:
    """``formats`` (suffix → how many) and ``unsafe``, names whose loading runs code.

    A folder that also has the weights in a safe format is loaded from those. ``whole``: there are
    no more names than these; otherwise finding nothing says nothing.
    """
    paths = [PurePosixPath(key) for key in keys if not key.endswith("/")]
    safe = {path.parent for path in paths if path.suffix.lower() in _SAFE}
    unsafe = [
        str(path) for path in paths if path.suffix.lower() in _RUNS_CODE and path.parent not in safe
    ]
    formats: dict[str, Json] = {}
    for suffix in sorted({path.suffix.lower() for path in paths}):
        formats[suffix or "none"] = sum(path.suffix.lower() == suffix for path in paths)
    facts: dict[str, Json] = {"formats": formats, "unsafe": [*sorted(unsafe)[:_SHOWN]]}
    archives = [path for path in paths if str(path).lower().endswith(_ARCHIVES)]
    if unsafe or (whole and not archives):
        return facts, {}
    why = "archives do not show what is in them" if archives else "only the first names were listed"
    del facts["unsafe"]
    return facts, {"facts.unsafe": why}
