"""An operation of several requests, each record within the time that its lease allows for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from pv_testing import lease
from pv_testing.errors import AmbiguousOutcome, DeadlineExceeded
from pv_testing.exchange.types import Prepared, Reply
from pv_testing.providers.rest import RestOperation


class SteppedOperation(RestOperation):
    """Brings records into effect step by step."""

    stepped: ClassVar[bool] = True
    at_once: ClassVar[bool] = False

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Bring records into effect, one after the other."""
        return [await self._in_time(item) for item in batch]

    async def bring(self, item: Prepared) -> Reply:
        """Bring one record into effect."""
        raise NotImplementedError

    async def _in_time(self, item: Prepared) -> Reply:
        try:
            return await asyncio.wait_for(self.bring(item), self.limits.timeout)
        except asyncio.TimeoutError as error:
            if lease.unsent():
                raise DeadlineExceeded("the time was used up before anything was sent", key=item.key) from error
            message = (
                f"the steps took longer than {self.limits.timeout:g} s; some may have taken effect in {self.provider}"
            )
            raise AmbiguousOutcome(message, key=item.key) from error
