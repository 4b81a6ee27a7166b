"""The quality management system: non-conformances, CAPAs and the audit trail."""

from __future__ import annotations

from typing import ClassVar

from pv_testing.integrations.client import SystemClient


class QMSClient(SystemClient):
    """Speaks with the QMS in the words of the integration guide."""

    system: ClassVar[str] = "qms"
