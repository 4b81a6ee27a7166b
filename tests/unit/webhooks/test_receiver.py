"""What is acknowledged is on the disk and kept once; whatever a stranger sends is refused, and nothing of it logged."""

from __future__ import annotations

import ast
import json
import logging
import time
from pathlib import Path

import pytest
import requests
from standardwebhooks import Webhook
from starlette.testclient import TestClient

import pv_testing.webhooks
from pv_testing.core.errors import ConfigError
from pv_testing.core.records import Result
from pv_testing.webhooks import handshakes
from pv_testing.webhooks.file import SourceSettings
from pv_testing.webhooks.receiver import create_app
from pv_testing.webhooks.settings import WebhookSettings
from pv_testing.webhooks.signatures import for_library
from tests.unit.webhooks import receiving
from tests.unit.webhooks.receiving import OTHER, REVOKED, SECRET, Runs, digest, framework, standard
from tests.unit.webhooks.test_outbox import settle

DATA = {"execution_id": 5678, "protocol_id": "PVTP-001", "sr_number": "SR-2025-0123", "note": "Größe"}


@pytest.fixture
def app(ledger, tmp_path):
    return receiving.application(ledger, receiving.settings(tmp_path), tmp_path)


@pytest.fixture
def client(app):
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def kept(ledger) -> list[tuple[str, str, str, str]]:
    return [(w.event.source, w.event.event, w.event.subject, w.event.dag) for w in ledger.inbox.waiting()]


def test_the_framework_s_event_is_kept_and_acknowledged(client, ledger) -> None:
    answer = client.post("/framework", content=framework(DATA))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    assert kept(ledger) == [("framework", "protocol.completed", "SR-2025-0123", "pv_results")]


def test_a_repeated_event_is_acknowledged_and_kept_once(client, ledger) -> None:
    at = receiving.now()
    bodies = [framework(DATA, at=at), framework(DATA, OTHER, at=at), framework(dict(reversed(DATA.items())), at=at)]
    assert [client.post("/framework", content=body).status_code for body in bodies] == [202] * 3
    assert len(kept(ledger)) == 1


def test_an_event_that_starts_several_dags_is_kept_for_each(client, ledger) -> None:
    client.post("/framework", content=framework({"sr_number": "SR-1"}, event="service_request.created"))
    assert {dag for *_, dag in kept(ledger)} == {"pv_intake", "pv_projects"}


def test_an_event_that_starts_nothing_is_acknowledged(client, ledger) -> None:
    assert client.post("/framework", content=framework({}, event="something.else")).status_code == 202
    assert kept(ledger) == []
    assert ledger.inbox.counts() == {("framework", "ignored"): 1}


def test_standard_webhooks_of_the_independent_library_are_taken(client, ledger) -> None:
    from datetime import datetime, timezone

    body = json.dumps({"event": "sample.received", "data": {"id": "LIM-1"}})
    moment = datetime.now(timezone.utc)
    signature = Webhook(for_library(SECRET)).sign("msg_1", moment, body)
    headers = {
        "webhook-id": "msg_1", "webhook-timestamp": str(int(moment.timestamp())), "webhook-signature": signature,
    }  # fmt: skip
    assert [client.post("/lims", content=body, headers=headers).status_code for _ in range(2)] == [202, 202]
    assert len(kept(ledger)) == 1


def test_an_id_in_the_system_leads_to_the_service_request(client, ledger) -> None:
    settle(ledger, "sample", "SR-1%2F7/SN001", Result.CREATED)
    body = json.dumps({"event": "sample.received", "data": {"id": "LIM-1"}}).encode()
    client.post("/lims", content=body, headers=standard(body))
    assert kept(ledger) == [("lims", "sample.received", "SR-1/7", "pv_status_sync")]


