"""The sandbox framework answers every documented endpoint, strictly, and its laboratory can be made to work."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox import Lab, SeedPlan, serve

REQUEST = {
    "customer": {"name": "Helios Module Works", "email": "quality@helios.example"},
    "module": {
        "manufacturer": "AstraSolar",
        "model": "AST-400-M",
        "power_rating": 400,
        "quantity": 2,
        "serial_numbers": ["H1", "H2"],
    },
    "testing": {"standards": ["IEC 61215"], "protocols": ["PVTP-001", "PVTP-018"], "priority": "normal"},
}


class Hooked(ThreadingHTTPServer):
    """A registered webhook that keeps the path and the body of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keep)
        self.requests: list[tuple[str, bytes]] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Keep(BaseHTTPRequestHandler):
    server: Hooked

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, body))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def hooked() -> Iterator[Hooked]:
    server = Hooked()
    yield server
    server.close()


def new_request(framework: Any) -> int:
    response = framework.post("/service-requests", json=REQUEST)
    assert response.status_code == 201, response.text
    return int(response.json()["id"])


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_login_gives_tokens_and_refresh_works_once(lab: Lab, anyone: Any, login: Callable[[], dict[str, Any]]) -> None:
    tokens = login()
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == 3600
    caller = anyone(lab.framework_url)
    body = {"refresh_token": tokens["refresh_token"]}
    renewed = caller.post("/auth/refresh", json=body).json()
    me = caller.get("/users/me", headers={"Authorization": f"Bearer {renewed['access_token']}"})
    assert me.json()["username"] == lab.credentials.framework_username
    assert code(caller.post("/auth/refresh", json=body)) == (401, "TOKEN_EXPIRED")


def test_wrong_passwords_and_missing_tokens_are_refused(lab: Lab, anyone: Any) -> None:
    caller = anyone(lab.framework_url)
    body = {"username": lab.credentials.framework_username, "password": "wrong"}
    assert code(caller.post("/auth/login", json=body)) == (401, "AUTHENTICATION_FAILED")
    assert code(caller.get("/service-requests")) == (401, "AUTHENTICATION_FAILED")


def test_tokens_expire(anyone: Any) -> None:
    with serve(token_lifetime=0.0) as lab:
        body = {"username": lab.credentials.framework_username, "password": lab.credentials.framework_password}
        token = anyone(lab.framework_url).post("/auth/login", json=body).json()["access_token"]
        late = anyone(lab.framework_url, {"Authorization": f"Bearer {token}"})
        assert code(late.get("/service-requests")) == (401, "TOKEN_EXPIRED")


def test_a_viewer_may_read_only(viewer: Any) -> None:
    assert viewer.get("/service-requests/1").status_code == 200
    assert code(viewer.post("/service-requests", json=REQUEST)) == (403, "PERMISSION_DENIED")
    assert code(viewer.post("/executions/1/stop")) == (403, "PERMISSION_DENIED")


def test_the_example_request_is_there(framework: Any) -> None:
    request = framework.get("/service-requests/1").json()
    assert request["sr_number"] == "SR-2025-0001"
    assert request["module"]["serial_numbers"] == [f"AST2025M4000{number:02d}" for number in range(1, 13)]
    assert request["status"] == "PENDING_INSPECTION"
    assert request["protocols"] == []
    assert len(request["testing"]["protocols"]) == 12


def test_a_bad_request_names_its_fields(framework: Any) -> None:
    bad = {**REQUEST, "module": {**REQUEST["module"], "quantity": "2", "colour": "blue"}}
    response = framework.post("/service-requests", json=bad)
    assert code(response) == (422, "VALIDATION_ERROR")
    assert {each["field"] for each in response.json()["error"]["details"]} == {"module.quantity", "module.colour"}
    unknown = {**REQUEST, "testing": {"protocols": ["PVTP-099"]}}
    assert code(framework.post("/service-requests", json=unknown)) == (422, "VALIDATION_ERROR")


def test_statuses_go_forward_only(framework: Any) -> None:
    address = f"/service-requests/{new_request(framework)}"
    assert framework.put(address, json={"status": "INSPECTION_COMPLETE"}).json()["status"] == "INSPECTION_COMPLETE"
    for status in ("INSPECTION_COMPLETE", "PENDING_INSPECTION"):
        assert code(framework.put(address, json={"status": status})) == (409, "INVALID_TRANSITION")
    assert framework.put(address, json={"status": "LOST"}).status_code == 422
    assert framework.get(address).json()["status"] == "INSPECTION_COMPLETE"


def test_a_refused_status_leaves_the_rest_of_the_change_undone(framework: Any) -> None:
    address = f"/service-requests/{new_request(framework)}"
    change = {"status": "PENDING_INSPECTION", "testing": {"priority": "urgent"}}
    assert framework.put(address, json=change).status_code == 409
    assert framework.get(address).json()["testing"]["priority"] == "normal"


