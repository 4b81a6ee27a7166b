"""The executions of a service request that are complete, and those of a closed one that may still become so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, NamedTuple

from pv_testing.core.errors import DataError
from pv_testing.core.records import Outcome, Result
from pv_testing.domain.reading import read_execution, text
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.status import COMPLETE, ENDED
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.workflow.execution_checkpoint import ExecutionCheckpoint
from pv_testing.workflow.sweep_backlog import CLOSED


class ListedExecutions(NamedTuple):
    """What the framework lists of one service request.

    Attributes:
        complete: its completed executions, without their results.
        unread: the outcomes of rows that can't be understood; they stop no other.
        under_way: the numbers of those of a closed request that have neither completed nor ended without results; an
            open one is read again anyway.
    """

    complete: Sequence[Execution]
    unread: Sequence[Outcome]
    under_way: list[str]

    def notes(self, request: ServiceRequest) -> list[str]:
        """Say which executions keep a closed request from being finished."""
        closed = f"{request.sr_number} is closed"
        return [f"{closed}, but its execution {each} has not ended; it is waited for" for each in self.under_way]


@dataclass(frozen=True)
class CompletedExecutions:
    """The completed executions of one service request, of which those with settled records weren't read.

    Attributes:
        request: the service request.
        listed: what the framework lists of it.
        read: those that were read, with their results.
        unread: the outcomes of those that could not be read.
        settled: the ids of those whose records are in effect and whose rows haven't changed since.
        checkpoint: what the ledger remembers of their rows.
    """

    request: ServiceRequest
    listed: ListedExecutions
    read: Sequence[Execution]
    unread: Sequence[Outcome]
    settled: AbstractSet[str]
    checkpoint: ExecutionCheckpoint

    @property
    def names(self) -> set[str]:
        """What the records of the executions are named by."""
        return {execution.execution_id for execution in self.listed.complete} | {each.key for each in self.unread}

    @property
    def may_be_finished(self) -> bool:
        """Whether every row was read, and no execution of a closed request is waited for."""
        return not self.unread and not self.listed.under_way

    def notes(self) -> list[str]:
        """Say which executions keep a closed request from being finished."""
        return self.listed.notes(self.request)


async def read_completed(
    framework: FrameworkClient, request: ServiceRequest, checkpoint: ExecutionCheckpoint
) -> CompletedExecutions:
    """Read the completed executions of a request but for those that the checkpoint has as settled.

    Args:
        framework: where they are.
        request: the service request.
        checkpoint: what the ledger remembers of their rows.
    """
    listed = await list_complete(framework, request)
    settled: set[str] = set()
    rows: list[Mapping[str, Any]] = []
    for execution in listed.complete:
        if checkpoint.has(execution.raw):
            settled.add(execution.execution_id)
        else:
            rows.append(execution.raw)
    read, unread = await framework.aall_with_results(rows)
    return CompletedExecutions(request, listed, read, [*listed.unread, *unread], settled, checkpoint)


async def list_complete(framework: FrameworkClient, request: ServiceRequest) -> ListedExecutions:
    """Return the completed executions of a request, each once however the pages of the listing shift."""
    closed = request.status == CLOSED
    rows = await framework.alist("list_executions", sr_id=request.id, **({} if closed else {"status": COMPLETE}))
    executions, unread = readable(request, {text(row.get("execution_id")): row for row in rows}.values())
    if not closed:
        return ListedExecutions(executions, unread, [])
    complete: list[Execution] = []
    under_way: list[str] = []
    for execution in executions:
        if execution.status == COMPLETE:
            complete.append(execution)
        elif execution.status not in ENDED:
            under_way.append(execution.execution_id)
    return ListedExecutions(complete, unread, under_way)


def readable(request: ServiceRequest, rows: Iterable[Mapping[str, Any]]) -> tuple[list[Execution], list[Outcome]]:
    """Return listed executions in the project's own shape, and the outcomes of rows that have none.

    Args:
        request: the service request that they belong to.
        rows: as the framework lists them.
    """
    executions: list[Execution] = []
    unread: list[Outcome] = []
    for row in rows:
        name = text(row.get("execution_id")) or f"an execution of {request.sr_number}"
        try:
            if not text(row.get("execution_id")):
                raise DataError("it has no execution_id; correct it in the framework", code="EXECUTION_ID_MISSING")
            executions.append(read_execution(row))
        except DataError as error:
            unread.append(Outcome(name, Result.QUARANTINED, code=error.code, reason=error.message))
    return executions, unread