def test_hub_signatures_and_a_shared_secret_are_taken(client, ledger) -> None:
    body = b'{"action": "closed", "webhookEvent": "jira:issue_updated", "event": "invoice.paid", "id": "e-1"}'
    signature = {
        "X-Hub-Signature-256": "sha256=" + digest(OTHER, body),
        "X-Hub-Signature": "sha256=" + digest(SECRET, body),
    }
    for system in ("qms", "pm"):
        assert client.post(f"/{system}", content=body, headers=signature).status_code == 202
    assert client.post("/erp", content=body, headers={"X-Lab-Secret": SECRET}).status_code == 202
    assert [event for _, event, _, _ in kept(ledger)] == ["closed", "jira:issue_updated", "invoice.paid"]


def wrong() -> list:
    """Give requests that must be refused, each with the answer."""
    body = b'{"event": "x", "data": {}}'
    old = receiving.now().replace("20", "19", 1)
    late, early = time.time() - 86_400, time.time() + 86_400
    return [
        ("framework", framework(DATA, REVOKED), {}, 401, "wrong_signature"),
        ("framework", framework(DATA).replace(b"5678", b"5679"), {}, 401, "wrong_signature"),
        ("framework", body, {}, 401, "no_signature"),
        ("framework", b'{"signature": 7}', {}, 401, "no_signature"),
        ("framework", framework(DATA, at=old), {}, 401, "too_old"),
        ("framework", framework(DATA, at="yesterday"), {}, 401, "no_time"),
        ("lims", body, {}, 401, "no_id"),
        ("lims", body, standard(body, REVOKED), 401, "wrong_signature"),
        ("lims", body, standard(body, at=late), 401, "too_old"),
        ("lims", body, standard(body, at=early), 401, "too_new"),
        ("lims", body, {**standard(body), "webhook-timestamp": "1e9"}, 401, "no_time"),
        ("lims", body, {**standard(body), "webhook-timestamp": "9" * 400}, 401, "no_time"),
        ("lims", body, {**standard(body), "webhook-signature": "v1," * 1000}, 401, "wrong_signature"),
        ("lims", body + b" ", standard(body), 401, "wrong_signature"),
        ("qms", body, {}, 401, "no_signature"),
        ("qms", body, {"X-Hub-Signature-256": digest(SECRET, body)}, 401, "wrong_signature"),
        ("pm", body, {"X-Hub-Signature": "sha1=" + digest(SECRET, body)}, 401, "wrong_signature"),
        ("erp", body, {"X-Lab-Secret": SECRET[:-1]}, 401, "wrong_signature"),
        ("erp", body, {}, 401, "no_signature"),
        ("erp", b"[]", {"X-Lab-Secret": SECRET}, 400, "no_object"),
        ("erp", b"{", {"X-Lab-Secret": SECRET}, 400, "no_json"),
        ("erp", b'{"a": "\xff"}', {"X-Lab-Secret": SECRET}, 400, "no_json"),
        ("erp", b'{"a":' * 5000 + b"1" + b"}" * 5000, {"X-Lab-Secret": SECRET}, 400, "too_deep"),
        ("framework", b'{"signature": "\\ud800", "a": "\\ud800"}', {}, 400, "no_json"),
        ("nowhere", body, {}, 404, "unknown_system"),
        ("..%2f..%2fetc%2fpasswd", body, {}, 404, None),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(len(wrong())))
def test_what_is_not_genuine_is_refused_and_leaves_nothing(client, ledger, number: int) -> None:
    system, body, headers, status, code = wrong()[number]  # signed now: a signature is too old after five minutes
    answer = client.post(f"/{system}", content=body, headers=headers)
    assert answer.status_code == status
    assert code is None or answer.json() == {"error": code}
    assert ledger.inbox.counts() == {}


@pytest.mark.parametrize(("skew", "code"), [(-360, "too_old"), (360, "too_new")])
def test_a_clock_that_differs_by_six_minutes_is_refused(client, skew: int, code: str) -> None:
    body = b'{"event": "x"}'
    answer = client.post("/lims", content=body, headers=standard(body, at=time.time() + skew))
    assert (answer.status_code, answer.json()) == (401, {"error": code})


