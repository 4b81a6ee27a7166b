"""``pauses`` and ``resume``: print the systems that want to be left alone, and lift a pause."""

from __future__ import annotations

from pv_testing.cli.moments import moment
from pv_testing.ledger.ledger import Ledger


def show_pauses(url: str) -> int:
    """Print the systems that want to be left alone, and until when.

    Args:
        url: of the ledger, in SQLAlchemy's form.

    Returns:
        0.

    Raises:
        LedgerError: the ledger can't be read.
    """
    with Ledger(url) as ledger:
        paused = ledger.paused()
    for system, until in paused.items():
        print(f"{system:<12} until {moment(until)}")
    print(f"{len(paused)} systems want to be left alone" if paused else "no system wants to be left alone")
    return 0


def resume_system(url: str, system: str, *, owner: str) -> int:
    """Lift a system's pause, and print until when it lasted.

    Args:
        url: of the ledger, in SQLAlchemy's form.
        system: the system.
        owner: who lifts it; the audit trail names them.

    Returns:
        0, or 1 when the system isn't paused.

    Raises:
        LedgerError: the ledger can't be used.
    """
    with Ledger(url) as ledger:
        until = ledger.resume(system, owner=owner)
    if not until:
        print(f"{system} isn't paused; python -m pv_testing pauses lists those that are")
        return 1
    print(f"{system} is asked again; it was to be left alone until {moment(until)}")
    return 0
