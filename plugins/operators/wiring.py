"""What the DAG files share: schedule, retries, parameters and the assets that they produce.

Everything here is cheap and never fails: a DAG must be importable without a network, a metadata database or a valid
configuration. What is wrong with the configuration is said by the first task that needs it, with file, line and key.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import yaml
from airflow.sdk import Asset, AssetAny, AssetOrTimeSchedule, DeltaTriggerTimetable, Param

from hooks.assets import uri
from operators.retry_policy import ErrorTreeRetryPolicy
from pv_testing.domain import datasets

log = logging.getLogger(__name__)

CONFIGURATION = Path(__file__).resolve().parents[2] / "config" / "integrations.yaml"
DEFAULT_INTERVAL = 300
SIZE_LIMIT, DEPTH_LIMIT = 1024 * 1024, 30
START = datetime(2025, 1, 1, tzinfo=timezone.utc)
RUN_TIMEOUT = timedelta(hours=4)
RUNS_AT_ONCE = 4
"""Runs of one DAG whose service requests are locked: beside one with a huge request, the next ones carry small ones."""

SERVICE_REQUESTS = Asset(name="framework_service_requests", uri=uri(datasets.SERVICE_REQUESTS), group="pv")
EXECUTIONS = Asset(name="framework_executions", uri=uri(datasets.EXECUTIONS), group="pv")
PROTOCOLS = Asset(name="framework_protocols", uri=uri(datasets.PROTOCOLS), group="pv")
USERS = Asset(name="framework_users", uri=uri(datasets.USERS), group="pv")
FRAMEWORK_EVENTS = Asset(name="framework_audit_events", uri=uri(datasets.FRAMEWORK_EVENTS), group="pv")
LEDGER_EVENTS = Asset(name="ledger_audit_events", uri=uri(datasets.LEDGER_EVENTS), group="pv")
FINDINGS = Asset(name="ledger_findings", uri=uri(datasets.FINDINGS), group="pv")
PRICES = Asset(name="price_list", uri=uri(datasets.PRICES), group="pv")
EXPORTS = Asset(name="exported_measurements", uri=uri(f"{datasets.EXPORTS}/measurement_data"), group="pv")
DROPPED_FILES = Asset(name="dropped_files", uri=uri(datasets.DROPPED_FILES), group="pv")
IMPORTED_ROWS = Asset(name="ledger_imported_rows", uri=uri(datasets.IMPORTED_ROWS), group="pv")
CERTIFICATE_REQUESTS = Asset(name="lims_certificates", uri=uri(datasets.CERTIFICATE_REQUESTS), group="pv")
CERTIFICATES = Asset(name="filed_certificates", uri=uri(datasets.CERTIFICATES), group="pv")
EVENTS = Asset(name="ledger_events", uri=uri(datasets.EVENTS), group="pv")
DELIVERIES = Asset(name="webhook_deliveries", uri=uri(datasets.DELIVERIES), group="pv")
RECEIVED_EVENTS = Asset(name="ledger_received_events", uri=uri(datasets.RECEIVED_EVENTS), group="pv")
SAMPLES = Asset(name="lims_samples", uri=uri(datasets.SAMPLES), group="pv")
RESULTS = Asset(name="lims_results", uri=uri(datasets.RESULTS), group="pv")
STATUSES = Asset(name="framework_statuses", uri=uri(datasets.STATUSES), group="pv")
NON_CONFORMANCES = Asset(name="qms_non_conformances", uri=uri(datasets.NON_CONFORMANCES), group="pv")
CAPAS = Asset(name="qms_capas", uri=uri(datasets.CAPAS), group="pv")
TASKS = Asset(name="pm_tasks", uri=uri(datasets.TASKS), group="pv")
QMS_EVENTS = Asset(name="qms_audit_events", uri=uri(datasets.QMS_EVENTS), group="pv")
HOURS = Asset(name="pm_hours", uri=uri(datasets.HOURS), group="pv")
CUSTOMERS = Asset(name="erp_customers", uri=uri(datasets.CUSTOMERS), group="pv")
STOCK = Asset(name="erp_stock", uri=uri(datasets.STOCK), group="pv")
INVOICES = Asset(name="erp_invoices", uri=uri(datasets.INVOICES), group="pv")

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "laboratory",
    "retries": 3,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": ErrorTreeRetryPolicy(),
}

PARAMS: dict[str, Param] = {
    "sr": Param("", type="string", title="Service request", description="Number or id of the only one; empty for all."),
    "dry_run": Param(
        default=False, type="boolean", title="Dry run", description="Say what would happen, change nothing."
    ),
    "replay": Param(
        default=False,
        type="boolean",
        title="Replay",
        description="Try records again that wait for a person, and look up those that are in effect.",
    ),
}


FLAGS = {
    "service_request": "{{ params.sr }}",
    "dry_run": "{{ params.dry_run }}",
    "replay": "{{ params.replay }}",
}


def schedule_on(*assets: Asset, system: str) -> AssetOrTimeSchedule | AssetAny:
    """Return a schedule that runs on any of some assets, and every so often in case one of their events is missed.

    Args:
        assets: what the DAG works on.
        system: whose ``sync_interval`` is the safety net; with 0 the DAG runs on the assets alone.
    """
    interval = schedule(system)
    on_data = AssetAny(*assets)
    if interval is None:
        return on_data
    return AssetOrTimeSchedule(timetable=DeltaTriggerTimetable(interval), assets=on_data)


def schedule(system: str = "lims") -> timedelta | None:
    """Return how often a system is synchronised, ``None`` for only on demand.

    That is ``PV_SYNC_INTERVAL`` of the environment, else ``sync_interval`` of the configuration file, in seconds; 0
    means on demand. The file is read as plain data, without its variables. One that can't be used gives the default
    interval, so that the DAGs stay listed and their tasks say what is wrong.

    Args:
        system: whose interval.
    """
    try:
        seconds = float(os.environ.get("PV_SYNC_INTERVAL") or _configured(system))
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        log.warning("no sync_interval for %s in %s, %s s are taken: %s", system, _path(), DEFAULT_INTERVAL, error)
        seconds = DEFAULT_INTERVAL
    return timedelta(seconds=seconds) if seconds > 0 else None


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _path() -> Path:
    return Path(os.environ.get("PV_CONFIG") or CONFIGURATION)


def _refuse_deep(written: bytes) -> None:
    """Refuse what is nested so deeply that reading it would take the interpreter down with it."""
    depth = 0
    for event in yaml.parse(written, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_LIMIT:
            raise ValueError(f"it is nested deeper than {DEPTH_LIMIT} levels")


def _configured(system: str) -> float:
    with _path().open("rb") as stream:
        written = stream.read(SIZE_LIMIT + 1)
    if len(written) > SIZE_LIMIT:
        raise ValueError(f"the file is larger than {SIZE_LIMIT:,} bytes")
    _refuse_deep(written)
    content: Mapping[str, Any] = yaml.load(written, Loader=_LOADER)  # noqa: S506 - a safe one, in C if built
    systems = content.get("integrations") or content
    return float(systems[system].get("sync_interval", DEFAULT_INTERVAL)) if system in systems else DEFAULT_INTERVAL
