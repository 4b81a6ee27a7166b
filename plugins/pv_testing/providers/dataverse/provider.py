"""The provider of Dataverse: rows by GUID, listings of one project, and in whose name it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID, uuid5

from pv_testing.config.options import chosen
from pv_testing.contracts.model import Contract
from pv_testing.core.errors import ConfigError, NotFound
from pv_testing.core.reasons import Reason
from pv_testing.exchange.operation import Operation
from pv_testing.providers.criteria import having, refuse_unknown
from pv_testing.providers.rest import RestProvider
from pv_testing.transports import pagination
from pv_testing.transports.rest import RestSession

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig

Row = Mapping[str, Any]
ABSENT = "ROW_ABSENT"
TASKS, ENTRIES = "msdyn_projecttasks", "msdyn_timeentries"
NAMESPACE = UUID("6f2f3c0e-6c0b-5d0a-9d58-3c1f3f0d8a11")
CRITERIA = {
    "get_tasks": ("external_id", "project_id", "status"),
    "get_time_entries": ("external_id", "task_id"),
    "get_resource_usage": ("external_id", "task_id"),
}


def guid_of(table: str, key: str) -> str:
    """Return the id of a row: the same for the same business key, in whichever process."""
    return str(uuid5(NAMESPACE, f"{table}/{key}"))


def is_guid(text: str) -> bool:
    """Say whether a text is a GUID, so that it may stand in an address."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


class DataverseProvider(RestProvider):
    """Speaks to Dataverse.

    Args:
        config: the system's part of the configuration.
        contract: how Dataverse is spoken to.
        session: for the running event loop.

    Raises:
        ConfigError: an option is unknown or of the wrong type.
    """

    known_options: ClassVar[Mapping[str, Any]] = {"project": "", "bucket": "", "caller": "", "write_progress": True}

    def __init__(self, config: SystemConfig, contract: Contract, session: RestSession) -> None:
        super().__init__(config, contract, session)
        self.options = chosen(config, self.known_options)
        self.headers = {"CallerObjectId": self.options["caller"]} if self.options["caller"] else None

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine."""
        from pv_testing.providers.dataverse.entries import EntryOperation
        from pv_testing.providers.dataverse.tasks import ChangeOperation, TaskOperation

        spec = self.contract.operation(name)
        if name in {"create_task", "create_subtask"}:
            return TaskOperation(self, spec)
        if name in {"update_task", "update_project_progress"}:
            return ChangeOperation(self, spec)
        return EntryOperation(self, spec) if spec.kind else super().operation(name)

    @property
    def project(self) -> str:
        """The GUID of the project of new tasks.

        Raises:
            ConfigError: the configuration doesn't say it.
        """
        project = str(self.options["project"])
        if not is_guid(project):
            message = "Dataverse needs options: {project: GUID}; it stands in the project's address in the planner"
            raise ConfigError(message, system=self.contract.system, code=Reason.SETTING_MISSING)
        return project

    async def ask(self, method: str, path: str, operation: str, *, key: str = "", json: Any = None) -> Any:
        """Send one request of an operation and return its decoded answer; ``None`` where that has no body.

        Args:
            method: the HTTP method.
            path: relative to the base address.
            operation: whose step it is.
            key: the business key of the record.
            json: the body; ``None`` for none.
        """
        classify = self.contract.classify(replace(self.contract.operation(operation), success=frozenset()))
        response = await self.session.request(
            method, path, operation=operation, key=key, json=json, headers=self.headers, classify=classify, decode=False
        )
        return response.json() if response.body else None

    async def row(self, table: str, guid: str, operation: str, *, key: str = "") -> Row | None:
        """Return a row; ``None`` where Dataverse itself says that there is none."""
        if not is_guid(guid):
            return None
        try:
            row: Row = await self.ask("GET", f"/{table}({guid})", operation, key=key)
        except NotFound as error:
            if error.code != ABSENT:
                raise
            return None
        return row

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Make one call that needs no ledger; a task is described as every PM contract describes it."""
        if name != "get_task":
            return await super().call(name, **arguments)
        row = await self.row(TASKS, str(arguments["task_id"]), name)
        if row is None:
            raise NotFound(f"Dataverse has no task {arguments['task_id']}", system=self.contract.system)
        return self.task(row)

    async def listing(self, name: str, /, **criteria: Any) -> AsyncIterator[dict[str, Any]]:
        """Give the laboratory's tasks or entries in the project, as every PM contract describes them."""
        wanted = {criterion: str(value) for criterion, value in criteria.items() if value}
        refuse_unknown(self.contract, name, wanted, CRITERIA)
        table, describe = (TASKS, self.task) if name == "get_tasks" else (ENTRIES, self.entry)
        rows = [describe(row) async for row in self.rows(table, name, f"_msdyn_project_value eq {self.project}")]
        ours = [row for row in rows if row["external_id"] and ("resource_id" in row) is (name == "get_resource_usage")]
        for row in having(ours, wanted, "external_id", "task_id", "status"):
            yield row

    async def rows(self, table: str, operation: str, only: str) -> AsyncIterator[Row]:
        """Give the rows that meet an OData filter."""
        pages, classify = self.contract.pagination, self.contract.classify(self.contract.operation(operation))
        how: dict[str, Any] = {"operation": operation, "classify": classify, "headers": self.headers}
        async for row in pagination.items(self.session, f"/{table}", pages, {"$filter": only}, **how):
            yield row

    def task(self, row: Row) -> dict[str, Any]:
        """Return a task in the words of every PM contract."""
        names = self.contract.names
        return {
            "id": row["msdyn_projecttaskid"],
            "external_id": row.get(names["key_column"]) or "",
            "title": row.get("msdyn_subject"),
            "status": row.get(names["status_column"]) or "OPEN",
            "parent_id": row.get("_msdyn_parenttask_value") or "",
            "project_id": row.get("_msdyn_project_value"),
            "estimated_hours": row.get("msdyn_effort"),
            "progress_percent": row.get(names["progress_column"]),
        }

    def entry(self, row: Row) -> dict[str, Any]:
        """Return a time entry in the words of every PM contract."""
        names, hours = self.contract.names, (row.get("msdyn_duration") or 0) / 60
        about = {
            "id": row["msdyn_timeentryid"],
            "external_id": row.get(names["key_column"]) or "",
            "task_id": row.get("_msdyn_projecttask_value") or "",
            "date": str(row.get("msdyn_date") or "")[:10],
            "minutes": row.get("msdyn_duration"),
            "description": row.get("msdyn_description") or "",
        }
        resource = row.get(names["resource_column"])
        if not resource:
            return {**about, "hours": hours}
        return {**about, "resource_type": about["description"], "resource_id": resource, "usage_hours": hours}
