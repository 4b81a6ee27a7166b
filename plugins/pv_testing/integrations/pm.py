"""Project management: tasks, progress, hours and resource usage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, ClassVar

from pv_testing.core import keys
from pv_testing.core.errors import MappingError
from pv_testing.core.records import Record, Result
from pv_testing.core.sync import run
from pv_testing.domain.days import local_day
from pv_testing.exchange.report import Report
from pv_testing.integrations.client import SystemClient
from pv_testing.integrations.given import Given

log = logging.getLogger(__name__)

TITLE = "PV Testing - "
EQUIPMENT = "Equipment"
TASK = ("project_id", "title", "description", "start_date", "due_date", "assignee", "external_id")
SUBTASK = ("parent_task_id", "title", "estimated_hours", "assignee", "external_id")
UPDATE = ("task_id", "status", "completion_date", "actual_hours", "notes")
_ENTRY = ("task_id", "user", "date", "hours", "description")
_USAGE = ("task_id", "resource_type", "resource_id", "usage_hours", "date")
_PROGRESS = ("project_id", "progress_percent", "task_id")
_SAME = "was entered before and is not entered again; give execution_id to tell tests with equal hours apart"


class PMClient(SystemClient):
    """Speaks with project management in the words of the integration guide.

    Every write goes through the exchange engine: a lost response is looked up, a repeated call sends nothing, whichever
    process makes it; the ledger that the configuration names remembers it, or the one that is given. Where a date is
    wanted and a ``datetime`` is given, the day in the laboratory's time zone is taken.

    Example:
        >>> pm = PMClient(base_url="https://pm.company.com/api", api_token="…")  # doctest: +SKIP
        >>> pm.create_task("PROJ-2025-001", "PV Testing - SR-2025-0123")["id"]  # doctest: +SKIP
        'TASK-000001'
    """

    system: ClassVar[str] = "pm"

    def create_task(
        self,
        project_id: str = "",
        title: str = "",
        description: str = "",
        start_date: date | str | None = None,
        due_date: date | str | None = None,
        assignee: str = "",
        external_id: str = "",
    ) -> dict[str, Any]:
        """Create a main task, or return the one that is there.

        Args:
            project_id: the project's id in project management.
            title: in one line.
            description: what it is about.
            start_date: when it begins.
            due_date: when it is to be done.
            assignee: somebody's e-mail address.
            external_id: the service request's number. Without it, it is read from a title of the guide's form
                ``PV Testing - SR-2025-0123``; of any other title, project and title together are the business key.

        Returns:
            What project management says of the task; ``id`` is its id there.

        Raises:
            Rejected: project management refuses the task.
            MappingError: a field is missing or can't be mapped.
        """
        given = {"project_id": project_id, "title": title, "description": description, "assignee": assignee}
        dates = {"start_date": start_date, "due_date": due_date}
        return self.one(self.create_tasks([{**given, **dates, "external_id": external_id}]))

    def create_tasks(self, tasks: Sequence[Given]) -> Report:
        """Create many main tasks, each with the arguments of :meth:`create_task` as a mapping."""
        return self._carry_all("create_task", tasks, self._task, TASK)

    def create_subtask(
        self,
        parent_task_id: str,
        title: str = "",
        estimated_hours: float | None = None,
        assignee: str = "",
        external_id: str = "",
    ) -> dict[str, Any]:
        """Create a subtask, or return the one that is there.

        Args:
            parent_task_id: the main task's id in project management.
            title: the guide's form is ``PVTP-018: Thermal cycling``.
            estimated_hours: how long it takes.
            assignee: somebody's e-mail address.
            external_id: ``SR-2025-0123/PVTP-018``. Without it, it is made of the main task's business key and what
                stands before the colon of the title.

        Raises:
            Rejected: project management refuses the subtask.
            MappingError: a field is missing or can't be mapped.
        """
        given = {"parent_task_id": parent_task_id, "title": title, "estimated_hours": estimated_hours}
        return self.one(self.create_subtasks([{**given, "assignee": assignee, "external_id": external_id}]))

    def create_subtasks(self, subtasks: Sequence[Given]) -> Report:
        """Create many subtasks, each with the arguments of :meth:`create_subtask` as a mapping."""
        ids = [str(subtask.get("parent_task_id") or "") for subtask in subtasks]
        known = self.ledger.find_by_external_id(self.system, "task", ids)
        parents = [known.get(task_id, task_id) for task_id in ids]
        return self._carry_keyed("create_subtask", zip(parents, subtasks, strict=True), _subtask, SUBTASK)

    def update_task(
        self,
        task_id: str,
        status: str,
        completion_date: date | str | None = None,
        actual_hours: float | None = None,
        notes: str = "",
    ) -> dict[str, Any]:
        """Say how far a task or a subtask is.

        Args:
            task_id: its id in project management.
            status: ``OPEN``, ``IN_PROGRESS`` or ``COMPLETE``.
            completion_date: when it was done.
            actual_hours: how long it has taken.
            notes: for the reader there.

        Raises:
            Rejected: project management doesn't allow this status now, such as for open subtasks.
        """
        given = {"task_id": task_id, "status": status, "completion_date": completion_date}
        return self.one(self.update_tasks([{**given, "actual_hours": actual_hours, "notes": notes}]))

    def update_tasks(self, updates: Sequence[Given]) -> Report:
        """Say how far many tasks are, each with the arguments of :meth:`update_task` as a mapping."""
        pairs = zip(self._task_keys(updates), updates, strict=True)
        return self._carry_keyed("update_task", pairs, self._update, UPDATE)

    def update_project_progress(
        self, project_id: str, progress_percent: float, task_id: str = "", external_id: str = ""
    ) -> dict[str, Any]:
        """Say how far a project is.

        Args:
            project_id: the project's id in project management.
            progress_percent: from 0 to 100.
            task_id: the main task that it is the progress of, where products keep it there, such as Redmine.
            external_id: the service request's number; the main task's business key or the project's id without it.
        """
        given = {"project_id": project_id, "progress_percent": progress_percent, "task_id": task_id}
        known = self._task_keys([given])[0]
        fields = {**given, "external_id": external_id}
        progress = self._whole("update_project_progress", fields, partial(_progress, known))
        return self.one(self.exchange("update_project_progress", [progress]))

    def log_time_entry(
        self,
        task_id: str,
        user: str = "",
        date: date | str | None = None,
        hours: float | None = None,
        description: str = "",
        execution_id: str = "",
    ) -> dict[str, Any]:
        """Enter somebody's hours on a task.

        Args:
            task_id: the task's id in project management.
            user: somebody's e-mail address.
            date: the day that they are of.
            hours: how many.
            description: what was done.
            execution_id: the business key; hours that change under it are corrected. Without it, all of the above
                together is, so that the same call again enters nothing.

        Raises:
            Rejected: project management knows no such task or person.
            MappingError: a field is missing or can't be mapped.
        """
        given = {"task_id": task_id, "user": user, "date": date, "hours": hours, "description": description}
        return self.one(self.log_time_entries([{**given, "execution_id": execution_id}]))

    def log_time_entries(self, entries: Sequence[Given]) -> Report:
        """Enter many people's hours, each with the arguments of :meth:`log_time_entry` as a mapping."""
        report = self._carry_all("log_time_entry", entries, self._time_entry, (*_ENTRY, "execution_id"))
        return self._warn(report, entries)

    def log_resource_usage(
        self,
        task_id: str,
        resource_type: str = EQUIPMENT,
        resource_id: str = "",
        usage_hours: float | None = None,
        date: date | str | None = None,
        execution_id: str = "",
    ) -> dict[str, Any]:
        """Enter the hours that a task used a resource.

        Args:
            task_id: the task's id in project management.
            resource_type: such as ``Equipment``.
            resource_id: which one.
            usage_hours: how long.
            date: the day on which it began.
            execution_id: with the resource's id it is the business key; without it, all of the above together is.

        Raises:
            Rejected: project management knows no such task.
            MappingError: a field is missing or can't be mapped.
        """
        given = {"task_id": task_id, "resource_type": resource_type, "resource_id": resource_id}
        return self.one(
            self.log_resource_usages(
                [{**given, "usage_hours": usage_hours, "date": date, "execution_id": execution_id}]
            )
        )

    def log_resource_usages(self, usages: Sequence[Given]) -> Report:
        """Enter many usages, each with the arguments of :meth:`log_resource_usage` as a mapping."""
        report = self._carry_all("log_resource_usage", usages, self._usage, (*_USAGE, "execution_id"))
        return self._warn(report, usages)

    def find_task(self, external_id: str) -> dict[str, Any] | None:
        """Return the task or subtask with a business key, or ``None``."""
        return self._first("get_tasks", external_id)

    def find_time_entry(self, external_id: str) -> dict[str, Any] | None:
        """Return the hours that were entered for an execution, or ``None``."""
        return self._first("get_time_entries", external_id)

    def find_resource_usage(self, external_id: str) -> dict[str, Any] | None:
        """Return the usage with a business key such as ``5678/TC-001``, or ``None``."""
        return self._first("get_resource_usage", external_id)

    async def atask_ids(self, kind: str, keys: Iterable[str]) -> dict[str, str]:
        """Return the ids of those tasks that the ledger knows, by business key.

        Args:
            kind: ``task`` or ``subtask``.
            keys: their business keys.
        """
        return await asyncio.to_thread(self.ledger.external_ids, self.system, kind, sorted(keys))

    def _first(self, listing: str, external_id: str) -> dict[str, Any] | None:
        rows = run(self._amatching(listing, external_id))
        return rows[0] if rows else None

    def _task_keys(self, given: Sequence[Given]) -> list[str]:
        """Return the business keys of the tasks that are spoken of; the id where the ledger doesn't know it."""
        ids = [str(each.get("task_id") or "") for each in given]
        known = self.ledger.find_by_external_id(self.system, "task", ids)
        known |= self.ledger.find_by_external_id(self.system, "subtask", ids)
        return [known.get(id_, id_) for id_ in ids]

    def _task(self, task: Given) -> Record:
        title, project = str(task.get("title") or ""), str(task.get("project_id") or "")
        number = str(task.get("external_id") or (title.removeprefix(TITLE) if title.startswith(TITLE) else ""))
        key = keys.compose(number) if number else keys.compose(project, title)
        return self._record(key, {**task, "task_key": key, "sr_number": number or key})

    def _update(self, key: str, update: Given) -> Record:
        return self._record(key, {"task_key": key, **update})

    def _time_entry(self, entry: Given) -> Record:
        execution = str(entry.get("execution_id") or "")
        key = keys.compose(execution) if execution else _known_by(entry, _ENTRY)
        return self._record(key, {**entry, "execution_id": execution or key})

    def _usage(self, usage: Given) -> Record:
        execution = str(usage.get("execution_id") or "")
        key = keys.compose(execution, str(usage.get("resource_id"))) if execution else _known_by(usage, _USAGE)
        return self._record(key, {**usage, "usage_key": key})

    def _warn(self, report: Report, given: Sequence[Given]) -> Report:
        """Say which hours were taken for hours that are there already, where only the caller can tell."""
        unchanged = report.counts()[Result.UNCHANGED.value]
        if unchanged and not all(each.get("execution_id") for each in given):
            log.warning("%s: an equal entry %s", report.operation, _SAME)
        return report

    def _record(self, key: str, data: Given) -> Record:
        try:
            return Record(key, {**data, **self._days(data)})
        except MappingError as error:
            return Record(key, {name: str(value) for name, value in data.items()}, error)

    def _days(self, data: Given) -> dict[str, str]:
        """Return the dates that were given as points in time, as the laboratory's calendar has them."""
        from pv_testing.config import lab_zone

        moments = {name: value for name, value in data.items() if isinstance(value, datetime)}
        if not moments:
            return {}
        zone = lab_zone()
        return {name: local_day(value, zone) for name, value in moments.items()}


def _progress(task_key: str, given: Given) -> Record:
    external_id = str(given["external_id"])
    key = (keys.compose(external_id) if external_id else task_key) or str(given["project_id"])
    return Record(key, {"progress_key": key, **{name: given[name] for name in _PROGRESS}})


def _subtask(parent: str, subtask: Given) -> Record:
    protocol = str(subtask.get("title") or "").partition(":")[0].strip()
    key = str(subtask.get("external_id") or "") or keys.below(parent, protocol)
    *parts, last = keys.split(key)
    return Record(key, {**subtask, "task_key": key, "sr_number": parts[0] if parts else key, "protocol_id": last})


def _known_by(given: Given, names: Sequence[str]) -> str:
    """Return a business key of everything that is said, where no execution is named."""
    parts = [str(given[name]) for name in names if given.get(name) not in {None, ""}]
    return keys.compose(*parts) if parts else ""
