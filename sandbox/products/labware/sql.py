"""LabWare by transfer tables: the database itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.products.labware.database import LabWareDatabase
from sandbox.products.labware.stand_in import LabWareStandIn

TRAPS = ()


class SqlStandIn(LabWareStandIn):
    """The database as the way in."""

    def lose(self, share: float, seed: int) -> None:
        """Lose nothing: between a process and a file of its own machine there is no answer to lose."""


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[SqlStandIn]:
    """Give the database.

    Args:
        folder: for the file.
        traps: none is known.
        port: of no meaning here.
    """
    del traps, port
    database = LabWareDatabase(folder / "labware.sqlite")
    section = {"contract": "lims_labware_sql", "base_url": f"sqlite:///{database.path}", "auth_type": "none"}
    yield SqlStandIn(database, section)
