"""Drafts, their posting and credit notes: each step looks at what is there, so that any of them may be the last one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from pv_testing.contracts.model import Find, OperationSpec
from pv_testing.contracts.request_template import Request
from pv_testing.core.errors import AmbiguousOutcome, Conflict, NotFound
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers.drafting.documents import SETTLED, Document, differences
from pv_testing.providers.stepped import SteppedOperation

if TYPE_CHECKING:
    from pv_testing.providers.drafting.provider import DraftingProvider

Rows = Sequence[Mapping[str, Any]]


class DocumentOperation(SteppedOperation):
    """An operation on invoices or credit notes of an ERP.

    Args:
        provider: who speaks to the ERP.
        spec: the contract's operation.
    """

    def __init__(self, provider: DraftingProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self.erp = provider

    async def _looked_up(self, request: Request, find: Find, key: str, most: int | None) -> Rows:
        return await self.erp.look_up(self, request, find, key, most)

    async def by_contract(self, request: Request, find: Find, key: str, most: int | None) -> Rows:
        """Return what the contract's own look-up finds."""
        return await super()._looked_up(request, find, key, most)

    async def write(
        self, request: Request, item: Prepared, there: Document | None = None, *, spec: OperationSpec | None = None
    ) -> None:
        """Send a request that changes something, and that a look follows: what it answers besides is not read.

        Args:
            request: to send.
            item: the record.
            there: the document as it was read; where the ERP can tell, it refuses the change of a later version.
            spec: the operation whose rules judge the answer; this one without it.
        """
        classify = self.erp.contract.classify(spec) if spec else self._classify_other
        body, headers = self.erp.locked(request.body, there)
        await self.erp.send(self, item, request._replace(body=body), headers, classify)


class DraftOperation(DocumentOperation):
    """Makes drafts under their business key, and changes them as long as they are drafts."""

    at_once: ClassVar[bool] = True

    def prepare(self, record: Record) -> Payload:
        """Map and validate a record, whose business key goes into the ERP as ``key``."""
        return self._spec.prepare({**record.data, "key": record.key})

    async def perform(self, item: Prepared) -> Reply:
        """Make the draft, or change the one that is there; what the ERP has computed comes with the reply."""
        there = await self._made(item)
        return Reply(Verdict.OK, there.id, body=there.described())

    async def _made(self, item: Prepared) -> Document:
        there = await self.document(item) if item.external_id else None
        if there is None and item.external_id:
            raise gone(item, self.provider)
        if there is None:
            await self.erp.create(self, item)
        elif self.differences(item, there):
            require_draft(item, there, self.provider)
            await self.erp.change(self, item, there)
        else:
            return there
        made = await self.document(item)
        if made is None:
            raise AmbiguousOutcome(f"{self.provider} took it, but doesn't show it yet", key=item.key)
        if made.status in SETTLED and self.kind in self.erp.posts:
            message = (
                f"{self.provider} has posted {made.name} at once, before its total was compared; have it keep drafts"
            )
            raise Conflict(f"{message}, look at this one, then release the record", key=item.key, code="NOT_A_DRAFT")
        return made

    def request(self, item: Prepared, there: Document | None = None) -> Request:
        """Return the contract's own request that makes a document, or changes the one that is there."""
        call = self._spec.update if there is not None and self._spec.update else self._spec.call
        known = {**self._context(item), **({"id": there.id} if there is not None else {})}
        return call.request(item.payload, known)

    async def document(self, item: Prepared) -> Document | None:
        """Return the document of a record; ``None`` where the ERP has none."""
        find = self._spec.find
        assert find is not None
        rows = await self._looked_up(find.request([item.payload], self._context(item)), find, item.key, None)
        asked = self._key_of_sent(item, find)
        return chosen([self.erp.document(self._spec, row) for row in rows if find.key_of_found(row) == asked])

    def differences(self, item: Prepared, there: Document) -> list[str]:
        """Return the fields in which a document isn't what its record wants."""
        assert self._spec.map is not None
        return differences(self.erp.contract, self._spec.map, item.payload, there)

    def in_effect(self, item: Prepared, there: Document) -> bool:
        """Say whether a document is as its record wants it."""
        return there.status != "CANCELLED" and not self.differences(item, there)

    def _found(self, item: Prepared, matches: Iterable[Mapping[str, Any]], find: Find) -> Found:
        del find
        there = [self.erp.document(self._spec, row) for row in matches]
        newest = chosen(there)
        assert newest is not None
        copies = max(1, sum(each.status != "CANCELLED" for each in there))
        return Found(newest.id, in_effect=self.in_effect(item, newest), body=newest.described(), copies=copies)


