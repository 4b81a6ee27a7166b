"""Events that can't follow from those before them, as in a chain that was rewritten with fitting hashes."""

from __future__ import annotations

from typing import Any

import pytest

from pv_testing.core.reasons import Reason
from pv_testing.core.records import Result
from pv_testing.ledger.replay import Told, contradiction
from pv_testing.ledger.types import Row, State

CONFIRMED = Row("k", State.CONFIRMED.value, "v1", confirmed="v1", revision=1, external_id="LIM-1")
IN_DOUBT = Row(
    "k", State.UNKNOWN.value, "v2", confirmed="v1", revision=1, external_id="LIM-1", unresolved_fingerprint="v2"
)
REJECTED = Row("k", State.REJECTED.value, "v1", code="NO")


def told(action: str, result: str = "", external_id: str = "LIM-1", fingerprint: str = "v2", **detail: Any) -> Told:
    return Told(9, action, result, external_id, fingerprint, detail)


def settled(**changes: Any) -> Told:
    return told("settle", Result.UPDATED.value, **{"revision": 2, **changes})


@pytest.mark.parametrize(
    ("row", "event", "finding"),
    [
        (CONFIRMED, settled(), ""),
        (CONFIRMED, settled(external_id=""), "it forgets the record's id LIM-1"),
        (CONFIRMED, settled(revision=4), "it is revision 4 where 2 follows"),
        (IN_DOUBT, settled(), ""),
        (IN_DOUBT, settled(fingerprint="v3"), "it forgets that another version may have been sent"),
        (IN_DOUBT, settled(fingerprint="v3", doubtful="v2"), ""),
        (
            REJECTED,
            told(
                "settle", Result.DEFERRED.value, "", "v1", revision=1, code=Reason.NOT_SENT, state=State.CONFIRMED.value
            ),
            "it leaves the record confirmed, which was rejected",
        ),
        (IN_DOUBT, told("quarantine", doubtful="v2"), ""),
        (IN_DOUBT, told("quarantine"), "it forgets that a version may have been sent"),
        (CONFIRMED, told("restore", fingerprint="v1"), ""),
        (CONFIRMED, told("restore"), "it restores a version that was never in effect"),
        (REJECTED, told("release", fingerprint="v1", was=State.REJECTED.value), ""),
        (REJECTED, told("release", fingerprint="v1", was=State.IN_FLIGHT.value), ""),
        (REJECTED, told("release", fingerprint="v1", was=State.QUARANTINED.value), "about a record quarantined, not"),
        (REJECTED, told("release", fingerprint="v2", was=State.REJECTED.value), "about a record rejected, not"),
    ],
)
def test_an_event_that_contradicts_the_record_before_it_is_named(row: Row, event: Told, finding: str) -> None:
    found = contradiction(row, event)
    assert finding in found
    assert bool(found) == bool(finding)
