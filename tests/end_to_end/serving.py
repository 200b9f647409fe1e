"""``python -m tests.end_to_end.serving``: an empty AWS on loopback in a process of its own.

Apart from the tests' process, because other tests empty the cloud that lives in theirs. Writes its
endpoint, and ends when its standard input does: it cannot outlive whoever started it.
"""

from __future__ import annotations

import sys

from tests.cloud.server import AwsServer


def main() -> int:
    """Serve until standard input ends."""
    with AwsServer() as server:
        server.reset()
        sys.stdout.write(f"{server.endpoint}\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
