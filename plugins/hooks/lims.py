"""The LIMS behind an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooks.system import SystemHook

if TYPE_CHECKING:
    from pv_testing.integrations import LIMSClient  # noqa: F401 - named in the base class


class LIMSHook(SystemHook["LIMSClient"]):
    """Makes an :class:`~pv_testing.integrations.LIMSClient`.

    Args:
        lims_conn_id: the Airflow connection of type ``pv_lims``.
    """

    system = "lims"
    conn_name_attr = "lims_conn_id"
    default_conn_name = "pv_lims"
    conn_type = "pv_lims"
    hook_name = "PV Testing LIMS"
    page_field = "sample_url"

    def __init__(self, lims_conn_id: str = default_conn_name) -> None:
        super().__init__(lims_conn_id)
        self.lims_conn_id = lims_conn_id
