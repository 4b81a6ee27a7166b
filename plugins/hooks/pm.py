"""The project management system behind an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooks.system import SystemHook

if TYPE_CHECKING:
    from pv_testing.integrations import PMClient  # noqa: F401 - named in the base class


class PMHook(SystemHook["PMClient"]):
    """Makes a :class:`~pv_testing.integrations.PMClient`.

    Args:
        pm_conn_id: the Airflow connection of type ``pv_pm``.
    """

    system = "pm"
    conn_name_attr = "pm_conn_id"
    default_conn_name = "pv_pm"
    conn_type = "pv_pm"
    hook_name = "PV Testing PM"
    page_field = "task_url"

    def __init__(self, pm_conn_id: str = default_conn_name) -> None:
        super().__init__(pm_conn_id)
        self.pm_conn_id = pm_conn_id
