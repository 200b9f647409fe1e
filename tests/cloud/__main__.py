"""``python -m tests.cloud --port 5000 --estate first-light``: AWS on loopback, to look at by hand."""

from __future__ import annotations

import argparse
import sys
from threading import Event

from tests.cloud.estate import load_estate
from tests.cloud.seed import seed
from tests.cloud.server import AwsServer


def main() -> int:
    """Serve a seeded estate until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.cloud", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--estate", default="first-light")
    chosen = parser.parse_args()
    estate = load_estate(chosen.estate)
    with AwsServer(chosen.port) as server:
        seeded = seed(server.endpoint, estate)
        sys.stdout.write(
            f"{len(seeded.expected)} planted problems in {', '.join(estate.regions)}\n"
            "export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing "
            f"AWS_DEFAULT_REGION={estate.regions[-1]}\n"
            f"export AWS_ENDPOINT_URL={server.endpoint}\n"
        )
        sys.stdout.flush()
        try:
            Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
