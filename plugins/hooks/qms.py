"""The QMS behind an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooks.system import SystemHook

if TYPE_CHECKING:
    from pv_testing.integrations import QMSClient  # noqa: F401 - named in the base class


class QMSHook(SystemHook["QMSClient"]):
    """Makes a :class:`~pv_testing.integrations.QMSClient`.

    Args:
        qms_conn_id: the Airflow connection of type ``pv_qms``.
    """

    system = "qms"
    conn_name_attr = "qms_conn_id"
    default_conn_name = "pv_qms"
    conn_type = "pv_qms"
    hook_name = "PV Testing QMS"
    page_field = "nc_url"

    def __init__(self, qms_conn_id: str = default_conn_name) -> None:
        super().__init__(qms_conn_id)
        self.qms_conn_id = qms_conn_id
