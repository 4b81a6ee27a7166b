"""A ledger that is used with another address of a system than before says so once a process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from pv_testing.integrations import addresses
from pv_testing.integrations.addresses import comparable, move, notice
from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import PlainLims, contract, exchange, sample

TEST, REAL = "https://lims-test.company.com/api", "https://lims.company.com/api"


@pytest.fixture(autouse=True)
def new_process() -> Iterator[None]:
    addresses._warn_once.cache_clear()
    yield
    addresses._warn_once.cache_clear()


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.in_memory(quiet=True) as opened:
        yield opened


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "the records of this ledger" in record.getMessage()]


def test_an_exchange_with_another_server_on_the_same_ledger_warns_once(
    tmp_path: Path, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    path = contract(tmp_path)
    exchange(PlainLims(), path, sample(), ledger=ledger)
    assert warnings(caplog) == []
    before = ledger.state("lims/address", "")
    report = exchange(PlainLims(), path, sample(), sample(), ledger=ledger)
    assert report.counts()["unchanged"] == 1, "what is in effect in the one is not sent to the other"
    (warning,) = warnings(caplog)
    assert warning.startswith(f"lims: the records of this ledger were carried to {before}, and base_url is http://")
    assert [record.levelno for record in caplog.records if record.getMessage() == warning] == [logging.WARNING]
    assert ledger.state("lims/address", "") == before


def test_a_dry_run_remembers_nothing(ledger: Ledger) -> None:
    notice(ledger, "lims", TEST, keep=False)
    assert list(ledger.events()) == []


def test_a_system_that_is_said_to_have_moved_is_warned_of_no_more(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    notice(ledger, "lims", TEST, keep=True)
    notice(ledger, "qms", TEST, keep=True)
    move(ledger, "lims", REAL, owner="ana")
    notice(ledger, "lims", REAL, keep=True)
    assert warnings(caplog) == []
    notice(ledger, "qms", REAL, keep=True)
    assert len(warnings(caplog)) == 1
    assert [event.action for event in ledger.events()] == ["moved"]
    assert ledger.verify().watermarks == 0


@pytest.mark.parametrize(
    "written", [REAL, f"{REAL}/", "https://LIMS.company.com/api", "https://ana:canary@lims.company.com/api?x=1"]
)
def test_what_tells_no_systems_apart_is_left_out(written: str) -> None:
    assert comparable(written) == REAL