def test_requests_are_listed_by_status_customer_and_day(framework: Any) -> None:
    new_request(framework)
    ours = framework.get("/service-requests", params={"customer": "Helios Module Works"}).json()
    assert {each["customer"]["name"] for each in ours["data"]} == {"Helios Module Works"}
    old = framework.get("/service-requests", params={"to_date": "2025-12-31", "status": "PENDING_INSPECTION"}).json()
    assert [each["sr_number"] for each in old["data"]] == ["SR-2025-0001"]
    assert framework.get("/service-requests", params={"from_date": "yesterday"}).status_code == 422


def test_a_deleted_request_is_gone(framework: Any) -> None:
    address = f"/service-requests/{new_request(framework)}"
    assert framework.delete(address).status_code == 204
    assert framework.get(address).status_code == 404


def test_one_deleted_half_way_is_listed_but_can_not_be_read(framework: Any, lab: Lab) -> None:
    identity = new_request(framework)
    lab.vanish(identity)
    listing = framework.get("/service-requests", params={"limit": 100}).json()
    assert identity in [each["id"] for each in listing["data"]]
    assert code(framework.get(f"/service-requests/{identity}")) == (404, "RESOURCE_NOT_FOUND")


def test_all_54_protocols_are_there(framework: Any) -> None:
    listing = framework.get("/protocols").json()
    assert (listing["total"], len(listing["protocols"])) == (54, 54)
    assert sum(each["duration_hours"] for each in listing["protocols"]) == pytest.approx(16_959.85)
    one = framework.get("/protocols/PVTP-018").json()
    assert one["standard"] == "IEC 61215-1:2021 (MQT 12)"
    assert "Pmax" not in {each["name"] for each in one["measurements"]}
    assert framework.get("/protocols/PVTP-001/template").json()["template"]["fields"]
    assert framework.get("/protocols/PVTP-099").status_code == 404


def test_the_laboratory_plays_a_request_through(framework: Any, lab: Lab) -> None:
    identity = new_request(framework)
    assert lab.advance(identity, "PROTOCOLS_ASSIGNED") == "PROTOCOLS_ASSIGNED"
    states = {each["status"] for each in framework.get(f"/service-requests/{identity}").json()["protocols"]}
    assert states == {"PENDING"}
    assert lab.run_executions(identity, 0.5, complete=False) == 2
    running = framework.get("/executions", params={"sr_id": identity, "status": "RUNNING"}).json()
    assert running["total"] == 2
    unfinished = f"/executions/{running['data'][0]['execution_id']}/results"
    assert code(framework.get(unfinished)) == (409, "EXECUTION_NOT_COMPLETE")
    assert framework.get(f"/service-requests/{identity}").json()["status"] == "TESTING_IN_PROGRESS"
    assert lab.run_executions(identity) == 4
    request = framework.get(f"/service-requests/{identity}").json()
    assert request["status"] == "TESTING_COMPLETE"
    assert {each["status"] for each in request["protocols"]} == {"COMPLETE"}
    assert framework.get(unfinished).json()["results"]["measurements"]["Pmax"]["unit"] == "W"
    assert lab.advance(identity, "REPORTS_APPROVED") == "REPORTS_APPROVED"
    assert lab.advance(identity, "TESTING_COMPLETE") == "REPORTS_APPROVED"


def test_executions_are_found_by_completion(framework: Any, lab: Lab) -> None:
    identity = new_request(framework)
    lab.run_executions(identity)
    every = framework.get("/executions", params={"sr_id": identity, "limit": 100}).json()["data"]
    last = max(each["completed_at"] for each in every)
    listed = framework.get("/executions", params={"sr_id": identity, "completed_from": last}).json()["data"]
    assert {each["completed_at"] for each in listed} == {last}
    assert "measurements" not in every[0]
    later = {"sr_id": identity, "completed_from": "2999-01-01T00:00:00Z"}
    assert framework.get("/executions", params=later).json()["total"] == 0
    assert framework.get("/executions", params={"completed_from": "2025-01-01T00:00:00"}).status_code == 422


def test_measurements_are_a_list_in_one_place_and_a_dictionary_in_the_other(framework: Any, lab: Lab) -> None:
    identity = new_request(framework)
    lab.run_executions(identity)
    number = framework.get("/executions", params={"sr_id": identity}).json()["data"][0]["execution_id"]
    listed = framework.get(f"/executions/{number}").json()["measurements"]
    kept = framework.get(f"/executions/{number}/results").json()["results"]["measurements"]
    assert {each["parameter"]: each["value"] for each in listed} == {name: each["value"] for name, each in kept.items()}


def test_results_can_be_corrected(framework: Any, lab: Lab) -> None:
    identity = new_request(framework)
    lab.run_executions(identity)
    number = framework.get("/executions", params={"sr_id": identity}).json()["data"][0]["execution_id"]
    lab.correct(number, {"Pmax": {"value": 399.9, "unit": "W"}})
    results = framework.get(f"/executions/{number}/results").json()["results"]
    assert results["measurements"]["Pmax"] == {"value": 399.9, "unit": "W"}


