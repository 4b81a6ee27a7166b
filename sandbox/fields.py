"""The types of the fields that the systems accept: text, days and moments, and the strict model that holds them."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sandbox import times


def _day(text: str) -> str:
    date.fromisoformat(text)
    return text


def _moment(text: str) -> str:
    times.parse(text)
    return text


def _stamped(text: str) -> str:
    return times.stamp(times.parse(text))


Text = Annotated[str, Field(min_length=1, max_length=500)]
Day = Annotated[str, AfterValidator(_day)]
Moment = Annotated[str, AfterValidator(_moment)]
"""A time with a zone, kept as it came."""
Stamp = Annotated[str, AfterValidator(_stamped)]
"""A time with a zone, kept in UTC as the systems write it."""


class Strict(BaseModel):
    """No coercion, no unknown fields, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
