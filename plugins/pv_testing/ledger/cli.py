"""What ``python -m pv_testing verify-audit`` says."""

from __future__ import annotations

from pv_testing.errors import AuditBroken, IntegrationError
from pv_testing.ledger.ledger import Ledger


def verify_audit(url: str) -> int:
    """Check the audit trail of a ledger and print the verdict.

    Args:
        url: of the ledger, in SQLAlchemy's form.

    Returns:
        0 when the trail is whole, 1 when it is broken, 2 when the ledger can't be read.
    """
    try:
        with Ledger(url) as ledger:
            summary = ledger.verify()
    except AuditBroken as error:
        print(f"BROKEN  {error.message}\n        every record before {error.sequence} is as it was written")
        return 1
    except IntegrationError as error:
        print(f"UNREAD  {error}")
        return 2
    if not summary.count:
        print("WHOLE   the audit trail has no records yet")
        return 0
    print(f"WHOLE   {summary.count:,} records from {summary.first_at} to {summary.last_at}")
    print(f"        head {summary.head}")
    return 0
