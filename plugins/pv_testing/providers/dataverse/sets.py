"""Operation sets: a change is put into a set, the set is executed, and Dataverse persists it later or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from pv_testing.core.errors import AmbiguousOutcome, IntegrationError, Rejected
from pv_testing.providers.dataverse.provider import TASKS, DataverseProvider, Row

OURS = "PV testing"
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
TRIES = 2
CREATE, UPDATE = "msdyn_PssCreateV1", "msdyn_PssUpdateV1"


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
    """Open a set; a refusal may mean that too many are open, left behind by killed processes and lost answers."""
    body = {"ProjectId": change.project, "Description": f"{OURS} {change.key}"}
    try:
        answer = await _act(dataverse, change, "msdyn_CreateOperationSetV1", body)
    except Rejected:
        if not await _swept(dataverse, change):
            raise
        answer = await _act(dataverse, change, "msdyn_CreateOperationSetV1", body)
    return str(answer["OperationSetId"])


async def _swept(dataverse: DataverseProvider, change: Change) -> int:
    """Abandon our open sets that are too old for a living process to use them, and return how many."""
    age = timedelta(seconds=2 * dataverse.contract.limits.total_timeout)
    before = (datetime.now(timezone.utc) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = dataverse.contract.names["open_status"]
    only = f"msdyn_status eq {status} and createdon lt {before} and startswith(msdyn_description,'{OURS}')"
    stale = [
        str(row["msdyn_operationsetid"]) async for row in dataverse.rows("msdyn_operationsets", change.operation, only)
    ]
    for each in stale:
        await _abandon(dataverse, change, each)
    return len(stale)


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
