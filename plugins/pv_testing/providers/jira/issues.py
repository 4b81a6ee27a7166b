"""Main tasks and subtasks: made up to fifty at a time, found by business key, changed where they differ."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

import orjson

from pv_testing.core.classification import OK, Classification
from pv_testing.core.errors import AmbiguousOutcome, MappingError, NotFound
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.core.response import Response
from pv_testing.providers import ids
from pv_testing.providers.grouped import found_by_key
from pv_testing.providers.jira.documents import text_of
from pv_testing.providers.jira.keys import Issue
from pv_testing.providers.jira.listings import described
from pv_testing.providers.jira.steps import JiraOperation
from pv_testing.providers.replies import NO_ANSWER
from pv_testing.providers.texts import same, written

BULK = 50

log = logging.getLogger(__name__)


class IssueOperation(JiraOperation):
    """Makes issues, and changes those whose id is known."""

    at_once: ClassVar[bool] = True
    most: ClassVar[int] = BULK

    def prepare(self, record: Record) -> Payload:
        """Map and validate a record; what Jira has no field for goes into the description.

        Raises:
            MappingError: neither the record nor the configuration names a project.
        """
        payload = written(super().prepare(record), "description")
        project = self.jira.options.project or str(payload.get("project") or "")
        if not project:
            message = "no project is named; set options: {project: …} in the configuration to the key of one"
            raise MappingError(message, code="PROJECT_MISSING")
        if "estimate" in payload:
            payload["estimate"] = minutes(payload["estimate"])
        if not self.jira.options.estimates:
            payload.pop("estimate", None)
        if not self.jira.options.start_field:
            payload.pop("start", None)
        return {**payload, "project": project}

    async def perform(self, item: Prepared) -> Reply:
        """Make an issue, or change one that is there, and link it."""
        number = item.external_id
        body: Mapping[str, Any] = {}
        if number:
            body = described(self.jira, await self._change(item))
        else:
            number = await self._create(item)
            item.external_id = number
        await self._link(item, number)
        return Reply(Verdict.OK, number, body=body)

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look issues up by business key; of one that a search may not show yet, nothing is meant."""
        issues = await self.jira.keys.find(batch, self.name)
        linked = {key for key in issues if await self._is_linked(batch, key, issues[key])}

        def found(item: Prepared, group: Sequence[Issue]) -> Found:
            issue = group[0]
            in_effect = not self._differences(item.payload, issue) and item.key in linked
            number = ids.of_found(issue["id"], item.key)
            return Found(number, in_effect=in_effect, body=described(self.jira, issue), copies=len(group))

        there = found_by_key(batch, issues, found)
        return {**there, **await self.jira.keys.unclear([item for item in batch if item.key not in there])}

    async def _create(self, item: Prepared) -> str:
        body = await self._body(item)
        async with self.jira.keys.sending([item.key]):
            answer = await self.jira.ask("POST", "/issue", self.name, key=item.key, json=body)
        number = ids.of_reply(answer.get("id") if isinstance(answer, Mapping) else None, item.key)
        if not number:
            raise AmbiguousOutcome("Jira's answer to the creation has no id", key=item.key, code=Reason.NO_ID)
        await self.jira.keys.settled([item.key])
        return number

    async def perform_many(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Make issues; which of them were refused, the answer says by their places."""
        bodies = {"issueUpdates": [await self._body(item) for item in batch]}
        about = f"{batch[0].key} and {len(batch) - 1} more"
        async with self.jira.keys.sending([item.key for item in batch]):
            answer = await self.jira.ask("POST", "/issue/bulk", self.name, key=about, json=bodies, classify=self._bulk)
        refused = self._refusals(answer)
        made = await self.jira.made(answer, self.name)
        replies = [self._reply_of(item, made.get(item.key), refused.get(place)) for place, item in enumerate(batch)]
        clear = [item.key for item, reply in zip(batch, replies, strict=True) if reply.verdict is not Verdict.AMBIGUOUS]
        await self.jira.keys.settled(clear)
        for item, reply in zip(batch, replies, strict=True):
            if reply.verdict is Verdict.OK:
                await self._link(item, reply.external_id)
        return replies

    def _bulk(self, response: Response, repeatable: bool) -> Classification:  # noqa: FBT001 - a classifier's shape
        """Take an answer in which every issue is refused for one that says so of each."""
        if response.status == 400 and isinstance(response.json(), Mapping) and response.json().get("errors"):
            return OK if isinstance(response.json()["errors"], list) else self._classify(response, repeatable)
        return self._classify_other(response, repeatable)

    def _refusals(self, answer: Any) -> dict[int, Reply]:
        """Return why issues of a bulk request were not made, by their place in it."""
        refused: dict[int, Reply] = {}
        for error in (answer.get("errors") if isinstance(answer, Mapping) else None) or ():
            content = orjson.dumps(error.get("elementErrors") or {})
            meant = self._classify_other(Response(int(error.get("status") or 400), {}, content), False)  # noqa: FBT003
            refused[int(error.get("failedElementNumber", -1))] = Reply(
                meant.verdict, reason=meant.reason, code=meant.code
            )
        return refused

    def _reply_of(self, item: Prepared, issue: Issue | None, refused: Reply | None) -> Reply:
        if issue is not None:
            return Reply(Verdict.OK, ids.of_reply(issue["id"], item.key), body=described(self.jira, issue))
        return refused or NO_ANSWER

    async def _change(self, item: Prepared) -> Issue:
        """Write what differs of an issue that is there."""
        issue = await self.issue_of(item, item.external_id)
        different = self._differences(item.payload, issue)
        if different:
            fields = self._fields({name: item.payload[name] for name in different})
            path = f"/issue/{int(item.external_id)}"
            await self.jira.ask("PUT", path, self.name, key=item.key, json={"fields": fields}, decode=False)
            issue = await self.issue_of(item, item.external_id)
        return issue

    async def _body(self, item: Prepared) -> dict[str, Any]:
        payload = item.payload
        stamp = self.jira.keys.stamp(item.key)
        fields: dict[str, Any] = {
            "project": {"key": payload["project"]},
            "issuetype": {"name": payload["type"]},
            **self._fields(payload),
            **stamp["fields"],
        }
        if "parent" in payload:
            fields["parent"] = {"id": str(payload["parent"])}
        mail = str(payload.get("assignee") or "")
        if mail:
            assignee = await self.jira.people.assignee(payload["project"], mail, self.name)
            if assignee is None:
                log.warning("%s stays unassigned: no person with the planned address can be assigned in Jira", item.key)
            else:
                fields["assignee"] = assignee
        return {"fields": fields, "properties": stamp["properties"]}

    def _fields(self, payload: Payload) -> dict[str, Any]:
        """Return the content of an issue as Jira takes it."""
        fields: dict[str, Any] = {name: payload[name] for name in ("summary", "duedate") if name in payload}
        if "description" in payload:
            fields["description"] = self.jira.text(payload["description"])
        if "start" in payload:
            fields[f"customfield_{self.jira.options.start_field}"] = payload["start"]
        if "estimate" in payload:
            fields["timetracking"] = {"originalEstimate": f"{payload['estimate'] // 60}h {payload['estimate'] % 60}m"}
        return fields

    def _differences(self, payload: Payload, issue: Issue) -> list[str]:
        """Return the fields in which an issue isn't what a record wants."""
        there = issue["fields"]
        seconds = (there.get("timetracking") or {}).get("originalEstimateSeconds")
        known = {
            "summary": there.get("summary"),
            "description": text_of(there.get("description")),
            "duedate": there.get("duedate"),
            "start": there.get(f"customfield_{self.jira.options.start_field}"),
            "estimate": None if seconds is None else seconds // 60,
        }
        return [name for name, value in known.items() if name in payload and not _equal(payload[name], value)]

    def _wants_link(self, item: Prepared) -> bool:
        return bool(self.jira.options.link) and "parent" not in item.payload

    async def _is_linked(self, batch: Sequence[Prepared], key: str, issues: Sequence[Issue]) -> bool:
        item = next((item for item in batch if item.key == key), None)
        if item is None or not self._wants_link(item):
            return True
        path, params = f"/issue/{int(issues[0]['id'])}/remotelink", {"globalId": global_id(key)}
        try:
            return bool(await self.jira.ask("GET", path, self.name, key=key, params=params))
        except NotFound:
            return False

    async def _link(self, item: Prepared, number: str) -> None:
        """Link a main task to its service request; the global id makes a second link the same one."""
        if not self._wants_link(item):
            return
        request = str(item.data.get("sr_number") or item.key)
        there = {"url": self.jira.options.link.replace("{sr_number}", request), "title": f"Service request {request}"}
        body = {"globalId": global_id(item.key), "relationship": "belongs to", "object": there}
        path = f"/issue/{int(number)}/remotelink"
        await self.jira.ask("POST", path, self.name, key=item.key, json=body, repeatable=True, decode=False)


def global_id(key: str) -> str:
    """Return the name of the link of a record, which is the same each time."""
    return f"pv-testing:{key}"


def minutes(hours: Any) -> int:
    """Return hours as whole minutes, because Jira shows no smaller part."""
    return int((Decimal(str(hours)) * 60).quantize(Decimal(1), ROUND_HALF_UP))


def _equal(ours: Any, theirs: Any) -> bool:
    return same(ours, theirs) if isinstance(ours, str) else bool(ours == theirs)
