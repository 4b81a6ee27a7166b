"""Shows that the audit trail names the operating system's user on the command line, whatever the environment says."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from pv_testing.ledger import AuditEvent, Ledger, Refusal

ME = pwd.getpwuid(os.getuid()).pw_name
ANOTHER = next(each for each in pwd.getpwall() if each.pw_uid != os.getuid())
PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
COMMANDS = {
    "release": ["release", "--system", "lims", "--kind", "sample", "SR-1/SN1"],
    "confirm": ["confirm", "--system", "lims", "--kind", "sample", "SR-1/SN1", "LIM-1"],
}


@pytest.fixture
def url(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path}/ledger.sqlite"
    with Ledger(found) as ledger:
        ledger.quarantine("lims", "sample", [Refusal("SR-1/SN1", "e" * 64, "UNIT_MISSING", "no unit")], owner="test")
    return found


def run(url: str, command: str, **environment: str) -> AuditEvent:
    """Run a command in a process of its own and return the event that it has left."""
    lies = dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "mallory")
    done = subprocess.run(
        [sys.executable, "-m", "pv_testing", *COMMANDS[command], "--ledger", url],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PLUGINS), **lies, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with Ledger(url) as ledger:
        return list(ledger.events())[-1]


@pytest.mark.parametrize("command", COMMANDS)
def test_who_acts_is_the_account_of_the_process(url: str, command: str) -> None:
    event = run(url, command)
    assert (event.action, event.owner) == (command, ME)
    assert "sudo_uid" not in event.detail


@pytest.mark.parametrize("command", COMMANDS)
def test_who_has_called_sudo_is_noted_beside_it(url: str, command: str) -> None:
    event = run(url, command, SUDO_UID=str(ANOTHER.pw_uid), SUDO_USER="mallory")
    assert event.owner == ME
    assert (event.detail["sudo_uid"], event.detail["sudo_user"]) == (ANOTHER.pw_uid, ANOTHER.pw_name)
    with Ledger(url) as ledger:
        assert ledger.verify().count == 2


@pytest.mark.parametrize("account", ["", "mallory", "-1", "4294967294", "9" * 5_000, "1²", str(os.getuid())])
def test_what_can_be_no_account_is_not_noted(url: str, account: str) -> None:
    event = run(url, "release", SUDO_UID=account)
    assert (event.owner, "sudo_uid" in event.detail) == (ME, False)
