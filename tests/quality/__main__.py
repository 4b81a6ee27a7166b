"""``python -m tests.quality``: how often the analysis gives false alarms, and how soon it finds a rise.

The figures of docs/reference/capa.md. Every number is of generated histories: two years of a laboratory with 20
protocols and 40 modules a protocol and month, of which 2 % to 8 % fail, by protocol. Every fifth month or so is two and
a half times as busy.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from pv_testing.quality.capa_policy import CapaPolicy
from tests.quality.alarms import false_alarms, found_after, summary
from tests.quality.histories import Laboratory, Rise

POLICY = Path(__file__).resolve().parents[2] / "config" / "capa.yaml"
FIRST_RISEN_DAY = 500
PROTOCOL = "PVTP-008"
RATES = (0.12, 0.2, 0.4)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.quality", description=__doc__)
    parser.add_argument("--seeds", type=int, default=30, help="histories for each figure")
    seeds = range(parser.parse_args().seeds)
    ours = CapaPolicy.read(POLICY)
    rules = {
        "the guide's rule alone": ours.model_copy(update={"signal": "stated", "also": ()}),
        "with the signal": ours,
    }
    line = "| --- " * (1 + len(rules)) + "|"
    usual = Laboratory()
    labs = {"busy and ordinary months": usual, "ordinary months only": replace(usual, busy_share=0.0)}
    started = time.monotonic()
    print("| false alarms a year | " + " | ".join(rules) + f" |\n{line}", flush=True)
    for name, laboratory in labs.items():
        numbers = [f"{false_alarms(laboratory, policy, seeds):.2f}" for policy in rules.values()]
        print(f"| {name} | {' | '.join(numbers)} |", flush=True)
    print(f"\n| {usual.rate(7):.1%} becomes | " + " | ".join(rules) + f" |\n{line}", flush=True)
    for rate in RATES:
        rise = Rise(PROTOCOL, FIRST_RISEN_DAY, rate)
        numbers = [summary(found_after(usual, policy, seeds, rise), len(seeds)) for policy in rules.values()]
        print(f"| {rate:.0%} | {' | '.join(numbers)} |", flush=True)
    print(f"\n{len(seeds)} histories for each figure, {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
