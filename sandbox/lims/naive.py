"""A LIMS that believes whatever it is told: each request that writes makes one more record."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta, timezone

from sandbox.lims.models import BulkResultIn
from sandbox.lims.records import LimsRecords, sample_id
from sandbox.rewriting import number_in
from sandbox.store import Database
from sandbox.times import stamp


class NaiveRecords(LimsRecords):
    """The records of a LIMS that keeps duplicates without a check and whose look-ups lag behind.

    Args:
        store: the LIMS's database.
        lag: seconds after which look-ups see a new record.
    """

    def __init__(self, store: Database, lag: float = 0.0) -> None:
        super().__init__(store)
        self._lag = timedelta(seconds=lag)

    def visible(self) -> str | None:
        """Return the instant up to which look-ups see new records; ``None`` when they see all."""
        return stamp(datetime.now(timezone.utc) - self._lag) if self._lag else None

    def sample(self, identity: str) -> sqlite3.Row:
        """Return a sample by its id in whatever shape ``odd_ids`` gave it.

        Raises:
            HttpProblem: it doesn't exist.
        """
        return super().sample(sample_id(number_in(identity)))

    def check_result(self, result: BulkResultIn) -> None:
        """See only that a result set's sample exists.

        Raises:
            HttpProblem: it doesn't.
        """
        result.sample_id = sample_id(int(self.sample(result.sample_id)["number"]))

    def check_move(self, identity: str, status: str, wanted: str) -> None:
        """Let a sample go from any status to any other, or the same once more."""
