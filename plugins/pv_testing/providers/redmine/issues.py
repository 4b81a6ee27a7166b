"""Issues: tasks, subtasks, non-conformances and CAPAs, made once and found by their business key."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pv_testing.core.errors import Conflict, MappingError, NotFound
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers import ids
from pv_testing.providers.grouped import found_by_key
from pv_testing.providers.redmine.keys import Item
from pv_testing.providers.redmine.listings import described
from pv_testing.providers.redmine.setup import RedmineProject
from pv_testing.providers.redmine.steps import RedmineOperation
from pv_testing.providers.texts import same, written

# What a record decides for as long as it lives; the rest is planned in Redmine once the issue is there.
KEPT = ("subject", "description", "start_date", "due_date", "estimated_hours", "priority")

log = logging.getLogger(__name__)


class IssueOperation(RedmineOperation):
    """Makes issues, and changes those whose number is known."""

    at_once: ClassVar[bool] = True

    def prepare(self, record: Record) -> Payload:
        """Map and validate a record; what Redmine has no field for goes into the description.

        Raises:
            MappingError: neither the record nor the configuration names a project.
        """
        payload = written(super().prepare(record), "description")
        project = str(payload.get("project") or self.redmine.options.project)
        if not project:
            message = "no project is named; set options: {project: …} in the configuration"
            raise MappingError(message, code="PROJECT_MISSING")
        return {**payload, "project": project.lower()}

    async def perform(self, item: Prepared) -> Reply:
        """Make an issue, or change one that is there."""
        issue = await (self._change(item) if item.external_id else self._create(item))
        return Reply(Verdict.OK, ids.of_reply(issue["id"], item.key), body=described(self.redmine, issue))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look issues up by business key, in any project and any state."""
        issues = await self.redmine.issues.find(batch, self.name)
        return found_by_key(batch, issues, self._found_issue)

    def _found_issue(self, item: Prepared, issues: Sequence[Item]) -> Found:
        issue = issues[0]
        in_effect = not differences(item.payload, issue)
        body = described(self.redmine, issue)
        return Found(ids.of_found(issue["id"], item.key), in_effect=in_effect, body=body, copies=len(issues))

    async def _create(self, item: Prepared) -> Mapping[str, Any]:
        payload = item.payload
        project = await self.redmine.setup.project(payload["project"], self.name)
        body = {
            # Without one Redmine takes today, and refuses a due date before that.
            "start_date": "",
            **await self._fields(payload),
            "project_id": project.id,
            "tracker_id": project.tracker(payload["tracker"]),
            "custom_fields": self.redmine.issues.stamp(item.key),
        }
        if "parent_issue_id" in payload:
            body["parent_issue_id"] = payload["parent_issue_id"]
        assignee = await self._assignee(project, payload, item.key)
        if assignee is not None:
            body["assigned_to_id"] = assignee
        made = await self.redmine.ask(
            "POST", "/issues.json", "issue", operation=self.name, key=item.key, json={"issue": body}
        )
        return self._complete(item, made)

    def _complete(self, item: Prepared, issue: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a new issue that has what it was made with; Redmine leaves out silently what it doesn't allow."""
        missing = differences(item.payload, issue)
        if self.redmine.issues.of(issue) != item.key:
            missing.append("the business key")
        if "parent_issue_id" in item.payload and _parent(issue) != item.payload["parent_issue_id"]:
            missing.append("the parent task")
        if missing:
            message = (
                f"Redmine made #{issue['id']} without {', '.join(missing)}; see docs/how-to/redmine.md for the set-up, "
                f"delete #{issue['id']}, then release the record"
            )
            raise Conflict(message, key=item.key, code="NOT_KEPT")
        return issue

    async def _change(self, item: Prepared) -> Mapping[str, Any]:
        """Write what differs, and see that Redmine has taken it."""
        try:
            issue = await self.redmine.issue(item.external_id, self.name, key=item.key)
        except NotFound as error:
            message = (
                f"#{item.external_id} has been deleted in Redmine; make an issue there with the key {item.key!r} and "
                "confirm the record with its number"
            )
            raise Conflict(message, key=item.key, code="ISSUE_GONE") from error
        different = differences(item.payload, issue)
        if not different:
            return issue
        fields = await self._fields({name: item.payload[name] for name in different})
        path = f"/issues/{item.external_id}.json"
        await self.redmine.put(path, {"issue": fields}, operation=self.name, key=item.key)
        issue = await self.redmine.issue(item.external_id, self.name, key=item.key)
        different = differences(item.payload, issue)
        if different:
            message = f"Redmine doesn't let this user change {', '.join(different)} of #{issue['id']}"
            raise Conflict(message, key=item.key, code="NOT_TAKEN")
        return issue

    async def _fields(self, payload: Payload) -> dict[str, Any]:
        fields = {name: payload[name] for name in KEPT if name in payload}
        if "priority" in fields:
            fields["priority_id"] = await self.redmine.setup.priority(fields.pop("priority"), self.name)
        return fields

    async def _assignee(self, project: RedmineProject, payload: Payload, key: str) -> int | None:
        mail = str(payload.get("assignee") or "")
        if not mail:
            return None
        member = await self.redmine.setup.member(project, mail, self.name)
        if member is None:
            log.warning(
                "%s stays unassigned: %s has no member with the address that it is planned for", key, project.identifier
            )
        return member


def differences(payload: Payload, issue: Item) -> list[str]:
    """Return the fields in which an issue isn't what a record wants."""
    there = {**issue, "priority": (issue.get("priority") or {}).get("name")}
    wanted = [name for name in KEPT if name in payload]
    return [name for name in wanted if not _equal(payload[name], there.get(name))]


def _equal(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, str):
        return same(ours, theirs if theirs is None else str(theirs))
    return bool(ours == theirs)


def _parent(issue: Item) -> Any:
    return (issue.get("parent") or {}).get("id")
