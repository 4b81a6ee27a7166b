"""Enterprise resource planning: customers, invoices, credit notes and stock movements."""

from __future__ import annotations

from typing import ClassVar

from pv_testing.integrations.client import SystemClient


class ERPClient(SystemClient):
    """Speaks with the ERP in the words of the integration guide."""

    system: ClassVar[str] = "erp"
