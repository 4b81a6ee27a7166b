"""The executions of a service request that are complete, and those of a closed one that may still become so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pv_testing.core.errors import DataError
from pv_testing.core.records import Outcome, Result
from pv_testing.domain.reading import read_execution, text
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.status import COMPLETE, ENDED
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.workflow.sweep_backlog import CLOSED


class Listed(NamedTuple):
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
        number = request.sr_number
        return [
            f"{number} is closed, but its execution {each} has not ended; it is waited for" for each in self.under_way
        ]


async def list_complete(framework: FrameworkClient, request: ServiceRequest) -> Listed:
    """Return the completed executions of a request, each once however the pages of the listing shift."""
    closed = request.status == CLOSED
    rows = await framework.alist("list_executions", sr_id=request.id, **({} if closed else {"status": COMPLETE}))
    executions, unread = readable(request, {text(row.get("execution_id")): row for row in rows}.values())
    if not closed:
        return Listed(executions, unread, [])
    complete = [each for each in executions if each.status == COMPLETE]
    ended = {COMPLETE, *ENDED}
    return Listed(complete, unread, [each.execution_id for each in executions if each.status not in ended])


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
