"""``python -m tests.live.senaite``: serve SENAITE until Ctrl-C, to look at it or to try a configuration."""

from __future__ import annotations

import json
import signal
import sys

from tests.live.senaite import plan
from tests.live.senaite.server import Server, announcement


def main() -> int:
    """Serve until interrupted or ended; return 0, or 2 where SENAITE can't run."""
    server = Server()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.start(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
        users = {
            "integration": [plan.INTEGRATION, plan.INTEGRATION_PASSWORD],
            "verifier": [plan.VERIFIER, plan.VERIFIER_PASSWORD],
            "admin": [plan.ADMIN, plan.ADMIN_PASSWORD],
        }
        print(json.dumps({**announcement(server), "users": users}), flush=True)
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
