"""Shows that what others have said can't move a cursor, hide or reorder anything, nor forge a line of a log."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv_testing.core.errors import ConfigError, DataError, Rejected
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.core.visible import visible
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.report import Report
from pv_testing.ledger import Ledger, Refusal
from tests.unit.exchange.target import Target

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
HARMFUL = "\x1b[2J\x1b]0;owned\x07\r\n\x08\x7f\x9b31m\u202e\u2066\u200b\u2028\ufeff\U000e0041"
SHOWN = r"\x1b[2J\x1b]0;owned\x07\r\n\x08\x7f\u009b31m\u202e\u2066\u200b\u2028\ufeff\U000e0041"
HIDDEN = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co"}
KEY = f"SR-1/SN{HARMFUL}1"


def disturbs(text: str) -> list[str]:
    """Return the characters of a text that aren't seen as what they are, but for the ends of its lines."""
    return [
        each for each in text if each != "\n" and unicodedata.category(each) in {"Cc", "Cf", "Zl", "Zp", "Cs", "Co"}
    ]


def command(*arguments: str) -> str:
    """Run a command in a process of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "pv_testing", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PLUGINS), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.stdout.decode() + done.stderr.decode()


def test_what_waits_is_listed_one_line_each_with_nothing_hidden(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    with Ledger(url) as ledger:
        refusals = [
            Refusal(KEY, "e" * 64, "UNIT_MISSING", f"the system said {HARMFUL}"),
            Refusal("ü/é 字", "e", "X", "y"),
        ]
        ledger.quarantine("lims", "sample", refusals, owner="test")
    output = command("waiting", "--ledger", url)
    assert disturbs(output) == []
    assert output.splitlines() == [
        f"quarantined  lims sample SR-1/SN{SHOWN}1  the system said {SHOWN} [UNIT_MISSING]",
        "quarantined  lims sample ü/é 字  y [X]",
        "2 records wait for a person",
    ]
    output = command("confirm", "--ledger", url, "--system", "lims", "--kind", "sample", KEY, f"LIM{HARMFUL}")
    assert f"SR-1/SN{SHOWN}1 is in effect as LIM{SHOWN}" in output
    output += command("confirm", "--ledger", url, "--system", "lims", "--kind", "sample", KEY, "LIM-1")
    assert "FAILED" in output
    assert disturbs(output) == []


def test_a_shell_takes_a_key_as_it_is_shown(tmp_path: Path) -> None:
    key = "SR-1\\2/\x1b[31mSN\u202e1\n"
    process = subprocess.run(
        ["bash", "-c", f"printf %s $'{visible(key)}'"],
        capture_output=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        timeout=20,
        check=True,
    )
    assert process.stdout.decode() == key


def test_the_table_of_a_report_has_one_line_for_each_record() -> None:
    report = Report("create_sample", "lims", "Custom")
    report.add([Outcome(KEY, Result.REJECTED, code="X", reason=f"no {HARMFUL}")])
    report.notes.append(f"note {HARMFUL}")
    report.close()
    table = report.table()
    assert disturbs(table) == []
    assert f"  note: note {SHOWN}" in table.splitlines()
    assert f"    SR-1/SN{SHOWN}1  rejected  X: no {SHOWN}" in table.splitlines()
    with pytest.raises(Exception, match="the first is") as caught:
        report.raise_for_waiting()
    assert disturbs(str(caught.value)) == []
    assert "\n" not in str(caught.value)


def test_an_error_is_one_line_but_for_a_list_of_problems() -> None:
    error = Rejected(f"the system refuses {HARMFUL}", key=KEY, excerpt=HARMFUL)
    assert (disturbs(str(error)), "\n" in str(error)) == ([], False)
    assert str(ConfigError(f"2 problems\na: {HARMFUL}\nb")).startswith("2 problems\na: ")
    assert disturbs(str(ConfigError(HARMFUL))) == []


def test_a_log_has_one_line_for_each_record_that_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    record = Record(KEY, {}, DataError(f"it says {HARMFUL}", code="X"))
    with caplog.at_level(logging.INFO), Ledger.in_memory() as ledger:
        Exchange(Target(), ledger, owner="test").run([record])
    assert f"SR-1/SN{SHOWN}1 is quarantined: it says {SHOWN} [X]" in caplog.messages
    assert disturbs("".join(caplog.messages)) == []


@given(st.text())
def test_a_text_that_disturbs_nothing_is_shown_as_it_is(text: str) -> None:
    shown = visible(text)
    assert disturbs(shown) == []
    assert "\n" not in shown
    if not disturbs(text) and "\n" not in text and all(unicodedata.category(each) != "Cn" for each in text):
        assert shown == text
