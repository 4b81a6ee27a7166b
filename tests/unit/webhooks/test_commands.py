"""``python -m pv_testing webhooks``: what each action says and does."""

from __future__ import annotations

import io
import time

import pytest

from pv_testing.__main__ import main
from pv_testing.core.records import Result
from pv_testing.ledger import Ledger
from tests.unit.webhooks.test_outbox import settle

URL = "https://your-system.com/webhook"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Give a function that runs the command on a ledger and returns its status and what it said."""
    monkeypatch.setenv("PV_CONFIG", str(tmp_path / "integrations.yaml"))
    monkeypatch.setenv("HOOK", "a secret of more than 24 bytes")
    (tmp_path / "integrations.yaml").write_text("{}")
    ledger = f"sqlite:///{tmp_path / 'ledger.sqlite'}"

    def command(action: str, *arguments: str) -> tuple[int, str]:
        status = main(["webhooks", action, *arguments, *([] if action == "schemas" else ["--ledger", ledger])])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    command.ledger = ledger
    return command


def test_an_endpoint_is_registered_listed_paused_resumed_rotated_and_removed(run) -> None:
    assert run("list") == (0, "no endpoint is registered\n")
    status, output = run("register", URL, "protocol.completed", "invoice.*", "--secret", "env:HOOK")
    assert status == 0
    endpoint = output.split()[0]
    assert run("pause", endpoint) == (0, f"{endpoint}: paused\n")
    assert "paused" in run("list")[1]
    assert run("resume", URL) == (0, f"{endpoint}: active\n")
    status, output = run("rotate", endpoint, "--secret", "env:HOOK", "--overlap", "1")
    assert (status, "env:HOOK" in output) == (0, True)
    assert "1 endpoints" in run("list")[1]
    assert run("remove", endpoint) == (0, f"{endpoint}: removed\n")
    assert run("pause", endpoint)[0] == 2


def test_a_secret_can_be_piped_in_and_is_never_shown(run, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a canary of more than 24 bytes\n"))
    status, output = run("register", URL, "*")
    assert status == 0
    assert "file:" in output
    assert "canary" not in output + run("list")[1]
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run("register", URL, "*")[0] == 2


def test_events_are_replayed_and_delivered(run) -> None:
    run("register", URL, "*", "--secret", "env:HOOK")
    with Ledger(run.ledger) as ledger:
        settle(ledger, "sample", "A", Result.CREATED)
        (event,) = ledger.outbox.events()
        ledger.endpoints.get(URL)
    assert run("replay", URL, "--since", "2025-01-01T00:00:00Z") == (0, "1 events are delivered once more\n")
    assert run("replay", URL, "--event", event.id)[0] == 0
    assert run("replay", URL, "--event", "msg_none")[0] == 2
    assert run("replay", URL, "--since", "yesterday")[0] == 2
    run("pause", URL)
    assert run("deliver") == (0, "0 delivered, 0 failed and tried again later, 0 given up\n")


def test_a_handed_over_secret_is_expected_for_a_while(run) -> None:
    assert "taken until" in run("expect", "pm", "--minutes", "5")[1]
    with Ledger(run.ledger) as ledger:
        assert 290 < ledger.state("webhooks/expected/pm", 0.0) - time.time() < 301


def test_the_schemas_are_written(run, tmp_path) -> None:
    status, output = run("schemas", "--output", str(tmp_path / "events"))
    assert (status, output.startswith("33 files")) == (0, True)
    assert len(list((tmp_path / "events").iterdir())) == 33
