"""The LIMS behind an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hooks.system import SystemHook

if TYPE_CHECKING:
    from pv_testing.integrations import LIMSClient
    from pv_testing.ledger import Ledger


class LIMSHook(SystemHook):
    """Makes a :class:`~pv_testing.integrations.LIMSClient`.

    Args:
        lims_conn_id: the Airflow connection of type ``pv_lims``.
    """

    system = "lims"
    conn_name_attr = "lims_conn_id"
    default_conn_name = "pv_lims"
    conn_type = "pv_lims"
    hook_name = "PV Testing LIMS"

    def __init__(self, lims_conn_id: str = default_conn_name) -> None:
        super().__init__(lims_conn_id)
        self.lims_conn_id = lims_conn_id

    @classmethod
    def client_class(cls) -> type[LIMSClient]:
        """Return the class of the system's client."""
        from pv_testing.integrations import LIMSClient

        return LIMSClient

    def get_client(self, ledger: Ledger | None = None, owner: str = "") -> LIMSClient:
        """Return a client; whoever takes it closes it, best by ``with``.

        Args:
            ledger: where claims and outcomes are kept; without one they live as long as the client.
            owner: who acts, for leases and the audit trail.
        """
        return cast("LIMSClient", super().get_client(ledger, owner))

    def sample_page(self, sample_id: str, project_id: str) -> str:
        """Return where a person sees a sample in the LIMS, or nothing where the connection doesn't say.

        Args:
            sample_id: the sample's id in the LIMS.
            project_id: the number of its service request.
        """
        page = self.get_connection(self.conn_id).extra_dejson.get("sample_url") or ""
        return str(page).replace("{id}", sample_id).replace("{project_id}", project_id)
