"""The ERP behind an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooks.system import SystemHook

if TYPE_CHECKING:
    from pv_testing.integrations import ERPClient  # noqa: F401 - named in the base class


class ERPHook(SystemHook["ERPClient"]):
    """Makes an :class:`~pv_testing.integrations.ERPClient`.

    Args:
        erp_conn_id: the Airflow connection of type ``pv_erp``.
    """

    system = "erp"
    conn_name_attr = "erp_conn_id"
    default_conn_name = "pv_erp"
    conn_type = "pv_erp"
    hook_name = "PV Testing ERP"
    page_field = "invoice_url"

    def __init__(self, erp_conn_id: str = default_conn_name) -> None:
        super().__init__(erp_conn_id)
        self.erp_conn_id = erp_conn_id
