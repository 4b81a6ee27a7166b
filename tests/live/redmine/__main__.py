"""``python -m tests.live.redmine``: serve Redmine until Ctrl-C, to look at it or to try a configuration."""

from __future__ import annotations

import argparse
import json
import signal
import sys

from tests.live.redmine import plan
from tests.live.redmine.releases import FIVE, RELEASES
from tests.live.redmine.server import Server


def main() -> int:
    """Serve until interrupted or ended; return 0, or 2 where Redmine can't run."""
    releases = {each.number: each for each in RELEASES}
    parser = argparse.ArgumentParser(description="Serve Redmine until Ctrl-C.")
    parser.add_argument("port", type=int, nargs="?", default=0, help="the port; a free one unless it is named")
    parser.add_argument("--release", type=int, choices=releases, default=FIVE.number, help="the release of Redmine")
    asked = parser.parse_args()
    server = Server(release=releases[asked.release])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.start(asked.port)
        keys = {"integration": plan.INTEGRATION_KEY, "admin": plan.ADMIN_KEY}
        pages = {"login": plan.ADMIN, "password": plan.ADMIN_PASSWORD}
        print(json.dumps({"base_url": server.url, "api_keys": keys, "pages": pages}), flush=True)
        assert server.process is not None
        server.process.wait()
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
