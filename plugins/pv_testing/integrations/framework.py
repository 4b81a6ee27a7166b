"""The PV Testing Protocol Framework: service requests, protocols, executions, reports and users.

Reads are plain calls. The one write of the workflows, a service request's status, goes through the exchange engine.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pv_testing.core.concurrency import bounded
from pv_testing.core.errors import (
    DataError,
    IntegrationError,
    NotFound,
    PermissionDenied,
    Rejected,
    ResponseError,
    ServerUnavailable,
)
from pv_testing.core.records import Outcome, Result
from pv_testing.domain.reading import read_execution, read_service_request
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.exchange.report import Report
from pv_testing.integrations.client import SystemClient

READ_AHEAD = 8

T = TypeVar("T")


class FrameworkClient(SystemClient):
    """Speaks with the framework; each method is one of its endpoints, named as in the contract ``framework.yaml``.

    For use within an event loop, ``acall`` and ``alist`` take the same names and arguments.
    """

    system: ClassVar[str] = "framework"

    def create_service_request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Create a service request from ``customer``, ``module`` and ``testing``; ``POST /service-requests``."""
        return dict(self.call("create_service_request", **request))

    def get_service_request(self, sr_id: int) -> dict[str, Any]:
        """Return a service request as the framework describes it; ``GET /service-requests/{sr_id}``."""
        return dict(self.call("get_service_request", sr_id=sr_id))

    def list_service_requests(self, **criteria: Any) -> list[dict[str, Any]]:
        """Return every service request that meets ``status``, ``customer``, ``from_date`` and ``to_date``."""
        return self.list("list_service_requests", **criteria)

    def update_service_request(self, sr_id: int, **changes: Any) -> dict[str, Any]:
        """Change ``status`` or ``testing`` of a service request; ``PUT /service-requests/{sr_id}``."""
        return dict(self.call("update_service_request", sr_id=sr_id, **changes))

    def delete_service_request(self, sr_id: int) -> None:
        """Delete a service request; ``DELETE /service-requests/{sr_id}``."""
        self.call("delete_service_request", sr_id=sr_id)

    def list_protocols(self) -> list[dict[str, Any]]:
        """Return every protocol; ``GET /protocols``."""
        return self.list("list_protocols")

    def get_protocol(self, protocol_id: str) -> dict[str, Any]:
        """Return a protocol with its parameters, criteria and equipment; ``GET /protocols/{protocol_id}``."""
        return dict(self.call("get_protocol", protocol_id=protocol_id))

    def get_protocol_template(self, protocol_id: str) -> dict[str, Any]:
        """Return a protocol's template; ``GET /protocols/{protocol_id}/template``."""
        return dict(self.call("get_protocol_template", protocol_id=protocol_id))

    def execute_protocol(self, protocol_id: str, **order: Any) -> dict[str, Any]:
        """Start an execution with ``sr_id``, ``module_id``, ``operator_id``, ``equipment`` and ``parameters``."""
        return dict(self.call("execute_protocol", protocol_id=protocol_id, **order))

    def list_executions(self, **criteria: Any) -> list[dict[str, Any]]:
        """Return the executions that meet ``sr_id``, ``status``, ``qc_status`` and ``completed_from``.

        The framework's documents leave this endpoint out; a deployment without it says so in its contract.
        """
        return self.list("list_executions", **criteria)

    def get_execution(self, execution_id: int) -> dict[str, Any]:
        """Return how far an execution is; ``GET /executions/{execution_id}``."""
        return dict(self.call("get_execution", execution_id=execution_id))

    def stop_execution(self, execution_id: int) -> dict[str, Any]:
        """Stop an execution; ``POST /executions/{execution_id}/stop``."""
        return dict(self.call("stop_execution", execution_id=execution_id))

    def get_execution_results(self, execution_id: int) -> dict[str, Any]:
        """Return the results of a completed execution; ``GET /executions/{execution_id}/results``."""
        return dict(self.call("get_execution_results", execution_id=execution_id))

    def generate_report(self, sr_id: int, **options: Any) -> dict[str, Any]:
        """Have a report made, with ``report_type``, ``format`` and ``options``; ``POST /reports/generate``."""
        return dict(self.call("generate_report", sr_id=sr_id, **options))

    def get_report(self, report_id: int) -> dict[str, Any]:
        """Return how far a report is, and where to download it; ``GET /reports/{report_id}``."""
        return dict(self.call("get_report", report_id=report_id))

    def list_reports(self, sr_id: int) -> list[dict[str, Any]]:
        """Return the reports of a service request; ``GET /reports``."""
        return self.list("list_reports", sr_id=sr_id)

    def download_report(self, report_id: int) -> bytes:
        """Return a report's file; ``GET /reports/{report_id}/download``."""
        return bytes(self.call("download_report", report_id=report_id))

    def sync_lims(self, sr_id: int, **options: Any) -> dict[str, Any]:
        """Have the framework itself sync with its LIMS; never beside this project's workflows, or both would write."""
        return dict(self.call("sync_lims", sr_id=sr_id, **options))

    def create_nc_report(self, **report: Any) -> dict[str, Any]:
        """Have the framework itself report a non-conformance; never beside this project's workflows."""
        return dict(self.call("create_nc_report", **report))

    def update_project(self, **update: Any) -> dict[str, Any]:
        """Have the framework itself update its project management; never beside this project's workflows."""
        return dict(self.call("update_project", **update))

    def list_users(self, **criteria: Any) -> list[dict[str, Any]]:
        """Return the users, by ``role`` if given; ``GET /users``."""
        return self.list("list_users", **criteria)

    def get_current_user(self) -> dict[str, Any]:
        """Return the user whom the framework takes this client for; ``GET /users/me``."""
        return dict(self.call("get_current_user"))

    def list_audit_events(self, **criteria: Any) -> list[dict[str, Any]]:
        """Return the audit events, by ``from_id`` if given, in the order of their ids.

        The framework's documents leave this endpoint out; a deployment without it says so in its contract.
        """
        return self.list("list_audit_events", **criteria)

    def register_webhook(self, url: str, events: Sequence[str], secret: str) -> dict[str, Any]:
        """Have events sent to an address; ``POST /webhooks``."""
        return dict(self.call("register_webhook", url=url, events=list(events), secret=secret))

    async def aservice_request(self, sr_id: int) -> ServiceRequest | None:
        """Return a service request in the project's own shape, or ``None`` when it has been deleted."""
        try:
            return read_service_request(await self.acall("get_service_request", sr_id=sr_id))
        except NotFound:
            return None

    async def aservice_requests(self, sr_ids: Iterable[int]) -> tuple[list[ServiceRequest], UnreadRequests]:
        """Return service requests in the project's own shape, and which of them are missing; none stops the others."""
        wanted = list(dict.fromkeys(sr_ids))
        results = await gather_bounded([_or_reason(self.aservice_request(sr_id)) for sr_id in wanted])
        requests: list[ServiceRequest] = []
        missing = UnreadRequests([], [])
        for sr_id, result in zip(wanted, results, strict=True):
            if isinstance(result, IntegrationError):
                missing.unread.append(_unread(unread_name(sr_id), result))
            elif result is None:
                missing.deleted.append(sr_id)
            else:
                requests.append(result)
        return requests, missing

    async def awith_results(self, execution: Mapping[str, Any]) -> Execution:
        """Return a listed execution together with its results, in the project's own shape."""
        results = await self.acall("get_execution_results", execution_id=execution["execution_id"])
        return read_execution(execution, results)

    async def aall_with_results(self, executions: Iterable[Mapping[str, Any]]) -> tuple[list[Execution], list[Outcome]]:
        """Return listed executions with their results, and the outcomes of those that can't be read."""
        rows = list(executions)
        results = await gather_bounded([_or_reason(self.awith_results(row)) for row in rows])
        read: list[Execution] = []
        unread: list[Outcome] = []
        for row, result in zip(rows, results, strict=True):
            if isinstance(result, IntegrationError):
                unread.append(_unread(str(row["execution_id"]), result))
            else:
                read.append(result)
        return read, unread

    async def ausers(self, *, needed: bool = False) -> dict[str, Mapping[str, Any]]:
        """Return the users by id; none where the framework doesn't let this account list them.

        Args:
            needed: whether that is an error, for those to whom it isn't the same as a framework without users.

        Raises:
            PermissionDenied: they are needed, and the framework doesn't let this account list them.
        """
        try:
            return {str(user["id"]): user for user in await self.alist("list_users")}
        except PermissionDenied:
            if needed:
                raise
            return {}

    async def aprotocols(self) -> dict[str, Mapping[str, Any]]:
        """Return the protocols by identifier."""
        return {protocol["protocol_id"]: protocol for protocol in await self.alist("list_protocols")}


