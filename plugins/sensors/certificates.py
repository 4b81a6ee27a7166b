"""Waits until the LIMS has made certificates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sensors.lims_watch import WaitForLims

if TYPE_CHECKING:
    from triggers.certificates import CertificateTrigger


class WaitForCertificates(WaitForLims):
    """Waits until the LIMS has made all certificates of a task before, without a worker.

    Args:
        certificates: what :class:`~operators.files.RequestCertificatesOperator` gave.
        patience: how long to wait at the most.
        kwargs: the arguments of :class:`~sensors.lims_watch.WaitForLims`.
    """

    template_fields: Sequence[str] = ("certificates", "lims_conn_id")
    done = "all certificates are made"

    def __init__(self, *, certificates: Any, patience: timedelta = timedelta(days=7), **kwargs: Any) -> None:
        super().__init__(patience=patience, **kwargs)
        self.certificates = certificates

    def trigger(self) -> CertificateTrigger:
        """Return the trigger that watches all certificates of this task."""
        from triggers.certificates import CertificateTrigger

        return CertificateTrigger([each[2] for each in self.certificates], self.lims_conn_id, self.interval)