@pytest.mark.parametrize("skew", [-240, 240])
def test_a_clock_that_differs_by_four_minutes_is_accepted(client, skew: int) -> None:
    body = b'{"event": "x"}'
    assert client.post("/lims", content=body, headers=standard(body, at=time.time() + skew)).status_code == 202


def test_either_of_two_live_secrets_counts_and_a_revoked_one_does_not(client) -> None:
    answers = [
        client.post("/framework", content=framework(DATA, secret)).status_code for secret in (SECRET, OTHER, REVOKED)
    ]
    assert answers == [202, 202, 401]


def test_other_methods_and_paths_are_refused(client) -> None:
    assert [client.request(method, "/framework").status_code for method in ("GET", "PUT", "DELETE", "PATCH")] == [
        405
    ] * 4
    assert client.get("/docs").status_code == 405
    assert client.post("/openapi.json").status_code == 404
    assert client.post("/framework/more").status_code == 404


def test_a_body_that_is_too_large_is_refused_before_it_is_read(app) -> None:
    with receiving.serving(app) as url:
        began = time.perf_counter()
        answer = requests.post(f"{url}/erp", data=b"x" * 300_000, headers={"X-Lab-Secret": SECRET}, timeout=10)
        assert answer.status_code == 413

        def endless():
            for _ in range(1000):
                yield b"x" * 10_000

        try:
            status = requests.post(f"{url}/erp", data=endless(), timeout=10).status_code
        except requests.ConnectionError:  # the server has answered and closed while we were still sending
            status = 413
        assert status == 413
        assert time.perf_counter() - began < 5


def test_a_hostile_body_is_looked_at_once(client) -> None:
    """Texts that are never closed, and brackets within texts, cost no more than their length."""
    for body in (b'"' + b'\\"' * 120_000, b'{"a": "' + b"[" * 200_000, b"[" * 250_000, b'"' * 250_001):
        began = time.perf_counter()
        assert client.post("/erp", content=body, headers={"X-Lab-Secret": SECRET}).status_code == 400
        assert time.perf_counter() - began < 1


