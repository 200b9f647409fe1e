"""Runs the installed command and reads what it answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "ACTOR",
    "COMBINED",
    "COMMAND",
    "REGIONS",
    "ROOT",
    "SMALL",
    "Cloud",
    "Done",
    "Shell",
    "outcomes",
    "read_until",
]

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("undercroft")
"""What ``pip install`` put beside this interpreter."""
ACTOR = "Ada Tester <ada@example.org>"
REGIONS = ("--region", "us-east-1", "--region", "eu-west-1")
"""Where the estate ``first-light`` is."""
SMALL = ("--region", "eu-central-1")
"""Where the estate ``changing`` is."""
_HANGS = 240
"""Seconds after which a command counts as hanging, also beside other work on a small machine."""

COMBINED = {
    # A root (or directly connected) notebook whose role serving endpoints have too.
    ("aws-toxic-dev-to-prod-role", "default-desk"),
    ("aws-toxic-dev-to-prod-role", "outside"),
    ("aws-sagemaker-domain-no-source-identity", "studio-shared"),
    ("toxic-foothold-broad-identity", "chat"),
    ("toxic-foothold-broad-identity", "open-desk"),
    ("toxic-writable-feeds", "from-latent"),
    ("toxic-writable-feeds", "from-partner"),
    ("toxic-writable-feeds", "from-vanished"),
    ("toxic-writable-feeds", "swap"),
}
"""What planted problems amount to together."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one document; whatever else stands there is an error."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """Standard output as a table in a pipe, without its head."""
        return [line.split("\t") for line in self.out.splitlines()[1:]]


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud on loopback with the first-light estate."""

    endpoint: str
    expected: frozenset[tuple[str, str]]
    """(rule, resource name) of everything planted."""


@dataclass(slots=True)
class Shell:
    """A person's shell: a home of its own, credentials of nobody, a cache named by ``db``."""

    home: Path
    db: Path
    endpoint: str = "http://127.0.0.1:9"
    """Nobody listens there, unless a cloud is named."""
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the machine's own settings, credentials or proxies gets in."""
        return {
            "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "UNDERCROFT_DB": str(self.db),
            "UNDERCROFT_ACTOR": ACTOR,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "NO_PROXY": "*",
        } | self.more

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Begin a command, to be interrupted or killed. It has a process group of its own."""
        return subprocess.Popen(
            [COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.home,
            start_new_session=True,
        )

    def run(self, *arguments: str | Path, status: int | None = 0) -> Done:
        """Run a command to its end. ``status``: what it must end with; None takes anything."""
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=_HANGS)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        done = Done(process.returncode, out, err)
        words = " ".join(map(str, arguments))
        assert "Traceback" not in err, f"{words}: {err}"
        if status is not None:
            assert done.status == status, f"{words} ended with {done.status}:\n{out}\n{err}"
        return done

    def scan(self, *arguments: str, status: int | None = 0) -> Done:
        """``scan aws`` of both regions of the estate, unless other regions are named."""
        where = () if "--region" in arguments else REGIONS
        return self.run("scan", "aws", *where, *arguments, status=status)

    def findings(self, filter_text: str = "", *arguments: str) -> list[dict[str, Any]]:
        """``findings --format json``."""
        done = self.run("findings", "--format", "json", "--filter", filter_text, *arguments)
        found: list[dict[str, Any]] = done.json["findings"]
        return found

    def finding(self, rule: str, resource: str, *arguments: str) -> dict[str, Any]:
        """The one finding of that rule on that resource."""
        (found,) = self.findings(f'rule:{rule} resource:"{resource}"', *arguments)
        return found

    def scans(self) -> list[dict[str, Any]]:
        """``scans --format json``."""
        found: list[dict[str, Any]] = self.run("scans", "--format", "json").json["scans"]
        return found

    def python(self, script: str, *arguments: str) -> Done:
        """Run a script in the same surroundings with the same interpreter."""
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environment,
            cwd=self.home,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def outcomes(findings: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """(rule, resource name) of each."""
    return {(found["rule"], found["resource"]["name"]) for found in findings}


def read_until(lines: Iterable[str], wanted: Callable[[str], bool]) -> list[str]:
    """Lines up to the first that is ``wanted``; an error if none is."""
    seen: list[str] = []
    for line in lines:
        seen.append(line)
        if wanted(line):
            return seen
    raise AssertionError(f"it never came: {''.join(seen)}")
