"""New service requests and reports of the framework are told, each once, and only where an endpoint wants them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import sandbox
from pv_testing.core.errors import NetworkError
from pv_testing.integrations import FrameworkClient
from pv_testing.ledger import Ledger
from pv_testing.webhooks.announcing import announce
from sandbox.seed import SeedPlan
from tests.unit.webhooks.test_outbox import listen


@pytest.fixture
def lab() -> Iterator[sandbox.Lab]:
    with sandbox.serve(seed_plan=SeedPlan(modules=1, protocols=1, state="complete")) as served:
        yield served


@pytest.fixture
def framework(lab: sandbox.Lab) -> Iterator[FrameworkClient]:
    known = lab.credentials
    with (
        Ledger.in_memory(quiet=True) as ledger,
        FrameworkClient(
            lab.framework_url, username=known.framework_username, password=known.framework_password, ledger=ledger
        ) as client,
    ):
        yield client


def create(framework: FrameworkClient) -> dict:
    wanted = {
        "customer": {"name": "Helios", "email": "lab@helios.example"},
        "module": {"manufacturer": "AST", "model": "M400", "power_rating": 400, "quantity": 1},
        "testing": {"standards": ["IEC 61215"], "protocols": ["PVTP-001"], "priority": "normal"},
    }
    return framework.create_service_request(wanted)


def told(framework: FrameworkClient) -> list[tuple[str, object]]:
    return [(event.name, event.data.get("sr_number")) for event in framework.ledger.outbox.events()]


def test_the_framework_is_not_asked_without_an_endpoint_that_wants_it() -> None:
    with (
        Ledger.in_memory(quiet=True) as ledger,
        FrameworkClient("http://127.0.0.1:9", username="u", password="p", ledger=ledger) as nowhere,
    ):
        listen(ledger, "invoice.*")
        assert announce(nowhere, ledger) == 0
        listen(ledger, "report.*", name="other")
        with pytest.raises(NetworkError):
            announce(nowhere, ledger, "7")


def test_a_new_service_request_is_told_once(framework) -> None:
    listen(framework.ledger)
    announce(framework, framework.ledger)
    number = create(framework)["sr_number"]
    assert [announce(framework, framework.ledger) for _ in range(3)] == [1, 0, 0]
    assert ("service_request.created", number) in told(framework)


def test_a_report_is_told_when_it_is_there_and_once(framework) -> None:
    listen(framework.ledger, "report.generated")
    (request,) = framework.list_service_requests()
    framework.update_service_request(request["id"], status="ANALYSIS_COMPLETE")
    assert announce(framework, framework.ledger) == 0
    report = framework.generate_report(request["id"], report_type="technical", format="pdf")
    give_up = time.monotonic() + 20
    while framework.get_report(report["report_id"])["status"] != "COMPLETE" and time.monotonic() < give_up:
        time.sleep(0.1)
    assert [announce(framework, framework.ledger, str(request["id"])) for _ in range(2)] == [1, 0]
    (event,) = framework.ledger.outbox.events()
    assert (event.name, event.data["report_id"], event.data["sr_number"]) == (
        "report.generated", report["report_id"], request["sr_number"],
    )  # fmt: skip
