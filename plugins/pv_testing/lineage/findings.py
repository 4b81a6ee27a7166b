"""The lineage of findings of failures that recur: of which columns of the framework each field is made."""

from __future__ import annotations

from collections.abc import Collection

from pv_testing.domain import datasets
from pv_testing.lineage.columns import Column, sources_of
from pv_testing.lineage.flows import Flow
from pv_testing.lineage.origins import Origins

_SR, _EX, _PR = datasets.SERVICE_REQUESTS, datasets.EXECUTIONS, datasets.PROTOCOLS
_SCOPE = (f"{_EX}.protocol_id", f"{_EX}.equipment", f"{_EX}.criteria", f"{_SR}.modules")
_FAILURES = (f"{_EX}.execution_id", f"{_EX}.serial_number", f"{_EX}.qc_status", f"{_EX}.completed_at")
FINDING: Origins = {
    "capa_key": _SCOPE,
    "title": (*_SCOPE, f"{_EX}.serial_number", f"{_PR}.name"),
    "problem_statement": (*_SCOPE, *_FAILURES, f"{_PR}.name"),
    "root_cause": (*_SCOPE, *_FAILURES),
    "corrective_action": _SCOPE,
    "preventive_action": _SCOPE,
    "effectiveness_criteria": _SCOPE,
    "scope": _SCOPE,
    "protocol_id": f"{_EX}.protocol_id",
    "related_ncs": f"{datasets.NON_CONFORMANCES}.id",
}
"""The fields of the CAPA's record."""
DRAWN: Origins = {
    "executions": (*_SCOPE, *_FAILURES, f"{_SR}.sr_number", f"{datasets.NON_CONFORMANCES}.id"),
    "modules": (f"{_EX}.serial_number", f"{_EX}.qc_status"),
    "strata": (*_SCOPE, *_FAILURES),
    "chart": (*_SCOPE, *_FAILURES),
    "signal": (*_SCOPE, *_FAILURES),
}
"""What the files of the CAPA are made of: the list of executions, and the charts."""
DECIDED_BY = "approved_by"
"""The column that the decision of a person adds to a finding."""
_TYPES = {"executions": "array", "modules": "integer", "strata": "object", "chart": "array", "signal": "object"}


def findings_flow(number: int, reads: Collection[str], *, dry_run: bool = False) -> Flow:
    """Return the lineage of findings that were kept in the ledger.

    Args:
        number: how many.
        reads: the datasets that the task reads; no other one is taken for a source.
        dry_run: whether none was kept.
    """
    columns, origins = [], {**FINDING, **DRAWN}
    for name in origins:
        sources = tuple(source for source in sources_of(origins, name) if source.dataset in reads)
        columns.append(Column(name, _TYPES.get(name, "string"), sources=sources))
    return Flow(datasets.FINDINGS, tuple(columns), written=0 if dry_run else number, in_effect=number)
