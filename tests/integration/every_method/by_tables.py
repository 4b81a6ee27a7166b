"""A LIMS that is reached by the tables of its database; a proxy cuts the connection at a commit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sandbox
from sandbox.lims_database import RESULT, SAMPLE, TEST, LimsDatabase
from tests.integration import databases
from tests.integration.every_method.content import Content, ResultSet, Sample, Value
from tests.integration.every_method.lims import TOGETHER, Lims, written_contract

FATES = ["ok", "after", "ok", "before", "after", "ok", "after", "ok", "before"]
"""What becomes of the first commits: ``after`` loses the answer, ``before`` the request."""
LINE = ("NAME", "FORMATTED_RESULT", "UNITS", "UNCERTAINTY", "VERDICT")


@contextmanager
def by_postgresql(folder: Path, _: sandbox.Lab) -> Iterator[Lims]:
    """Give tables on a server."""
    with (
        databases.place("postgresql", folder) as place,
        LimsDatabase(place.admin) as database,
        closing(databases.CuttingProxy(place.port)) as proxy,
    ):
        proxy.plan = list(FATES)

        def lost() -> int:
            return FATES[: len(FATES) - len(proxy.plan)].count("after")

        section = {"base_url": place.through(proxy.port), "contract": _contract(folder), **place.login}
        yield Lims(section, lambda: _of_tables(database), lost)


@contextmanager
def by_sqlite(folder: Path, _: sandbox.Lab) -> Iterator[Lims]:
    """Give tables in a file: without a connection, only the end of a process loses what a commit says."""
    with databases.place("sqlite", folder) as place, LimsDatabase(place.admin) as database:
        section = {"base_url": place.base_url, "contract": _contract(folder), **place.login}
        yield Lims(section, lambda: _of_tables(database), None)


def _contract(folder: Path) -> str:
    return written_contract(folder, "lims_sql", _in_small_parts)


def _in_small_parts(operations: dict[str, Any]) -> None:
    operations["create_sample"]["sql"]["at_once"] = TOGETHER


def _of_tables(database: LimsDatabase) -> Content:
    results, tests, samples = (database.rows(table) for table in (RESULT, TEST, SAMPLE))
    serials = {row["SAMPLE_NUMBER"]: row["TEXT_ID"] for row in samples}
    lines: dict[int, list[Value]] = defaultdict(list)
    for row in results:
        lines[row["TEST_NUMBER"]].append(Value.of(*(row[name] for name in LINE)))
    names = ("EXECUTION", "REVISION", "ANALYSIS", "COMPLETED_ON", "OPERATOR")
    return Content.of(
        (Sample(row["PROJECT"], row["TEXT_ID"], row["CUSTOMER"], row["MODEL"]) for row in samples),
        (
            ResultSet.of(serials[row["SAMPLE_NUMBER"]], *(row[name] for name in names), lines[row["TEST_NUMBER"]])
            for row in tests
        ),
    )
