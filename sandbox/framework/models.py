"""The records that the framework accepts. Unknown, missing and wrong-typed fields are refused."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sandbox.fields import Day, Stamp, Strict, Text
from sandbox.paging import Page

SR_STATUSES = (
    "PENDING_INSPECTION",
    "INSPECTION_COMPLETE",
    "PROTOCOLS_ASSIGNED",
    "TESTING_IN_PROGRESS",
    "TESTING_COMPLETE",
    "ANALYSIS_COMPLETE",
    "REPORTS_APPROVED",
    "CLOSED",
)
SrStatus = Literal[
    "PENDING_INSPECTION",
    "INSPECTION_COMPLETE",
    "PROTOCOLS_ASSIGNED",
    "TESTING_IN_PROGRESS",
    "TESTING_COMPLETE",
    "ANALYSIS_COMPLETE",
    "REPORTS_APPROVED",
    "CLOSED",
]
ExecutionStatus = Literal["RUNNING", "COMPLETE", "STOPPED"]
Event = Literal["service_request.created", "protocol.completed", "report.generated"]


class LoginIn(Strict):
    """Credentials of a user."""

    username: Text
    password: Text


class Refresh(Strict):
    """A refresh token."""

    refresh_token: Text


class CustomerDetails(Strict):
    """The customer of a service request."""

    name: Text
    contact_person: str | None = None
    email: str | None = None
    phone: str | None = None
    address: str | None = None


class ModuleIn(Strict):
    """The modules under test."""

    manufacturer: Text
    model: Text
    type: Text | None = None
    power_rating: int | float = Field(gt=0)
    voltage: int | float | None = None
    current: int | float | None = None
    quantity: int = Field(ge=1)
    serial_numbers: list[Text] = Field(default_factory=list)


class Testing(Strict):
    """The ordered tests."""

    standards: list[Text] = Field(default_factory=list)
    protocols: list[Text] = Field(default_factory=list)
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    requested_delivery_date: Day | None = None
    special_requirements: str | None = None


class ServiceRequestIn(Strict):
    """A service request to create."""

    customer: CustomerDetails
    module: ModuleIn
    testing: Testing


class TestingChange(Strict):
    """The fields of the ordered tests that may change."""

    standards: list[Text] | None = None
    protocols: list[Text] | None = None
    priority: Literal["low", "normal", "high", "urgent"] | None = None
    requested_delivery_date: Day | None = None
    special_requirements: str | None = None


class ServiceRequestChange(Strict):
    """The fields of a service request that may change."""

    status: SrStatus | None = None
    testing: TestingChange | None = None


class Execute(Strict):
    """An execution to start."""

    sr_id: int
    module_id: Text
    operator_id: int
    equipment: dict[str, str] = Field(default_factory=dict)
    parameters: dict[str, Any] = Field(default_factory=dict)


class ReportOptions(Strict):
    """The optional parts of a report."""

    include_photos: bool = False
    include_raw_data: bool = False
    include_charts: bool = False


class ReportIn(Strict):
    """A report to make."""

    sr_id: int
    report_type: Literal["executive summary", "technical", "certificate of conformance"]
    format: Literal["pdf", "excel", "csv"]
    options: ReportOptions = Field(default_factory=ReportOptions)


class LimsSync(Strict):
    """The framework's own upload to the LIMS."""

    sr_id: int
    sync_type: Literal["results"]
    protocols: list[Text] = Field(default_factory=list)


class NcReport(Strict):
    """The framework's own non-conformance report."""

    sr_id: int
    protocol_id: Text
    module_id: Text
    nc_description: Text
    root_cause: Text
    corrective_action: Text


class PmUpdate(Strict):
    """The framework's own update of a project task."""

    project_id: Text
    sr_id: int
    update_type: Literal["task_complete"]
    task_id: Text
    actual_hours: int | float = Field(ge=0)


class WebhookIn(Strict):
    """A webhook to register."""

    url: Text
    events: list[Event] = Field(min_length=1)
    secret: Text


class ServiceRequestQuery(Page):
    """Filters of the service request listing."""

    status: SrStatus | None = None
    customer: str | None = None
    from_date: Day | None = None
    to_date: Day | None = None
    updated_from: Stamp | None = None


class ExecutionQuery(Page):
    """Filters of the execution listing."""

    sr_id: int | None = None
    status: ExecutionStatus | None = None
    qc_status: str | None = None
    completed_from: Stamp | None = None
    updated_from: Stamp | None = None


class AuditQuery(Page):
    """From which audit event on to list."""

    from_id: int | None = Field(default=None, ge=0)


class UserQuery(Page):
    """Filters of the user listing."""

    role: str | None = None


class Advance(Strict):
    """The status that a service request reaches."""

    status: SrStatus


class Withdrawal(Strict):
    """The protocol that is withdrawn from a request."""

    protocol_id: Text


class Telling(Strict):
    """An event for the registered webhooks; a sender that has missed the answer sends the same one again."""

    event: Event
    data: dict[str, Any]
    times: int = Field(default=1, ge=1, le=10)


class RunIn(Strict):
    """Which executions the laboratory runs: a share of all of a request's, or of every request's."""

    sr_id: int | None = None
    fraction: float = Field(default=1.0, gt=0.0, le=1.0)
    complete: bool = True


class Correction(Strict):
    """A re-analysis: measurements that take the place of earlier ones."""

    measurements: dict[str, dict[str, Any]] = Field(min_length=1)


class VerdictsIn(Strict):
    """The laboratory's new verdicts on an execution; ``qc_status`` and ``overall`` may contradict each other."""

    qc_status: str
    overall: str | None = None
    criteria: list[dict[str, Any]] | None = None
