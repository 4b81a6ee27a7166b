"""What reading a file costs beside the library that a user would have picked, in one run, as ratios; and its memory.

    python -m tests.bench.imports [--rows 500000]

The files are those of :mod:`tests.bench.exports`. Each reader runs in a process of its own and gives the rows one by
one. Ours checks the file on the way: its encoding, its shape row by row, and whether it is made to harm.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pv_testing.contracts.files import FileFormat, Kind
from pv_testing.transports.files.rows import read_rows
from tests.bench import exports

Reader = Callable[[Path], Iterator[Any]]


def _ours(kind: Kind, path: Path, **form: str) -> Iterator[Any]:
    return read_rows(path.read_bytes(), FileFormat(kind, **form), path.name)


def ours_csv(path: Path) -> Iterator[Any]:
    return _ours("csv", path)


def ours_json(path: Path) -> Iterator[Any]:
    return _ours("json", path, root="raw_data")


def ours_excel(path: Path) -> Iterator[Any]:
    return _ours("xlsx", path, sheet="Curves")


def ours_xml(path: Path) -> Iterator[Any]:
    return _ours("xml", path, root="Series", record="Point")


def pandas_csv(path: Path) -> Iterator[Any]:
    from pandas import read_csv

    yield from read_csv(path).to_dict("records")


def json_load(path: Path) -> Iterator[Any]:
    yield from json.loads(path.read_bytes())["raw_data"]


def openpyxl_read_only(path: Path) -> Iterator[Any]:
    from openpyxl import load_workbook

    yield from load_workbook(path, read_only=True)["Curves"].iter_rows(min_row=2, values_only=True)


def lxml_iterparse(path: Path) -> Iterator[Any]:
    from lxml import etree

    for _, element in etree.iterparse(str(path), tag="Point"):
        yield {**element.attrib, "text": element.text}
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


PAIRS: dict[str, tuple[exports.Writer, Reader, Reader]] = {
    "CSV": (exports.ours_csv, ours_csv, pandas_csv),
    "JSON": (exports.ours_json, ours_json, json_load),
    "Excel": (exports.ours_excel, ours_excel, openpyxl_read_only),
    "XML": (exports.ours_xml, ours_xml, lxml_iterparse),
}
READERS = {reader.__name__: reader for _, ours, theirs in PAIRS.values() for reader in (ours, theirs)}


def measured(reader: Reader, path: Path) -> tuple[int, float, int]:
    """Return how many rows a reader gives in a process of its own, its processor seconds, its peak memory in bytes."""
    command = [sys.executable, "-m", "tests.bench.imports", "--one", reader.__name__, "--file", str(path)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    count, seconds, peak = json.loads(told.stdout)
    return count, seconds, peak


def one(reader: Reader, path: Path) -> None:
    """Run one reader, and print its rows, its seconds without the imports of libraries, and its peak memory."""
    exports.import_libraries()
    begun = time.process_time()
    count = sum(1 for _ in reader(path))
    seconds = time.process_time() - begun
    print(json.dumps([count, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))


def compare(rows: int) -> list[tuple[str, str, bool]]:
    """Write each file, read it by both, and print how many times as fast ours is, and the memory of both.

    Args:
        rows: of each file.

    Returns:
        No targets: there are none for imports.
    """
    print(f"\nimporting {rows:,} rows; peak memory of ours and of the library")
    for name, (write, ours, theirs) in PAIRS.items():
        with TemporaryDirectory() as folder:
            path = Path(folder) / "file.xlsx"  # openpyxl refuses any other name, the others take it
            write(path, exports.source_of(write)(rows))
            mine, other = measured(ours, path), measured(theirs, path)
        if mine[0] != rows or other[0] != rows:
            raise RuntimeError(f"{name}: {mine[0]:,} and {other[0]:,} rows were read of {rows:,}")
        print(
            f"  {name:6}{rows / mine[1]:12,.0f} rows/s  {other[1] / mine[1]:5.2f} times {theirs.__name__:20}"
            f"{mine[2] / 2**20:5.0f} and {other[2] / 2**20:5.0f} MB",
            flush=True,
        )
    return []


def main() -> None:
    """Compare all, or run one reader."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--one", choices=READERS)
    parser.add_argument("--file", type=Path)
    asked = parser.parse_args()
    if asked.one:
        one(READERS[asked.one], asked.file)
    else:
        compare(asked.rows)


if __name__ == "__main__":
    main()