def test_an_execution_is_started_and_stopped(framework: Any) -> None:
    identity = new_request(framework)
    body = {"sr_id": identity, "module_id": "H1", "operator_id": 42, "equipment": {"simulator": "SIM-001"}}
    started = framework.post("/protocols/PVTP-001/execute", json=body)
    assert (started.status_code, started.json()["status"]) == (202, "RUNNING")
    address = f"/executions/{started.json()['execution_id']}"
    assert framework.get(address).json()["equipment"] == {"simulator": "SIM-001"}
    assert framework.post(f"{address}/stop").json()["status"] == "STOPPED"
    assert framework.post(f"{address}/stop").status_code == 409
    assert framework.post("/protocols/PVTP-001/execute", json={**body, "module_id": "X"}).status_code == 422


def test_reports_integrations_users_and_webhooks(framework: Any) -> None:
    identity = new_request(framework)
    report = framework.post("/reports/generate", json={"sr_id": identity, "report_type": "technical", "format": "pdf"})
    assert (report.status_code, report.json()["status"]) == (202, "GENERATING")
    state = framework.get(f"/reports/{report.json()['report_id']}").json()
    assert state["download_url"].startswith("/api/v1/reports/")
    file = framework.get(state["download_url"].removeprefix("/api/v1"))
    assert (file.headers["Content-Type"], len(file.content)) == ("application/pdf", state["file_size"])
    assert framework.get("/reports", params={"sr_id": identity}).json()["total"] == 1
    sync = {"sr_id": identity, "sync_type": "results", "protocols": ["PVTP-001"]}
    assert framework.post("/integrations/lims/sync", json=sync).json()["status"] == "SUCCESS"
    report_nc = {
        "sr_id": identity,
        "protocol_id": "PVTP-001",
        "module_id": "H1",
        "nc_description": "low power",
        "root_cause": "to be determined",
        "corrective_action": "to be determined",
    }
    assert framework.post("/integrations/qms/nc-report", json=report_nc).json()["nc_report_id"].startswith("NC-")
    task = {"project_id": "P", "sr_id": identity, "update_type": "task_complete", "task_id": "T", "actual_hours": 2.5}
    assert framework.post("/integrations/pm/update", json=task).json()["sync_status"] == "SUCCESS"
    operators = framework.get("/users", params={"role": "operator"}).json()["users"]
    assert 42 in [each["id"] for each in operators]
    hook = {"url": "https://example.test/hook", "events": ["protocol.completed"], "secret": "s"}
    assert framework.post("/webhooks", json=hook).status_code == 201
    assert framework.post("/webhooks", json={**hook, "events": ["sr.lost"]}).status_code == 422


def test_registered_webhooks_get_events_as_the_guide_signs_them(framework: Any, lab: Lab, hooked: Hooked) -> None:
    for events in (["service_request.created"], ["protocol.completed"]):
        hook = {"url": f"{hooked.url}/{events[0]}", "events": events, "secret": "a secret"}
        assert framework.post("/webhooks", json=hook).status_code == 201
    assert lab.tell("service_request.created", {"sr_id": 1, "customer": "Müller"}, times=2) == [202, 202]
    (path, body), again = hooked.requests
    assert path == "/service_request.created"
    assert again == (path, body)
    received = json.loads(body)
    assert received["data"] == {"sr_id": 1, "customer": "Müller"}
    signature = received.pop("signature")
    content = json.dumps(received, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert signature == "sha256=" + hmac.new(b"a secret", content, hashlib.sha256).hexdigest()
    hooked.close()
    assert lab.tell("service_request.created", {"sr_id": 1}) == [0]


def test_every_answer_tells_the_quota(framework: Any) -> None:
    first, second = (framework.get("/users/me").headers for _ in range(2))
    assert int(second["X-RateLimit-Remaining"]) == int(first["X-RateLimit-Remaining"]) - 1
    assert int(first["X-RateLimit-Limit"]) == 1_000_000


def test_a_used_up_quota_is_refused(anyone: Any) -> None:
    with serve(seed_plan=SeedPlan(modules=1, protocols=1), rate_limit=2) as lab:
        caller = anyone(lab.framework_url)
        answers = [caller.get("/users/me") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [401, 401, 429]
        refused = answers[-1]
        assert refused.json()["error"]["retry_after"] == int(refused.headers["Retry-After"]) > 3500
        assert refused.headers["X-RateLimit-Remaining"] == "0"


def test_control_needs_the_key(lab: Lab, anyone: Any) -> None:
    caller = anyone(lab.origins["framework"])
    assert caller.get("/_sandbox/requests").status_code == 403
    assert caller.get("/_sandbox/requests", headers={"X-Sandbox-Key": lab.sandbox_key}).status_code == 200
