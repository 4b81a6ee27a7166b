"""From the names that people use to Redmine's numbers, each asked for once a session."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pv_testing.core.errors import PermissionDenied, Rejected
from pv_testing.transports import pagination

if TYPE_CHECKING:
    from pv_testing.providers.redmine.provider import RedmineProvider

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RedmineProject:
    """What is set up in a project.

    Attributes:
        id: its number.
        identifier: its name in addresses.
        trackers: number by name.
        activities: the activities of its time entries, number by name.
    """

    id: int
    identifier: str
    trackers: Mapping[str, int]
    activities: Mapping[str, int]

    def tracker(self, name: str) -> int:
        """Return the number of a tracker; for one that it doesn't have Redmine would silently take another.

        Raises:
            Rejected: the project doesn't have it.
        """
        return _number(self.trackers, name, f"the project {self.identifier} has no tracker", "TRACKER_UNKNOWN")

    def activity(self, name: str) -> int:
        """Return the number of an activity.

        Raises:
            Rejected: the project doesn't have it.
        """
        return _number(self.activities, name, f"the project {self.identifier} has no activity", "ACTIVITY_UNKNOWN")


class RedmineSetup:
    """What the laboratory has set up in Redmine.

    Args:
        provider: who asks.
    """

    def __init__(self, provider: RedmineProvider) -> None:
        self._provider = provider
        self._projects: dict[str, RedmineProject] = {}
        self._of_issues: dict[int, str] = {}
        self._lists: dict[str, dict[str, int]] = {}
        self._members: dict[str, dict[str, int]] = {}

    async def project(self, identifier: str, operation: str) -> RedmineProject:
        """Return a project by identifier or number.

        Raises:
            Rejected: Redmine doesn't have it, or doesn't show it to this user.
        """
        known = self._projects.get(identifier)
        if known is None:
            params = {"include": "trackers,time_entry_activities"}
            try:
                answer = await self._provider.ask(
                    "GET", f"/projects/{quote(identifier, safe='')}.json", "project", operation=operation, params=params
                )
            except (Rejected, PermissionDenied) as error:
                message = (
                    f"Redmine has no project {identifier!r}, or doesn't show it to this user; make the user a member"
                )
                raise Rejected(message, code="PROJECT_UNKNOWN") from error
            known = RedmineProject(
                int(answer["id"]),
                str(answer["identifier"]),
                _numbers(answer.get("trackers")),
                _numbers(answer.get("time_entry_activities")),
            )
            self._projects[identifier] = known
        return known

    async def project_of(self, issue: int, operation: str) -> RedmineProject:
        """Return the project of an issue.

        Raises:
            NotFound: there is no such issue.
        """
        if issue not in self._of_issues:
            details = await self._provider.issue(issue, operation)
            self._of_issues[issue] = str(details["project"]["id"])
        return await self.project(self._of_issues[issue], operation)

    async def tracker(self, name: str, operation: str) -> int:
        """Return the number of a tracker of any project."""
        trackers = await self._list("/trackers.json", "trackers", operation)
        return _number(trackers, name, "Redmine has no tracker", "TRACKER_UNKNOWN")

    async def status(self, name: str, operation: str) -> int:
        """Return the number of an issue's status."""
        statuses = await self._list("/issue_statuses.json", "issue_statuses", operation)
        return _number(statuses, name, "Redmine has no status", "STATUS_MISSING")

    async def priority(self, name: str, operation: str) -> int:
        """Return the number of an issue's priority."""
        priorities = await self._list("/enumerations/issue_priorities.json", "issue_priorities", operation)
        return _number(priorities, name, "Redmine has no priority", "PRIORITY_UNKNOWN")

    async def member(self, project: RedmineProject, mail: str, operation: str) -> int | None:
        """Return the number of a project's member by e-mail address, or ``None``.

        Redmine shows the address of those who don't hide it, and every address to an administrator.
        """
        if project.identifier not in self._members:
            self._members[project.identifier] = await self._read_members(project, operation)
        return self._members[project.identifier].get(mail.casefold())

    async def _read_members(self, project: RedmineProject, operation: str) -> dict[str, int]:
        pages = replace(self._provider.contract.pagination, items="memberships")
        path = f"/projects/{project.identifier}/memberships.json"
        listed = pagination.items(self._provider.session, path, pages, operation=operation)
        numbers = {int(member["user"]["id"]) async for member in listed if "user" in member}
        members: dict[str, int] = {}
        for number in sorted(numbers):
            try:
                user = await self._provider.ask("GET", f"/users/{number}.json", "user", operation=operation)
            except Rejected:
                log.info("Redmine doesn't show user %d", number)
                continue
            if user.get("mail"):
                members[str(user["mail"]).casefold()] = number
        return members

    async def _list(self, path: str, root: str, operation: str) -> Mapping[str, int]:
        if root not in self._lists:
            self._lists[root] = _numbers(await self._provider.ask("GET", path, root, operation=operation))
        return self._lists[root]


def _numbers(listed: Any) -> dict[str, int]:
    return {str(item["name"]): int(item["id"]) for item in listed or ()}


def _number(known: Mapping[str, int], name: str, message: str, code: str) -> int:
    if name not in known:
        raise Rejected(f"{message} {name!r}; make it there or correct the configuration's mappings", code=code)
    return known[name]
