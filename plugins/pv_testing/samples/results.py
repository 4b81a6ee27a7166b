"""Completed executions of the framework become result sets in the LIMS, one for each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pv_testing.core.concurrency import together
from pv_testing.core.errors import DataError
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.samples import sample_key
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import gather_bounded
from pv_testing.integrations.lims import LIMSClient
from pv_testing.samples.result_sets import result_record
from pv_testing.workflow.execution_checkpoint import ExecutionCheckpoint
from pv_testing.workflow.executions import CompletedExecutions, read_completed
from pv_testing.workflow.selection import UNDER_TEST
from pv_testing.workflow.step import Step

SWEEP = "lims/results"


class UploadResults(Step[LIMSClient, Report]):
    """Upload the results of every completed execution of the service requests; changed ones become amendments.

    A closed request is finished when all its executions have ended and every result set is in effect.
    """

    sweep = SWEEP
    executions = "COMPLETE"
    checkpoint = "lims/result"
    begins = True

    def states(self) -> Sequence[str]:
        """Return the states from the first execution on."""
        return UNDER_TEST

    async def carry(self) -> Report:
        """Upload the results of executions that aren't settled."""
        protocols, users = await together(self.framework.aprotocols(), self.framework.ausers())
        parts: list[CompletedExecutions]
        parts = await gather_bounded([self._read(request) for request in self.requests], limit=2)
        self._parts = {part.request.sr_number: part for part in parts}
        pairs: list[tuple[ServiceRequest, Execution]] = []
        for part in parts:
            pairs += [(part.request, named(execution, users)) for execution in part.read]
        sample_ids = await self.client.asample_ids(
            {sample_key(request.sr_number, execution.serial_number) for request, execution in pairs}
        )
        records, orphans = _records(pairs, protocols, sample_ids)
        self._report = report = await self.exchange_unconfirmed("upload_results", records)
        report.add(orphans)
        for part in parts:
            report.add(part.unread)
            report.add(Outcome(execution_id, Result.UNCHANGED) for execution_id in sorted(part.settled))
            report.notes += part.notes()
        return report

    async def _read(self, request: ServiceRequest) -> CompletedExecutions:
        name = f"{self.checkpoint}/{request.sr_number}"
        checkpoint = await asyncio.to_thread(
            ExecutionCheckpoint, self.ledger, name, self.client.rules, anew=self.replay
        )
        return await read_completed(self.framework, request, checkpoint)

    def names_in_keys(self, sr_number: str) -> set[str]:
        """Return the number of a request and the ids of its executions."""
        return {sr_number} | (self._parts[sr_number].names if sr_number in self._parts else set())

    def is_done(self, request: ServiceRequest) -> bool:
        """Say whether nothing of a request waits, nor is waited for although it is closed."""
        part = self._parts[request.sr_number]
        return part.may_be_finished and self.waiting.isdisjoint(execution.execution_id for execution in part.read)

    async def remember(self) -> None:
        """Remember which executions are settled, then how far the requests are."""
        for part in self._parts.values():
            await asyncio.to_thread(part.checkpoint.keep, self._report.outcomes)
        await super().remember()


def _records(
    pairs: Iterable[tuple[ServiceRequest, Execution]],
    protocols: Mapping[str, Mapping[str, Any]],
    sample_ids: Mapping[str, str],
) -> tuple[list[Record], list[Outcome]]:
    """Return the records of executions, and the outcomes of those whose samples aren't in the LIMS yet."""
    records, orphans = [], []
    for request, execution in pairs:
        key = sample_key(request.sr_number, execution.serial_number)
        sample_id = sample_ids.get(key)
        if not execution.serial_number:
            problem = DataError("it names no module; enter its serial number in the framework", code="SERIAL_MISSING")
            records.append(Record(execution.execution_id, {}, problem))
        elif sample_id is None:
            reason = f"its sample {key} is not in the LIMS yet; pv_intake creates it"
            orphans.append(Outcome(execution.execution_id, Result.DEFERRED, code="SAMPLE_UNKNOWN", reason=reason))
        else:
            protocol = protocols.get(execution.protocol_id)
            records.append(result_record(execution, protocol, request.sr_number, sample_id))
    return records, orphans


def named(execution: Execution, users: Mapping[str, Mapping[str, Any]]) -> Execution:
    """Return the execution with what the framework's users say of its operator, where it gave only an id."""
    user = users.get(str(execution.operator.get("id")))
    return execution if user is None else replace(execution, operator={**user, **execution.operator})


upload_results = UploadResults.over
