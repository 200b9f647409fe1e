"""Until when AWS patches the framework images that it publishes, as a table with its date.

An image whose framework or version is not in the table is newer than the table, or AWS names no day
for it: nothing is said about it. No calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from collectors.aws.images import ImageRef
from undercroft.model import Json

__all__ = ["AS_OF", "framework_images"]

AS_OF = "2026-04-10"
"""When the days were read from AWS's page on supported frameworks; they are moved at times."""

_UNTIL: dict[str, dict[str, str]] = {
    "pytorch": {
        "2.10": "2027-01-21", "2.9": "2026-10-15", "2.8": "2026-08-06", "2.7": "2026-04-23",
        "2.6": "2026-01-29", "2.5": "2025-10-29", "2.4": "2025-07-24", "2.3": "2025-04-24",
        "2.2": "2025-01-30", "2.1": "2024-10-04", "2.0": "2024-03-15", "1.13": "2024-10-28",
    },
    "tensorflow": {
        "2.19": "2026-03-11", "2.18": "2025-10-24", "2.16": "2025-03-07", "2.14": "2024-09-26",
    },
    "mxnet": {"1.9": "2023-10-01"},
    "xgboost": {"3.0": "2026-11-17"},
}  # fmt: skip
"""Framework → version → last day with patches."""
_EXTENDED = {("pytorch-inference", "2.6"): "2026-06-30"}
"""Kinds of image whose day is later than that of their framework."""
_PUBLIC = "public.ecr.aws/deep-learning-containers/"
_FRAMEWORK = re.compile(
    r"(?:huggingface-|sagemaker-|stabilityai-)?(?P<framework>pytorch|tensorflow|mxnet|xgboost)\b"
)
_OTHERS = re.compile(r"(?:djl-inference|autogluon-\w+|vllm|sglang|huggingface-\w+)")
_VERSION = re.compile(r"(\d+)\.(\d+)")


class _Version(NamedTuple):
    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> _Version | None:
        found = _VERSION.match(text)
        return cls(int(found[1]), int(found[2])) if found else None


def framework_images(references: Iterable[ImageRef]) -> Iterator[dict[str, Json]]:
    """Those that are AWS's framework images: ``image``, ``framework`` and ``version``.

    ``until`` is the end of the last day with patches (RFC 3339), missing if the table has none; one
    that is older than the table had its last day no later than the oldest in it.
    """
    for reference in references:
        name = reference.repository.rpartition("/")[2]
        published = f"{reference.registry}/{reference.repository}".startswith(_PUBLIC)
        if reference.owner != "aws" and not published:
            continue
        found = _FRAMEWORK.match(name)
        if found is None and not _OTHERS.match(name):
            # An algorithm, a tool of SageMaker: no line of versions that ends.
            continue
        framework = found["framework"] if found else name
        version = _Version.parse(reference.tag)
        shown = f"{version.major}.{version.minor}" if version else ""
        entry: dict[str, Json] = {
            "image": reference.ref,
            "framework": framework,
            "version": shown,
        }
        if day := _EXTENDED.get((name, shown)) or _day(framework, version):
            entry["until"] = f"{day}T23:59:59Z"
        yield entry


def _day(framework: str, version: _Version | None) -> str:
    days = _UNTIL.get(framework, {})
    if version is None or not days:
        return ""
    known = {_Version(*map(int, text.split("."))): day for text, day in days.items()}
    oldest = min(known)
    return known[oldest] if version < oldest else known.get(version, "")
