"""A plan: tasks under their business keys, whom they are assigned to, and the hours that were worked on them."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from pv_testing.providers.microsoft_project import mspdi
from pv_testing.providers.microsoft_project.entries import EQUIPMENT, Entry, lines_of, with_line, without_line
from pv_testing.providers.microsoft_project.mspdi import get, items, put, put_text, tag, text

KEY, NOTE, PROGRESS_VERSION, VERSION, STATUS_VERSION, WRITTEN = 1, 2, 27, 28, 29, 30
"""The texts of a task: its key, the laboratory's note, which versions were written, and what was written."""
ALIASES = {
    KEY: "PV testing key",
    NOTE: "PV testing note",
    PROGRESS_VERSION: "PV testing progress",
    VERSION: "PV testing version",
    STATUS_VERSION: "PV testing status",
    WRITTEN: "PV testing written",
}
FIELDS = {
    "title": "Name",
    "description": "Notes",
    "start_date": "Start",
    "due_date": "Deadline",
    "estimated_hours": "Work",
}
"""What the laboratory plans first and the planner may change: our field, and Project's."""
HOURS = 5
"""The format of durations."""
OWN = ("PercentComplete", "PhysicalPercentComplete", "ActualFinish")
OWN_TEXTS = (NOTE, PROGRESS_VERSION, STATUS_VERSION)
"""What only the laboratory says."""
_HOUR = {"start_date": "08:00:00", "due_date": "17:00:00"}
Row = dict[str, Any]


