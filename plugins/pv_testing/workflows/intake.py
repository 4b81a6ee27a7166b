"""Service requests of the framework become samples in the LIMS, one for each module."""

from __future__ import annotations

from collections.abc import Iterable

from pv_testing.domain.samples import sample_records, shortfalls
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.integrations.lims import LIMSClient


async def create_samples(
    framework: FrameworkClient,
    lims: LIMSClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
) -> Report:
    """Create one sample for each module of the service requests that has a serial number.

    Args:
        framework: where the requests are.
        lims: where the samples are to be.
        sr_ids: the framework's ids of the requests; one that has been deleted is noted, nothing downstream is.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
    """
    requests, missing = await framework.aservice_requests(sr_ids)
    records = [record for request in requests for record in sample_records(request)]
    report = await lims.aexchange("create_sample", records, replay=replay, dry_run=dry_run)
    report.notes += shortfalls(requests)
    missing.tell(report)
    return report
