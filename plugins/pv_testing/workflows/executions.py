"""The executions of a service request that are complete, and those of a closed one that may still become so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pv_testing.domain.reading import text
from pv_testing.domain.records import ServiceRequest
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.projects.progress import COMPLETE, ENDED
from pv_testing.workflows.unfinished import CLOSED


class Listed(NamedTuple):
    """What the framework lists of one service request.

    Attributes:
        complete: the rows of its completed executions.
        under_way: the numbers of those that have neither completed nor ended without results; only looked for where the
            request is closed, for an open one is read again anyway.
    """

    complete: Sequence[Mapping[str, Any]]
    under_way: list[str]

    def notes(self, request: ServiceRequest) -> list[str]:
        """Say which executions keep a closed request from being finished."""
        number = request.sr_number
        return [
            f"{number} is closed, but its execution {each} has not ended; it is waited for" for each in self.under_way
        ]


async def list_complete(framework: FrameworkClient, request: ServiceRequest) -> Listed:
    """Return the completed executions of a request, each once however the pages of the listing shift."""
    wanted = {} if request.status == CLOSED else {"status": COMPLETE}
    listed = await framework.alist("list_executions", sr_id=request.id, **wanted)
    rows = {text(row.get("execution_id")): row for row in listed}
    complete = [row for row in rows.values() if row.get("status") == COMPLETE]
    ended = {COMPLETE, *ENDED}
    return Listed(complete, [name for name, row in rows.items() if row.get("status") not in ended])
