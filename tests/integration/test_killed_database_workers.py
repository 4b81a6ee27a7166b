"""Workers that write into a database are killed at any moment; the one that is left loses and doubles nothing."""

from __future__ import annotations

import os
import random
import threading
import time

import pytest

from pv_testing.core.errors import ConfigError, LeaseLost
from pv_testing.core.records import Result
from pv_testing.ledger import Ledger, State
from sandbox.lims_database import SAMPLE, LimsDatabase
from tests.forks import ModuleProcess
from tests.integration import databases
from tests.integration.database_worker import samples

NUMBER = 400


def begin(folder, contract, ledger, place, *, together: bool = False) -> ModuleProcess:
    user = place.login.get("username", "")
    arguments = [str(contract), ledger, place.base_url, user, str(together), str(NUMBER)]
    log = folder / f"worker-{len(list(folder.glob('worker-*')))}.log"
    process = ModuleProcess(["tests.integration.database_worker", *arguments], os.environ, log)
    process.wait_for("begun\n")
    return process


def finish(process: ModuleProcess) -> None:
    process.wait(120)
    process.end()
    assert process.log.read_text(encoding="utf-8").endswith("done\n")


def killed_and_finished(folder, contract, ledger, place, *, together: bool = False) -> int:
    """Kill four workers in the midst of their work and let a fifth one finish; return how many were killed."""
    chance, killed = random.Random(11), 0
    for _ in range(4):
        process = begin(folder, contract, ledger, place, together=together)
        time.sleep(chance.uniform(0.05, 0.35))
        killed += process.poll() is None
        process.end()
    finish(begin(folder, contract, ledger, place, together=together))
    return killed


def keys(place) -> list[str]:
    with LimsDatabase(place.admin) as database:
        return sorted(row["TEXT_ID"] for row in database.rows(SAMPLE))


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres), "mariadb"])
def test_killed_workers_lose_nothing_and_double_nothing(kind, tmp_path):
    contract = databases.brief_contract(tmp_path)
    ledger = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with databases.place(kind, tmp_path) as place:
        assert killed_and_finished(tmp_path, contract, ledger, place) >= 2
        assert keys(place) == [sample["external_id"] for sample in samples(NUMBER)]


@pytest.fixture
def together(tmp_path):
    """Give a database that holds the LIMS's tables and the ledger, with the ledger's address."""
    with databases.place("postgresql", tmp_path) as place:
        yield place, place.admin.replace("+psycopg", "")


@pytest.mark.postgres
def test_killed_workers_leave_write_and_settlement_or_neither(together, tmp_path):
    place, ledger_url = together
    contract = databases.brief_contract(tmp_path)
    process = begin(tmp_path, contract, ledger_url, place, together=True)
    for _ in range(4):
        time.sleep(0.15)
        process.end()
        with Ledger(ledger_url) as ledger:
            confirmed = [entry.key.partition("/")[2] for entry in ledger.entries(states=[State.CONFIRMED])]
        assert sorted(confirmed) == keys(place)
        process = begin(tmp_path, contract, ledger_url, place, together=True)
    finish(process)
    assert keys(place) == [sample["external_id"] for sample in samples(NUMBER)]
    with Ledger(ledger_url) as ledger:
        ledger.verify()


@pytest.mark.postgres
@pytest.mark.parametrize("fate", ["before", "after"])
def test_a_commit_without_answer_needs_no_look_up(together, tmp_path, fate, caplog):
    place, ledger_url = together
    proxy = databases.CuttingProxy(place.port)
    through = ledger_url.replace(f":{place.port}/", f":{proxy.port}/")
    contract = databases.brief_contract(tmp_path)
    with Ledger(through) as ledger, place.client(contract, ledger, options={"one_transaction": True}) as lims:
        lims.create_samples(samples(1))
        proxy.plan = ["ok", fate]  # the claim's, then that of the write
        report = lims.create_samples(samples(5))
        proxy.plan = []
        ledger.verify()
    assert report.error is None
    assert {outcome.result for outcome in report.outcomes} == {Result.CREATED, Result.UNCHANGED}
    assert keys(place) == [sample["external_id"] for sample in samples(5)]
    assert proxy.cuts == 1
    assert "looked up" not in caplog.text
    assert "the ledger is asked" in caplog.text
    proxy.close()


class Taken(Ledger):
    """A ledger in which another attempt takes every record over, right before a write is settled."""

    def settle_within(self, connection, settlements, *, owner):
        def take() -> None:
            other = Ledger(self._store.url.render_as_string(hide_password=False))
            with other, other._store.writing() as writing:
                writing.connection.exec_driver_sql("UPDATE ledger_record SET token = token + 1, owner = 'other'")

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
        return super().settle_within(connection, settlements, owner=owner)


@pytest.mark.postgres
def test_an_attempt_whose_lease_is_gone_can_t_write(together, tmp_path):
    place, ledger_url = together
    contract = databases.brief_contract(tmp_path)
    with Taken(ledger_url) as ledger, place.client(contract, ledger, options={"one_transaction": True}) as lims:
        report = lims.create_samples(samples(1))
    assert report.outcomes[0].result is Result.DEFERRED
    assert report.outcomes[0].code in {LeaseLost.default_code, "AMBIGUOUS"}
    assert keys(place) == []


@pytest.mark.postgres
def test_a_ledger_elsewhere_is_refused(together, tmp_path, postgresql):
    place, _ = together
    contract = databases.brief_contract(tmp_path)
    for url in (postgresql, f"sqlite:///{tmp_path / 'ledger.sqlite'}"):
        with Ledger(url) as ledger, place.client(contract, ledger, options={"one_transaction": True}) as lims:
            report = lims.create_samples(samples(1))
        assert isinstance(report.error, ConfigError)
        assert report.error.code == "ONE_TRANSACTION"
    assert keys(place) == []
