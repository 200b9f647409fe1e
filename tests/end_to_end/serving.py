"""``python -m tests.end_to_end.serving [FILE]``: an empty AWS on loopback in a process of its own.

Apart from the tests' process, because other tests empty the cloud that lives in theirs. Writes its
endpoint, and ends when its standard input does, or when nobody has a lock on FILE any more: it
cannot outlive whoever uses it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cloud.server import AwsServer
from tests.end_to_end.sharing import locked


def main(users: str = "") -> int:
    """Serve for as long as anybody may ask."""
    with AwsServer() as server:
        server.reset()
        sys.stdout.write(f"{server.endpoint}\n")
        sys.stdout.flush()
        if users:
            with locked(Path(users)):
                pass
        else:
            sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
