"""Waits until certificates are made: one trigger watches all that a task waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from pv_testing.core.errors import Action, IntegrationError

AGAIN = frozenset({Action.RETRY, Action.WAIT})


class CertificateTrigger(BaseTrigger):
    """Fires when the LIMS has made all certificates.

    Args:
        certificates: their ids in the LIMS.
        lims_conn_id: the connection of the LIMS.
        interval: seconds between two looks.
    """

    def __init__(self, certificates: Sequence[str], lims_conn_id: str, interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.certificates = list(certificates)
        self.lims_conn_id = lims_conn_id
        self.interval = interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer makes the trigger of."""
        arguments = {
            "certificates": self.certificates,
            "lims_conn_id": self.lims_conn_id,
            "interval": self.interval,
        }
        return "triggers.certificates.CertificateTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; an error that another look can't mend ends the wait and is told to the task."""
        from hooks.lims import LIMSHook

        left: Sequence[str] = self.certificates
        try:
            async with await LIMSHook(self.lims_conn_id).aget_client() as lims:
                while left := await self._look(lims, left):  # noqa: ASYNC110 - the LIMS tells nobody, it must be asked
                    await asyncio.sleep(self.interval)
        except IntegrationError as error:
            yield TriggerEvent({"made": False, "code": error.code, "reason": str(error)})
        else:
            yield TriggerEvent({"made": True})

    async def _look(self, lims: Any, left: Sequence[str]) -> Sequence[str]:
        from pv_testing.samples.certificates import unfinished

        try:
            waiting = await unfinished(lims, left)
        except IntegrationError as error:
            if error.action not in AGAIN:
                raise
            self.log.warning("the LIMS can't be asked now, the next look follows: %s", error)
            return left
        if waiting:
            self.log.info("%d certificates are still to be made, such as %s", len(waiting), waiting[0])
        return waiting
