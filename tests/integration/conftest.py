"""A laboratory on real sockets and clients of it, for each test its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

import sandbox
from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient, LIMSClient
from pv_testing.ledger import Ledger
from pv_testing.samples.intake import create_samples
from pv_testing.samples.results import upload_results
from pv_testing.samples.statuses import pull_statuses, push_statuses
from tests.integration.auditing import Auditing
from tests.integration.billing import offices


class RoundTrip:
    """The four steps, run as the operators run them."""

    def __init__(self, lab: sandbox.Lab, ledger: Ledger) -> None:
        self.lab = lab
        self.ledger = ledger
        known = lab.credentials
        self.framework = FrameworkClient(
            lab.framework_url, username=known.framework_username, password=known.framework_password, ledger=ledger
        )
        self.lims = LIMSClient(lab.lims_url, api_key=known.lims_api_key, ledger=ledger, owner="test")

    def ids(self) -> list[int]:
        return [request["id"] for request in self.framework.list_service_requests()]

    def step(self, workflow, *, ids=None, **options):
        return run(workflow(self.framework, self.lims, self.ids() if ids is None else ids, **options))

    def intake(self, **options):
        return self.step(create_samples, **options)

    def results(self, **options):
        return self.step(upload_results, **options)

    def push(self, **options):
        return self.step(push_statuses, **options)

    def pull(self, **options):
        return self.step(pull_statuses, **options)

    def close(self) -> None:
        self.framework.close()
        self.lims.close()


@pytest.fixture
def laboratory(tmp_path):
    """Return a function that starts a laboratory with a seed plan and gives its round trip."""
    with ExitStack() as stack:

        def start(**plan) -> RoundTrip:
            lab = stack.enter_context(sandbox.serve(tmp_path / "lab", seed_plan=sandbox.SeedPlan(**plan)))
            ledger = stack.enter_context(Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))
            return stack.enter_context(closing(RoundTrip(lab, ledger)))

        yield start


@pytest.fixture
def office(tmp_path):
    """Return a function that starts a laboratory whose reports are approved and gives its office."""
    with offices(tmp_path) as start:
        yield start


@pytest.fixture
def auditing(tmp_path: Path) -> Iterator[Auditing]:
    """Give a laboratory whose audit trails go to its QMS."""
    plan = sandbox.SeedPlan(modules=1, protocols=1)
    with (
        sandbox.serve(tmp_path / "lab", seed_plan=plan) as lab,
        Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger,
    ):
        given = Auditing(lab, ledger, tmp_path)
        yield given
        given.framework.close()
        given.qms.close()
