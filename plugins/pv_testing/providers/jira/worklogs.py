"""Hours as worklogs: an operator's on the subtask, those of equipment on its main task.

Jira adds up the worklogs of an issue, whoever made them: a chamber's 840 hours on a subtask would drown its operator's
two. The author of a worklog is the account that sends it, so that the comment names the operator, and its last line has
the business key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import ClassVar

from pv_testing.core.errors import Conflict, MappingError, NotFound, Rejected
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers import ids
from pv_testing.providers.grouped import found_by_key
from pv_testing.providers.jira.documents import text_of
from pv_testing.providers.jira.listings import KEY_LINE, Entry, entry_described, key_of, worklogs
from pv_testing.providers.jira.steps import JiraOperation
from pv_testing.providers.texts import same

LEAST = 60
TRACKING_OFF = "TIME_TRACKING_OFF"


class HoursOperation(JiraOperation):
    """Enters hours as worklogs; on which issue is up to the two kinds of hours."""

    at_once: ClassVar[bool] = True
    estimate: ClassVar[str]

    def prepare(self, record: Record) -> Payload:
        """Map and validate; hours become whole seconds, of which Jira takes no fewer than sixty.

        Raises:
            MappingError: it is less than a minute.
        """
        payload = super().prepare(record)
        seconds = int((Decimal(str(payload.pop("hours"))) * 3600).quantize(Decimal(1), ROUND_HALF_UP))
        if seconds < LEAST:
            raise MappingError("Jira takes no hours of less than a minute", code="HOURS_TOO_SHORT")
        started = f"{payload.pop('date')}T12:00:00.000+0000"  # a day has no time; noon is the same day in most zones
        return {**payload, "timeSpentSeconds": seconds, "started": started}

    async def perform(self, item: Prepared) -> Reply:
        """Enter hours, or correct them."""
        issue = await self.place(item)
        body = {
            "timeSpentSeconds": item.payload["timeSpentSeconds"],
            "started": item.payload["started"],
            "comment": self.jira.text(self._comment(item)),
        }
        path, params = f"/issue/{issue}/worklog", {"adjustEstimate": self.estimate, "notifyUsers": "false"}
        method = "PUT" if item.external_id else "POST"
        own = f"{path}/{int(item.external_id)}" if item.external_id else path
        try:
            answer = await self.jira.ask(method, own, self.name, key=item.key, json=body, params=params)
        except NotFound as error:
            what = f"worklog {item.external_id} of issue {issue}" if item.external_id else f"issue {issue}"
            message = f"Jira has no {what} any more, or doesn't show it to this account"
            raise Conflict(message, key=item.key, code="ENTRY_GONE" if item.external_id else "ISSUE_GONE") from error
        return Reply(Verdict.OK, ids.of_reply(answer.get("id"), item.key), body=entry_described(answer))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look hours up among the worklogs of their issues, which show each one at once."""
        groups: dict[str, list[Entry]] = {}
        places: dict[str, str] = {}
        for item in batch:
            try:
                places[item.key] = await self.place(item)
            except Conflict:
                continue
        for issue in dict.fromkeys(places.values()):
            for entry in await self._worklogs(issue):
                owner = next((item.key for item in batch if item.external_id == str(entry["id"])), key_of(entry))
                groups.setdefault(owner, []).append(entry)
        return found_by_key(batch, groups, self._found_entry)

    async def _worklogs(self, issue: str) -> Sequence[Entry]:
        try:
            return await worklogs(self.jira, issue, self.name)
        except NotFound:
            return ()
        except Rejected as error:
            if error.code != TRACKING_OFF:
                raise
            return ()  # where no time is tracked there are no hours; to enter some is refused in clear words

    def _found_entry(self, item: Prepared, entries: Sequence[Entry]) -> Found:
        entry = entries[0]
        in_effect = (
            entry.get("timeSpentSeconds") == item.payload["timeSpentSeconds"]
            and str(entry.get("started"))[:10] == item.payload["started"][:10]
            and same(self._comment(item), text_of(entry.get("comment")))
        )
        number = ids.of_found(entry["id"], item.key)
        return Found(number, in_effect=in_effect, body=entry_described(entry), copies=len(entries))

    def _comment(self, item: Prepared) -> str:
        return f"{self.about(item.payload)}\n{KEY_LINE}{item.key}".strip()

    async def place(self, item: Prepared) -> str:
        """Return the id of the issue that the hours are entered on.

        Raises:
            Conflict: it isn't there any more.
        """
        raise NotImplementedError

    def about(self, payload: Payload) -> str:
        """Return what the comment says."""
        raise NotImplementedError


class OperatorHoursOperation(HoursOperation):
    """Enters an operator's hours on a subtask."""

    estimate: ClassVar[str] = "auto"

    async def place(self, item: Prepared) -> str:
        """Return the subtask."""
        return str(item.payload["issue"])

    def about(self, payload: Payload) -> str:
        """Return what was done, and by whom."""
        by = f"By {payload['user']}" if payload.get("user") else ""
        return "\n".join(filter(None, [str(payload.get("comment") or ""), by]))


class EquipmentHoursOperation(HoursOperation):
    """Enters the hours of equipment on the main task of a subtask; they use up no estimate."""

    estimate: ClassVar[str] = "leave"

    async def place(self, item: Prepared) -> str:
        """Return the main task, which each subtask is asked for once a session."""
        number = str(item.payload["issue"])
        if number not in self.jira.parents:
            issue = await self.issue_of(item, number, "parent")
            self.jira.parents[number] = str((issue["fields"].get("parent") or issue)["id"])
        return self.jira.parents[number]

    def about(self, payload: Payload) -> str:
        """Return the subtask's id and what was used."""
        return f"#{payload['issue']} {payload['resource_type']} {payload['resource_id']}"