def test_nothing_of_a_body_is_ever_logged(client, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    for body in (
        framework({"canary": "kanarienvogel"}),
        framework({"canary": "kanarienvogel"}, REVOKED),
        b"kanarienvogel",
    ):
        client.post("/framework", content=body, headers={"X-Canary": "kanarienvogel"})
    assert "kanarienvogel" not in caplog.text
    assert "wrong_signature" in caplog.text
    assert SECRET not in caplog.text


def test_asana_hands_its_secret_over_only_when_that_is_expected_and_once(ledger, tmp_path) -> None:
    ways = {"pm": {"verify": "asana", "items": "events", "event": ["resource.resource_type", "action"],
                   "starts": {"task.*": ["pv_projects"]}}}  # fmt: skip
    app = receiving.application(ledger, receiving.settings(tmp_path, ways), tmp_path)
    handed = "b537207f20cbfa02357cf448134da559"
    with TestClient(app) as client:
        assert client.post("/pm", headers={"X-Hook-Secret": handed}).status_code == 401
        handshakes.expect(ledger, "pm", 10)
        answer = client.post("/pm", headers={"X-Hook-Secret": handed})
        assert (answer.status_code, answer.headers["X-Hook-Secret"]) == (200, handed)
        assert client.post("/pm", headers={"X-Hook-Secret": "another secret of an attacker"}).status_code == 401
        body = json.dumps({"events": [
            {"action": "changed", "resource": {"gid": "1", "resource_type": "task"}, "created_at": "2026-01-01"},
            {"action": "added", "resource": {"gid": "2", "resource_type": "story"}, "created_at": "2026-01-01"},
        ]}).encode()  # fmt: skip
        for _ in range(2):
            answer = client.post("/pm", content=body, headers={"X-Hook-Signature": digest(handed, body)})
            assert answer.json() == {"accepted": 2}
        assert client.post("/pm", content=body, headers={"X-Hook-Signature": digest(SECRET, body)}).status_code == 401
        empty = b'{"events": []}'
        assert client.post("/pm", content=empty, headers={"X-Hook-Signature": digest(handed, empty)}).status_code == 202
    assert kept(ledger) == [("pm", "task.changed", "", "pv_projects")]
    assert ledger.inbox.counts() == {("pm", "waiting"): 1, ("pm", "ignored"): 1}


def test_business_central_reads_its_token_again_and_each_notification_carries_the_secret(ledger, tmp_path) -> None:
    ways = {
        "erp": {
            "verify": "business_central",
            "items": "value",
            "event": "changeType",
            "starts": {"*": ["pv_invoicing"]},
        }
    }
    app = receiving.application(ledger, receiving.settings(tmp_path, ways), tmp_path)
    with TestClient(app) as client:
        answer = client.post("/erp?validationToken=1a2b-3c")
        assert (answer.status_code, answer.text) == (200, "1a2b-3c")
        assert answer.headers["content-type"].startswith("text/plain")
        assert client.post("/erp?validationToken=<script>").status_code == 400
        events = [{"clientState": SECRET, "changeType": "updated", "resource": f"salesInvoices({n})"} for n in range(3)]
        assert client.post("/erp", json={"value": events}).json() == {"accepted": 3}
        events[1]["clientState"] = "wrong"
        assert client.post("/erp", json={"value": events}).status_code == 401
        assert client.post("/erp", json={"value": []}).status_code == 401
    assert len(kept(ledger)) == 3


def test_signatures_are_compared_in_constant_time_only() -> None:
    folder = Path(pv_testing.webhooks.__file__).parent
    tree = ast.parse((folder / "verification.py").read_text())
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "compare_digest"]
    assert len(compared) == 1
    for path in ("verification.py", "receiver.py", "handshakes.py"):
        for node in ast.walk(ast.parse((folder / path).read_text())):
            if isinstance(node, ast.Compare):
                names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                assert names.isdisjoint({"signature", "given", "expected", "secret", "digest"}), ast.unparse(node)


def test_an_acknowledged_event_starts_its_dag_soon_after(ledger, tmp_path) -> None:
    runs = Runs()
    app = receiving.application(ledger, receiving.settings(tmp_path), tmp_path, runs)
    with receiving.serving(app) as url:
        body = framework(DATA)
        for _ in range(3):
            assert requests.post(f"{url}/framework", data=body, timeout=10).status_code == 202
        give_up = time.monotonic() + 5
        while not runs.started and time.monotonic() < give_up:
            time.sleep(0.02)
    ((dag, run_id, conf),) = runs.started
    assert (dag, conf) == ("pv_results", {"sr": "SR-2025-0123"})
    assert run_id.startswith("webhook__framework__")
    assert kept(ledger) == []


def test_the_ledger_s_trouble_is_a_503_that_asks_to_come_again(client, ledger) -> None:
    from sqlalchemy import text

    with ledger._store.exclusive() as connection:
        connection.execute(text("ALTER TABLE ledger_inbox RENAME TO gone"))
    answer = client.post("/framework", content=framework(DATA))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


def test_settings_that_can_t_be_used_are_a_503_and_no_500(ledger, tmp_path) -> None:
    async def broken():
        raise ConfigError("the settings can't be used")

    with TestClient(create_app(broken), raise_server_exceptions=False) as client:
        assert client.post("/framework", content=framework(DATA)).status_code == 503


def shipped(ledger, folder: Path, system: str, contract: str, runs: Runs | None = None) -> TestClient:
    """Return a client of a receiver that takes a system's events as a shipped contract says."""
    known = {system: SourceSettings(secrets=("env:FIRST", "env:SECOND"), contract=contract)}
    return TestClient(receiving.application(ledger, WebhookSettings(sources=known, linger=0.05), folder, runs))


