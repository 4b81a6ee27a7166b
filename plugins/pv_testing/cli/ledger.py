"""What ``python -m pv_testing verify-audit``, ``waiting``, ``pauses`` and ``resume`` say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pv_testing.core.errors import AuditBroken, ConfigError, IntegrationError, LedgerAltered, redact
from pv_testing.core.visible import visible
from pv_testing.ledger.claims import REASON_LIMIT
from pv_testing.ledger.ledger import Ledger
from pv_testing.ledger.types import Entry, State

if TYPE_CHECKING:
    from pv_testing.exporters.tables import Table

WAITING = ("state", "system", "kind", "key", "id", "code", "reason", "since", "owner")
FORMATS = (".csv", ".xlsx")


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


def show_waiting(url: str, system: str | None = None, output: str = "") -> int:
    """Print the records that wait for a person and what attempts hold, or write the former as a table to hand around.

    Args:
        url: of the ledger, in SQLAlchemy's form.
        system: only this system's.
        output: a file that ends in ``.csv`` or ``.xlsx``; without it they are printed.

    Returns:
        0.

    Raises:
        LedgerError: the ledger can't be read.
        ConfigError: the file ends otherwise or can't be written.
    """
    if output and Path(output).suffix.lower() not in FORMATS:
        raise ConfigError(f"{output}: must end in {' or '.join(FORMATS)}", code="FILE_UNWRITABLE")
    with Ledger(url) as ledger:
        entries = list(ledger.waiting(system))
        held = _held(ledger, system)
    said = f"{len(entries):,} records wait for a person" if entries else "nothing waits for a person"
    if output:
        said += f": {_write(entries, Path(output))}"
    else:
        for entry in entries:
            what = f"{entry.state.value:<12} {entry.system} {entry.kind} {entry.key}  {entry.reason} [{entry.code}]"
            print(visible(what))
        for line in held:
            print(visible(line))
    print(said)
    return 0


def _held(ledger: Ledger, system: str | None) -> list[str]:
    """Say what is in flight under a lease, by attempt; it may have been killed, which shows when its lease ends."""
    now = ledger.now()
    attempts: dict[tuple[str, str, str], list[float]] = {}
    for entry in ledger.entries(system, states=[State.IN_FLIGHT]):
        if entry.lease_until > now:
            attempts.setdefault((entry.system, entry.kind, entry.owner), []).append(entry.lease_until)
    return [
        f"{'in_flight':<12} {where} {kind}: {len(ends):,} held until {_moment(max(ends))} by {owner or '(no name)'}"
        for (where, kind, owner), ends in sorted(attempts.items())
    ]


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
        print(f"{system:<12} until {_moment(until)}")
    print(f"{len(paused)} systems want to be left alone" if paused else "no system wants to be left alone")
    return 0


def resume_system(url: str, system: str, *, owner: str) -> int:
    """Lift a system's pause, and print what was lifted.

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
    print(
        f"{system} is asked again; it was to be left alone until {_moment(until)}"
        if until
        else f"{system} isn't paused; python -m pv_testing pauses lists those that are"
    )
    return 0 if until else 1


def _moment(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def _write(entries: Sequence[Entry], target: Path) -> Path:
    from pv_testing.exporters.files import write_whole
    from pv_testing.exporters.tables import csv, workbook

    frame = _table(entries)
    is_csv = target.suffix.lower() == ".csv"
    return write_whole(target, csv(frame, for_people=True) if is_csv else workbook({"Waiting": frame}))


def _table(entries: Sequence[Entry]) -> Table:
    from pv_testing.exporters.tables import table

    return table(WAITING, [_row(entry) for entry in entries])


def _row(entry: Entry) -> dict[str, str]:
    said = (entry.state.value, entry.system, entry.kind, entry.key, entry.external_id, entry.code)
    texts = (*said, redact(entry.reason, REASON_LIMIT), _moment(entry.changed_at), entry.owner)
    return dict(zip(WAITING, texts, strict=True))
