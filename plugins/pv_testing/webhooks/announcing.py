"""Events of the framework that no settlement of ours tells: a new service request, a report that is there.

The changes since the last look are read as the sweeps read them, and only where an endpoint wants to hear of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pv_testing.core.errors import DataError, MappingError
from pv_testing.core.sync import run
from pv_testing.domain.days import moment
from pv_testing.domain.events import REPORT_GENERATED, SERVICE_REQUEST_CREATED, Occurrence, matches
from pv_testing.domain.reading import first
from pv_testing.domain.status import COMPLETE, STATES
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.ledger import Ledger
from pv_testing.workflow.changes import Place, Row, stamp_of
from pv_testing.workflow.shared_changes import SharedChanges, Wanted

STATE = "webhooks/announced"
HOUR, DAY = 3_600.0, 86_400.0
OLDEST_DAYS = 20.0
"""What is older is never told as new; events are kept for longer, so that each is told once."""
WITH_REPORTS = frozenset(STATES[STATES.index("ANALYSIS_COMPLETE") :])
_REPORT = ("report_id", "report_type", "format", "status", "generated_at", "download_url")


def announce(
    framework: FrameworkClient, ledger: Ledger, service_request: str = "", changes: Wanted = Wanted.UNSEEN
) -> int:
    """Write events of service requests and reports that are new; return how many.

    Args:
        framework: where they are.
        ledger: whose endpoints are told.
        service_request: the id of the only one to look at; without it, those that have changed.
        changes: how new the answer of the framework has to be that a sweep has asked for.
    """
    wanted = _wanted(ledger)
    if not wanted:
        return 0
    look = _Look(framework, ledger, changes)
    rows = [framework.get_service_request(int(service_request))] if service_request.isdecimal() else look.rows()
    occurrences = [each for row in rows for each in _of_request(framework, row, wanted, look.since)]
    number = ledger.outbox.publish(occurrences)
    if not service_request:
        look.keep()
    return number


def _wanted(ledger: Ledger) -> set[str]:
    names = (SERVICE_REQUEST_CREATED, REPORT_GENERATED)
    patterns = [pattern for endpoint in ledger.endpoints.all() for pattern in endpoint.events]
    return {name for name in names if any(matches(pattern, name) for pattern in patterns)}


class _Look:
    """One look into the framework, from where the last one came to.

    Attributes:
        since: epoch seconds; what was made before is not new.
    """

    def __init__(self, framework: FrameworkClient, ledger: Ledger, changes: Wanted) -> None:
        self._framework = framework
        self._shared = SharedChanges(framework, ledger, STATE)
        self._changes = changes
        self._ledger = ledger
        self._began = ledger.now()
        self._kept: dict[str, Any] = ledger.state(STATE, {}) or {"since": self._began - HOUR, "place": None}
        self._place = Place(*self._kept["place"]) if self._kept["place"] else None
        self.since = max(self._kept["since"], self._began - OLDEST_DAYS * DAY)

    def rows(self) -> list[Row]:
        """Return the service requests that have changed; all of them where the framework can't say which have."""
        since = self._place.back if self._place else self._began - HOUR
        reading = run(self._shared.read(since, self._changes, self._place, executions=False))
        self._began = reading.began
        if reading.requests is None:
            rows: Sequence[Row] = self._framework.list_service_requests()
            self._place = Place.after(self._place, rows, reading.began, self._ledger.now())
        else:
            # A reading for all sweeps may begin earlier.
            rows = [row for row in reading.requests if (stamp_of(row) or since) >= since]
            self._place = Place.after(self._place, reading.rows, reading.began, reading.ended)
        return list(rows)

    def keep(self) -> None:
        """Remember how far this look came."""
        after: dict[str, Any] = {**self._kept, "place": list(self._place) if self._place else None}
        self._ledger.update(STATE, lambda _: after, dict[str, Any]())
        self._shared.note(self._began)


def _of_request(framework: FrameworkClient, row: Row, wanted: Iterable[str], since: float) -> Iterator[Occurrence]:
    number, sr_id = str(row.get("sr_number") or ""), first(row, "id", "sr_id")
    if SERVICE_REQUEST_CREATED in wanted and number and _is_new(row.get("created_at"), since):
        data = {"sr_id": sr_id, "sr_number": number, "status": row.get("status"), "created_at": row.get("created_at")}
        yield Occurrence(SERVICE_REQUEST_CREATED, number, data, once=number)
    if REPORT_GENERATED in wanted and row.get("status") in WITH_REPORTS:
        for report in framework.list_reports(int(str(sr_id))):
            if report.get("status") == COMPLETE and _is_new(report.get("generated_at"), since):
                data = {"sr_id": sr_id, "sr_number": number, **{k: report[k] for k in _REPORT if k in report}}
                yield Occurrence(REPORT_GENERATED, number, data, once=str(report.get("report_id")))


def _is_new(generated_at: Any, since: float) -> bool:
    try:
        return moment(generated_at).timestamp() > since
    except (DataError, MappingError, TypeError, AttributeError):
        return False
