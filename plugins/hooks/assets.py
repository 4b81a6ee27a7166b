"""The data that the DAGs read and produce, as Airflow assets, and their names in OpenLineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow.sdk import Asset
    from openlineage.client.event_v2 import Dataset

SERVICE_REQUESTS = "pv://framework/service_requests"
EXECUTIONS = "pv://framework/executions"
PROTOCOLS = "pv://framework/protocols"
USERS = "pv://framework/users"
FRAMEWORK_EVENTS = "pv://framework/audit_events"
LEDGER_EVENTS = "pv://ledger/audit_events"
FINDINGS = "pv://ledger/findings"
PRICES = "pv://files/prices"
EXPORTS = "pv://files/exports/measurement_data"
DROPPED_FILES = "pv://files/dropped"
IMPORTED_ROWS = "pv://ledger/imported_rows"
CERTIFICATE_REQUESTS = "pv://lims/certificates"
CERTIFICATES = "pv://files/certificates"
EVENTS = "pv://ledger/events"
DELIVERIES = "pv://webhooks/deliveries"
RECEIVED_EVENTS = "pv://ledger/received_events"
SAMPLES = "pv://lims/samples"
RESULTS = "pv://lims/results"
STATUSES = "pv://framework/statuses"
NON_CONFORMANCES = "pv://qms/non_conformances"
CAPAS = "pv://qms/capas"
QMS_EVENTS = "pv://qms/audit_events"
TASKS = "pv://pm/tasks"
HOURS = "pv://pm/hours"
CUSTOMERS = "pv://erp/customers"
INVOICES = "pv://erp/invoices"
STOCK = "pv://erp/stock"


def to_openlineage(asset: Asset, lineage_context: Any) -> Dataset:  # noqa: ARG001 - Airflow's signature
    """Return the OpenLineage dataset of a ``pv://SYSTEM/NAME`` asset; without a converter Airflow drops it.

    Args:
        asset: the asset.
        lineage_context: the hook that reports it, not needed here.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parsed = urlsplit(asset.uri)
    return Dataset(namespace=f"pv://{parsed.netloc}", name=parsed.path.strip("/"))
