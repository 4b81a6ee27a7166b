"""Carries samples into a database, until it is killed or done: CONTRACT LEDGER BASE_URL USER TOGETHER NUMBER."""

from __future__ import annotations

import sys

from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger

CHUNK = 40


def samples(number: int) -> list[dict[str, str]]:
    """Return the samples that every worker carries."""
    fixed = {"project_id": "SR-1", "sample_type": "PV Module", "customer": "Helios"}
    return [{**fixed, "external_id": f"SN{each:04}"} for each in range(number)]


def main() -> None:
    """Carry the records, a few at a time; say ``begun`` before the first."""
    contract, ledger_url, base_url, user, together, number = sys.argv[1:]
    options = {"one_transaction": True} if together == "True" else {}
    login = {"auth_type": "none", "username": user}
    with (
        Ledger(ledger_url) as ledger,
        LIMSClient(base_url, contract=contract, ledger=ledger, options=options, **login) as lims,
    ):
        print("begun", flush=True)
        wanted = samples(int(number))
        for start in range(0, len(wanted), CHUNK):
            report = lims.create_samples(wanted[start : start + CHUNK])
            report.raise_for_waiting()
    print("done", flush=True)


if __name__ == "__main__":
    main()
