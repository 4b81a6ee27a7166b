"""The generic provider against the sandbox LIMS, with each way to authenticate."""

from __future__ import annotations

import pytest

import sandbox
from tests.contract.lims import LIMSContract, LimsSite, samples


@pytest.fixture(scope="module")
def lab():
    with sandbox.serve() as served:
        yield served


@pytest.fixture(scope="module", params=["api_key", "basic", "oauth2"])
def site(request, lab):
    known = lab.credentials
    settings, wrong = {
        "api_key": ({"api_key": known.lims_api_key}, {"api_key": "wrong"}),
        "basic": ({"username": known.lims_username, "password": known.lims_password}, {"password": "wrong"}),
        "oauth2": (
            {
                "client_id": known.lims_client_id,
                "client_secret": known.lims_client_secret,
                "token_url": f"{lab.lims_url}/oauth/token",
                "scopes": ["read:samples", "write:samples", "write:results"],
            },
            {"client_secret": "wrong"},
        ),
    }[request.param]
    return LimsSite(
        base_url=lab.lims_url,
        settings=settings,
        wrong=wrong,
        receive=lambda ids: lab.receive(ids=ids),
        statuses=("In Testing", "Testing Complete", "Approved"),
        write="POST /api/v2/samples*",
    )


class TestSandboxLIMS(LIMSContract):
    """The contract, and that a change is known by its answer, whose status is another than a creation's."""

    def test_a_changed_sample_is_updated_without_a_look_up(self, lab, lims):
        (sample,) = samples(1)
        lims.create_samples([sample]).raise_for_waiting()
        before = len(lab.requests("lims"))
        report = lims.create_samples([{**sample, "customer": "Solar Industries"}])
        assert report.counts()["updated"] == 1, report.table()
        assert [request["method"] for request in lab.requests("lims")[before:]] == ["PATCH"]
