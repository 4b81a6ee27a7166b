"""The business key of a sample, and how many samples a service request announces."""

from __future__ import annotations

from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.reasons import Reason
from pv_testing.domain.records import ServiceRequest


def sample_key(sr_number: str, serial_number: str) -> str:
    """Return the business key of a sample; the same module in a later service request is another sample."""
    return keys.compose(sr_number, serial_number)


def quantity_unknown(request: ServiceRequest) -> DataError:
    """Return what is wrong with a request of which nobody knows how many modules it announces."""
    problem = f"nobody knows how many modules are announced: {request.announced!r} is no whole number"
    return DataError(f"{problem}; correct it in the framework", code=Reason.QUANTITY_UNKNOWN)