@pytest.mark.parametrize("change", ["created", "updated", "deleted", "collection"])
def test_business_central_s_notification_starts_the_invoicing_by_the_shipped_contract(ledger, tmp_path, change) -> None:
    runs = Runs()
    with shipped(ledger, tmp_path, "erp", "erp_business_central", runs) as client:
        assert client.post("/erp?validationToken=5f1c-9a").text == "5f1c-9a"
        notification = {
            "subscriptionId": "salesInvoice",
            "clientState": SECRET,
            "expirationDateTime": "2026-12-01T10:55:01Z",
            "resource": "api/v2.0/companies(7dbba574-5f69-4167-a43e-fb975045de15)/salesInvoices(26814998-936a-401c)",
            "changeType": change,
            "lastModifiedDateTime": "2026-11-28T12:54:20.467Z",  # it is sent again for 36 hours
        }
        for _ in range(2):
            assert client.post("/erp", json={"value": [notification]}).json() == {"accepted": 1}
        stranger = {**notification, "clientState": REVOKED}
        assert client.post("/erp", json={"value": [stranger]}).status_code == 401
        deadline = time.monotonic() + 10
        while not runs.started and time.monotonic() < deadline:
            time.sleep(0.02)
    assert [dag for dag, _, _ in runs.started] == ["pv_invoicing"]


def test_asana_s_events_start_the_projects_by_the_shipped_contract_also_when_they_come_late(ledger, tmp_path) -> None:
    with shipped(ledger, tmp_path, "pm", "pm_asana") as client:
        for at in ("2026-01-01T10:00:00.000Z", receiving.now()):
            event = {"action": "changed", "resource": {"gid": "1", "resource_type": "task"}, "created_at": at}
            body = json.dumps({"events": [event]}).encode()
            answer = client.post("/pm", content=body, headers={"X-Hook-Signature": digest(SECRET, body)})
            assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
        empty = b'{"events": []}'
        assert client.post("/pm", content=empty, headers={"X-Hook-Signature": digest(SECRET, empty)}).status_code == 202
    assert kept(ledger) == [("pm", "task.changed", "", "pv_projects")] * 2


def test_where_a_body_carries_several_events_the_time_of_each_counts(ledger, tmp_path) -> None:
    ways = {"pm": {"verify": "jira", "items": "events", "time": "at", "starts": {"*": ["pv_projects"]}}}
    app = receiving.application(ledger, receiving.settings(tmp_path, ways), tmp_path)
    with TestClient(app) as client:
        for times, status in (
            ([receiving.now(), receiving.now()], 202),
            ([receiving.now(), "2026-01-01T10:00:00Z"], 401),
            ([receiving.now(), ""], 401),
        ):
            body = json.dumps({"events": [{"event": "changed", "at": at} for at in times]}).encode()
            headers = {"X-Hub-Signature": f"sha256={digest(SECRET, body)}"}
            assert client.post("/pm", content=body, headers=headers).status_code == status


@pytest.mark.parametrize("at", ["1" + 400 * "0", "-1" + 400 * "0", "NaN", "Infinity", "1e400"])
def test_a_number_that_is_no_moment_is_refused_as_a_time(ledger, tmp_path, at) -> None:
    ways = {"pm": {"verify": "jira", "time": "at", "starts": {"*": ["pv_projects"]}}}
    app = receiving.application(ledger, receiving.settings(tmp_path, ways), tmp_path)
    body = f'{{"event": "changed", "at": {at}}}'.encode()
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.post("/pm", content=body, headers={"X-Hub-Signature": f"sha256={digest(SECRET, body)}"})
    assert (answer.status_code, answer.json()) == (401, {"error": "no_time"})
    assert ledger.inbox.counts() == {}
