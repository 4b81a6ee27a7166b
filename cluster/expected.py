"""How many records of each kind there must be, beyond what ``sandbox.closing`` counts: of what is in force, not done.

The framework's own database, the laboratory's configuration and the ledger's chain determine them. The product's steps
aren't asked, because what they leave out would be missing here as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pv_testing.billing import BillingPolicy
from pv_testing.billing.policy import PASSED, TESTED
from pv_testing.domain.status import rank
from pv_testing.inventory import InventoryPolicy
from pv_testing.ledger import Ledger
from pv_testing.ledger.audit import MARK
from pv_testing.quality.charts import CHARTS
from sandbox.judge import Judge

FILES_OF_CAPA = 1 + len(CHARTS)
"""The list of executions, and the charts."""
APPROVED = rank("REPORTS_APPROVED")
UNKNOWN = {"credit notes": "no record says whether a test was withdrawn before or after it was billed"}
"""Why a count can't be known, by records; for credit notes only where a test is withdrawn at all."""
_EXECUTIONS = "SELECT sr_id, protocol_id, qc_status FROM executions WHERE status = 'COMPLETE'"


def expected(judge: Judge, ledger: Ledger) -> dict[str, int]:
    """Return the number of records by the words of ``sandbox.closing``; what can't be known is left out.

    Args:
        judge: the eyes on the systems' databases.
        ledger: whose chain says what is to be copied into the QMS, and what a person has approved.
    """
    executions = judge.framework_rows(_EXECUTIONS)
    withdrawn = judge.framework_rows("SELECT sr_id, protocol_id FROM withdrawals")
    capas = _approved_capas(ledger)
    return {
        "CAPAs": capas,
        "files of CAPAs": capas * FILES_OF_CAPA,
        "audit events": sum(copied(ledger).values()) + len(judge.framework_rows("SELECT id FROM audit_events")),
        "invoice lines": _invoice_lines(judge, executions, withdrawn, BillingPolicy.read()),
        "stock movements": _movements(judge, InventoryPolicy.read()),
        "consumables drawn": _draws(executions, InventoryPolicy.read()),
        **({} if withdrawn else {"credit notes": 0}),
    }


def copied(ledger: Ledger) -> Counter[str]:
    """Count the events of the ledger's chain that belong into the QMS, by what they tell.

    Watermarks, and events about the copies themselves, stay in the ledger.
    """
    counts: Counter[str] = Counter()
    for event in ledger.events():
        if event.action != MARK and event.kind != "audit_event":
            counts[event.result or event.action] += 1
    return counts


def _approved_capas(ledger: Ledger) -> int:
    """Count the findings that a person has approved; one that was asked about again counts once."""
    return len({event.key for event in ledger.events() if (event.kind, event.action) == ("capa", "approve")})


def _invoice_lines(
    judge: Judge, executions: list[dict[str, Any]], withdrawn: list[dict[str, Any]], policy: BillingPolicy
) -> int:
    """Count a line for each billed protocol of each approved service request."""
    gone = {(row["sr_id"], row["protocol_id"]) for row in withdrawn}
    tested = {
        (row["sr_id"], row["protocol_id"])
        for row in executions
        if policy.billed != PASSED or row["qc_status"] == "PASS"
    }
    ordered = {
        (request["id"], protocol)
        for request in judge.service_requests()
        if rank(request["status"]) >= APPROVED
        for protocol in request["testing"]["protocols"]
    }
    billed = ordered - gone
    return len(billed & tested if policy.quantity == TESTED else billed)


def _movements(judge: Judge, policy: InventoryPolicy) -> int:
    """Count a movement for each module and each step that its service request has reached."""
    counts = 0
    for request in judge.service_requests():
        steps = sum(rank(request["status"]) >= rank(state) for state in policy.states.values())
        counts += steps * len(_serials(request))
    return counts


def _serials(request: Mapping[str, Any]) -> set[str]:
    return set(request["module"].get("serial_numbers") or ())


def _draws(executions: list[dict[str, Any]], policy: InventoryPolicy) -> int:
    """Count a draw for each completed execution and each item that its protocol uses up."""
    return sum(len(policy.consumables.get(row["protocol_id"], ())) for row in executions)
