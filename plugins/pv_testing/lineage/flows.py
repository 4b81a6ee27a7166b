"""What a task has carried: for each dataset that it writes, its columns with their sources, and what became of records.

A flow holds names and numbers, never what is in a record.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from pv_testing.contracts.model import Contract
from pv_testing.core.records import Outcome, Result
from pv_testing.domain.datasets import target_of
from pv_testing.exchange.report import Report
from pv_testing.lineage.columns import Column, ColumnReader
from pv_testing.lineage.origins import ORIGINS

WRITTEN = frozenset({Result.CREATED, Result.UPDATED})
UNNAMED, OTHER = "UNNAMED", "OTHER"
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True)
class Flow:
    """What went into one dataset.

    Attributes:
        dataset: such as ``lims/results``.
        columns: what is written, in the order of the contract's map.
        contracts: the contracts that said so.
        written: how many records were created or changed.
        in_effect: how many are in effect, these included.
        reasons: how many are not, by the code of the reason.
        size: bytes, for a file.
    """

    dataset: str
    columns: tuple[Column, ...] = ()
    contracts: tuple[str, ...] = ()
    written: int = 0
    in_effect: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    size: int | None = None

    @property
    def waiting(self) -> int:
        """How many records wait for a person or for another attempt."""
        return sum(self.reasons.values())

    def read(self) -> dict[str, list[str]]:
        """Return the columns that were read, by dataset."""
        read_columns: dict[str, list[str]] = {}
        for column in self.columns:
            for source in column.sources:
                names = read_columns.setdefault(source.dataset, [])
                if source.column not in names:
                    names.append(source.column)
        return read_columns


def flows_of(
    reports: Iterable[Report],
    contracts: Mapping[str, Contract],
    reads: Collection[str],
    renamed: Mapping[str, tuple[str, str]] | None = None,
) -> list[Flow]:
    """Return what some exchanges have carried, one flow for each dataset.

    Args:
        reports: of the exchanges.
        contracts: by system.
        reads: the datasets that the task reads; no other one is taken for a source.
        renamed: the LIMS's name and unit of the quantities that ``field_mappings.yaml`` renames, by ours.
    """
    return by_dataset(_flow(report, contracts[report.system], reads, renamed or {}) for report in reports)


def by_dataset(flows: Iterable[Flow]) -> list[Flow]:
    """Return one flow for each dataset, with all that goes there.

    Args:
        flows: any number for a dataset.
    """
    combined: dict[str, Flow] = {}
    for flow in flows:
        known = combined.get(flow.dataset)
        combined[flow.dataset] = _together(known, flow) if known else flow
    return list(combined.values())


def _flow(report: Report, contract: Contract, reads: Collection[str], renamed: Mapping[str, tuple[str, str]]) -> Flow:
    spec = contract.operations.get(report.operation)
    kind = spec.kind if spec else report.operation
    reader = ColumnReader(contract, ORIGINS.get(kind, {}), renamed if kind == "result" else {})
    columns = reader.columns(spec.map) if spec and spec.map else ()
    return Flow(
        dataset=target_of(report.system, kind),
        columns=tuple(merged(_of(column, reads) for column in columns)),
        contracts=(contract.name,),
        written=0 if report.dry_run else sum(outcome.result in WRITTEN for outcome in report.outcomes),
        in_effect=sum(outcome.result.in_effect for outcome in report.outcomes),
        reasons=reasons_of(report.outcomes),
    )


def reasons_of(outcomes: Iterable[Outcome]) -> Counter[str]:
    """Return how many records are not in effect, by the code of the reason.

    A system's own code that isn't a mere word counts as ``OTHER``, because it may repeat what is in the record.
    """
    codes = (outcome.code or UNNAMED for outcome in outcomes if not outcome.result.in_effect)
    return Counter(code if _CODE.fullmatch(code) else OTHER for code in codes)


def merged(columns: Iterable[Column]) -> list[Column]:
    """Return columns by their names, each with the sources of all that have its name.

    Args:
        columns: of one dataset.
    """
    by_name: dict[str, Column] = {}
    for column in columns:
        known = by_name.get(column.name)
        sources = (*(known.sources if known else ()), *column.sources)
        by_name[column.name] = replace(known or column, sources=tuple(dict.fromkeys(sources)))
    return list(by_name.values())


def _of(column: Column, reads: Collection[str]) -> Column:
    return replace(column, sources=tuple(source for source in column.sources if source.dataset in reads))


def _together(one: Flow, other: Flow) -> Flow:
    return replace(
        one,
        columns=tuple(merged([*one.columns, *other.columns])),
        contracts=tuple(dict.fromkeys([*one.contracts, *other.contracts])),
        written=one.written + other.written,
        in_effect=one.in_effect + other.in_effect,
        reasons=Counter(one.reasons) + Counter(other.reasons),
        size=None if one.size is None and other.size is None else (one.size or 0) + (other.size or 0),
    )
