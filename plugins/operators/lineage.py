"""What OpenLineage is told of an operator: which datasets it reads and writes, column by column, and with what result.

Nothing here imports OpenLineage before a transport is configured and an event is made.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hooks.assets import SCHEME

if TYPE_CHECKING:
    from airflow.sdk import Asset

    from pv_testing.exchange.report import Report
    from pv_testing.exporters import DataExporter
    from pv_testing.integrations.client import SystemClient
    from pv_testing.lineage import Flow

log = logging.getLogger(__name__)

LISTENER = "airflow.providers.openlineage.plugins.listener"


class LineageMixin:
    """Tells OpenLineage what a task reads and writes; for an operator.

    Before the task has run, that is what its inlets and outlets say; afterwards, also which columns came from which,
    and how many records are in effect.

    Attributes:
        flows: what the task has carried; nothing before it has run, and where OpenLineage is off.
    """

    flows: Sequence[Flow] = ()

    def get_openlineage_facets_on_start(self) -> Any:
        """Return what the inlets and outlets say."""
        from operators.lineage_facets import operator_lineage

        return operator_lineage(self, ())

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - Airflow's
        """Return what was carried.

        Args:
            task_instance: the run of the task.
        """
        from operators.lineage_facets import operator_lineage

        return operator_lineage(self, self.flows)


def is_on() -> bool:
    """Return whether this process tells OpenLineage of its tasks; Airflow has imported the listener then."""
    return LISTENER in sys.modules


def remember(task: LineageMixin, clients: Iterable[SystemClient], reports: Iterable[Report]) -> None:
    """Keep what the exchanges of a task have carried, in names and numbers, until OpenLineage asks.

    Args:
        task: the operator that ran.
        clients: of the systems that it spoke to.
        reports: of its exchanges.
    """
    keep_flows(task, lambda: _flows(task, list(clients), reports))


def keep_flows(task: LineageMixin, make: Callable[[], Sequence[Flow]]) -> None:
    """Keep what a task has carried until OpenLineage asks; nothing where it is off.

    What goes wrong here never makes a task red.

    Args:
        task: the operator that ran.
        make: returns what it has carried; called only where OpenLineage is on.
    """
    if not is_on():
        return
    try:
        task.flows = make()
    except Exception:
        log.exception("what this task has carried can't be told to OpenLineage; the records aren't touched by that")


def _flows(task: LineageMixin, clients: Sequence[SystemClient], reports: Iterable[Report]) -> list[Flow]:
    from pv_testing.integrations import LIMSClient
    from pv_testing.lineage import flows_of

    contracts = {client.system: client.contract for client in clients}
    renamed = next((client.renaming.names for client in clients if isinstance(client, LIMSClient)), None)
    return flows_of(reports, contracts, datasets_of(task), renamed)


def datasets_of(task: Any) -> list[str]:
    """Return the project's datasets among the inlets of a task, such as ``framework/executions``."""
    return [asset.uri.removeprefix(SCHEME) for asset in inlets_of(task) if asset.uri.startswith(SCHEME)]


def inlets_of(task: Any) -> list[Asset]:
    """Return the assets among the inlets of a task."""
    return [each for each in task.inlets if hasattr(each, "uri")]


def tell_of_export(exporter: DataExporter) -> None:
    """Tell OpenLineage of the files that the running task has exported last; nothing where it is off.

    What goes wrong here never makes a task red.

    Args:
        exporter: it knows the tables of the files that it has written last.
    """
    if not is_on():
        return
    try:
        _tell_of_export(exporter)
    except Exception:
        log.exception("OpenLineage can't be told of the exported file; the file isn't touched by that")


def _tell_of_export(exporter: DataExporter) -> None:
    from airflow.providers.openlineage.api import emit_dataset_lineage

    from operators.lineage_facets import datasets
    from pv_testing.lineage.exports import export_flows

    inputs, outputs = datasets(export_flows(exporter.exported), owner="")
    emit_dataset_lineage(inputs=[*inputs], outputs=[*outputs])
