"""The charts of a finding in Airflow's web server: for those who may see the question, and for nobody else."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.utils.db import initdb
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

import pv_plugin
from pv_testing.ledger import Ledger
from pv_testing.quality.analysis import Analyst
from pv_testing.quality.capa_policy import CapaPolicy
from pv_testing.quality.charts import CHARTS
from pv_testing.quality.decisions import Decisions
from pv_testing.quality.finding import CapaFinding
from pv_testing.quality.history import CountedExecution, History
from tests.airflow.home import connect

AT = datetime(2025, 11, 14, 6, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def finding() -> CapaFinding:
    trials = [
        CountedExecution(str(n), "PVTP-018", f"M{n}", "SR-1", AT - timedelta(days=n), failed=n < 7, criteria=("Pmax",))
        for n in range(12)
    ]
    (found,) = Analyst(History(trials), CapaPolicy.read(), AT).analyse().findings
    return found


@pytest.fixture(scope="module")
def database() -> None:
    """Make Airflow's own database, where it looks for tokens that were revoked."""
    initdb()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, finding: CapaFinding, database: None) -> TestClient:
    path = tmp_path / "ledger.sqlite"
    connect(monkeypatch, {"pv_ledger": {"conn_type": "pv_ledger", "extra": {"path": str(path)}}})
    with Ledger(f"sqlite:///{path}") as ledger:
        Decisions(ledger).ask([finding])
    plugin = next(each for each in pv_plugin.PVTestingPlugin.fastapi_apps if each["url_prefix"] == "/pv/charts")
    mounted = Starlette(routes=[Mount(plugin["url_prefix"], plugin["app"])])
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "of this test " * 6)
    create_auth_manager()
    return TestClient(mounted)


def token(role: str | None) -> dict[str, str]:
    user = SimpleAuthManagerUser(username="someone", role=role)
    return {"Authorization": f"Bearer {create_auth_manager().generate_jwt(user)}"}


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_whoever_may_see_the_question_sees_its_charts(server: TestClient, finding: CapaFinding, name: str) -> None:
    answer = server.get(f"/pv/charts/{finding.digest}/{name}", headers=token("VIEWER"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content == CHARTS[name](finding)


@pytest.mark.parametrize("path", ["/pv/charts/{digest}/pareto.png", "/pv/charts/{absent}/pareto.png", "/pv/charts/x/y"])
def test_a_stranger_is_refused_whatever_she_asks_for(server: TestClient, finding: CapaFinding, path: str) -> None:
    address = path.format(digest=finding.digest, absent="0" * 64)
    assert server.get(address).status_code == 401
    assert server.get(address, headers={"Authorization": "Bearer made.up.token"}).status_code in {401, 403}


def test_a_user_without_permission_is_refused(server: TestClient, finding: CapaFinding) -> None:
    assert server.get(f"/pv/charts/{finding.digest}/pareto.png", headers=token(None)).status_code == 403


def test_what_there_is_not_is_not_found(server: TestClient, finding: CapaFinding) -> None:
    allowed = token("VIEWER")
    assert server.get(f"/pv/charts/{'0' * 64}/pareto.png", headers=allowed).status_code == 404
    assert server.get(f"/pv/charts/{finding.digest}/pie.png", headers=allowed).status_code == 404
    assert server.get("/pv/charts/../../etc/passwd", headers=allowed).status_code == 404


def test_no_route_is_without_the_check() -> None:
    from web.charts import app

    assert app.routes
    assert all(route.dependencies for route in app.routes)
