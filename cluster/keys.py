"""Whether the records in the systems are those that the ledger tells of, one by one.

A count doesn't see a record that stands in the place of a missing one: both are off by nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pv_testing.ledger import Ledger
from sandbox.judge import Judge

NAMED = 3
"""How many keys a complaint names."""


class Kept(NamedTuple):
    """Where a system keeps records, and how the ledger calls them.

    Attributes:
        system: the system.
        table: of its database.
        kinds: of the ledger.
        key: the ledger's key in SQL.
    """

    system: str
    table: str
    kinds: tuple[str, ...]
    key: str = "external_id"


KEPT: Mapping[str, Kept] = {
    "samples": Kept("lims", "samples", ("sample",), "project_id || '/' || external_id"),
    "result sets": Kept("lims", "results", ("result",)),
    "non-conformances": Kept("qms", "nc_reports", ("nc",)),
    "CAPAs": Kept("qms", "capas", ("capa",)),
    # The digest of the content, which is not in the ledger's key, is behind the last slash.
    "files of CAPAs": Kept("qms", "attachments", ("attachment",), "substr(external_id, 1, length(external_id) - 65)"),
    "audit events": Kept("qms", "audit_events", ("audit_event",)),
    "tasks": Kept("pm", "tasks", ("task", "subtask")),
    "operators' hours": Kept("pm", "time_entries", ("time_entry",)),
    "equipment hours": Kept("pm", "resource_usage", ("resource_usage",)),
    "invoices": Kept("erp", "invoices", ("invoice",)),
    "stock movements": Kept("erp", "stock_movements", ("stock_movement",)),
    "consumables drawn": Kept("erp", "consumables", ("consumable",)),
}


def differences(judge: Judge, ledger: Ledger) -> Iterator[str]:
    """Give a complaint for each kind whose records in the system aren't those that are in effect by the ledger.

    Args:
        judge: the eyes on the systems' databases.
        ledger: which says what is in effect.
    """
    for records, kept in KEPT.items():
        sql = f"SELECT DISTINCT {kept.key} AS key FROM {kept.table}"  # noqa: S608 - constants
        there = {row["key"] for row in judge.rows(kept.system, sql)}
        known = {each.key for kind in kept.kinds for each in ledger.entries(kept.system, kind) if each.revision}
        for keys, what in (
            (there - known, "unknown to the ledger"),
            (known - there, "not there, though in the ledger"),
        ):
            if keys:
                yield f"{kept.system}: {len(keys)} {records} are {what}: {', '.join(sorted(keys)[:NAMED])}"
