"""What the steps of billing share: the laboratory's rules, and which service requests they are about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from pv_testing.billing import BillingPolicy
from pv_testing.billing.invoice_state import APPROVED
from pv_testing.config import lab_zone
from pv_testing.exchange.report import Report
from pv_testing.integrations.erp import ERPClient
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.workflow.step import Step

# Tests may be withdrawn, and invoices be forgotten, long after a request was closed.
LOOK_BACK_DAYS = 730


class BillingStep(Step[ERPClient, list[Report]]):
    """A step about approved and closed requests.

    Args:
        framework: where the requests are.
        erp: where the documents are to be.
        policy: how the laboratory bills; ``billing.yaml`` and ``prices.yaml`` without it.
        zone: the laboratory's time zone; the configuration's without it.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
    """

    days = LOOK_BACK_DAYS

    def __init__(
        self,
        framework: FrameworkClient,
        erp: ERPClient,
        policy: BillingPolicy | None = None,
        zone: tzinfo | None = None,
        *,
        replay: bool = False,
        dry_run: bool = False,
    ) -> None:
        super().__init__(framework, erp, replay=replay, dry_run=dry_run)
        self.policy = policy or BillingPolicy.read()
        self.zone = zone or lab_zone()

    def states(self) -> Sequence[str]:
        """Return the state in which a request is billed; closed ones are looked for besides."""
        return (APPROVED,)
