"""The e-invoices of posted invoices as files in a folder, each written once and only when it is valid."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pv_testing.billing import BillingPolicy, Invoice
from pv_testing.billing.einvoice import einvoice, file_of, write
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.operation import OperationLimits
from pv_testing.exchange.report import Report
from pv_testing.integrations.erp import ERPClient

LIMITS = OperationLimits(concurrency=1, timeout=60.0, horizon=0.0, on_change="ignore")


async def write_e_invoices(
    policy: BillingPolicy, erp: ERPClient, records: Sequence[Record], *, replay: bool = False
) -> Report | None:
    """Write e-invoices, each once; ``None`` where the laboratory wants none.

    Args:
        policy: says where.
        erp: whose ledger knows which ones are written.
        records: as :func:`einvoice_record` makes them.
        replay: try those again that wait for a person.
    """
    if not policy.e_invoice_folder:
        return None
    exchange = Exchange(EInvoiceFiles(policy.e_invoice_folder), erp.ledger, owner=erp.owner, replay=replay)
    return await exchange.arun(records)


class EInvoiceFiles:
    """Writes e-invoices; an operation for the exchange engine. One that is written isn't written anew.

    Args:
        folder: where; absolute or within the Airflow home.
    """

    name, system, provider, kind = "write_e_invoice", "erp", "EN 16931", "e_invoice"
    limits = LIMITS

    def __init__(self, folder: str) -> None:
        self._folder = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser() / Path(folder).expanduser()

    def prepare(self, record: Record) -> Payload:
        """Make the document.

        Raises:
            DataError: it lacks something that the law wants (``EINVOICE_REFUSED``).
        """
        return {"xml": einvoice(record.data["invoice"], record.data["number"]).decode()}

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Write the files."""
        return [await asyncio.to_thread(self._write, item.data) for item in batch]

    def _write(self, data: Mapping[str, Any]) -> Reply:
        try:
            return Reply(Verdict.OK, str(write(data["invoice"], self._folder, data["number"])))
        except OSError as error:
            reason = f"the e-invoice can't be written to {self._folder}: {error.strerror}; see e_invoice_folder"
            return Reply(Verdict.REJECTED, reason=reason, code=Reason.FILE_UNWRITABLE)

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Return the files that are there."""
        files = {item.key: self._folder / file_of(item.data["invoice"]) for item in batch}
        return {item.key: _found(files[item.key], item.payload) for item in batch if files[item.key].exists()}


def _found(file: Path, payload: Payload) -> Found:
    return Found(str(file), in_effect=file.read_bytes() == payload["xml"].encode())


def einvoice_record(key: str, invoice: Invoice, number: str) -> Record:
    """Return the record of an e-invoice.

    Args:
        key: the business key of the invoice or the credit note.
        invoice: as it was posted.
        number: its number in the ERP.
    """
    return Record(key, {"invoice": invoice, "number": number})
