"""``waiting``: prints the records that wait for a person, or writes them as a table into a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pv_testing.cli.moments import moment
from pv_testing.core.errors import ConfigError, redact
from pv_testing.core.reasons import Reason
from pv_testing.core.visible import visible
from pv_testing.ledger.claims import REASON_LIMIT
from pv_testing.ledger.ledger import Ledger
from pv_testing.ledger.types import Entry, State

if TYPE_CHECKING:
    from pv_testing.exporters.tables import Table

WAITING = ("state", "system", "kind", "key", "id", "code", "reason", "since", "owner")
FORMATS = (".csv", ".xlsx")


def show_waiting(url: str, system: str | None = None, output: str = "") -> int:
    """Print the records that wait for a person and those that attempts hold, or write the former into a file.

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
        raise ConfigError(f"{output}: must end in {' or '.join(FORMATS)}", code=Reason.FILE_UNWRITABLE)
    with Ledger(url) as ledger:
        entries = list(ledger.waiting(system))
        held = _held(ledger, system)
    summary = f"{len(entries):,} records wait for a person" if entries else "nothing waits for a person"
    if output:
        print(f"{summary}: {_write(entries, Path(output))}")
        return 0
    for entry in entries:
        record = f"{entry.system} {entry.kind} {entry.key}"
        print(visible(f"{entry.state.value:<12} {record}  {entry.reason} [{entry.code}]"))
    for line in held:
        print(visible(line))
    print(summary)
    return 0


def _held(ledger: Ledger, system: str | None) -> list[str]:
    """Return a line for each attempt with leases; a killed attempt shows here until its lease ends."""
    now = ledger.now()
    attempts: dict[tuple[str, str, str], list[float]] = {}
    for entry in ledger.entries(system, states=[State.IN_FLIGHT]):
        if entry.lease_until > now:
            attempts.setdefault((entry.system, entry.kind, entry.owner), []).append(entry.lease_until)
    lines = []
    for (where, kind, owner), ends in sorted(attempts.items()):
        until = f"{len(ends):,} held until {moment(max(ends))}"
        lines.append(f"{'in_flight':<12} {where} {kind}: {until} by {owner or '(no name)'}")
    return lines


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
    record = (entry.state.value, entry.system, entry.kind, entry.key, entry.external_id, entry.code)
    texts = (*record, redact(entry.reason, REASON_LIMIT), moment(entry.changed_at), entry.owner)
    return dict(zip(WAITING, texts, strict=True))
