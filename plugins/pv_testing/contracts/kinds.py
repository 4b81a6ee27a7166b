"""The kinds of records, a closed set: workflows and ledger find the records of others by these words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pv_testing.core.problems import Problem
from pv_testing.core.yaml_file import Document

KINDS: Mapping[str, Mapping[str, str]] = {
    "framework": {"set_service_request_status": "sr_status"},
    "lims": {"create_sample": "sample", "upload_results": "result", "update_sample_status": "sample_status"},
    "qms": {
        "create_nc_report": "nc",
        "create_capa": "capa",
        "attach_file": "attachment",
        "log_audit_event": "audit_event",
    },
    "pm": {
        "create_task": "task",
        "create_subtask": "subtask",
        "update_task": "task_status",
        "update_project_progress": "progress",
        "log_time_entry": "time_entry",
        "log_resource_usage": "resource_usage",
    },
    "erp": {
        "create_customer": "customer",
        "create_invoice": "invoice",
        "post_invoice": "invoice_posting",
        "create_credit_note": "credit_note",
        "record_stock_movement": "stock_movement",
        "draw_consumable": "consumable",
    },
}
"""The kind of what each operation of the workflows carries, by system."""
STATES = frozenset({"sample_status", "sr_status", "task_status", "progress", "invoice_posting"})
"""The kinds that are no records of their own in a system, but states of others."""


def kind_problems(document: Document) -> Iterator[Problem]:
    """Find operations of the workflows that say another kind than the one under which their records are looked for."""
    wanted = KINDS[document.value["system"]]
    for name, spec in document.value["operations"].items():
        if name in wanted and spec.get("kind") != wanted[name]:
            yield document.problem(("operations", name, "kind"), _wrong_kind(name, spec, wanted[name]))


def _wrong_kind(name: str, spec: Mapping[str, Any], wanted: str) -> str:
    kind = f"is {spec['kind']!r}" if "kind" in spec else "is missing"
    return f"{kind}; the workflows look for what {name} carries as {wanted!r}"
