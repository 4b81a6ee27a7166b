"""The PM's records in its own SQLite file, and the rules that its tasks obey."""

from __future__ import annotations

from typing import Any

from sandbox.framework.app import USERS
from sandbox.pm.models import ProgressIn, SubtaskIn, TaskIn, TaskPlan, TaskStatusIn, TimeEntryIn, UsageIn, given
from sandbox.problems import HttpProblem
from sandbox.register import Register, table
from sandbox.store import Database
from sandbox.times import now

_TABLES = ("tasks", "time_entries", "resource_usage", "progress")
SCHEMA = "".join(table(name) for name in _TABLES)
BUSINESS_KEYS: dict[str, tuple[str, ...]] = dict.fromkeys(_TABLES, ("external_id",))
OPEN, COMPLETE = "OPEN", "COMPLETE"
MEMBERS = frozenset(user[2] for user in USERS if user[5])
_BLANK: dict[str, Any] = {
    "parent_id": "",
    "description": None,
    "start_date": None,
    "due_date": None,
    "assignee": None,
    "estimated_hours": None,
    "closed_at": None,
    "notes": None,
    "history": [],
}


class PmRecords:
    """The PM's records.

    Args:
        store: its database.
    """

    def __init__(self, store: Database) -> None:
        self.store = store
        self.tasks = Register(store, "tasks", "TASK", "Task", self._with_sums)
        self.time_entries = Register(store, "time_entries", "TIME", "Time entry")
        self.usage = Register(store, "resource_usage", "USE", "Resource usage")
        self.progress = Register(store, "progress", "PRG", "Progress")

    def _with_sums(self, task: dict[str, Any]) -> dict[str, Any]:
        """Return a task with its hours and its progress, which the PM adds up itself."""
        sql = "SELECT coalesce(sum(json_extract(body, '$.hours')), 0) FROM time_entries"
        spent = self.store.value(f"{sql} WHERE json_extract(body, '$.task_id') = ?", (task["id"],))
        known = self.progress.find([task["external_id"]])
        done = known[-1]["progress_percent"] if known else 100.0 if task["status"] == COMPLETE else 0.0
        return {**task, "spent_hours": spent, "progress_percent": done}

    def create_task(self, task: TaskIn) -> dict[str, Any]:
        """Keep a main task.

        Raises:
            HttpProblem: a field doesn't fit.
        """
        return self._create(task.external_id, {**_BLANK, **given(task)})

    def create_subtask(self, parent_id: str, task: SubtaskIn) -> dict[str, Any]:
        """Keep a subtask of a main task.

        Raises:
            HttpProblem: the parent doesn't exist, is a subtask itself or complete, or a field doesn't fit.
        """
        parent = self.tasks.get(parent_id)
        if parent["parent_id"]:
            raise HttpProblem(409, "INVALID_PARENT", f"Task {parent_id} is a subtask itself")
        if parent["status"] == COMPLETE:
            raise HttpProblem(409, "INVALID_TRANSITION", f"Task {parent_id} is complete and takes no further subtask")
        own = {"parent_id": parent_id, "project_id": parent["project_id"]}
        return self._create(task.external_id, {**_BLANK, **given(task), **own})

    def _create(self, external_id: str, body: dict[str, Any]) -> dict[str, Any]:
        self._check(body)
        return self.tasks.get(self.tasks.add(external_id, body, OPEN))

    def change_task(self, identity: str, plan: TaskPlan) -> dict[str, Any]:
        """Plan a task anew.

        Raises:
            HttpProblem: there is none, or a field doesn't fit.
        """
        fields = given(plan)
        self._check({**self.tasks.get(identity), **fields})
        return self.tasks.change(identity, fields)

    def set_status(self, identity: str, wanted: TaskStatusIn) -> dict[str, Any]:
        """Move a task on and add to its history, also where the status stays the same.

        Raises:
            HttpProblem: it has open subtasks, or its main task is complete.
        """
        task = self.tasks.get(identity)
        if wanted.status == COMPLETE and self.open_subtasks(identity):
            raise HttpProblem(409, "SUBTASKS_OPEN", f"Task {identity} has subtasks that aren't complete")
        if wanted.status != COMPLETE and task["parent_id"] and self._is_complete(task["parent_id"]):
            raise HttpProblem(409, "INVALID_TRANSITION", f"The main task of {identity} is complete")
        at = now()
        entry = {"status": wanted.status, "notes": wanted.notes, "at": at}
        fields = wanted.model_dump(exclude={"status"}, exclude_none=True)
        closed = at if wanted.status == COMPLETE else None
        change = {**fields, "history": [*task["history"], entry], "closed_at": closed}
        return self.tasks.change(identity, change, wanted.status)

    def open_subtasks(self, identity: str) -> list[str]:
        """Return the ids of the subtasks that aren't complete."""
        sql = "SELECT number FROM tasks WHERE json_extract(body, '$.parent_id') = ? AND status != ?"
        return [self.tasks.identity(row["number"]) for row in self.store.rows(sql, (identity, COMPLETE))]

    def _is_complete(self, identity: str) -> bool:
        return bool(self.tasks.get(identity)["status"] == COMPLETE)

    def set_progress(self, project_id: str, progress: ProgressIn) -> dict[str, Any]:
        """Keep how far a part of a project is; the newest counts."""
        body = {"project_id": project_id, "progress_percent": progress.progress_percent}
        known = [each for each in self.parts(project_id) if each["external_id"] == progress.external_id]
        if known:
            return self.progress.change(known[0]["id"], body)
        return self.progress.get(self.progress.add(progress.external_id, body))

    def parts(self, project_id: str) -> list[dict[str, Any]]:
        """Return how far each part of a project is."""
        return self.progress.having(project_id=project_id)

    def log_time(self, entry: TimeEntryIn) -> dict[str, Any]:
        """Keep a person's hours.

        Raises:
            HttpProblem: the task doesn't exist, or the person is unknown.
        """
        self._check_entry(entry.task_id, entry.user)
        return self.time_entries.get(self.time_entries.add(entry.external_id, given(entry)))

    def log_usage(self, usage: UsageIn) -> dict[str, Any]:
        """Keep the usage of a resource.

        Raises:
            HttpProblem: the task doesn't exist.
        """
        self._check_entry(usage.task_id)
        return self.usage.get(self.usage.add(usage.external_id, given(usage)))

    def correct(self, register: Register, identity: str, entry: TimeEntryIn | UsageIn) -> dict[str, Any]:
        """Put other hours in the place of those that are kept.

        Raises:
            HttpProblem: there are none, the task doesn't exist, or the person is unknown.
        """
        self._check_entry(entry.task_id, getattr(entry, "user", None))
        return register.change(identity, given(entry))

    def _check_entry(self, task_id: str, user: str | None = None) -> None:
        if not self._exists(task_id):
            raise _invalid("task_id", f"{task_id} is no task")
        _check_member("user", user)

    def _exists(self, task_id: str) -> bool:
        digits = task_id.removeprefix("TASK-")
        number = int(digits) if digits.isdigit() else 0
        known = self.store.value("SELECT 1 FROM tasks WHERE number = ?", (number,))
        return known is not None and task_id.startswith("TASK-")

    @staticmethod
    def _check(task: dict[str, Any]) -> None:
        if task["start_date"] and task["due_date"] and task["due_date"] < task["start_date"]:
            raise _invalid("due_date", "is before start_date")
        _check_member("assignee", task["assignee"])


def _check_member(field: str, address: str | None) -> None:
    if address is not None and address.casefold() not in MEMBERS:
        raise _invalid(field, f"no member has the address {address}", "USER_UNKNOWN")


def _invalid(field: str, message: str, code: str = "VALIDATION_ERROR") -> HttpProblem:
    return HttpProblem(422, code, "The request is not valid", details=[{"field": field, "message": message}])
