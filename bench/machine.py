"""The conditions under which a run was made: a figure means nothing without them."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from importlib.metadata import version

__all__ = ["conditions", "peak_memory"]

_LIBRARIES = ("cel-expr-python", "sqlite-utils", "textual", "click", "boto3")


def conditions() -> dict[str, str]:
    """Machine, load, interpreter and libraries, as text."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = (
        " ".join(f"{value:.2f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "?"
    )
    return {
        "cores": f"{usable} of {os.cpu_count()}",
        "load": load,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in _LIBRARIES},
    }


def peak_memory() -> float:
    """The largest resident size of this process so far, in MB.

    Linux keeps it per program; what ``getrusage`` says there begins with the size of the parent.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123  (not a path)
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024) if sys.platform == "darwin" else peak / 1024
