"""``python -m sandbox.products NAME``: run a product's stand-in until it is interrupted."""

from __future__ import annotations

import argparse
import json
import signal
from pathlib import Path

from sandbox.products import PRODUCTS


def main() -> int:
    """Serve, and print one JSON line: the system's part of the configuration."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.products", description=__doc__)
    parser.add_argument("name", choices=sorted(PRODUCTS))
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="for the stand-in's data")
    parser.add_argument("--trap", action="append", default=[], help="a documented trap to set; may be repeated")
    parser.add_argument("--port", type=int, default=0, help="any free one by default")
    options = parser.parse_args()
    product = PRODUCTS[options.name]
    if unknown := sorted(set(options.trap) - set(product.traps())):
        parser.error(f"{product.name} has no trap {', '.join(unknown)}; it has: {', '.join(product.traps())}")
    options.data.mkdir(parents=True, exist_ok=True)
    stop = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    with product.serve(options.data, options.trap, options.port) as stand_in:
        print(json.dumps({"system": product.system, "section": dict(stand_in.section)}), flush=True)
        signal.sigwait(stop)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
