"""The PV Testing Protocol Framework behind an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooks.system import SystemHook

if TYPE_CHECKING:
    from pv_testing.integrations import FrameworkClient  # noqa: F401 - named in the base class


class FrameworkHook(SystemHook["FrameworkClient"]):
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
