"""How new the framework's word must be for a run, by what has started the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

    from pv_testing.workflow.shared_changes import Wanted

BY_SCHEDULE, BY_DATA = "scheduled", "asset_triggered"
NEW = ("created", "updated", "adopted")


def wanted_changes(context: Context) -> Wanted:
    """Return how new a listing of changes has to be that another task has asked the framework for.

    A person, or a task that has changed something, wants to see the effect at once, and so does another try. A run by
    schedule takes each listing once. A task that has changed nothing sets off a run that needs no other listing.

    Args:
        context: of the task.
    """
    from pv_testing.workflow.shared_changes import Wanted

    kind = str(getattr(context.get("dag_run"), "run_type", "")).rpartition(".")[2].lower()
    if context["ti"].try_number == 1 and kind == BY_SCHEDULE:
        return Wanted.UNSEEN
    if context["ti"].try_number == 1 and kind == BY_DATA:
        events = _extras(context.get("triggering_asset_events") or {})
        return Wanted.RECENT if events and not any(map(_is_news, events)) else Wanted.NOW
    return Wanted.NOW


def _extras(events: Mapping[Any, Iterable[Any]]) -> list[Mapping[str, Any]]:
    extras: list[Mapping[str, Any]] = []
    for of_asset in events.values():
        extras += [event.extra or {} for event in of_asset]
    return extras


def _is_news(extra: Mapping[str, Any]) -> bool:
    """Say whether an event tells of a change; one that gives no numbers may do so."""
    return any(extra.get(name) for name in NEW) or not any(name in extra for name in NEW)
