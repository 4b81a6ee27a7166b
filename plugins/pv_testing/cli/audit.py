"""``verify-audit``: prints whether the audit trail of a ledger is whole."""

from __future__ import annotations

from pv_testing.core.errors import AuditBroken, IntegrationError, LedgerAltered
from pv_testing.core.visible import visible
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
    except LedgerAltered as error:
        print(f"ALTERED {error.count:,} entries of the ledger are not what its audit trail of {error.sequence:,} tells")
        for finding in error.findings:
            print(f"        {finding}")
        return 1
    except AuditBroken as error:
        print(f"BROKEN  {visible(error.message)}\n        every record before {error.sequence} is as it was written")
        return 1
    except IntegrationError as error:
        print(f"UNREAD  {error}")
        return 2
    if not summary.count:
        print("WHOLE   the audit trail has no records yet")
        return 0
    print(f"WHOLE   {summary.count:,} records from {summary.first_at} to {summary.last_at}")
    print(f"        head {summary.head}")
    print(f"        explains {summary.records:,} records and {summary.watermarks:,} watermarks")
    return 0
