"""The great storm: 5,000 samples, 50 kills, on SQLite or on the ledger that ``--ledger`` names."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import sandbox
from tests.chaos.storm import Attack, Storm


def main() -> int:
    """Run the storm once in bulk and once one by one, and return 0 when the promise was kept both times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10, help="service requests (default 10)")
    parser.add_argument("--modules", type=int, default=500, help="modules of each (default 500)")
    parser.add_argument("--kills", type=int, default=50, help="how often the process is killed (default 50)")
    parser.add_argument("--bulk", type=int, nargs="+", default=[1, 20], help="samples a request, a storm for each")
    parser.add_argument("--seed", type=int, default=7, help="of the random numbers (default 7)")
    parser.add_argument("--ledger", default="", help="address of an empty ledger (default: a new SQLite file)")
    asked = parser.parse_args()
    kept = True
    for bulk in asked.bulk:
        storm = Storm(asked.requests, asked.modules, asked.kills, bulk, asked.seed)
        number = storm.requests * storm.modules
        print(f"storm over {number:,} samples, up to {bulk} a request, seed {storm.seed}", flush=True)
        with tempfile.TemporaryDirectory(prefix="pv-chaos-") as name:
            directory = Path(name)
            plan = sandbox.SeedPlan(requests=storm.requests, modules=storm.modules, protocols=1)
            with sandbox.serve(directory / "lab", seed_plan=plan) as lab:
                ledger = asked.ledger or f"sqlite:///{directory / 'ledger.sqlite'}"
                verdict = Attack(storm, lab, ledger, directory).run()
        print(*(f"  {line}" for line in verdict.lines()), sep="\n", flush=True)
        print("  the promise was kept" if verdict.holds else "  THE PROMISE WAS BROKEN", flush=True)
        kept = kept and verdict.holds
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
