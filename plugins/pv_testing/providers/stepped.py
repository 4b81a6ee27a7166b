"""An operation of several requests, each record within the time that its lease allows for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from pv_testing.contracts.model import Contract, OperationSpec
from pv_testing.core import lease
from pv_testing.core.errors import AmbiguousOutcome, DeadlineExceeded
from pv_testing.core.records import Prepared, Reply, Verdict
from pv_testing.providers.rest import RestOperation
from pv_testing.transports.rest import RestSession


class SteppedOperation(RestOperation):
    """Brings each record into effect by several requests."""

    stepped: ClassVar[bool] = True
    at_once: ClassVar[bool] = False

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Bring records into effect, one after the other."""
        return [await self._in_time(item) for item in batch]

    async def perform(self, item: Prepared) -> Reply:
        """Bring one record into effect: make all of its requests that are still to be made.

        Args:
            item: the record; its ``external_id`` is set where the system holds it already.

        Returns:
            The reply, as if one request had been made.

        Raises:
            IntegrationError: as of a single request; after an :class:`AmbiguousOutcome` the record is looked up.
        """
        raise NotImplementedError

    async def step(self, item: Prepared) -> Reply:
        """Send the contract's own request of one record: it creates the record, or changes one whose id is known.

        The id is noted at once: when a later step is refused, the record is known to be there and isn't created again.
        Where the contract has no ``update``, a record that is there is left as it is. For an amendment, look first.
        """
        if item.external_id and not self._in_place and self.limits.on_change != "amend":
            return Reply(Verdict.OK, item.external_id)
        reply = await self._send_one(item)
        if reply.verdict is Verdict.OK:
            item.external_id = item.external_id or reply.external_id
        return reply

    async def _in_time(self, item: Prepared) -> Reply:
        known = item.external_id
        try:
            reply = await asyncio.wait_for(self.perform(item), self.limits.timeout)
        except asyncio.TimeoutError as error:
            if lease.unsent():
                raise DeadlineExceeded("the time was used up before anything was sent", key=item.key) from error
            message = (
                f"the steps took longer than {self.limits.timeout:g} s; some may have taken effect in {self.provider}"
            )
            raise AmbiguousOutcome(message, key=item.key) from error
        if reply.verdict is Verdict.OK:
            item.external_id = known
        return reply


class BulkSteppedOperation(SteppedOperation):
    """Makes several new records with one request, and brings any other one into effect by steps.

    Attributes:
        most: the most records that one request makes.
    """

    most: ClassVar[int] = 1

    def __init__(self, contract: Contract, spec: OperationSpec, session: RestSession) -> None:
        super().__init__(contract, spec, session)
        self.limits = replace(self.limits, batch_size=self.most)

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Make several records with one request, or bring single ones into effect."""
        if len(batch) == 1 or any(item.external_id for item in batch):
            return await super().send(batch)
        try:
            return await asyncio.wait_for(self.perform_many(batch), self.limits.timeout)
        except asyncio.TimeoutError as error:
            message = (
                f"the steps took longer than {self.limits.timeout:g} s; some may have taken effect in {self.provider}"
            )
            raise AmbiguousOutcome(message, key=batch[0].key) from error

    async def perform_many(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Make several new records.

        Args:
            batch: two of them at least.

        Returns:
            A reply each, in their order.

        Raises:
            IntegrationError: as of :meth:`perform`, about all of them.
        """
        raise NotImplementedError
