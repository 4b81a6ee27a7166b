"""The generic provider against the sandbox QMS, with basic authentication and as an OAuth client with scopes."""

from __future__ import annotations

import pytest

import sandbox
from pv_testing.config import system_config
from pv_testing.core.errors import PermissionDenied
from pv_testing.integrations import QMSClient
from tests.contract.qms import QMSContract, QmsSite, capa, event, report

SCOPES = ["read:nc", "write:nc", "read:capa", "write:capa", "write:audit", "read:audit"]


@pytest.fixture(scope="module")
def lab():
    with sandbox.serve() as served:
        yield served


def oauth(lab, *scopes):
    known = lab.credentials
    return {
        "client_id": known.qms_client_id,
        "client_secret": known.qms_client_secret,
        "token_url": f"{lab.url('qms').removesuffix('/api')}/oauth/token",
        "scopes": list(scopes),
    }


@pytest.fixture(scope="module", params=["basic", "oauth2"])
def site(request, lab):
    known = lab.credentials
    lacking = oauth(lab, "read:nc")
    settings, wrong = {
        "basic": ({"username": known.qms_username, "password": known.qms_password}, {"password": "wrong"}),
        "oauth2": (oauth(lab, *SCOPES), {"client_secret": "wrong"}),
    }[request.param]
    own = {"username": None, "password": None, **lacking} if request.param == "basic" else lacking
    return QmsSite(
        base_url=lab.url("qms"),
        settings=settings,
        wrong=wrong,
        lacking=own,
        close=lambda register, identity: lab.close("qms", register, identity),
    )


class TestSandboxQMS(QMSContract):
    """The contract."""


@pytest.mark.parametrize(
    ("missing", "act"),
    [
        ("write:nc", lambda qms: qms.create_nc_report(**report())),
        ("write:capa", lambda qms: qms.create_capa(**capa())),
        ("write:audit", lambda qms: qms.log_audit_event(event())),
        ("read:nc", lambda qms: qms.find_nc_report("5678")),
        ("read:capa", lambda qms: qms.find_capa("protocol/PVTP-018/1")),
        ("read:audit", lambda qms: qms.list("get_audit_events")),
    ],
)
def test_a_scope_that_is_missing_is_named(lab, missing, act):
    with (
        QMSClient(lab.url("qms"), **oauth(lab, *(scope for scope in SCOPES if scope != missing))) as qms,
        pytest.raises(PermissionDenied, match=missing),
    ):
        act(qms)


def test_the_shipped_configuration_asks_for_every_scope_that_the_client_needs(monkeypatch):
    monkeypatch.delenv("PV_CONFIG", raising=False)
    for name in ("QMS_BASE_URL", "QMS_CLIENT_ID", "QMS_CLIENT_SECRET"):
        monkeypatch.setenv(name, "https://qms.example/api")
    assert set(system_config("qms").scopes) == set(SCOPES)
