"""Approved service requests become invoices in the ERP; tests that are withdrawn afterwards are given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from operators.exchange import ExchangeOperator
from operators.links import InvoiceLink

if TYPE_CHECKING:
    from pv_testing.workflow.step import Step


class BillingOperator(ExchangeOperator):
    """A step of billing: it is about approved and closed requests that something is left to do for.

    The arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    systems: ClassVar[Sequence[str]] = ("erp",)
    operator_extra_links = (InvoiceLink(),)


class CreateInvoicesOperator(BillingOperator):
    """Creates the invoice of each approved service request, compares it with what the ERP computes, and posts it.

    An invoice that a person should see first stays a draft, and the task is red until it is posted. The arguments are
    those of :class:`~operators.exchange.ExchangeOperator`.
    """

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that invoices."""
        from pv_testing.billing.invoicing import CreateInvoices

        return CreateInvoices


class CreateCreditNotesOperator(BillingOperator):
    """Creates a credit note for each test that was billed and is withdrawn now.

    A test that was ordered after the invoice waits for a person, and the task is red until that person has confirmed
    how it was settled. The arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that credits."""
        from pv_testing.billing.crediting import CreditWithdrawnTests

        return CreditWithdrawnTests
