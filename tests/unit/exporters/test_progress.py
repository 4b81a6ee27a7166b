"""A long export says in the log how far it is, and a short one says nothing."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

import pytest

from pv_testing.domain.reading import read_execution, read_service_request
from pv_testing.exporters.lims_xml import write_lims_v2
from pv_testing.exporters.raw import Point
from pv_testing.exporters.reading import Dossier
from pv_testing.transports.files import chunks
from pv_testing.transports.files.csv_writer import write_csv
from pv_testing.transports.files.excel_writer import write_workbook
from pv_testing.transports.files.json_writer import write_json
from tests.unit.exporters.test_lims_xml import EXECUTION, REQUEST

EVERY, STEPS, STEP = 0.2, 10, 0.06
EXECUTIONS = 5
Write = Callable[[IO[bytes], Iterator[tuple[Any, ...]]], object]
WRITERS: dict[str, Write] = {
    "csv": lambda file, rows: write_csv(file, ["n"], rows, about="long.csv"),
    "json": lambda file, rows: write_json(file, {"n": (["n"], rows)}, about="long.json"),
    "xlsx": lambda file, rows: write_workbook(file, {"Sheet": (["n"], rows)}, about="long.xlsx"),
}


def slowly(count: int, pause: float) -> Iterator[tuple[int]]:
    """Give as many rows as some chunks hold, with a pause before each chunk."""
    for number in range(count * chunks.CHUNK):
        if number % chunks.CHUNK == 0:
            time.sleep(pause)
        yield (number,)


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int]]:
    """Return what the log says: of which file, and of how many rows."""
    told = [record.getMessage() for record in caplog.records if record.name == chunks.__name__]
    return [(text.partition(": ")[0], int(text.split()[-4].replace(",", ""))) for text in told]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    assert chunks.EVERY == 10.0
    monkeypatch.setattr(chunks, "EVERY", EVERY)
    caplog.set_level(logging.INFO)


@pytest.mark.parametrize("form", WRITERS)
def test_a_long_export_says_now_and_then_how_far_it_is(form: str, caplog: pytest.LogCaptureFixture) -> None:
    began = time.monotonic()
    WRITERS[form](io.BytesIO(), slowly(STEPS, STEP))
    took = time.monotonic() - began
    told = logged(caplog)
    counts = [count for _, count in told]
    assert {name for name, _ in told} == {f"long.{form}"}
    assert 2 <= len(counts) <= took / EVERY
    assert counts == sorted(set(counts))
    assert all(count % chunks.CHUNK == 0 for count in counts)
    times = [record.created for record in caplog.records if record.name == chunks.__name__]
    assert all(later - earlier > 0.9 * EVERY for earlier, later in pairwise(times))


@pytest.mark.parametrize("form", WRITERS)
def test_a_short_export_says_nothing(form: str, caplog: pytest.LogCaptureFixture) -> None:
    WRITERS[form](io.BytesIO(), slowly(3, 0))
    assert logged(caplog) == []


def test_a_long_xml_file_of_short_executions_says_it_too(caplog: pytest.LogCaptureFixture) -> None:
    executions = [read_execution({**EXECUTION, "execution_id": number}) for number in range(EXECUTIONS)]
    points = {each.execution_id: slow_points() for each in executions}
    with NamedTemporaryFile() as file:
        write_lims_v2(file, Dossier(read_service_request(REQUEST), tuple(executions), {}, points))
        assert Path(file.name).read_bytes().count(b"<Point") == EXECUTIONS * 2 * chunks.CHUNK
    told = logged(caplog)
    assert {name for name, _ in told} == {"SR-1"}
    assert len(told) >= 2
    assert [count for _, count in told] == sorted({count for _, count in told})


def slow_points() -> Iterator[Point]:
    for (number,) in slowly(2, STEP):
        yield Point("IV", number + 1, "current", "1.0", "A", "")