class CreditNoteOperation(DraftOperation):
    """Makes credit notes and posts them."""

    at_once: ClassVar[bool] = False

    async def perform(self, item: Prepared) -> Reply:
        """Make the credit note where there is none, compare its total and post it."""
        there = await self._made(item)
        if there.status not in SETTLED and self.kind in self.erp.posts:
            require_draft(item, there, self.provider)
            require_total(item, there, self.provider)
            await self.erp.post(self, item, there)
            there = await self.document(item) or there
        require_posted(item, there, self.provider)
        return Reply(Verdict.OK, there.id, body=there.described())

    def in_effect(self, item: Prepared, there: Document) -> bool:
        """Say whether a credit note is as the record wants it, and posted."""
        return there.status in SETTLED and agrees(item, there) and not self.differences(item, there)


class PostingOperation(DocumentOperation):
    """Posts drafts whose total is the one that is expected."""

    async def perform(self, item: Prepared) -> Reply:
        """Post an invoice, unless it is posted."""
        there = await self.document(item)
        if there is None:
            raise gone(item, self.provider)
        if there.status not in SETTLED:
            require_draft(item, there, self.provider)
            require_total(item, there, self.provider)
            await self.erp.post(self, item, there)
            there = await self.document(item) or there
        require_posted(item, there, self.provider)
        return Reply(Verdict.OK, there.id, body=there.described())

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Read the invoices that are to be posted."""
        found: dict[str, Found] = {}
        for item in batch:
            there = await self.document(item)
            if there is not None:
                posted = there.status in SETTLED and agrees(item, there)
                found[item.key] = Found(there.id, in_effect=posted, body=there.described())
        return found

    async def document(self, item: Prepared) -> Document | None:
        """Return the invoice by its id; by its key, where the ERP has given it another id when it was posted."""
        there = await self.by_id(str(item.data.get("invoice_id") or item.payload.get("invoice_id")), item.key)
        return there or await self.erp.by_reference(item.key)

    async def by_id(self, invoice_id: str, key: str = "") -> Document | None:
        """Return the invoice of an id; ``None`` where the ERP has none."""
        find = self._spec.find
        assert find is not None
        payload = self._spec.prepare({"invoice_id": invoice_id, "total": "0"})
        try:
            rows = await self._looked_up(find.request([payload], {"id": invoice_id, "key": key}), find, key, None)
        except NotFound:
            return None
        return self.erp.document(self.erp.contract.operation("create_invoice"), rows[-1]) if rows else None


def chosen(there: Sequence[Document]) -> Document | None:
    """Return the newest of the documents under one key, of those that aren't cancelled where there are any."""
    valid = [each for each in there if each.status != "CANCELLED"]
    return (valid or there)[-1] if there else None


def agrees(item: Prepared, there: Document) -> bool:
    """Say whether the ERP's total is ours, to the cent."""
    return there.amounts.get("total") == Decimal(str(item.data["total"]))


def require_total(item: Prepared, there: Document, provider: str) -> None:
    """Let nothing be posted that comes to something else than is to be billed.

    Raises:
        Conflict: it does (``AMOUNTS_DIFFER``).
    """
    if agrees(item, there):
        return
    theirs = f"{there.amounts.get('total', 'no total')} {there.fields.get('currency') or ''}".strip()
    message = f"{provider} has {theirs} where {item.data['total']} is to be billed; {there.name} is {_word(there)}"
    raise Conflict(f"{message}: correct prices or taxes, then release the record", key=item.key, code="AMOUNTS_DIFFER")


def require_posted(item: Prepared, there: Document, provider: str) -> None:
    """Make sure that a document is posted, and with the total that was compared.

    Raises:
        AmbiguousOutcome: the ERP took the request, but doesn't show it as posted.
        Conflict: it was posted with another total.
    """
    if there.status not in SETTLED:
        message = f"{provider} was told to post {there.name}, but shows it as {_word(there)}"
        raise AmbiguousOutcome(message, key=item.key)
    require_total(item, there, provider)


def require_draft(item: Prepared, there: Document, provider: str) -> None:
    """Let nothing be changed but a draft.

    Raises:
        Conflict: it is none any more.
    """
    if there.status == "CANCELLED":
        message = f"{there.name} has been cancelled in {provider}; make it anew there, then confirm the record"
        raise Conflict(message, key=item.key, code="INVOICE_CANCELLED")
    if there.status != "DRAFT":
        message = f"{there.name} is {_word(there)} in {provider} and stays so; correct it by a credit note"
        raise Conflict(message, key=item.key, code="INVOICE_CLOSED")


def gone(item: Prepared, provider: str) -> Conflict:
    """Return the error for a document that was there before."""
    message = f"the document is not in {provider} any more, or isn't shown to this user; make one there with the key"
    return Conflict(f"{message} {item.key!r} and confirm the record with its id", key=item.key, code="INVOICE_GONE")


def _word(there: Document) -> str:
    return there.status.lower()