class Plan:
    """A plan in memory.

    Args:
        root: of its file; a new plan without it.
    """

    def __init__(self, root: Any = None) -> None:
        self.root = _new() if root is None else root

    def tasks(self, key: str = "") -> list[Any]:
        """Return the tasks with a business key; without one, all that have any."""
        keyed = [task for task in items(self.root, "Tasks") if text(task, KEY)]
        return [task for task in keyed if text(task, KEY) == key] if key else keyed

    def row(self, task: Any) -> Row:
        """Return what the plan says of a task."""
        row: Row = {name: self.value(task, name) or None for name in FIELDS}
        row["id"] = row["key"] = text(task, KEY)
        row["parent"] = self._parent_key(task)
        row["percent"] = _percent(task)
        row["status"] = {0: "OPEN", 100: "COMPLETE"}.get(row["percent"], "IN_PROGRESS")
        row["progress"] = int(get(task, "PhysicalPercentComplete") or 0)
        row["completed"] = get(task, "ActualFinish")[:10] or None
        row["note"] = text(task, NOTE)
        row["assignee"] = next((get(who, "EmailAddress") for who in self._people(task)), None)
        row["version"], row["status_version"] = text(task, VERSION), text(task, STATUS_VERSION)
        row["progress_version"] = text(task, PROGRESS_VERSION)
        return row

    def value(self, task: Any, field: str) -> str:
        """Return a planned field, written as ours are."""
        written = get(task, FIELDS[field])
        if field in _HOUR:
            return written[:10]
        if field == "estimated_hours":
            amount = mspdi.hours(written)
            return "" if amount is None else _plain(amount)
        return written

    def create(self, fields: Mapping[str, Any], parent: Any = None) -> Any:
        """Add a task, below another or at the end."""
        tasks = mspdi.section(self.root, "Tasks")
        block = list(items(self.root, "Tasks"))
        level = int(get(parent, "OutlineLevel")) if parent is not None else 0
        place = len(block)
        if parent is not None:
            place = block.index(parent) + 1
            while place < len(block) and int(get(block[place], "OutlineLevel") or 0) > level:
                place += 1
            put(parent, "Summary", 1)
        task = tasks.makeelement(tag("Task"))
        tasks.insert(place, task)
        for name, value in (("UID", self._free("Tasks")), ("Manual", 1), ("OutlineLevel", level + 1), ("Summary", 0)):
            put(task, name, value)
        put(task, "PercentComplete", 0)
        put_text(task, KEY, str(fields["key"]))
        self.change(task, {**fields, "start_date": fields.get("start_date") or self._begin(parent)})
        put(task, "Finish", _later(get(task, "Start"), Decimal(str(fields.get("estimated_hours") or 0))))
        if fields.get("assignee"):
            self._assignment(task, self._resource(str(fields["assignee"]), ""), fields.get("estimated_hours"))
        self._number()
        return task

    def change(self, task: Any, fields: Mapping[str, Any]) -> None:
        """Write the fields that the planner has not changed since they were written here last."""
        written = _written(task)
        for name in FIELDS:
            if name in fields and self.untouched(task, name):
                self._set(task, name, fields[name])
                written[name] = _digest(self.value(task, name))
        put_text(task, WRITTEN, json.dumps(written, separators=(",", ":")))
        put_text(task, VERSION, str(fields.get("version") or ""))

    def untouched(self, task: Any, field: str) -> bool:
        """Say whether a field is still as it was written here."""
        current = self.value(task, field)
        return _written(task).get(field, _digest("")) == _digest(current)

    def set_status(self, task: Any, fields: Mapping[str, Any]) -> None:
        """Say how far a task is; while it is in progress, its percentage stays."""
        between = min(max(_percent(task), 1), 99)
        put(task, "PercentComplete", {"OPEN": 0, "COMPLETE": 100}.get(str(fields["status"]), between))
        completed = fields.get("completed")
        put(task, "ActualFinish", f"{completed}T17:00:00" if completed else None)
        put_text(task, NOTE, str(fields.get("note") or "")[:255])
        put_text(task, STATUS_VERSION, str(fields.get("version") or ""))

    def set_progress(self, task: Any, fields: Mapping[str, Any]) -> None:
        """Write the physical progress, which Project does not calculate, and the percentage where it is begun."""
        percent = int(Decimal(str(fields["percent"])))
        put(task, "PhysicalPercentComplete", percent)
        if 0 < _percent(task) < 100:
            put(task, "PercentComplete", min(max(percent, 1), 99))
        put_text(task, PROGRESS_VERSION, str(fields.get("version") or ""))

    def entries(self, key: str = "") -> Iterator[Entry]:
        """Give the hours that were entered, all or under a key."""
        by_uid = {get(task, "UID"): text(task, KEY) for task in items(self.root, "Tasks")}
        resources = {get(each, "UID"): each for each in items(self.root, "Resources")}
        for assignment in items(self.root, "Assignments"):
            known = resources.get(get(assignment, "ResourceUID"))
            name = "" if known is None else get(known, "EmailAddress") or get(known, "Name")
            group = "" if known is None else get(known, "Group")
            for line in lines_of(get(assignment, "Notes")):
                if key in {"", line.key}:
                    yield line._replace(task=by_uid.get(get(assignment, "TaskUID"), ""), resource=name, group=group)

    def enter(self, task: Any, entry: Entry) -> None:
        """Enter hours, in the place of those that stand under the same key."""
        self._remove(entry.key)
        assignment = self._assignment(task, self._resource(entry.resource, entry.group), None)
        put(assignment, "Notes", with_line(get(assignment, "Notes"), entry))
        begin = f"{entry.date}T08:00:00" if entry.date else get(task, "Start")
        put(assignment, "Start", min(get(assignment, "Start") or begin, begin))
        put(assignment, "Finish", max(get(assignment, "Finish"), _later(begin, entry.hours)))
        self._work(task, assignment, entry.hours)

    def copy_own(self, task: Any, other: Any) -> None:
        """Take what only the laboratory says of a task from another copy of it."""
        for name in OWN:
            put(task, name, get(other, name))
        for number in OWN_TEXTS:
            put_text(task, number, text(other, number))

    def _remove(self, key: str) -> None:
        for assignment in items(self.root, "Assignments"):
            gone = [line for line in lines_of(get(assignment, "Notes")) if line.key == key]
            if gone:
                put(assignment, "Notes", without_line(get(assignment, "Notes"), key))
                uid = get(assignment, "TaskUID")
                (task,) = (each for each in items(self.root, "Tasks") if get(each, "UID") == uid)
                self._work(task, assignment, -sum((line.hours for line in gone), Decimal(0)))

    def _work(self, task: Any, assignment: Any, more: Decimal) -> None:
        """Add hours to the actual work; what the planner entered by hand stays in the sum."""
        for element in (task, assignment):
            actual = max((mspdi.hours(get(element, "ActualWork")) or Decimal(0)) + more, Decimal(0))
            planned = mspdi.hours(get(element, "Work")) or Decimal(0)
            put(element, "ActualWork", mspdi.duration(actual))
            put(element, "RemainingWork", mspdi.duration(max(planned - actual, Decimal(0))))

    def _begin(self, parent: Any) -> str:
        """Return the day on which a task begins that was given none; readers need one."""
        above = "" if parent is None else get(parent, "Start")[:10]
        return above or datetime.now(timezone.utc).date().isoformat()

    def _set(self, task: Any, field: str, value: Any) -> None:
        if value is None:
            written = None
        elif field in _HOUR:
            written = f"{value}T{_HOUR[field]}"
        elif field == "estimated_hours":
            written = mspdi.duration(Decimal(str(value)))
            put(task, "Duration", written)
            put(task, "DurationFormat", HOURS)
        else:
            written = str(value)
        put(task, FIELDS[field], written)

    def _people(self, task: Any) -> Iterator[Any]:
        resources = {get(each, "UID"): each for each in items(self.root, "Resources")}
        for each in items(self.root, "Assignments"):
            who = resources.get(get(each, "ResourceUID"))
            if get(each, "TaskUID") == get(task, "UID") and who is not None and get(who, "EmailAddress"):
                yield who

    def _assignment(self, task: Any, resource: Any, planned: Any) -> Any:
        pair = get(task, "UID"), get(resource, "UID")
        for each in items(self.root, "Assignments"):
            if (get(each, "TaskUID"), get(each, "ResourceUID")) == pair:
                return each
        made = self._member("Assignments", "Assignment")
        for name, value in (("TaskUID", pair[0]), ("ResourceUID", pair[1]), ("Units", 1)):
            put(made, name, value)
        if planned is not None:
            put(made, "Work", mspdi.duration(Decimal(str(planned))))
        put(made, "Start", get(task, "Start"))
        put(made, "Finish", get(task, "Finish") or get(task, "Start"))
        return made

    def _resource(self, name: str, group: str) -> Any:
        for each in items(self.root, "Resources"):
            if name in {get(each, "EmailAddress"), get(each, "Name")}:
                return each
        made = self._member("Resources", "Resource")
        put(made, "Name", name)
        put(made, "Type", 1)
        put(made, "Group", group)
        put(made, "EmailAddress", "" if group == EQUIPMENT else name)
        return made

    def _member(self, names: str, name: str) -> Any:
        free = self._free(names)
        made = mspdi.section(self.root, names).makeelement(tag(name))
        mspdi.section(self.root, names).append(made)
        put(made, "UID", free)
        if name == "Resource":
            put(made, "ID", free)
        return made

    def _free(self, names: str) -> int:
        return 1 + max((int(get(each, "UID") or 0) for each in items(self.root, names)), default=0)

    def _number(self) -> None:
        for number, task in enumerate((each for each in items(self.root, "Tasks") if get(each, "UID") != "0"), 1):
            put(task, "ID", number)

    def _parent_key(self, task: Any) -> str:
        level = int(get(task, "OutlineLevel") or 0)
        for before in task.itersiblings(tag("Task"), preceding=True):
            if int(get(before, "OutlineLevel") or 0) < level:
                return text(before, KEY)
        return ""


