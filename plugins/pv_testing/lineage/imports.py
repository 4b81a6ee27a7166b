"""The lineage of imported files: which column becomes what, in the ledger or in the system that takes the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pv_testing.contracts.imports import FileImport
from pv_testing.contracts.model import Contract
from pv_testing.core.records import Result
from pv_testing.domain import datasets
from pv_testing.lineage.columns import Column, ColumnReader, ColumnSource
from pv_testing.lineage.flows import WRITTEN, Flow

IN_EFFECT = frozenset(result.value for result in Result if result.in_effect)


def import_flow(how: FileImport, counts: Mapping[str, int], contract: Contract) -> Flow:
    """Return the lineage of the files of one import.

    Args:
        how: as the contract says.
        counts: how many rows became what, such as ``created``.
        contract: of the system that the rows are carried to; of the system that writes the files where they are kept.
    """
    spec = contract.operations.get(how.operation)
    kind = spec.kind if spec else ""
    return Flow(
        dataset=datasets.target_of(how.system, kind) if kind else datasets.IMPORTED_ROWS,
        columns=tuple(_carried(how, contract) if kind else _kept(how)),
        contracts=(contract.name,),
        written=sum(counts.get(result.value, 0) for result in WRITTEN),
        in_effect=sum(number for result, number in counts.items() if result in IN_EFFECT),
        reasons={result: number for result, number in counts.items() if number and result not in IN_EFFECT},
    )


def _kept(how: FileImport) -> Iterator[Column]:
    for column in how.columns:
        spec = column.map.specs[column.name]
        yield Column(spec["to"], spec.get("type", ""), sources=(ColumnSource(datasets.DROPPED_FILES, column.name),))


def _carried(how: FileImport, contract: Contract) -> Iterator[Column]:
    origins = {column.map.specs[column.name]["to"]: f"{datasets.DROPPED_FILES}.{column.name}" for column in how.columns}
    fields = contract.operations[how.operation].map
    return ColumnReader(contract, origins).columns(fields) if fields else iter(())
