"""What tests use up, as the ERP's stock gets to know it: one draw for each execution and item."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.records import Record
from pv_testing.domain.days import local_day
from pv_testing.domain.records import Execution
from pv_testing.domain.status import COMPLETE
from pv_testing.inventory.policy import Consumable, InventoryPolicy


def draw_records(
    sr_number: str, executions: Iterable[Execution], policy: InventoryPolicy, zone: tzinfo
) -> list[Record]:
    """Return one record for each item that a completed execution has used up; a retest uses up its own.

    Args:
        sr_number: the service request's number.
        executions: of the request, in any state.
        policy: what a protocol uses up.
        zone: the laboratory's time zone, for the day of the draw: that on which the execution ended.
    """
    records: list[Record] = []
    for execution in executions:
        if execution.status == COMPLETE:
            for consumable in policy.consumables.get(execution.protocol_id, ()):
                records.append(_record(sr_number, execution, consumable, zone))
    return records


def _record(sr_number: str, execution: Execution, consumable: Consumable, zone: tzinfo) -> Record:
    key = keys.compose(execution.execution_id, consumable.item)
    data = {
        "consumable_key": key,
        "execution_id": execution.execution_id,
        "sr_number": sr_number,
        "serial_number": execution.serial_number,
        "protocol_id": execution.protocol_id,
        "item": consumable.item,
        "quantity": consumable.quantity,
        "unit": consumable.unit,
    }
    try:
        return Record(key, {**data, "date": local_day(execution.completed_at, zone)})
    except DataError as problem:
        return Record(key, data, problem)
