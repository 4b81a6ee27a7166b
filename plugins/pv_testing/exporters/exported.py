"""What an export has written: which tables, how many rows, which quantities; of no value in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pv_testing.domain.status import COMPLETE
from pv_testing.exporters.contents import RESULTS, heading
from pv_testing.exporters.reading import Dossier
from pv_testing.exporters.tables import Table

MEASUREMENTS, LIMS_V2 = "measurement_data", "lims_v2"


class ExportedTable(NamedTuple):
    """One table of an exported file.

    Attributes:
        name: such as ``measurement_data``; of an XML file the name of its schema.
        columns: as the file has them; elements of an XML file by their path.
        rows: how many there are.
        quantities: the columns that show one quantity, each with the framework's name of it.
        size: bytes of the file; ``None`` where the file has several tables.
    """

    name: str
    columns: Sequence[str]
    rows: int
    quantities: Mapping[str, str]
    size: int | None = None


class CountedTable(NamedTuple):
    """A table whose rows are counted while they are written.

    Attributes:
        columns: the headings.
        rows: each as long as ``columns``.
    """

    columns: Sequence[str]
    rows: CountedRows

    @classmethod
    def of(cls, table: Table) -> CountedTable:
        """Return a table that counts the rows of another one."""
        return cls(table.columns, CountedRows(iter(table.rows)))


class CountedRows:
    """Rows that are counted as they are read.

    Attributes:
        number: how many have been read.
    """

    def __init__(self, rows: Iterator[Sequence[Any]]) -> None:
        self._rows = rows
        self.number = 0

    def __iter__(self) -> Iterator[Sequence[Any]]:
        for row in self._rows:
            self.number += 1
            yield row


def quantities(table: str, dossier: Dossier) -> dict[str, str]:
    """Return the columns of a table that show one quantity, each with the framework's name of it.

    A table with a row for each measurement counts as having a column for each quantity.

    Args:
        table: its name.
        dossier: the service request with its tests.
    """
    if table not in {MEASUREMENTS, RESULTS, LIMS_V2}:
        return {}
    done = [each for each in dossier.executions if each.status == COMPLETE]
    if table == RESULTS:
        return {heading(each): each.parameter for execution in done for each in execution.measurements}
    return {each.parameter: each.parameter for execution in done for each in execution.measurements}
