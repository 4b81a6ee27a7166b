"""``python -m tests.live.tryton``: serve Tryton until Ctrl-C, to look at it or to try a configuration."""

from __future__ import annotations

import json
import signal
import sys

from tests.live.tryton import plan
from tests.live.tryton.server import Server


def main() -> int:
    """Serve until interrupted or ended; return 0, or 2 where Tryton can't run."""
    server = Server()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.start(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
        users = {
            plan.ADMIN: plan.ADMIN_PASSWORD,
            plan.INTEGRATION: plan.INTEGRATION_PASSWORD,
            plan.ACCOUNTANT: plan.ACCOUNTANT_PASSWORD,
        }
        print(json.dumps({"base_url": server.url, "users": users}), flush=True)
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
