"""Records of a DAG of one's own go to one system, each exactly once, without the framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from hooks.provider_info import HOOKS
from operators.exchange import conclude, hook_of, open_clients, owner_of, truth
from operators.lineage import LineageMixin, remember
from operators.priorities import priority_of
from operators.retry_policy import ErrorTreeRetryPolicy
from pv_testing.core.errors import ConfigError
from pv_testing.core.priority import using

if TYPE_CHECKING:
    from airflow.sdk import Context

    from pv_testing.core.records import Record
    from pv_testing.exchange.report import Report
    from pv_testing.integrations.client import SystemClient

PARTS = ("key", "data")


class CarryRecordsOperator(LineageMixin, BaseOperator):
    """Carries records to one system by an operation of its contract, each exactly once.

    The framework takes no part. The task fails at its end when a record is not in effect, and another try sends only
    what is missing. It is skipped when the configuration disables the system.

    Args:
        system: ``lims``, ``qms``, ``pm``, ``erp`` or ``framework``.
        operation: its name in the contract, such as ``create_sample``; it must bring records into effect.
        records: a list, or the output of a task that gives one. Each record is a mapping with ``key``, the business key
            that is unique for its kind in the system, and ``data``, the record in the words that the contract's map
            reads.
        conn_id: the connection of the system; ``pv_lims`` for the LIMS and so on without it.
        dry_run: say what would happen, and change nothing anywhere.
        replay: try records again that wait for a person.
        ledger_conn_id: the connection of the ledger.

    Raises:
        ConfigError: there is no such system.
    """

    template_fields: Sequence[str] = ("operation", "records", "is_dry_run", "replay", "conn_id", "ledger_conn_id")
    template_fields_renderers = {"records": "json"}  # noqa: RUF012 - Airflow's own form
    ui_color = "#e4f1e1"

    def __init__(
        self,
        *,
        system: str,
        operation: str,
        records: Sequence[Mapping[str, Any]] | Any,
        conn_id: str = "",
        dry_run: bool | str = False,
        replay: bool | str = False,
        ledger_conn_id: str = "pv_ledger",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retry_policy", ErrorTreeRetryPolicy())
        super().__init__(**kwargs)
        if system not in HOOKS:
            raise ConfigError(f"there is no system {system!r}; allowed: {', '.join(sorted(HOOKS))}", code="NO_SYSTEM")
        self.system = system
        self.operation = operation
        self.records = records
        self.conn_id = conn_id or f"pv_{system}"
        self.is_dry_run = dry_run
        self.replay = replay
        self.ledger_conn_id = ledger_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Carry the records and return what became of them, in numbers and keys.

        Raises:
            ExchangeIncomplete: some records are not in effect; the log names each of them with its reason.
            ConfigError: the records have another form, or the operation brings none into effect; nothing was sent.
            IntegrationError: what stopped the exchange.
            AirflowSkipException: the system is disabled.
        """
        with using(priority_of(context, replay=truth(self.replay))):
            report = self._carried(records_of(self.records), owner_of(context))
        return conclude(self, [report], context, dry_run=truth(self.is_dry_run))

    def _carried(self, records: Sequence[Record], owner: str) -> Report:
        from pv_testing.core.sync import run

        hooks = {self.system: hook_of(self.system, self.conn_id)}
        with open_clients(hooks, self.ledger_conn_id, owner) as (client,):
            refuse_plain_call(client, self.operation)
            flags = {"replay": truth(self.replay), "dry_run": truth(self.is_dry_run)}
            report: Report = run(client.aexchange(self.operation, records, **flags))
            remember(self, [client], [report])
            return report


def records_of(given: Any) -> list[Record]:
    """Return records as the exchange takes them.

    Args:
        given: what the DAG gave, after its templates were rendered.

    Raises:
        ConfigError: it is no list of mappings with ``key`` and ``data`` and no more.
    """
    from pv_testing.core.records import Record

    if not isinstance(given, (list, tuple)):
        kind = type(given).__name__
        message = f"records must be a list, not {kind}; give a list or the output of a task, not a template in quotes"
        raise ConfigError(message, code="RECORDS_UNUSABLE")
    for place, record in enumerate(given):
        problem = _problem(record)
        if problem:
            raise ConfigError(f"records[{place}] {problem}; nothing was sent", code="RECORDS_UNUSABLE")
    return [Record(record["key"], record["data"]) for record in given]


def _problem(record: Any) -> str:
    """Return the problem with the form of a record, without its content; nothing where it is right."""
    if not isinstance(record, Mapping) or set(record) != set(PARTS):
        return "must be a mapping with the fields key and data and no others"
    if not isinstance(record["key"], str) or not record["key"].strip():
        return "has a key that isn't text or is empty"
    return "" if isinstance(record["data"], Mapping) else "has data that isn't a mapping"


def refuse_plain_call(client: SystemClient, operation: str) -> None:
    """Return if an operation brings records into effect, or if only the provider knows of it.

    Args:
        client: of the system.
        operation: its name.

    Raises:
        ConfigError: it is a plain call, after which the ledger would know nothing.
    """
    from pv_testing.core.problems import allowed

    known = client.contract.operations
    if operation in known and not known[operation].kind:
        carrying = [name for name, spec in known.items() if spec.kind]
        message = (
            f"{client.contract.file}: {operation!r} is a plain call without a kind; {allowed(operation, carrying)}"
        )
        raise ConfigError(message, system=client.system, code="NO_OPERATION")
