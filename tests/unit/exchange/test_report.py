"""What a report says once some of its outcomes turn out to be others."""

from __future__ import annotations

from pv_testing.core.errors import NetworkError, PermissionDenied
from pv_testing.core.records import Outcome, Result
from pv_testing.exchange.report import Report


def test_a_report_whose_outcomes_are_replaced_is_the_same_in_all_else():
    report = Report("post_invoice", "erp", "custom", dry_run=True)
    report.add(Outcome(key, Result.CREATED, f"INV-{key}") for key in "ab")
    report.close()
    seconds = report.seconds
    report.replace([Outcome("b", Result.DEFERRED, code="NOT_POSTED")])
    assert report.external_ids() == {"a": "INV-a"}
    assert {name: count for name, count in report.counts().items() if count} == {"created": 1, "deferred": 1}
    assert (report.dry_run, report.seconds) == (True, seconds)


def test_what_stopped_an_exchange_is_still_said_after_some_requests_were_carried_once_more():
    report, quiet, later = (Report("create_sample", "lims") for _ in range(3))
    report.error = PermissionDenied("this account may not")
    report.continue_with(quiet)
    assert isinstance(report.error, PermissionDenied)
    later.error = NetworkError("there is no answer")
    report.continue_with(later)
    assert report.error is later.error
