"""Until when Google patches the framework images that it publishes, as a table with its date.

An image whose version is not in the table is newer than the table or was never listed: nothing is
said about it. No calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from undercroft.model import Json

__all__ = ["AS_OF", "UNTIL", "prebuilt_images"]

AS_OF = "2026-04-10"
"""When the dates were read from Google's pages on supported frameworks; they are moved at times."""

_EARLY = "2023-11-15"


def _all(versions: str, until: str) -> dict[str, str]:
    return dict.fromkeys(versions.split(), until)


UNTIL: dict[str, dict[str, str]] = {
    "prediction/tf": {
        "2-15": "2026-07-14", "2-14": "2026-01-14", "2-13": "2024-11-28", "2-12": "2024-06-30",
        **_all("2-11 2-10 2-9 2-8 2-7 2-6 2-5 2-4 2-3 2-2 2-1 1-15", _EARLY),
    },
    "prediction/tf_opt": {
        "2-17": "2024-07-11", "2-16": "2024-04-26", "2-12": "2024-05-15",
        **_all("2-15 2-14 2-13", "2024-08-15"),
        **_all("2-11 2-10 2-9 2-8", _EARLY),
    },
    "prediction/pytorch": {
        "2-4": "2026-07-14", "2-3": "2026-01-14", "2-2": "2026-01-14", "2-1": "2024-12-01",
        "2-0": "2024-07-27", **_all("1-13 1-12 1-11", "2024-05-15"),
    },
    "prediction/sklearn": {
        "1-6": "2026-10-14", "1-5": "2026-07-14", "1-4": "2026-01-14", "1-3": "2024-11-28",
        "1-2": "2024-06-30", **_all("1-0 0-24 0-23 0-22 0-20", _EARLY),
    },
    "prediction/xgboost": {
        "2-1": "2026-07-14", "2-0": "2026-01-14", "1-7": "2024-06-30",
        **_all("1-6 1-5 1-4 1-3 1-2 1-1 0-90 0-82", _EARLY),
    },
    "training/tf": {
        "2-17": "2025-07-11", "2-16": "2025-06-28", "2-15": "2024-11-14", "2-14": "2024-09-26",
        "2-13": "2024-07-05", "2-12": "2024-06-30",
    },
    "release/tf": {
        "2-17": "2025-07-11", "2-16": "2025-06-28", "2-15": "2024-11-14", "2-14": "2024-09-26",
        "2-13": "2024-07-05", "2-12": "2024-06-30", **_all("2-11 2-10 2-9 2-8", _EARLY),
        **_all("2-6 2-3", "2023-09-01"),
    },
    "release/pytorch": {
        "2-4": "2025-07-24", "2-3": "2025-04-24", "2-2": "2025-01-30", "2-1": "2024-10-04",
        "2-0": "2024-03-15", **_all("1-13 1-12", "2023-12-08"),
    },
}  # fmt: skip
"""Purpose and framework → version → last day with patches; of several, the latest day."""

_NAME = (
    r"(?P<framework>[a-z][a-z0-9_-]*)-(?P<on>cpu|gpu|tpu|xla|cu\d+)\.(?P<version>\d+-\d+)(?![\d-])"
)
_VERTEX = re.compile(
    r"(?:(?:us|europe|asia)-docker\.pkg\.dev/vertex-ai(?:-restricted)?"
    r"|(?:(?:us|eu|asia)\.)?gcr\.io/cloud-aiplatform)/(?P<use>training|prediction)/" + _NAME
)
_RELEASE = re.compile(
    r"(?:[a-z]+-docker\.pkg\.dev/deeplearning-platform-release/gcr\.io"
    r"|(?:(?:us|eu|asia)\.)?gcr\.io/deeplearning-platform-release)/" + _NAME
)
_SAME = {"tf2": "tf", "scikit-learn": "sklearn"}


def prebuilt_images(references: Iterable[str]) -> Iterator[dict[str, Json]]:
    """Those that are Google's framework images, each once: ``image``, ``framework``, ``version``.

    ``until`` is the end of the last day with patches (RFC 3339), missing if the table has none.
    """
    for image in dict.fromkeys(references):
        found = _VERTEX.match(image) or _RELEASE.match(image)
        if found is None:
            continue
        use = found.groupdict().get("use") or "release"
        framework = _SAME.get(found["framework"], found["framework"])
        if use == "training" and found["on"] in {"tpu", "xla"}:
            # Those have dates of their own.
            framework = f"{framework}-{found['on']}"
        entry: dict[str, Json] = {
            "image": image,
            "framework": framework,
            "version": found["version"].replace("-", "."),
        }
        day = UNTIL.get(f"{use}/{framework}", {}).get(found["version"])
        if day:
            entry["until"] = f"{day}T23:59:59Z"
        yield entry
