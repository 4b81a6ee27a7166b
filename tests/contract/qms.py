"""The contract of a QMS provider, as tests that a provider's own test module inherits.

A module that tests a provider subclasses :class:`QMSContract` and gives a fixture ``site``.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from pv_testing.core.errors import AuthenticationError, MappingError, PermissionDenied
from pv_testing.core.records import Result
from pv_testing.integrations import QMSClient
from pv_testing.ledger import Ledger
from sandbox.proxy import serve_proxy

_numbers = itertools.count(int(time.time()) % 1_000_000 * 100)
BERLIN = timezone(timedelta(hours=1))


@dataclass
class QmsSite:
    """A running QMS.

    Attributes:
        base_url: where it is.
        settings: what else its client is made with, credentials included.
        wrong: settings with credentials that are wrong.
        lacking: settings with credentials that are right and don't allow to write reports.
        close: plays the people who close a report, or a CAPA: the register and the id.
    """

    base_url: str
    settings: dict[str, Any]
    wrong: dict[str, Any]
    lacking: dict[str, Any]
    close: Callable[[str, str], object]

    @contextmanager
    def client(self, ledger: Ledger | None = None, **other: Any) -> Iterator[QMSClient]:
        """Give a client."""
        settings = {**self.settings, "base_url": self.base_url, **other}
        with QMSClient(
            settings.pop("base_url"), ledger=ledger or Ledger.in_memory(), owner="contract", **settings
        ) as qms:
            yield qms

    @contextmanager
    def behind(self, *faults: Mapping[str, Any]) -> Iterator[str]:
        """Give the base address of the same QMS behind a proxy with faults."""
        parts = urlsplit(self.base_url)
        with serve_proxy(f"{parts.scheme}://{parts.netloc}") as proxy:
            proxy.faults(*faults)
            yield urlunsplit((*urlsplit(proxy.url)[:2], parts.path, "", ""))


def report(**changes: Any) -> dict[str, Any]:
    """Return a non-conformance of an execution that no test has used before."""
    return {
        "execution_id": str(next(_numbers)),
        "title": "Module Failed STC Power Measurement",
        "description": "Pmax is too low.",
        "severity": "Minor",
        "source": "Testing",
        "detection_date": datetime(2025, 11, 13, 16, 30, tzinfo=BERLIN),
        "related_documents": ["SR-2025-0123", "Protocol: PVTP-001"],
        "affected_items": [{"type": "Module", "id": "SN001", "quantity": 1}],
        "root_cause_analysis": {"immediate_cause": "Pmax", "contributing_factors": ["irradiance was 1040 W/m²"]},
        "proposed_corrective_action": "Repeat the test.",
        **changes,
    }


def capa(**changes: Any) -> dict[str, Any]:
    """Return a CAPA that no test has raised before."""
    action = {"description": "Look for it", "responsible": "Quality", "target_date": "2025-12-31"}
    return {
        "capa_key": f"protocol/PVTP-018/{next(_numbers)}",
        "title": "Recurring Thermal Cycling Failures",
        "problem_statement": "6 modules failed.",
        "root_cause": "To be determined.",
        "corrective_action": action,
        "preventive_action": {**action, "target_date": "2026-01-31"},
        "effectiveness_criteria": "No failure in 30 days.",
        **changes,
    }


def event(**changes: Any) -> dict[str, Any]:
    """Return an audit event that no test has logged before."""
    return {
        "timestamp": "2025-11-13T15:30:00Z",
        "user": "o.perez",
        "action": "data_update",
        "resource_type": "execution",
        "resource_id": next(_numbers),
        "changes": {"status": ["RUNNING", "COMPLETE"]},
        "ip_address": "192.0.2.17",
        "session_id": "s-1",
        **changes,
    }


class QMSContract:
    """Inherited by the tests of each QMS provider, which give the fixture ``site``."""

    @pytest.fixture
    def qms(self, site):
        with site.client() as client:
            yield client

    def test_it_knows_as_whom_the_system_knows_us(self, qms):
        assert qms.identity()

    def test_wrong_credentials_are_noticed(self, site):
        with (
            QMSClient(site.base_url, **{**site.settings, **site.wrong}) as stranger,
            pytest.raises(AuthenticationError),
        ):
            stranger.authenticate()

    def test_a_missing_permission_is_a_clear_error_and_nothing_is_sent(self, site, qms):
        wanted = report()
        with (
            QMSClient(site.base_url, **{**site.settings, **site.lacking}) as reader,
            pytest.raises(PermissionDenied, match=f"qms.*create_nc_report, {wanted['execution_id']}.*write:nc"),
        ):
            reader.create_nc_report(**wanted)
        assert qms.find_nc_report(wanted["execution_id"]) is None

    def test_a_report_is_made_once_and_found_by_its_execution(self, qms):
        wanted = report()
        first, again = qms.create_nc_report(**wanted), qms.create_nc_report(**wanted)
        assert first["nc_id"] == again["nc_id"] == first["id"] == first["nc_report_id"]
        existing = qms.find_nc_report(wanted["execution_id"])
        assert existing is not None
        assert existing["id"] == first["nc_id"]
        assert existing["title"] == wanted["title"]
        assert qms.find_nc_report("no such execution") is None

    def test_a_changed_report_is_changed_in_place(self, qms):
        wanted = report()
        nc_id = qms.create_nc_report(**wanted)["nc_id"]
        changed = qms.create_nc_reports([{**wanted, "severity": "Major"}])
        assert changed.counts()["updated"] == 1, changed.table()
        assert changed.external_ids() == {wanted["execution_id"]: nc_id}
        assert (
            qms.contract.vocabularies["severity"].read(qms.find_nc_report(wanted["execution_id"])["severity"])
            == "MAJOR"
        )

    def test_a_retest_refers_to_the_earlier_report(self, qms):
        first = qms.create_nc_report(**report())
        assert qms.create_nc_report(**report(earlier_nc=first["nc_id"]))["nc_id"] != first["nc_id"]

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"severity": "Catastrophic"}, "STATUS_UNKNOWN"),
            ({"detection_date": None}, "FIELD_MISSING"),
            ({"detection_date": "yesterday"}, "NOT_A_TIME"),
            ({"title": "x" * 300}, "TOO_LONG"),
            ({"root_cause_analysis": None}, "FIELD_MISSING"),
        ],
    )
    def test_a_report_that_cannot_be_carried_says_why(self, qms, change, code):
        with pytest.raises(MappingError) as caught:
            qms.create_nc_report(**report(**change))
        assert caught.value.code == code

    def test_a_status_is_read_in_our_words(self, site, qms):
        nc_id, capa_id = qms.create_nc_report(**report())["nc_id"], qms.create_capa(**capa())["capa_id"]
        assert (qms.get_nc_status(nc_id), qms.get_capa_status(capa_id)) == ("OPEN", "OPEN")
        site.close("nc-reports", nc_id)
        site.close("capas", capa_id)
        assert (qms.get_nc_status(nc_id), qms.get_capa_status(capa_id)) == ("CLOSED", "CLOSED")

    def test_a_capa_is_raised_once_and_found_by_its_key(self, qms):
        nc_id = qms.create_nc_report(**report())["nc_id"]
        wanted = capa(related_ncs=[nc_id], approved_by="q.manager")
        first, again = qms.create_capa(**wanted), qms.create_capa(**wanted)
        assert first["capa_id"] == again["capa_id"]
        existing = qms.find_capa(wanted["capa_key"])
        assert existing is not None
        assert existing["id"] == first["capa_id"]

    def test_a_file_is_attached_once_and_another_content_is_another_file(self, qms):
        capa_id = qms.create_capa(**capa())["capa_id"]
        first, again = (qms.attach_file(capa_id, "chart.png", b"one", "image/png") for _ in range(2))
        assert first["id"] == again["id"]
        assert qms.attach_file(capa_id, "chart.png", b"two", "image/png")["id"] != first["id"]
        with pytest.raises(MappingError, match="empty"):
            qms.attach_file(capa_id, "empty.png", b"")

    def test_audit_events_are_logged_in_bulk_once(self, qms):
        events = [event() for _ in range(1_200)]
        assert qms.log_audit_events(events).counts()["created"] == 1_200
        assert qms.log_audit_events(events).counts()["unchanged"] == 1_200
        assert qms.log_audit_event(events[0])["id"]

    def test_two_equal_events_of_one_call_wait_unless_each_has_its_own_key(self, qms):
        twice, once = event(), event()
        report = qms.log_audit_events([twice, once, dict(twice)])
        assert report.counts()["created"] == 1
        (outcome,) = report.not_in_effect()
        assert (outcome.result, outcome.code) == (Result.QUARANTINED, "DUPLICATE_KEY")
        assert (
            qms.log_audit_events([{**twice, "event_key": f"own-{next(_numbers)}"} for _ in range(2)]).counts()[
                "created"
            ]
            == 2
        )
        without_place = event(source="framework", position=None)
        assert qms.log_audit_events([without_place]).outcomes[0].key.startswith("EVENT-")

    def test_an_event_with_a_place_in_its_source_is_known_by_it(self, qms):
        source = f"framework-{next(_numbers)}"
        placed = event(source=source, position=7)
        qms.log_audit_event(placed)
        qms.log_audit_event({**placed, "user": "somebody else"})
        (kept,) = qms.list("get_audit_events", source=source)
        assert (kept["external_id"], kept["user"]) == (f"{source}/7", "o.perez")

    @pytest.mark.parametrize("kind", ["drop_after", "truncate", "html", "drop_before"])
    def test_a_lost_or_garbled_answer_makes_neither_a_double_nor_a_gap(self, site, kind):
        reports, capas, source = [report() for _ in range(3)], [capa() for _ in range(3)], f"s-{next(_numbers)}"
        events = [event(source=source, position=place) for place in range(600)]
        faults = [
            {"route": f"POST {urlsplit(site.base_url).path}/{path}*", "kind": kind, "times": 1}
            for path in ("nc-reports", "capas", "audit-events")
        ]
        with site.behind(*faults) as address, site.client(base_url=address) as qms:
            made = [qms.create_nc_reports(reports), qms.create_capas(capas), qms.log_audit_events(events)]
            capa_id = qms.find_capa(capas[0]["capa_key"])["id"]
        assert [each.table() for each in made if each.not_in_effect()] == []
        attaching = {**faults[1], "route": faults[1]["route"] + "/attachments"}
        with site.behind(attaching) as address, site.client(base_url=address) as qms:
            qms.attach_file(capa_id, "chart.png", b"one", "image/png")
        with site.client() as qms:
            keys = [each["execution_id"] for each in reports]
            assert [len(qms.list("get_nc_reports", external_id=key)) for key in keys] == [1, 1, 1]
            assert [len(qms.list("get_capas", external_id=each["capa_key"])) for each in capas] == [1, 1, 1]
            assert len(qms.list("get_attachments", capa_id=capa_id)) == 1
            logged = [each["position"] for each in qms.list("get_audit_events", source=source)]
        assert sorted(logged) == list(range(600))
