"""Enterprise resource planning: customers, invoices, credit notes and stock movements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pv_testing.core.errors import Conflict
from pv_testing.core.reasons import Reason
from pv_testing.core.sync import run
from pv_testing.exchange.report import Report
from pv_testing.integrations import erp_records as records
from pv_testing.integrations.client import SystemClient
from pv_testing.providers import ids

AMOUNTS = ("subtotal", "tax", "total")
MOVEMENT = ("sr_number", "serial_number", "movement", "date", "product", "customer_id")
DRAW = ("execution_id", "item", "quantity", "unit", "date")


class ERPClient(SystemClient):
    """Speaks with the ERP in the words of the integration guide.

    Every write goes through the exchange engine: a lost response is looked up, a repeated call sends nothing, whichever
    process makes it; the ledger that the configuration names remembers it, or the one that is given.

    Example:
        >>> erp = ERPClient("https://erp.company.com/api", client_id="…", client_secret="…")  # doctest: +SKIP
        >>> erp.find_invoice("SR-2025-0123")["status"]  # doctest: +SKIP
        'DRAFT'
    """

    system: ClassVar[str] = "erp"
    words: ClassVar[Mapping[str, Mapping[str, str]]] = {"create_invoice": {"sr_number": "reference"}}

    def create_invoice(
        self,
        customer_id: str,
        invoice_date: Any,
        due_date: Any,
        reference: str,
        line_items: Sequence[Mapping[str, Any]],
        notes: str = "",
        *,
        currency: str = "",
        tax_rate: Any = None,
        tax: Any = None,
        po_number: str = "",
    ) -> dict[str, Any]:
        """Create an invoice as a draft, or return the one that is there; a changed one changes the draft.

        Args:
            customer_id: the customer's id in the ERP.
            invoice_date: a ``date``, a ``datetime`` (its day as it stands) or ``YYYY-MM-DD``.
            due_date: likewise.
            reference: the business key, such as the service request's number.
            line_items: each with ``description``, ``quantity``, ``unit_price`` and, where wanted, ``total`` and
                ``protocol_id``. Amounts are text, decimals or numbers; a total is quantity × price, rounded half-up,
                and one that is given must not differ by more than the smallest unit. Anything else, such as a
                discount, is refused.
            notes: what the customer is told besides.
            currency: ISO 4217; the ERP's own without it, with two decimals.
            tax_rate: in per cent.
            tax: as an amount, which is only compared.
            po_number: the customer's order.

        Returns:
            What the ERP says of the invoice; ``invoice_id`` and ``id`` are its id there.

        Raises:
            Rejected: the ERP refuses the invoice.
            MappingError: a field is missing, or an amount is no number or is wrong.
        """
        given = {"customer_id": customer_id, "invoice_date": invoice_date, "due_date": due_date, "notes": notes}
        terms = {"currency": currency, "tax_rate": tax_rate, "tax": tax, "po_number": po_number}
        answer = self.one(self.create_invoices([{**given, "reference": reference, "line_items": line_items, **terms}]))
        return {**answer, "invoice_id": answer["id"]}

    def create_invoices(self, invoices: Sequence[Mapping[str, Any]]) -> Report:
        """Create many invoices, each with the arguments of :meth:`create_invoice` as a mapping."""
        return self._carry_all("create_invoice", invoices, records.invoice)

    def post_invoice(self, invoice_id: str, total: Any) -> dict[str, Any]:
        """Post a draft; it can't be changed from then on.

        Args:
            invoice_id: the invoice's id in the ERP.
            total: what it must come to, tax included; the ERP posts no other.

        Raises:
            Rejected: it is no draft, or comes to something else.
        """
        keys = self.ledger.find_by_external_id(self.system, "invoice", [invoice_id])
        key, given = keys.get(invoice_id, invoice_id), {"invoice_id": invoice_id, "total": total}
        posting = self._whole(
            "post_invoice", given, lambda asked: records.posting(key, asked["invoice_id"], asked["total"])
        )
        answer = self.one(self.exchange("post_invoice", [posting]))
        return {**answer, "invoice_id": invoice_id}

    def create_credit_note(
        self,
        invoice_id: str,
        reference: str,
        invoice_date: Any,
        line_items: Sequence[Mapping[str, Any]],
        reason: str,
        currency: str,
        *,
        tax_rate: Any = None,
        tax: Any = None,
        customer_id: str = "",
    ) -> dict[str, Any]:
        """Give back what was billed, or return the credit note that is there.

        Args:
            invoice_id: the posted invoice's id in the ERP.
            reference: the business key, such as ``SR-2025-0123/PVTP-018``.
            invoice_date: of the credit note.
            line_items: as for :meth:`create_invoice`, with positive amounts.
            reason: in words.
            currency: its ISO 4217 code.
            tax_rate: in per cent.
            tax: as an amount, which is only compared.
            customer_id: where the ERP wants it.

        Raises:
            Rejected: the invoice isn't posted, or less was billed.
            MappingError: a field is missing, or an amount is no number or is wrong.
        """
        given = {"invoice_id": invoice_id, "reference": reference, "invoice_date": invoice_date, "reason": reason}
        terms = {"currency": currency, "tax_rate": tax_rate, "tax": tax, "customer_id": customer_id}
        fields = {**given, "line_items": line_items, **terms}
        return self.one(self._carry_all("create_credit_note", [fields], records.credit_note))

    def create_customer(
        self, name: str, *, contact_person: str = "", email: str = "", phone: str = "", address: Any = None
    ) -> dict[str, Any]:
        """Create a customer, or return the one of that name that is there, unchanged.

        Args:
            name: the business key.
            contact_person: whom to speak to.
            email: where to write.
            phone: where to call.
            address: as the ERP takes it.

        Returns:
            What the ERP says of the customer; ``id`` is its id there.
        """
        contact = {"contact_person": contact_person, "email": email, "phone": phone, "address": address}
        customer = self._whole("create_customer", {"name": name, **contact}, records.customer)
        return self.one(self.exchange("create_customer", [customer]))

    def record_stock_movement(
        self,
        *,
        sr_number: str = "",
        serial_number: str = "",
        movement: str = "",
        date: Any = None,
        product: str | None = None,
        customer_id: str | None = None,
    ) -> dict[str, Any]:
        """Book that a module came, was put away or left.

        Args:
            sr_number: the service request's number.
            serial_number: the module's.
            movement: ``RECEIVED``, ``STORED``, ``RETURNED`` or ``SCRAPPED``.
            date: the day, as for :meth:`create_invoice`.
            product: what the module is.
            customer_id: whose it is, in the ERP.

        Raises:
            Rejected: it can't follow the module's last movement.
        """
        module = {"sr_number": sr_number, "serial_number": serial_number, "product": product}
        given = {**module, "movement": movement, "date": date, "customer_id": customer_id}
        return self.one(self.record_stock_movements([given]))

    def record_stock_movements(self, movements: Sequence[Mapping[str, Any]]) -> Report:
        """Book many movements, each with the arguments of :meth:`record_stock_movement` as a mapping."""
        return self._carry_all("record_stock_movement", movements, records.stock_movement, MOVEMENT)

    def draw_consumable(
        self, *, execution_id: str | int = "", item: str = "", quantity: Any = None, unit: str = "", date: Any = None
    ) -> dict[str, Any]:
        """Book what an execution has used up.

        Args:
            execution_id: of the test.
            item: what was used.
            quantity: how much.
            unit: of the quantity.
            date: the day, as for :meth:`create_invoice`.
        """
        amount = {"quantity": quantity, "unit": unit}
        return self.one(self.draw_consumables([{"execution_id": execution_id, "item": item, **amount, "date": date}]))

    def draw_consumables(self, draws: Sequence[Mapping[str, Any]]) -> Report:
        """Book many draws, each with the arguments of :meth:`draw_consumable` as a mapping."""
        return self._carry_all("draw_consumable", draws, records.consumable, DRAW)

    def find_customer(self, name: str) -> dict[str, Any] | None:
        """Return the customer of exactly this name, or ``None``.

        Raises:
            Conflict: the ERP has several (``CUSTOMER_AMBIGUOUS``).
        """
        return run(self.acustomer(name))

    async def acustomer(self, name: str) -> dict[str, Any] | None:
        """Do what :meth:`find_customer` does, in the caller's event loop."""
        listed = await self.alist("get_customers", name=name)
        customers = [customer for customer in listed if customer.get("name") == name]
        if len(customers) > 1:
            raise self._several(len(customers), f"customers are called {name}", name, "CUSTOMER_AMBIGUOUS")
        return customers[0] if customers else None

    def find_invoice(self, reference: str) -> dict[str, Any] | None:
        """Return the invoice with a reference, as :meth:`get_invoice` does, or ``None``.

        Raises:
            Conflict: the ERP has several (``DUPLICATE_IN_SYSTEM``).
        """
        invoices = run(self._amatching("get_invoices", reference))
        if len(invoices) > 1:
            raise self._several(len(invoices), "invoices have this reference", reference, Reason.DUPLICATE_IN_SYSTEM)
        return self._read(invoices[0]) if invoices else None

    def get_invoice(self, invoice_id: str) -> dict[str, Any]:
        """Return an invoice: ``invoice_id``, ``status`` in our words, ``subtotal``, ``tax`` and ``total`` as text.

        Raises:
            NotFound: there is none.
        """
        return run(self.ainvoice(invoice_id))

    async def ainvoice(self, invoice_id: str) -> dict[str, Any]:
        """Do what :meth:`get_invoice` does, in the caller's event loop."""
        return self._read(await self.acall("get_invoice", invoice_id=invoice_id))

    def get_invoice_status(self, invoice_id: str) -> str:
        """Return ``DRAFT``, ``POSTED``, ``PAID`` or ``CANCELLED``."""
        return str(self.get_invoice(invoice_id)["status"])

    async def aopen_invoices(self) -> list[dict[str, Any]]:
        """Return the invoices that are posted and not paid, as :meth:`get_invoice` does."""
        return [self._read(row) for row in await self.alist("get_invoices", status="POSTED")]

    def _read(self, row: Mapping[str, Any]) -> dict[str, Any]:
        status = self.contract.vocabularies["invoice_status"].read(str(row.get("status") or ""))
        amounts: dict[str, str] = {}
        for name in AMOUNTS:
            if row.get(name) is not None:
                amounts[name] = records.plain(records.amount(row[name]))
        invoice_id = ids.of_found(row.get("invoice_id") or row.get("id"), str(row.get("reference") or ""))
        number = str(row.get("number") or invoice_id)
        return {**row, **amounts, "invoice_id": invoice_id, "number": number, "status": status}

    def _several(self, count: int, what: str, key: str, code: str) -> Conflict:
        message = f"{count} {what}; only a person can tell which one is meant"
        return Conflict(message, system=self.system, provider=self.config.provider, key=key, code=code)
