"""Sections of a project, by which a board shows how far a task is; each project is asked once a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_testing.core.errors import Rejected
from pv_testing.providers.asana.keys import Task

if TYPE_CHECKING:
    from pv_testing.providers.asana.provider import AsanaProvider


class Sections:
    """Knows the sections of the project.

    Args:
        provider: who asks.
    """

    def __init__(self, provider: AsanaProvider) -> None:
        self._provider = provider
        self._known: dict[str, str] = {}

    async def gid(self, name: str, operation: str) -> str:
        """Return the number of a section.

        Raises:
            Rejected: the project doesn't have it.
        """
        if name not in self._known:
            project = self._provider.options.field("project")
            listed = await self._provider.all(f"/projects/{project}/sections", operation, {"opt_fields": "name"})
            self._known = {str(section["name"]): str(section["gid"]) for section in listed}
        if name not in self._known:
            message = f"Asana's project has no section {name!r}; make it there or correct the configuration's mappings"
            raise Rejected(message, code="SECTION_UNKNOWN")
        return self._known[name]

    def of(self, task: Task) -> str:
        """Return the name of the section that a task is in within the project, or the empty string."""
        project = self._provider.options.project
        for membership in task.get("memberships") or ():
            if str((membership.get("project") or {}).get("gid")) == project:
                return str((membership.get("section") or {}).get("name") or "")
        return ""
