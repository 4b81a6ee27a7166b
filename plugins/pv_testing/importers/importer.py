"""Imports the files of a watched folder: claimed, read, carried row by row, archived, and what is wrong noted.

A run that is killed leaves its file claimed; after a quarter of an hour another run takes it. Its rows are carried once
more, and those that are in effect already are unchanged.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pv_testing.contracts.imports import FileImport
from pv_testing.core.errors import DataError, ExchangeIncomplete, IntegrationError, SecurityError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.exchange.report import Report
from pv_testing.importers.folders import ClaimedFile, Folders, rejected_name
from pv_testing.importers.rows import NOTES, ReadRow, Wrong, read_row
from pv_testing.transports.files.record_files import nested_file, table_file
from pv_testing.transports.files.rows import FileRow, read_rows
from pv_testing.transports.files.store import FileStore

Carry = Callable[[Sequence[Record]], Awaitable[Report]]
REFUSED = frozenset({Result.REJECTED, Result.QUARANTINED})

log = logging.getLogger(__name__)


@dataclass
class FileReport:
    """What became of one file.

    Attributes:
        name: as it was dropped.
        archived: its name in the archive; empty where it isn't there.
        counts: how many rows became what: ``created``, ``unchanged``, ``rejected`` …
        rejected: the address of the file with the rejected rows; empty where there are none.
        refused: why the whole file is refused; empty where it isn't.
    """

    name: str
    archived: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    rejected: str = ""
    refused: str = ""


class FileImporter:
    """Imports the files of one folder.

    Args:
        how: as the contract says.
        store: where the folder is.
        carry: brings records into effect; the exchange of a client, or :class:`~.keeping.KeepRows`.
    """

    def __init__(self, how: FileImport, store: FileStore, carry: Carry) -> None:
        self._how, self._store, self._carry = how, store, carry
        self._folders = Folders(store, how)

    async def run(self) -> list[FileReport]:
        """Import what lies there, one file after the other.

        Returns:
            A report for each file.

        Raises:
            ExchangeIncomplete: some rows are deferred; their file stays claimed, and the next run goes on with it.
            NetworkError: the store can't be reached.
        """
        reports: list[FileReport] = []
        for name in await asyncio.to_thread(self._folders.dropped):
            claimed = await asyncio.to_thread(self._folders.claim, name)
            report = await self._import(claimed) if claimed is not None else None
            if report is not None:
                reports.append(report)
        deferred = sum(report.counts[Result.DEFERRED.value] for report in reports)
        if deferred:
            message = f"{deferred:,} rows are deferred; their files stay claimed and are imported again"
            raise ExchangeIncomplete(message, deferred=deferred, system=self._how.system)
        return reports

    async def _import(self, claimed: str) -> FileReport | None:
        """Import a claimed file; ``None`` where another run is done with it, as a store without a rename allows."""
        try:
            file = await asyncio.to_thread(self._folders.read, claimed)
            rows = await asyncio.to_thread(self._rows, file)
        except FileNotFoundError:
            return None
        except (DataError, SecurityError) as error:
            return await asyncio.to_thread(self._refuse, claimed, error)
        report = FileReport(file.name)
        carried = await self._carry([each.record for each in rows if each.record is not None])
        outcomes = {outcome.key: outcome for outcome in carried.outcomes}
        told = [_told(each, outcomes) for each in rows]
        report.counts.update(result for result, _ in told)
        wrong = [(each.row, reasons) for each, (_, reasons) in zip(rows, told, strict=True) if reasons]
        if wrong:
            content = await asyncio.to_thread(self._rejected, wrong)
            report.rejected = await asyncio.to_thread(self._folders.reject, rejected_name(file), content)
        if carried.error is None and not report.counts[Result.DEFERRED.value]:
            report.archived = await asyncio.to_thread(self._folders.archive, file)
        log.info("%s: %s", file.name, ", ".join(f"{count:,} {result}" for result, count in report.counts.items()))
        return report

    def _rows(self, file: ClaimedFile) -> list[ReadRow]:
        rows = []
        names: set[str] = set()
        for row in read_rows(file.content, self._how.form, file.name):
            names.update(row.values)
            rows.append(read_row(row, self._how))
        wanted = {column.name.split(".")[0] for column in self._how.columns if column.map.required}
        if rows and not wanted <= names:
            missing = ", ".join(sorted(wanted - names))
            message = f"{file.name} has no {missing}; it has {', '.join(sorted(names)[:20])}: is the delimiter right?"
            raise DataError(message, code=Reason.COLUMN_MISSING)
        return rows

    def _refuse(self, claimed: str, error: IntegrationError) -> FileReport:
        """Set a file aside that can't be read, with its reason beside it."""
        where = self._folders.set_aside(claimed)
        name = where.rpartition("/")[2]
        reason = json.dumps({"file": name, "code": error.code, "reason": error.message}, ensure_ascii=False)
        self._folders.reject(f"{name}.reason.json", reason.encode())
        log.warning("%s is refused: %s", where, error)
        return FileReport(name, refused=error.message, rejected=where)

    def _rejected(self, wrong: Sequence[tuple[FileRow, tuple[Wrong, ...]]]) -> bytes:
        """Return rejected rows as a file that can be corrected and dropped again."""
        records = [{**_without_notes(row.values), **_notes(row.number, reasons)} for row, reasons in wrong]
        if self._how.form.kind in {"csv", "xlsx"}:
            columns = list(dict.fromkeys(name for record in records for name in record if name not in NOTES))
            names = [*columns, *NOTES]
            return table_file(names, [[record.get(name) for name in names] for record in records], self._how.form)
        return nested_file(records, self._how.form)


def _told(each: ReadRow, outcomes: dict[str, Outcome]) -> tuple[str, tuple[Wrong, ...]]:
    """Return what became of a row, and what is wrong with it."""
    if each.record is None:
        return Result.QUARANTINED.value, each.wrong
    outcome = outcomes.get(each.record.key)
    if outcome is None:
        return Result.DEFERRED.value, ()
    if outcome.result in REFUSED:
        return outcome.result.value, each.wrong or (Wrong("", outcome.code, outcome.reason),)
    return outcome.result.value, ()


def _notes(number: int, reasons: Iterable[Wrong]) -> dict[str, str]:
    rows = [(str(number), each.column, each.code, each.reason) for each in reasons]
    columns = zip(*rows, strict=True)
    return {name: "; ".join(dict.fromkeys(filter(None, values))) for name, values in zip(NOTES, columns, strict=True)}


def _without_notes(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in NOTES}
