"""The great storms: 5,000 samples, then the work of an office, 50 kills each; then the naive LIMS, for five seeds."""

from __future__ import annotations

import argparse
import tempfile
from itertools import cycle
from pathlib import Path

import sandbox
from tests.chaos import hostile, office, scenarios
from tests.chaos.ledgers import databases, new_ledger
from tests.chaos.naive_storm import NAIVE, NaiveStorm, NaiveVerdict
from tests.chaos.storm import Storm, StormAttack, StormVerdict
from tests.chaos.webhook_storm import WebhookStorm, WebhookVerdict

SEEDS = (1, 2, 3, 4, 5)
OFFICE = sandbox.SeedPlan(requests=10, modules=12, protocols=12, weak="PVTP-018")


def main() -> int:
    """Run the storms, samples one by one and in bulk, and return 0 when the promise was kept each time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10, help="service requests (default 10)")
    parser.add_argument("--modules", type=int, default=500, help="modules of each (default 500)")
    parser.add_argument("--kills", type=int, default=50, help="how often the process is killed (default 50)")
    parser.add_argument("--bulk", type=int, nargs="*", default=[1, 20], help="samples a request, a storm each")
    parser.add_argument("--no-office", dest="office", action="store_false", help="leave the office out")
    parser.add_argument("--seed", type=int, default=7, help="of the random numbers (default 7)")
    parser.add_argument("--ledger", default="", help="address of an empty ledger (default: a new SQLite file)")
    parser.add_argument("--no-naive", dest="naive", action="store_false", help="leave the naive LIMS out")
    parser.add_argument(
        "--naive", nargs="*", type=int, dest="seeds", help="only the naive LIMS: these seeds on each database"
    )
    parser.add_argument("--scenario", nargs="*", choices=scenarios.SCENARIOS, help="single attacks on the naive LIMS")
    parser.add_argument("--samples", type=int, default=300, help="samples of a single attack (default 300)")
    parser.add_argument("--database", nargs="*", default=databases(), help="of the naive LIMS's ledgers (default: all)")
    parser.add_argument(
        "--webhooks", action="store_true", help="only the receiver: 10,000 events, 100,000 hostile requests"
    )
    asked = parser.parse_args()
    if asked.webhooks:
        return (
            0
            if all([*(_webhooks(each, asked.seed) for each in asked.database), hostile.all_refused(asked.seed)])
            else 1
        )
    if asked.scenario is not None:
        names = asked.scenario or list(scenarios.SCENARIOS)
        kept = [scenarios.kept(name, each, asked.samples) for name in names for each in asked.database]
        return 0 if all(kept) else 1
    if asked.seeds is not None:
        kept = [_naive(seed, each) for seed in asked.seeds or SEEDS for each in asked.database]
        return 0 if all(kept) else 1
    storms = [Storm(asked.requests, asked.modules, asked.kills, bulk, asked.seed) for bulk in asked.bulk]
    kept = [_samples(storm, asked.ledger) for storm in storms]
    if asked.office:
        kept.append(_office(asked.kills, asked.seed, asked.ledger))
    if asked.naive:
        kept += [_naive(seed, each) for seed, each in zip(SEEDS, cycle(asked.database), strict=False)]
    return 0 if all(kept) else 1


def _naive(seed: int, database: str) -> bool:
    """Storm the naive LIMS."""
    print(f"storm over the naive LIMS on {database}, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="pv-chaos-") as name:
        directory = Path(name)
        with sandbox.serve(directory / "lab", naive=NAIVE) as lab, new_ledger(database, directory) as ledger:
            return _kept(NaiveStorm(lab, ledger, directory, seed=seed).run())


def _samples(storm: Storm, ledger: str) -> bool:
    """Storm the creation of samples."""
    number = storm.requests * storm.modules
    print(f"storm over {number:,} samples, up to {storm.bulk} a request, seed {storm.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="pv-chaos-") as name:
        directory = Path(name)
        plan = sandbox.SeedPlan(requests=storm.requests, modules=storm.modules, protocols=1)
        with sandbox.serve(directory / "lab", seed_plan=plan) as lab:
            return _kept(StormAttack(storm, lab, ledger or f"sqlite:///{directory / 'ledger.sqlite'}", directory).run())


def _office(kills: int, seed: int, ledger: str) -> bool:
    """Storm what follows from finished tests."""
    print(f"storm over the office of {OFFICE.requests} service requests, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="pv-chaos-") as name:
        directory = Path(name)
        with sandbox.serve(directory / "lab", seed_plan=OFFICE) as lab:
            url = ledger or f"sqlite:///{directory / 'ledger.sqlite'}"
            return _kept(office.OfficeAttack(lab, url, directory, kills=kills, seed=seed).run())


def _webhooks(database: str, seed: int) -> bool:
    """Storm the receiver of webhooks."""
    print(f"storm over the receiver of webhooks on {database}, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="pv-chaos-") as name:
        directory = Path(name)
        with new_ledger(database, directory) as ledger:
            return _kept(WebhookStorm(ledger, directory, seed=seed).run())


def _kept(verdict: StormVerdict | office.OfficeVerdict | NaiveVerdict | WebhookVerdict) -> bool:
    """Print a verdict and return whether the promise was kept."""
    print(*(f"  {line}" for line in verdict.lines()), sep="\n", flush=True)
    print("  the promise was kept" if verdict.holds else "  THE PROMISE WAS BROKEN", flush=True)
    return verdict.holds


if __name__ == "__main__":
    raise SystemExit(main())
