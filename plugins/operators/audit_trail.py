"""Audit events of the ledger and of the framework go to the QMS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from operators.exchange import ExchangeOperator

if TYPE_CHECKING:
    from pv_testing.exchange.report import Report
    from pv_testing.integrations import FrameworkClient


class SyncAuditTrailOperator(ExchangeOperator):
    """Sends one source's new audit events to the QMS, in their order, each once.

    It stops at the first batch with an event that is not in effect and fails; the next attempt goes on there. It is
    skipped where the QMS takes no audit events. It isn't about service requests; of the arguments of
    :class:`~operators.exchange.ExchangeOperator`, ``service_requests``, ``service_request`` and ``title`` do nothing.

    Args:
        source: whose events: the ``ledger``'s, or the ``framework``'s own.
        kwargs: of :class:`~operators.exchange.ExchangeOperator`.
    """

    systems: ClassVar[Sequence[str]] = ("qms",)
    without_operation: ClassVar[str] = "the trail stays in the ledger"
    operator_extra_links = ()

    def __init__(self, *, source: Literal["ledger", "framework"] = "ledger", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source

    def run_step(self, framework: FrameworkClient, *clients: Any, replay: bool, dry_run: bool) -> Report | list[Report]:
        """Send the events of the source; a trail is of no service request."""
        from pv_testing.auditing.trail import send_framework_events, send_ledger_events
        from pv_testing.core.sync import run

        (qms,) = clients
        if self.source == "ledger":
            return run(send_ledger_events(qms, replay=replay, dry_run=dry_run))
        return run(send_framework_events(framework, qms, replay=replay, dry_run=dry_run))
