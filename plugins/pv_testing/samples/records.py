"""Service requests as samples: one for each module whose serial number is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pv_testing.core.errors import DataError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Record
from pv_testing.domain.records import Module, ServiceRequest
from pv_testing.domain.samples import quantity_unknown, sample_key


def sample_records(request: ServiceRequest) -> list[Record]:
    """Return one record for each module.

    A module without a serial number, or with one that comes twice, is returned with its problem, so that it waits in
    quarantine: serial numbers are never invented.
    """
    times = Counter(module.serial_number for module in request.modules)
    return [_record(request, module, place, times) for place, module in enumerate(request.modules, start=1)]


def _record(request: ServiceRequest, module: Module, place: int, times: Counter[str]) -> Record:
    serial = module.serial_number
    data = {
        **module.details,
        "sr_number": request.sr_number,
        "serial_number": serial,
        "customer": request.customer,
        "customer_name": request.customer.get("name"),
        "module": module.details,
        "protocols": list(request.protocols),
    }
    if not serial:
        problem = DataError(
            f"module {place} has no serial number; enter it in the framework", code=Reason.SERIAL_MISSING
        )
        return Record(sample_key(request.sr_number, f"(module {place})"), data, problem)
    if times[serial] > 1:
        problem = DataError(
            f"the serial number comes {times[serial]} times in its request", code=Reason.SERIAL_DUPLICATE
        )
        return Record(sample_key(request.sr_number, serial), data, problem)
    return Record(sample_key(request.sr_number, serial), data)


def shortfalls(requests: Iterable[ServiceRequest]) -> list[str]:
    """Say which requests list fewer or more modules than they announce, or announce no number that can be read."""
    notes = [_shortfall(request) for request in requests]
    return [note for note in notes if note]


def _shortfall(request: ServiceRequest) -> str:
    known = len(request.modules)
    if request.quantity is None:
        problem = quantity_unknown(request)
        return f"{request.sr_number}: {known} serial numbers known; {problem.message} [{problem.code}]"
    if known == request.quantity:
        return ""
    rest = "the rest follow after inspection" if known < request.quantity else "more than announced"
    return f"{request.sr_number}: {known} of {request.quantity} serial numbers known; {rest}"
