"""A sandbox on free ports for each test module, and callers of its systems."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox import FRAMEWORK, LIMS, Lab, SeedPlan, serve


class Caller(requests.Session):
    """A session that knows its base address and the credentials."""

    def __init__(self, base: str, headers: dict[str, str] | None = None) -> None:
        super().__init__()
        self.trust_env = False
        self.base = base
        self.headers.update(headers or {})

    def request(self, method: str, url: str, *args: Any, **options: Any) -> requests.Response:
        return super().request(method, self.base + url, *args, timeout=options.pop("timeout", 20), **options)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with serve(seed_plan=SeedPlan()) as running:
        yield running


@pytest.fixture(autouse=True)
def no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "lab" in request.fixturenames:
        running: Lab = request.getfixturevalue("lab")
        running.faults(FRAMEWORK)
        running.faults(LIMS)


@pytest.fixture
def lims(lab: Lab) -> Iterator[Caller]:
    with Caller(lab.lims_url, {"X-API-Key": lab.credentials.lims_api_key}) as caller:
        yield caller


def login(lab: Lab, *, viewer: bool = False) -> dict[str, Any]:
    known = lab.credentials
    name, secret = known.framework_username, known.framework_password
    if viewer:
        name, secret = known.framework_viewer, known.framework_viewer_password
    with Caller(lab.framework_url) as caller:
        return dict(caller.post("/auth/login", json={"username": name, "password": secret}).json())


@pytest.fixture
def framework(lab: Lab) -> Iterator[Caller]:
    with Caller(lab.framework_url, {"Authorization": f"Bearer {login(lab)['access_token']}"}) as caller:
        yield caller


@pytest.fixture
def viewer(lab: Lab) -> Iterator[Caller]:
    token = login(lab, viewer=True)["access_token"]
    with Caller(lab.framework_url, {"Authorization": f"Bearer {token}"}) as caller:
        yield caller


@pytest.fixture(name="login")
def login_fixture(lab: Lab) -> Callable[[], dict[str, Any]]:
    return lambda: login(lab)


@pytest.fixture
def anyone() -> type[Caller]:
    return Caller


@pytest.fixture
def sample(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A valid sample that no other test uses."""
    return {
        "external_id": f"SN-{request.node.name}",
        "sample_type": "PV Module",
        "project_id": f"SR-{request.module.__name__}",
        "customer": "Solar Power Industries",
        "metadata": {"manufacturer": "AstraSolar", "power_rating": 400},
    }


@pytest.fixture
def result(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A valid result set of an execution that no other test uses."""
    return {
        "external_id": f"EX-{request.node.name}",
        "revision": 1,
        "test_id": "PVTP-001",
        "test_name": "STC Power Measurement",
        "test_date": "2025-11-13T15:30:00Z",
        "operator": "Jane Doe",
        "results": [{"analyte": "Pmax", "value": 401.2, "unit": "W", "uncertainty": 1.2, "status": "PASS"}],
    }
