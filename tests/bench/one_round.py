"""Creates samples once with the code of the tree that PYTHONPATH names, and prints what that cost as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys

from tests.bench import creation, server


def main() -> None:
    """Measure as many samples one by one, and as many in bulk, as the arguments say."""
    records, bulk_records = map(int, sys.argv[1:])
    with server.running() as address:
        single, _ = creation.ours(address, records, bulk=False)
        bulk, unchanged = creation.ours(address, bulk_records, bulk=True)
    print(json.dumps([dataclasses.asdict(timing) for timing in (single, bulk, unchanged)]))


if __name__ == "__main__":
    main()
