"""Events arrive as the guide prints them, in order, at least once under one id, and failures follow the schedule."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook

from pv_testing.core.errors import ConfigError, DataError, SecurityError
from pv_testing.core.records import Result
from pv_testing.ledger.endpoints import EndpointState
from pv_testing.ledger.outbox import DEAD, DELIVERED, PENDING
from pv_testing.webhooks.schedule import SCHEDULE, wait
from pv_testing.webhooks.signatures import canonical, for_library, hexadecimal
from tests.unit.webhooks.conftest import SECRET
from tests.unit.webhooks.test_outbox import EXECUTION, settle


@pytest.fixture
def registered(manager, told):
    return manager.register(told.url, ["*"], "env:SECRET")


def sooner(ledger) -> None:
    """Let every wait end now."""
    with ledger._store.exclusive() as connection:
        connection.execute(text("UPDATE ledger_delivery SET next_at = 1, lease_until = 0"))
        connection.execute(text("UPDATE ledger_endpoint SET held_until = 0"))


def first_delivery(ledger):
    with ledger._store.reading() as connection:
        return connection.execute(text("SELECT * FROM ledger_delivery ORDER BY sequence")).first()


def test_an_event_arrives_as_the_guide_prints_it_with_both_signatures(manager, told, monkeypatch, tmp_path) -> None:
    path = tmp_path / "integrations.yaml"
    path.write_text("framework: {base_url: 'https://api.test-protocols.io/api/v1', username: u, password: p}")
    monkeypatch.setenv("PV_CONFIG", str(path))
    manager.register(told.url, ["protocol.completed"], "env:SECRET")
    settle(manager.ledger, "result", "5678", Result.CREATED, **{**EXECUTION, "sr_number": "SR-2025-0123"})
    assert manager.deliver().delivered == 1
    ((path, headers, raw),) = told.requests
    body = json.loads(raw)
    assert list(body) == ["event", "timestamp", "data", "signature"]
    assert body["data"]["results_url"] == "https://api.test-protocols.io/api/v1/executions/5678/results"
    assert datetime.fromisoformat(body["timestamp"].replace("Z", "+00:00")).tzinfo
    assert body["signature"] == "sha256=" + hexadecimal(SECRET, canonical(body))
    assert Webhook(SECRET).verify(raw, headers)["data"]["sr_number"] == "SR-2025-0123"
    assert path == "/webhook"


def test_each_event_arrives_once_and_those_of_a_request_in_their_order(manager, registered, told) -> None:
    for number in range(30):
        settle(manager.ledger, "sample", f"K{number:02}", Result.CREATED, sr_number=f"SR-{number % 3}")
    assert manager.deliver().delivered == 30
    seen = [json.loads(raw)["data"] for _, _, raw in told.requests]
    for request in ("SR-0", "SR-1", "SR-2"):
        keys = [data["key"] for data in seen if data["sr_number"] == request]
        assert keys == sorted(keys)
        assert len(keys) == 10
    assert manager.deliver().delivered == 0


def test_a_failure_is_tried_again_under_the_same_id_and_with_a_new_timestamp(manager, registered, told) -> None:
    settle(manager.ledger, "sample", "A", Result.CREATED, sr_number="SR-1")
    settle(manager.ledger, "sample", "B", Result.CREATED, sr_number="SR-1")
    told.answers = [(500, {})]
    report = manager.deliver()
    assert (report.delivered, report.failed) == (0, 1)
    row = first_delivery(manager.ledger)
    assert 0.8 * 5 - 1 <= row.next_at - time.time() <= 1.2 * 5
    assert row.reason == "it answers 500"
    sooner(manager.ledger)
    assert manager.deliver().delivered == 2
    assert [json.loads(raw)["data"]["key"] for _, _, raw in told.requests] == ["A", "A", "B"]
    assert told.ids[0] == told.ids[1] != told.ids[2]
    assert told.requests[0][2] == told.requests[1][2]


def test_a_retry_that_is_due_soon_is_waited_for_and_a_later_one_is_not(manager, registered, told, monkeypatch) -> None:
    monkeypatch.setattr("pv_testing.webhooks.schedule.SCHEDULE", (0.3, 300.0))
    for key in "AB":
        settle(manager.ledger, "sample", key, Result.CREATED, sr_number="SR-1")
    told.answers = [(500, {})]
    report = manager.deliver(60, patience=10)
    assert (report.delivered, report.failed) == (2, 1)
    settle(manager.ledger, "sample", "C", Result.CREATED, sr_number="SR-1")
    told.answers = [(500, {})] * 2
    began = time.monotonic()
    report = manager.deliver(60, patience=10)
    assert (report.delivered, report.failed) == (0, 2)
    assert time.monotonic() - began < 30
    assert 200 < manager.ledger.outbox.until_retry(registered.id) < 361


def test_the_schedule_is_that_of_standard_webhooks_with_a_fifth_of_jitter() -> None:
    assert [round(seconds) for seconds in SCHEDULE] == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    for attempts, seconds in enumerate(SCHEDULE, start=1):
        waits = [wait(attempts) for _ in range(200)]
        assert all(0.8 * seconds <= each <= 1.2 * seconds for each in waits)
        assert max(waits) - min(waits) > 0.1 * seconds
    assert wait(len(SCHEDULE) + 1) is None


def test_after_the_last_try_an_event_is_given_up_and_a_replay_sends_it(manager, registered, told) -> None:
    settle(manager.ledger, "sample", "A", Result.CREATED)
    for _ in range(len(SCHEDULE) + 1):
        told.answers = [(500, {})]
        report = manager.deliver()
        sooner(manager.ledger)
    assert report.dead == 1
    assert manager.ledger.outbox.counts() == {(registered.id, DEAD): 1}
    assert len(set(told.ids)) == 1
    assert len(told.ids) == len(SCHEDULE) + 1
    assert manager.replay(registered.id, event_id=told.ids[0]) == 1
    assert manager.deliver().delivered == 1


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_never_followed(manager, registered, told, status: int) -> None:
    settle(manager.ledger, "sample", "A", Result.CREATED)
    told.answers = [(status, {"Location": told.url + "/elsewhere"})]
    assert manager.deliver().failed == 1
    assert [path for path, _, _ in told.requests] == ["/webhook"]


def test_an_endpoint_that_is_gone_is_disabled_and_reported(manager, registered, told) -> None:
    for key in "ABC":
        settle(manager.ledger, "sample", key, Result.CREATED)
    told.answers = [(410, {})] * 3
    report = manager.deliver()
    assert "410" in report.problems[registered.id]
    (endpoint,) = manager.list()
    assert (endpoint.state, "410" in endpoint.reason) == (EndpointState.DISABLED, True)
    assert "webhook_disable" in [event.action for event in manager.ledger.events()]
    sooner(manager.ledger)
    asked = len(told.requests)
    assert registered.id in manager.deliver().problems
    assert len(told.requests) == asked
    manager.resume(registered.id)
    assert manager.deliver().delivered == 3


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_an_endpoint_that_asks_to_wait_is_left_alone(manager, registered, told, form: str) -> None:
    for key in "ABCDEFGHIJKLMNOPQRST":
        settle(manager.ledger, "sample", key, Result.CREATED)
    later = datetime.now(timezone.utc) + timedelta(seconds=600)
    told.answers = [(429, {"Retry-After": "600" if form == "seconds" else format_datetime(later, usegmt=True)})] * 20
    manager.deliver()
    asked = len(told.requests)
    assert asked <= 8
    (endpoint,) = manager.list()
    assert 590 <= endpoint.held_until - time.time() <= 601
    assert manager.deliver().delivered == 0
    assert len(told.requests) == asked
    assert manager.ledger.outbox.counts()[registered.id, PENDING] == 20


def test_an_endpoint_that_fails_again_and_again_is_not_hammered(manager, registered, told) -> None:
    for number in range(40):
        settle(manager.ledger, "sample", f"K{number}", Result.CREATED)
    told.answers = [(500, {})] * 100
    manager.deliver()
    assert len(told.requests) <= 16
    assert manager.list()[0].held_until > time.time()


def test_an_endpoint_that_fails_for_days_is_disabled(manager, registered, told) -> None:
    settle(manager.ledger, "sample", "A", Result.CREATED)
    told.answers = [(500, {}), (500, {})]
    manager.deliver()
    with manager.ledger._store.exclusive() as connection:
        connection.execute(text(f"UPDATE ledger_endpoint SET failing_since = {time.time() - 6 * 86400}"))
    sooner(manager.ledger)
    report = manager.deliver()
    assert "nothing has arrived there for 5 days" in report.problems[registered.id]
    assert manager.list()[0].state is EndpointState.DISABLED


def test_a_delivery_ends_a_row_of_failures(manager, registered, told) -> None:
    settle(manager.ledger, "sample", "A", Result.CREATED)
    told.answers = [(500, {})]
    manager.deliver()
    assert manager.list()[0].failures == 1
    sooner(manager.ledger)
    manager.deliver()
    assert (manager.list()[0].failures, manager.list()[0].failing_since) == (0, 0.0)


def test_nothing_listens_there_is_a_failure_in_words(manager, here) -> None:
    endpoint = manager.register("http://127.0.0.1:9/", ["*"], "env:SECRET")
    settle(manager.ledger, "sample", "A", Result.CREATED)
    assert manager.deliver().failed == 1
    assert "can't be reached" in first_delivery(manager.ledger).reason
    assert manager.ledger.outbox.counts() == {(endpoint.id, PENDING): 1}


def test_what_a_killed_process_had_sent_is_sent_again_under_its_id(manager, registered, told) -> None:
    settle(manager.ledger, "sample", "A", Result.CREATED)
    original, manager.ledger.outbox.__class__.settle = manager.ledger.outbox.__class__.settle, _killed
    try:
        with pytest.raises(RuntimeError):
            manager.deliver()
    finally:
        manager.ledger.outbox.__class__.settle = original
    sooner(manager.ledger)
    assert manager.deliver().delivered == 1
    assert told.ids[0] == told.ids[1]


def _killed(*_: object) -> None:
    raise RuntimeError("killed")


def test_a_paused_endpoint_gets_later_what_has_happened_meanwhile(manager, registered, told) -> None:
    manager.pause(registered.id)
    settle(manager.ledger, "sample", "A", Result.CREATED)
    assert manager.deliver().delivered == 0
    manager.resume(told.url)
    assert manager.deliver().delivered == 1


def test_a_period_is_replayed_under_the_same_ids(manager, registered, told) -> None:
    began = time.time() - 1
    for key in "AB":
        settle(manager.ledger, "sample", key, Result.CREATED, sr_number="SR-1")
    manager.deliver()
    assert manager.replay(registered.id, since=began) == 2
    assert manager.replay(registered.id, since=time.time() + 60) == 0
    manager.deliver()
    assert told.ids[:2] == told.ids[2:]


def test_an_endpoint_can_be_sent_what_happened_before_it_was_registered(manager, registered, told) -> None:
    settle(manager.ledger, "sample", "A", Result.CREATED)
    late = manager.register(told.url + "/late", ["sample.*"], "env:SECRET")
    assert manager.replay(late.id) == 1
    assert manager.deliver().delivered == 2
    with pytest.raises(DataError, match="no event"):
        manager.replay(late.id, event_id="msg_none")


def test_both_secrets_are_live_during_a_rotation_and_then_the_new_one_alone(manager, registered, told) -> None:
    manager.rotate(registered.id, "env:OTHER")
    settle(manager.ledger, "sample", "A", Result.CREATED)
    manager.deliver()
    _, headers, raw = told.requests[-1]
    for secret in (manager.secrets.get("env:SECRET"), manager.secrets.get("env:OTHER")):
        Webhook(for_library(secret)).verify(raw, headers)
    assert json.loads(raw)["signature"] == "sha256=" + hexadecimal(SECRET, canonical(json.loads(raw)))
    manager.rotate(registered.id, "env:OTHER", overlap_hours=0)
    settle(manager.ledger, "sample", "B", Result.CREATED)
    manager.deliver()
    _, headers, raw = told.requests[-1]
    Webhook(for_library(manager.secrets.get("env:OTHER"))).verify(raw, headers)
    assert len(headers["webhook-signature"].split()) == 1


def test_registering_again_leaves_a_rotation_as_it_is(manager, registered, told) -> None:
    rotated = manager.rotate(registered.id, "env:OTHER")
    assert manager.register(told.url, ["*"], "env:SECRET").secrets == rotated.secrets
    assert manager.register(told.url, ["*"], "another secret of at least 24 bytes").secrets != rotated.secrets


def test_another_secret_in_the_place_of_one_is_noticed(manager, registered, told) -> None:
    settle(manager.ledger, "sample", "A", Result.CREATED)
    manager.secrets._env = {"SECRET": "another secret of 24 bytes"}
    assert "SECRET_CHANGED" in manager.deliver().problems[registered.id]
    assert told.requests == []


def test_a_secret_that_is_given_itself_is_in_the_file_and_nowhere_in_the_ledger(manager, told, tmp_path) -> None:
    secret = "a canary of more than 24 bytes"
    endpoint = manager.register(told.url, ["sample.created"], secret)
    assert endpoint.secrets[0].name.startswith("file:")
    file = tmp_path / "secrets.json"
    assert secret in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert manager.register(told.url, ["sample.created"], secret) == endpoint
    settle(manager.ledger, "sample", "A", Result.CREATED)
    assert manager.deliver().delivered == 1
    with manager.ledger._store.reading() as connection:
        for table in ("ledger_endpoint", "ledger_audit", "ledger_outbox", "ledger_delivery"):
            assert secret not in repr(connection.execute(text(f"SELECT * FROM {table}")).all())
    assert secret not in repr(manager.list())
    file.chmod(0o644)
    with pytest.raises(ConfigError) as refused:
        manager.secrets.get(endpoint.secrets[0].name)
    assert refused.value.code == "SECRETS_EXPOSED"


@pytest.mark.parametrize("secret", ["short", "whsec_%%%", "env:NOT_SET", "connection:pv_webhook_lab"])
def test_a_secret_that_can_t_be_used_is_refused(manager, told, secret: str) -> None:
    with pytest.raises(ConfigError) as refused:
        manager.register(told.url, ["*"], secret)
    assert refused.value.code in {"SECRET_UNUSABLE", "SECRET_MISSING"}
    assert manager.list() == []


def test_what_can_t_be_registered(manager, told) -> None:
    with pytest.raises(DataError, match=r"sample\.created"):
        manager.register(told.url, ["sample.craeted"], "env:SECRET")
    with pytest.raises(DataError):
        manager.register(told.url, "*", "env:SECRET")
    with pytest.raises(SecurityError):
        manager.register("http://10.0.0.1/", ["*"], "env:SECRET")
    with pytest.raises(DataError, match="no endpoint"):
        manager.pause("nothing")


def test_who_has_changed_an_endpoint_is_in_the_audit_trail(manager, registered) -> None:
    manager.pause(registered.id)
    manager.resume(registered.id)
    manager.rotate(registered.id, "env:OTHER")
    manager.remove(registered.id)
    events = [(event.action.removeprefix("webhook_"), event.owner) for event in manager.ledger.events()]
    assert events == [(action, "ada") for action in ("register", "pause", "resume", "rotate", "remove")]
    assert manager.list() == []


def test_a_delivered_event_is_settled(manager, registered) -> None:
    settle(manager.ledger, "sample", "A", Result.CREATED)
    manager.deliver()
    assert manager.ledger.outbox.counts() == {(registered.id, DELIVERED): 1}
