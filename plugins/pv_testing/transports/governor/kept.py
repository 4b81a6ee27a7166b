"""Reads a timetable as it is kept. One that can't be read is no evidence: it begins anew, and the log says so."""

from __future__ import annotations

import logging
from functools import cache
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from pv_testing.transports.governor.timetable import PERIOD, State

LARGEST = 1_000_000
"""Bytes of a timetable; that of a thousand processes has 50,000."""

_Moment = Annotated[float, Field(le=1e11, allow_inf_nan=False)]
_Seconds = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,9}$")]
_Number = Annotated[str, Field(pattern=r"^-?[0-9]{1,15}$")]
log = logging.getLogger(__name__)


class _Kept(TypedDict, total=False):
    at: _Moment
    next: _Moment
    lower: _Moment
    active: dict[str, tuple[int, _Moment]]
    counts: dict[_Seconds, dict[_Number, int]]
    told: tuple[int, _Moment] | None


@cache
def _adapter() -> TypeAdapter[_Kept]:
    return TypeAdapter(_Kept)


def read(system: str, kept: bytes | str, now: float) -> State:
    """Return a system's timetable.

    Args:
        system: whose.
        kept: as JSON; it may be damaged, or of another version.
        now: epoch seconds on the store's clock.
    """
    if len(kept) <= LARGEST:
        try:
            return dict(_adapter().validate_json(kept, strict=False))
        except ValidationError:
            pass
    message = "%s: the timetable of its shared limit can't be read and begins anew; the counts of hour and day are lost"
    log.warning(message, system)
    return {"next": now + PERIOD}
