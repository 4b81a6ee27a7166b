"""Many records in one request, each of which succeeds or fails on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.problems import Problem, details_of

MOST = 500
KEYS = ("external_id", "project_id")
Item = TypeVar("Item", bound=BaseModel)


class Many(BaseModel):
    """The body of a bulk request; each item is judged by itself."""

    model_config = ConfigDict(extra="forbid")

    items: list[Any] = Field(min_length=1, max_length=MOST)


class Keys(BaseModel):
    """Business keys to look up."""

    model_config = ConfigDict(extra="forbid", strict=True)

    external_ids: list[str] = Field(min_length=1, max_length=MOST)


def each(items: Sequence[Any], model: type[Item], work: Callable[[Item], dict[str, Any]]) -> list[dict[str, Any]]:
    """Do the work for each valid item and return one answer an item, in their order.

    Args:
        items: as they came.
        model: what a valid one looks like.
        work: does it and returns the answer; a :class:`Problem` becomes the item's own refusal.
    """
    return [_one(item, model, work) for item in items]


def _one(item: Any, model: type[Item], work: Callable[[Item], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {**work(model.model_validate(item)), "status": 201}
    except ValidationError as error:
        details = details_of(error.errors())
        problem = Problem(422, "VALIDATION_ERROR", "The item is not valid", details=details)
    except Problem as refused:
        problem = refused
    return {**named(item), "status": problem.status, **problem.envelope()}


def named(item: Any) -> dict[str, Any]:
    """Return the keys that an item was sent with, so that its refusal can be told from the others."""
    return {name: item[name] for name in KEYS if name in item} if isinstance(item, dict) else {}