def merged(theirs: Plan, ours: Plan) -> Plan:
    """Return the planner's plan with everything of the laboratory's in it.

    A plan that was opened before the laboratory's newest changes and saved after them lacks these; ``ours`` is the plan
    that was written here last. What the planner changed stays. A task of the laboratory's that is missing comes back.

    Args:
        theirs: the plan as it lies in the folder.
        ours: the plan as it was written here last.
    """
    plan = Plan(copy.deepcopy(theirs.root))
    mspdi.declare_texts(plan.root, ALIASES)
    for old in ours.tasks():
        row, matches = ours.row(old), plan.tasks(text(old, KEY))
        if not matches:
            above = plan.tasks(row["parent"]) if row["parent"] else []
            matches = [plan.create(row, above[0] if above else None)]
        elif text(matches[0], VERSION) != row["version"]:
            plan.change(matches[0], row)
        plan.copy_own(matches[0], old)
    there = {entry.key: entry for entry in plan.entries()}
    for entry in ours.entries():
        tasks = plan.tasks(entry.task)
        if there.get(entry.key) != entry and tasks:
            plan.enter(tasks[0], entry)
    return plan


def _new() -> Any:
    from lxml import etree

    root = etree.Element(tag("Project"), nsmap={None: mspdi.NAMESPACE})
    for name, value in (("SaveVersion", 14), ("Title", "PV testing"), ("ScheduleFromStart", 1), ("MinutesPerDay", 480)):
        put(root, name, value)
    mspdi.declare_texts(root, ALIASES)
    for name in ("Tasks", "Resources", "Assignments"):
        mspdi.section(root, name)
    return root


def _later(moment: str, hours: Decimal) -> str:
    """Return a moment some hours later, as MSPDI has it: without a zone."""
    return (datetime.fromisoformat(moment) + timedelta(hours=float(hours))).replace(microsecond=0).isoformat()


def _percent(task: Any) -> int:
    return int(get(task, "PercentComplete") or 0)


def _written(task: Any) -> dict[str, str]:
    try:
        known = json.loads(text(task, WRITTEN) or "{}")
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:10]


def _plain(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('0.0001')).normalize():f}"
