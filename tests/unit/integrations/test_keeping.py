"""A client remembers for good unless it is told to forget, and to forget must be asked for by name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox
from pv_testing.core.errors import ConfigError, LedgerError
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from pv_testing.ledger.store import warn_of_volatile
from sandbox import Lab

SAMPLE = {"external_id": "SN001", "project_id": "SR-1", "customer": "Helios"}


@pytest.fixture
def lab() -> Iterator[Lab]:
    with sandbox.serve() as served:
        yield served


def carry(lab: Lab, ledger: Ledger | None = None) -> str:
    with LIMSClient(lab.lims_url, api_key=lab.credentials.lims_api_key, ledger=ledger) as lims:
        (outcome,) = lims.create_samples([SAMPLE]).outcomes
    return outcome.result.value


def test_without_a_ledger_the_one_in_the_home_is_taken_whose_folder_is_made(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "new" / "home"))
    assert [carry(lab), carry(lab)] == ["created", "unchanged"]
    assert (tmp_path / "new" / "home" / "pv_ledger.sqlite").exists()
    assert len(lab.samples()) == 1


def test_the_configured_ledger_is_taken_also_where_the_address_is_an_argument(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path
) -> None:
    path = tmp_path / "integrations.yaml"
    path.write_text(
        f"ledger: {{url: 'sqlite:///{tmp_path}/lab.sqlite'}}\nqms: {{provider: Heliox}}\n", encoding="utf-8"
    )
    monkeypatch.setenv("PV_CONFIG", str(path))
    assert [carry(lab), carry(lab)] == ["created", "unchanged"]
    assert (tmp_path / "lab.sqlite").exists()
    assert not list(home.iterdir())


def test_a_ledger_that_can_not_be_used_sends_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "file"))
    with pytest.raises(LedgerError):
        carry(lab)
    monkeypatch.setenv("PV_CONFIG", str(tmp_path / "absent.yaml"))
    with pytest.raises(ConfigError, match="absent"):
        carry(lab)
    assert not lab.samples()


def test_a_ledger_in_memory_warns_once_a_process_and_forgets(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_volatile.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with Ledger.in_memory() as ledger:
                assert carry(lab, ledger) == "created"
        Ledger.in_memory(quiet=True).close()
    assert [record.message[:34] for record in caplog.records] == ["a ledger in memory forgets every r"]


def test_a_ledger_says_where_it_is() -> None:
    with pytest.raises(TypeError):
        Ledger()  # type: ignore[call-arg]


def test_many_calls_at_once_open_one_ledger(lab: Lab, home: Path) -> None:
    opened: list[Ledger] = []

    def open_it() -> Ledger:
        opened.append(Ledger(f"sqlite:///{home}/own.sqlite"))
        return opened[-1]

    async def ask() -> set[str]:
        async with LIMSClient(lab.lims_url, api_key=lab.credentials.lims_api_key, ledger=open_it) as lims:
            return set(await asyncio.gather(*(lims.aidentity() for _ in range(20))))

    assert asyncio.run(ask()) == {"api-key"}
    assert len(opened) == 1
