"""A module's way through the laboratory as the ERP's stock knows it: received, stored, then returned or scrapped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import Enum

from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.records import Record
from pv_testing.domain.reading import text
from pv_testing.domain.records import Execution, Module, ServiceRequest
from pv_testing.domain.samples import sample_key
from pv_testing.domain.status import COMPLETE
from pv_testing.domain.verdict import QualityStatus, read_status
from pv_testing.inventory.policy import AS_TESTED, Leaving


class Movement(str, Enum):
    """What happens to a module."""

    RECEIVED = "RECEIVED"
    STORED = "STORED"
    RETURNED = "RETURNED"
    SCRAPPED = "SCRAPPED"


def movement_key(sr_number: str, serial_number: str, movement: Movement) -> str:
    """Return the business key of a movement: a module makes each of them once in a service request."""
    return keys.below(sample_key(sr_number, serial_number), movement.value)


def movement_record(
    request: ServiceRequest, module: Module, movement: Movement, day: date, product: str = "", times: int = 1
) -> Record:
    """Return the record of a movement.

    Args:
        request: the service request.
        module: with its serial number.
        movement: what happens to it.
        day: when, in the laboratory's time zone.
        product: what the ERP calls such a module; left out where empty.
        times: how often the serial number comes in the request; one that comes twice names no module.
    """
    key = movement_key(request.sr_number, module.serial_number, movement)
    data = {
        **module.details,
        "movement_key": key,
        "sr_number": request.sr_number,
        "serial_number": module.serial_number,
        "movement": movement.value,
        "date": day.isoformat(),
        "product": product or None,
        "customer": request.customer,
        "customer_name": request.customer.get("name"),
        "module": module.details,
    }
    if times > 1:
        message = f"the serial number comes {times} times in its request; correct the request"
        return Record(key, data, DataError(message, code="SERIAL_DUPLICATE"))
    return Record(key, data)


def last_movement(executions: Iterable[Execution], rule: Leaving) -> Movement:
    """Return how a module leaves.

    Args:
        executions: all that have begun on this module.
        rule: of its customer.

    Raises:
        DataError: an execution that decides has no verdict yet, or an unknown one.
    """
    if rule.modules != AS_TESTED:
        return Movement(rule.modules.upper())
    done = list(executions)
    if any(execution.protocol_id in rule.destroyed_by for execution in done):
        return Movement.SCRAPPED
    problems = []
    for execution in done:
        if execution.protocol_id in rule.scrapped_if_failed and execution.status == COMPLETE:
            try:
                if _failed(execution):
                    return Movement.SCRAPPED
            except DataError as problem:
                problems.append(problem)
    if problems:
        raise problems[0]
    return Movement.RETURNED


def _failed(execution: Execution) -> bool:
    status = read_status(text(execution.qc_status))
    if status is QualityStatus.UNDECIDED:
        raise DataError(
            f"execution {execution.execution_id} of {execution.protocol_id} has no verdict, which decides whether the "
            "module is scrapped; give it in the framework",
            code="VERDICT_MISSING",
        )
    return status is QualityStatus.FAIL