@dataclass(frozen=True)
class UnreadRequests:
    """Service requests that a step was to read and could not.

    Attributes:
        deleted: the ids of those that the framework has no longer.
        unread: what becomes of those that it doesn't give out, or not in a shape that can be understood.
    """

    deleted: list[int]
    unread: list[Outcome]

    def add_to(self, report: Report) -> None:
        """Put them into the report of a step: a deleted one is noted, one that can't be read is not in effect."""
        report.notes += [
            f"service request {sr_id} has been deleted in the framework; what was sent of it stays where it is"
            for sr_id in self.deleted
        ]
        report.add(self.unread)


def unread_name(sr_id: int) -> str:
    """Return what stands in the place of a business key for a service request that could not be read."""
    return f"service request {sr_id}"


async def _or_reason(read: Coroutine[Any, Any, T]) -> T | IntegrationError:
    """Return what a read gives, or why it failed where that may be a matter of this one record.

    Whether a server's error is, the others tell: when they fail too, the breaker opens, and that stops the step.
    """
    try:
        return await read
    except (DataError, PermissionDenied, Rejected, ResponseError, ServerUnavailable) as error:
        return error


def _unread(name: str, error: IntegrationError) -> Outcome:
    result = Result.QUARANTINED if isinstance(error, DataError) else Result.DEFERRED
    return Outcome(name, result, code=error.code, reason=f"the framework doesn't give it: {error.message}")


async def gather_bounded(work: Sequence[Any], limit: int = READ_AHEAD) -> list[Any]:
    """Await coroutines, a few at a time, and return their results in order; when one fails, the others end at once."""
    return await bounded(work, limit)
