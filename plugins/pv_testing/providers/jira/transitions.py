"""Status of tasks: a transition that leads to the wanted status, chosen among those that Jira offers, and a comment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.core.errors import Conflict, NotFound
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers import ids
from pv_testing.providers.jira.documents import text_of
from pv_testing.providers.jira.listings import described
from pv_testing.providers.jira.steps import JiraOperation
from pv_testing.providers.texts import same, written

HOPS = 2
NEWEST = "100"


class StatusOperation(JiraOperation):
    """Moves tasks on, and comments for the reader."""

    def prepare(self, record: Record) -> Payload:
        """Map and validate a change; what Jira has no field for goes into the comment."""
        return written(super().prepare(record), "notes")

    async def perform(self, item: Prepared) -> Reply:
        """Move an issue to the wanted status and write the comment, each unless it is done."""
        issue = await self.issue_of(item, item.payload["issue"])
        for _ in range(HOPS):
            if self._has_status(item, issue):
                break
            await self._move(item, issue)
            issue = await self.issue_of(item, item.payload["issue"])
        if not self._has_status(item, issue):
            raise Conflict(
                f"{issue['key']} stays {_status(issue)} although Jira has taken the transition",
                key=item.key,
                code="NOT_TAKEN",
            )
        if not await self._has_comment(item, issue):
            body = {"body": self.jira.text(item.payload["notes"])}
            await self.jira.ask("POST", f"/issue/{issue['id']}/comment", self.name, key=item.key, json=body)
        return Reply(Verdict.OK, ids.of_reply(issue["id"], item.key), body=described(self.jira, issue))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Read the issues that are to be moved."""
        found: dict[str, Found] = {}
        for item in batch:
            try:
                issue = await self.jira.issue(item.payload["issue"], self.name, key=item.key)
            except NotFound:
                continue
            in_effect = self._has_status(item, issue) and await self._has_comment(item, issue)
            number = ids.of_found(issue["id"], item.key)
            found[item.key] = Found(number, in_effect=in_effect, body=described(self.jira, issue))
        return found

    def _has_status(self, item: Prepared, issue: Mapping[str, Any]) -> bool:
        return _status(issue).casefold() == str(item.payload["status"]).casefold()

    async def _move(self, item: Prepared, issue: Mapping[str, Any]) -> None:
        """Take the transition to the wanted status; where there is none, the one to work in progress before it."""
        path = f"/issue/{issue['id']}/transitions"
        answer = await self.jira.ask("GET", path, self.name, key=item.key)
        offered: dict[str, str] = {}
        for transition in answer.get("transitions") or ():
            offered.setdefault(str(transition["to"]["name"]).casefold(), str(transition["id"]))
        wanted = str(item.payload["status"])
        between = self.jira.contract.vocabularies["task_status"].write("IN_PROGRESS")
        number = offered.get(wanted.casefold()) or offered.get(between.casefold())
        if number is None:
            message = (
                f"Jira's workflow doesn't lead {issue['key']} from {_status(issue)} to {wanted} for this account now; "
                "allow it there, complete its open subtasks, or move it by hand"
            )
            raise Conflict(message, key=item.key, code="WORKFLOW")
        body = {"transition": {"id": number}}
        await self.jira.ask("POST", path, self.name, key=item.key, json=body, decode=False)

    async def _has_comment(self, item: Prepared, issue: Mapping[str, Any]) -> bool:
        notes = item.payload.get("notes")
        if not notes:
            return True
        params = {"orderBy": "-created", "maxResults": NEWEST}
        answer = await self.jira.ask("GET", f"/issue/{issue['id']}/comment", self.name, key=item.key, params=params)
        return any(same(notes, text_of(comment.get("body"))) for comment in answer.get("comments") or ())


def _status(issue: Mapping[str, Any]) -> str:
    return str(issue["fields"]["status"]["name"])
