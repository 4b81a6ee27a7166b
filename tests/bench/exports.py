"""What an export costs beside the library that a user would have picked, in one run, as ratios; and its memory.

    python -m tests.bench.exports [--rows 500000]

Each writer runs in a process of its own, over rows that are made one by one as a framework gives them; what making them
takes is left out. Memory is that of a tenth of the rows and of all.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pv_testing.domain.reading import read_execution
from pv_testing.exporters.lims_xml import write_points
from pv_testing.exporters.raw import Point
from pv_testing.transports.files.chunks import Progress
from pv_testing.transports.files.csv_writer import write_csv
from pv_testing.transports.files.excel_writer import write_workbook
from pv_testing.transports.files.json_writer import write_json

COLUMNS = ["sr_number", "execution_id", "protocol_id", "protocol_name", "serial_number", "series", "number", "quantity",
           "value", "timestamp"]  # fmt: skip
EXECUTION = read_execution({"execution_id": "E1", "protocol_id": "PVTP-011", "status": "COMPLETE"})
VALUES = [Decimal(f"{number / 100 - 40:.2f}") for number in range(12_500)]
TIMES = [f"2025-11-12T{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}Z" for n in range(86_400)]
MEMORY = 10 * 2**20
Rows = Iterator[tuple[Any, ...]]


def rows(count: int) -> Rows:
    """Give the points of thermal cycles: module temperatures with two decimals."""
    for number in range(count):
        yield (
            "SR-2025-0123", f"E{number // 10_000}", "PVTP-011", "Thermal cycling 200", f"SN{number // 10_000 % 20:05d}",
            "time_series", number + 1, "module_temperature", VALUES[number * 37 % 12_500], TIMES[number % 86_400],
        )  # fmt: skip


def points(count: int) -> Rows:
    """Give the same as points of raw data."""
    for row in rows(count):
        yield Point(row[5], row[6], row[7], row[8], "°C", row[9])


def ours_csv(path: Path, given: Rows) -> None:
    with path.open("wb") as file:
        write_csv(file, COLUMNS, given)


def ours_json(path: Path, given: Rows) -> None:
    with path.open("wb") as file:
        write_json(file, {"raw_data": (COLUMNS, given)})


def ours_excel(path: Path, given: Rows) -> None:
    with path.open("wb") as file:
        write_workbook(file, {"Curves": (COLUMNS, given)})


def ours_xml(path: Path, given: Rows) -> None:
    with path.open("wb") as file:
        file.write(b"<Series>")
        write_points(file, given, EXECUTION, Progress("bench"), has_unit=True, has_time=True)
        file.write(b"</Series>")


def pandas_csv(path: Path, given: Rows) -> None:
    from pandas import DataFrame

    DataFrame(given, columns=COLUMNS).to_csv(path, index=False)


def pandas_json(path: Path, given: Rows) -> None:
    from pandas import DataFrame

    DataFrame(given, columns=COLUMNS).to_json(path, orient="records")


def openpyxl_write_only(path: Path, given: Rows) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Curves")
    sheet.append(COLUMNS)
    for row in given:
        sheet.append(row)
    book.save(path)


def lxml_incremental(path: Path, given: Rows) -> None:
    from lxml import etree

    with etree.xmlfile(str(path), encoding="UTF-8") as xml, xml.element("Series"):
        for _, number, quantity, value, unit, timestamp in given:
            element = etree.Element("Point", number=str(number), quantity=quantity, unit=unit, timestamp=timestamp)
            element.text = str(value)
            xml.write(element)


Writer = Callable[[Path, Rows], None]
PAIRS: dict[str, tuple[Writer, Writer, float]] = {
    "CSV": (ours_csv, pandas_csv, 2.0),
    "JSON": (ours_json, pandas_json, 2.0),
    "Excel": (ours_excel, openpyxl_write_only, 5.0),
    "XML": (ours_xml, lxml_incremental, 1.0),
}
WRITERS = {writer.__name__: writer for ours, theirs, _ in PAIRS.values() for writer in (ours, theirs)}


def measured(writer: Writer, count: int) -> tuple[float, int]:
    """Return the processor seconds of a writer in a process of its own, and the peak of its memory in bytes."""
    command = [sys.executable, "-m", "tests.bench.exports", "--one", writer.__name__, "--rows", str(count)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, peak = json.loads(told.stdout)
    return seconds, peak


def import_libraries() -> None:
    """Import what is compared; what that costs is no writer's and no reader's fault."""
    for library in ("pandas", "openpyxl", "lxml.etree"):
        import_module(library)


def source_of(writer: Writer) -> Callable[[int], Rows]:
    """Return what makes the rows of a writer."""
    return points if writer in {ours_xml, lxml_incremental} else rows


def one(writer: Writer, count: int) -> None:
    """Run one writer, and print its seconds, without those that making the rows takes, and its peak memory."""
    import_libraries()
    source = source_of(writer)
    with TemporaryDirectory() as folder:
        begun = time.process_time()  # of one thread: other work of the machine doesn't count
        deque(source(count), maxlen=0)
        made = time.process_time()
        writer(Path(folder) / "file", source(count))
        seconds = time.process_time() - made - (made - begun)
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))


def compare(count: int) -> list[tuple[str, str, bool]]:
    """Print how fast each format is written, and how memory grows with the rows; return which targets are reached.

    Args:
        count: of rows.
    """
    print(f"\nexporting {count:,} rows; peak memory with {count // 10:,} and with {count:,} rows")
    targets = []
    for name, (ours, theirs, goal) in PAIRS.items():
        mine, high = measured(ours, count)
        other, _ = measured(theirs, count)
        _, low = measured(ours, count // 10)
        print(
            f"  {name:6}{count / mine:12,.0f} rows/s  {other / mine:5.1f} times {theirs.__name__:20}"
            f"{low / 2**20:5.0f} and {high / 2**20:5.0f} MB",
            flush=True,
        )
        targets += [
            (f"{name}, at least {goal:g} times {theirs.__name__}", f"{other / mine:.1f}", other / mine >= goal),
            (f"{name}, memory grows by less than 10 MB", f"{(high - low) / 2**20:.1f} MB", high - low < MEMORY),
        ]
    return targets


def main() -> None:
    """Compare all, or run one writer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--one", choices=WRITERS)
    asked = parser.parse_args()
    if asked.one:
        one(WRITERS[asked.one], asked.rows)
        return
    for name, value, reached in compare(asked.rows):
        print(f"  {'reached' if reached else 'MISSED ':8} {name:<72}{value}")


if __name__ == "__main__":
    main()
