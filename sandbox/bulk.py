"""Many records in one request, each of which succeeds or fails on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.problems import HttpProblem, details_of

MOST = 500
KEYS = ("external_id", "project_id")
Item = TypeVar("Item", bound=BaseModel)


class Many(BaseModel):
    """The body of a bulk request; each item is judged by itself."""

    model_config = ConfigDict(extra="forbid")

    items: list[Any] = Field(min_length=1, max_length=MOST)


class BusinessKeys(BaseModel):
    """Business keys to look up."""

    model_config = ConfigDict(extra="forbid", strict=True)

    external_ids: list[str] = Field(min_length=1, max_length=MOST)


def each(items: Sequence[Any], model: type[Item], work: Callable[[Item], dict[str, Any]]) -> list[dict[str, Any]]:
    """Do the work for each valid item and return one answer an item, in their order.

    Args:
        items: as they came.
        model: of a valid item.
        work: does it and returns the answer; a :class:`HttpProblem` becomes the item's own refusal.
    """
    return [_one(item, model, work) for item in items]


def _one(item: Any, model: type[Item], work: Callable[[Item], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {**work(model.model_validate(item)), "status": 201}
    except ValidationError as error:
        return refusal(invalid(error), item)
    except HttpProblem as problem:
        return refusal(problem, item)


def invalid(error: ValidationError) -> HttpProblem:
    """Return the refusal of an item that is not valid."""
    return HttpProblem(422, "VALIDATION_ERROR", "The item is not valid", details=details_of(error.errors()))


def refusal(problem: HttpProblem, item: Any) -> dict[str, Any]:
    """Return the answer for a refused item, with the keys that tell it from the others."""
    return {**named(item), "status": problem.status, **problem.envelope()}


def named(item: Any) -> dict[str, Any]:
    """Return the business keys that an item was sent with, or its id where it has none."""
    if not isinstance(item, dict):
        return {}
    keys = {name: item[name] for name in KEYS if name in item}
    return keys or {name: item[name] for name in ("id",) if name in item}
