"""The PV Testing Protocol Framework behind an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hooks.system import SystemHook

if TYPE_CHECKING:
    from pv_testing.integrations import FrameworkClient
    from pv_testing.ledger import Ledger


class FrameworkHook(SystemHook):
    """Makes a :class:`~pv_testing.integrations.FrameworkClient`.

    Args:
        framework_conn_id: the Airflow connection of type ``pv_framework``.
    """

    system = "framework"
    conn_name_attr = "framework_conn_id"
    default_conn_name = "pv_framework"
    conn_type = "pv_framework"
    hook_name = "PV Testing Framework"

    def __init__(self, framework_conn_id: str = default_conn_name) -> None:
        super().__init__(framework_conn_id)
        self.framework_conn_id = framework_conn_id

    @classmethod
    def client_class(cls) -> type[FrameworkClient]:
        """Return the class of the system's client."""
        from pv_testing.integrations import FrameworkClient

        return FrameworkClient

    def get_client(self, ledger: Ledger | None = None, owner: str = "") -> FrameworkClient:
        """Return a client; whoever takes it closes it, best by ``with``.

        Args:
            ledger: where claims and outcomes are kept; without one they live as long as the client.
            owner: who acts, for leases and the audit trail.
        """
        return cast("FrameworkClient", super().get_client(ledger, owner))
