"""Waits until certificates are made: one trigger watches all certificates of a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from triggers.lims_watch import LimsWatch

if TYPE_CHECKING:
    from pv_testing.integrations import LIMSClient


class CertificateTrigger(LimsWatch):
    """Fires when the LIMS has made all certificates; one that it has shown as made is not read again.

    Args:
        certificates: their ids in the LIMS.
        lims_conn_id: the connection of the LIMS.
        interval: seconds between two looks.
    """

    still = "certificates are still to be made"

    def __init__(self, certificates: Sequence[str], lims_conn_id: str, interval: float) -> None:
        super().__init__(lims_conn_id, interval)
        self.certificates = list(certificates)
        self._left: Sequence[str] = self.certificates

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments; the path is written out, as the module may have another name."""
        return "triggers.certificates.CertificateTrigger", self.arguments(certificates=self.certificates)

    async def waiting(self, lims: LIMSClient) -> Sequence[str]:
        """Return the ids of the certificates that are not made yet."""
        from pv_testing.samples.certificates import unfinished

        self._left = await unfinished(lims, self._left)
        return self._left
