"""A LIMS that takes files, on a real folder, with a contract whose times are short; and an attempt that can be killed.

python -m tests.integration.file_drop --store FOLDER --contract FILE --ledger URL --records 60
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from pv_testing.config import SystemConfig
from pv_testing.core.places import contract_path
from pv_testing.core.records import Record
from pv_testing.exchange.report import Report
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from tests import yaml_text

SHORT = {"wait": 0.4, "deadline": 600, "size": 7}


def short_contract(folder: Path, operation: str = "create_sample", **files: Any) -> Path:
    """Write LabWare's contract with short times and what a test wants otherwise, and return the file."""
    written = yaml_text.read(contract_path("lims_labware"))
    written["limits"].update(total_timeout=1, attempt_timeout=1)
    for each in (each for each in written["operations"].values() if "files" in each):
        each["files"] = {**each["files"], **SHORT, "answers": {**each["files"]["answers"], "quiet": 0.05}}
    section = written["operations"][operation]["files"]
    section["answers"].update(files.pop("answers", {}))
    section.update(files)
    path = folder / "lims_short.yaml"
    path.write_text(yaml_text.dump(written, sort_keys=False), encoding="utf-8")
    return path


def lims(contract: Path, store: str | Path, ledger: Ledger, owner: str = "test", **more: Any) -> LIMSClient:
    """Return a client of the LIMS."""
    config = SystemConfig(system="lims", auth_type="none", contract=str(contract), options={"file_store": str(store)})
    return LIMSClient(config=config.ready(), ledger=ledger, owner=owner, **more)


def samples(count: int, customer: str = "Solar AG") -> list[Record]:
    """Return samples of one service request."""
    return [
        Record(
            f"SR-1/SN{number:03d}",
            {"sr_number": "SR-1", "serial_number": f"SN{number:03d}", "customer_name": customer, "module": {}},
        )
        for number in range(count)
    ]


def carry(contract: Path, store: str | Path, ledger: Ledger, records: list[Record], **options: Any) -> Report:
    """Run one attempt."""
    with lims(contract, store, ledger) as client:
        return client.exchange("create_sample", records, **options)


def main() -> int:
    """Run an attempt; 0 when every record is in effect or waits for a person, 1 when another attempt must follow."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("store", "contract", "ledger", "records"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    print("ready", flush=True)
    with Ledger(asked.ledger) as ledger:
        report = carry(Path(asked.contract), asked.store, ledger, samples(int(asked.records)))
    print(report.table(), flush=True)
    return 1 if report.counts()["deferred"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
