"""Service requests of the framework become samples in the LIMS, one for each module."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import chain

from pv_testing.core import keys
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Record
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.status import STATES
from pv_testing.exchange.report import Report
from pv_testing.integrations.lims import LIMSClient
from pv_testing.ledger import Entry, State
from pv_testing.samples.records import sample_records, shortfalls
from pv_testing.workflow.step import Step

SWEEP = "lims/samples"
KIND = "sample"


class CreateSamples(Step[LIMSClient, Report]):
    """Create one sample for each module of the service requests that has a serial number.

    A closed request is finished when every sample of it is in effect.
    """

    sweep = SWEEP

    async def carry(self) -> Report:
        """Create the samples, and note what a request announces otherwise or lists no longer."""
        self._records = {each.sr_number: sample_records(each) for each in self.requests if each.status in STATES}
        report = await self.exchange_unconfirmed("create_sample", chain.from_iterable(self._records.values()))
        report.notes += shortfalls(self.requests)
        report.notes += await asyncio.to_thread(self._no_longer_listed)
        return report

    def is_done(self, request: ServiceRequest) -> bool:
        """Say whether no sample of a request waits."""
        return self.waiting.isdisjoint(record.key for record in self._records.get(request.sr_number, ()))

    def _no_longer_listed(self) -> list[str]:
        """Say which samples are in the LIMS although their request lists the module no longer; a person cancels them.

        A module that had no serial number of its own, and is listed with one by now, waits for a person no more.
        """
        notes: list[str] = []
        for number, records in self._records.items():
            renamed: list[str] = []
            for entry in self._other_entries(number, records):
                if entry.state is State.CONFIRMED:
                    remedy = f"cancel sample {entry.external_id} in the LIMS"
                    notes.append(f"{entry.key}: the request lists it no longer; {remedy}")
                if entry.code in {Reason.SERIAL_MISSING, Reason.SERIAL_DUPLICATE}:
                    renamed.append(entry.key)
            if not self.dry_run:
                self.ledger.release(self.client.system, KIND, renamed, owner=self.client.owner, automatic=True)
        return notes

    def _other_entries(self, number: str, records: Sequence[Record]) -> Iterable[Entry]:
        """Give what the ledger has of a request's samples beside those of the modules that it lists."""
        listed = {record.key for record in records}
        own = keys.prefix(keys.compose(number))
        for entry in self.ledger.entries(self.client.system, KIND, [State.CONFIRMED, State.QUARANTINED], prefix=own):
            # A key of more parts is another request's, from before keys were escaped.
            if entry.key not in listed and len(keys.split(entry.key)) == 2:
                yield entry


create_samples = CreateSamples.over
