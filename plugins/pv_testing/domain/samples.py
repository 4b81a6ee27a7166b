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
    """Return the error of a request that doesn't announce a whole number of modules."""
    message = f"the number of modules is unknown: {request.announced!r} is no whole number; correct it in the framework"
    return DataError(message, code=Reason.QUANTITY_UNKNOWN)
