"""Approved service requests become invoices in the ERP; tests that are withdrawn afterwards are given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from operators.exchange import ExchangeOperator, Workflow
from operators.links import InvoiceLink

if TYPE_CHECKING:
    from pv_testing.integrations import FrameworkClient


class BillingOperator(ExchangeOperator):
    """What the steps of billing share: they are about approved and closed requests that they aren't done with.

    The arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    systems: ClassVar[Sequence[str]] = ("erp",)
    operator_extra_links = (InvoiceLink(),)

    def chosen(self, framework: FrameworkClient) -> list[int]:
        """Return the wanted service request, else those that something may be left to do for.

        Args:
            framework: where they are.
        """
        if str(self.service_request or "").strip():
            return super().chosen(framework)
        from pv_testing.billing.invoice_state import APPROVED
        from pv_testing.billing.invoicing import LOOK_BACK_DAYS

        return self.due(framework, (APPROVED,), days=LOOK_BACK_DAYS)


class CreateInvoicesOperator(BillingOperator):
    """Creates the invoice of each approved service request, compares it with what the ERP computes, and posts it.

    An invoice that a person should see first stays a draft, and the task is red until it is posted. The arguments are
    those of :class:`~operators.exchange.ExchangeOperator`.
    """

    sweep = "erp/invoices"

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.billing.invoicing import create_invoices

        return create_invoices


class CreateCreditNotesOperator(BillingOperator):
    """Creates a credit note for each test that was billed and is withdrawn now.

    What was ordered after the invoice waits for a person, and the task is red until she has said what became of it. The
    arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    sweep = "erp/credits"

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.billing.crediting import credit_withdrawn_tests

        return credit_withdrawn_tests
