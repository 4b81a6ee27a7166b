"""Operation sets: a change is put into a set, the set is executed, and Dataverse persists it later or not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from pv_testing.core.errors import AmbiguousOutcome, IntegrationError, Rejected
from pv_testing.providers.dataverse.provider import TASKS, DataverseProvider, Row

OURS = "PV testing"
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
MOST_OPEN = 10
"""So many sets an account may have open."""
REFUSALS = 3
"""After so many refusals that too many open sets don't explain, one is final; another task may have closed a set."""
TRIES = 2
CREATE, UPDATE = "msdyn_PssCreateV1", "msdyn_PssUpdateV1"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """One change of one task.

    Attributes:
        action: creates or updates.
        operation: whose step it is.
        key: the business key of the record.
        guid: the task's id.
        project: the GUID of the task's project.
        columns: what is written.
    """

    action: str
    operation: str
    key: str
    guid: str
    project: str
    columns: Mapping[str, Any]


async def carry(dataverse: DataverseProvider, change: Change, arrived: Callable[[Row], bool]) -> Row:
    """Write a change and wait until it is persisted; the caller's deadline ends the wait.

    Args:
        dataverse: who asks.
        change: what is written.
        arrived: says whether a row shows the change.

    Returns:
        The task with the change.

    Raises:
        AmbiguousOutcome: the task was created meanwhile, by an earlier attempt whose set was persisted late.
        Rejected: Dataverse refuses the change, or its scheduling service has twice.
    """
    for tries in range(1, TRIES + 1):
        try:
            return await _once(dataverse, change, arrived)
        except Rejected as error:
            row = await dataverse.row(TASKS, change.guid, change.operation, key=change.key)
            if row is not None and arrived(row):
                return row
            if row is not None and change.action == CREATE:
                raise AmbiguousOutcome(f"the task is there already: {error.message}", key=change.key) from error
            # A set is a transaction: of one that failed nothing took effect.
            if error.code != "SET_FAILED" or tries == TRIES:
                raise
    raise AssertionError("a change ends")


async def _once(dataverse: DataverseProvider, change: Change, arrived: Callable[[Row], bool]) -> Row:
    opened = await _opened(dataverse, change)
    entity = {
        "@odata.type": "Microsoft.Dynamics.CRM.msdyn_projecttask",
        "msdyn_projecttaskid": change.guid,
        **change.columns,
    }
    try:
        await _act(dataverse, change, change.action, {"Entity": entity, "OperationSetId": opened})
    except IntegrationError:
        await _abandon(dataverse, change, opened)
        raise
    await _act(dataverse, change, "msdyn_ExecuteOperationSetV1", {"OperationSetId": opened})
    return await _persisted(dataverse, change, opened, arrived)


async def _opened(dataverse: DataverseProvider, change: Change) -> str:
    """Open a set; while too many are open, abandon what was left behind, and wait for the others.

    Sets are left behind by killed processes and lost answers. The deadline of the request ends the wait.
    """
    body = {"ProjectId": change.project, "Description": f"{OURS} {change.key}"}
    pause, refused = FIRST_PAUSE, 0
    while True:
        try:
            answer = await _act(dataverse, change, "msdyn_CreateOperationSetV1", body)
        except Rejected:
            swept = await _swept(dataverse, change)
            full = len(await _open(dataverse, change)) >= MOST_OPEN
            refused += not (swept or full)
            if refused == REFUSALS:
                raise
            if full:
                log.info("%s: %d operation sets are open in Dataverse; it waits", change.key, MOST_OPEN)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            return str(answer["OperationSetId"])


async def _swept(dataverse: DataverseProvider, change: Change) -> int:
    """Abandon our open sets that are too old for a living process to use them, and return how many."""
    age = timedelta(seconds=2 * dataverse.contract.limits.total_timeout)
    before = (datetime.now(timezone.utc) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    stale = await _open(dataverse, change, f"createdon lt {before} and startswith(msdyn_description,'{OURS}')")
    for each in stale:
        await _abandon(dataverse, change, each)
    return len(stale)


async def _open(dataverse: DataverseProvider, change: Change, only: str = "") -> list[str]:
    """Return the ids of the open sets that the account sees."""
    status = f"msdyn_status eq {dataverse.contract.names['open_status']}"
    rows = dataverse.rows("msdyn_operationsets", change.operation, f"{status} and {only}" if only else status)
    return [str(row["msdyn_operationsetid"]) async for row in rows]


async def _abandon(dataverse: DataverseProvider, change: Change, opened: str) -> None:
    with suppress(IntegrationError):
        await _act(dataverse, change, "msdyn_AbandonOperationSetV1", {"OperationSetId": opened})


async def _persisted(
    dataverse: DataverseProvider, change: Change, executed: str, arrived: Callable[[Row], bool]
) -> Row:
    """Poll until the task shows the change, or the set has an error log."""
    pause = FIRST_PAUSE
    while True:
        row = await dataverse.row(TASKS, change.guid, change.operation, key=change.key)
        if row is not None and arrived(row):
            return row
        state = await dataverse.row("msdyn_operationsets", executed, change.operation, key=change.key)
        log = (state or {}).get("_msdyn_psserrorlog_value")
        if log:
            reason = await dataverse.row("msdyn_psserrorlogs", str(log), change.operation, key=change.key)
            text = str((reason or {}).get("msdyn_log") or "see the PSS error log")
            raise Rejected(f"the operation set failed: {text}", key=change.key, code="SET_FAILED")
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


async def _act(dataverse: DataverseProvider, change: Change, action: str, body: Mapping[str, Any]) -> Any:
    return await dataverse.ask("POST", f"/{action}", change.operation, key=change.key, json=body)
