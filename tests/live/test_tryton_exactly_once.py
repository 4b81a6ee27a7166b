"""Shows on a real Tryton under attack: nothing twice, nothing missing, money to the cent, read back there.

Twelve service requests are billed for two new customers and one that Tryton has, posted, and partly given back; modules
move and consumables are drawn. Processes are killed with SIGKILL, answers are lost after the commit. What holds in the
end is asked of Tryton by its own API, not of this project.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pv_testing.ledger import Ledger
from sandbox.proxy import Proxy, serve_proxy
from tests import yaml_text
from tests.chaos.siege import Siege
from tests.forks import PROJECT
from tests.live.tryton import plan, work
from tests.live.tryton.caller import Caller
from tests.live.tryton.server import DATABASE, Server
from tests.live.whole_way import LIMITS

pytestmark = pytest.mark.live

DEADLINE = 1500.0
# The calls that change something; the rest may be asked any number of times.
WRITES = (".create", ".write", ".validate_invoice", ".post", ".do", ".wait", ".assign_try", ".assign_force")


class Attack(Siege):
    """Carries service requests through a proxy, a phase at a time, and kills it on the way."""

    def __init__(self, proxy: Proxy, books: Caller, directory: Path) -> None:
        super().__init__(directory, DEADLINE)
        self.proxy = proxy
        self.books = books
        self.today = datetime.now(timezone.utc).date()
        self.phase = ""
        self.lost = 0
        self._seen = 0
        self.ledger = f"sqlite:///{directory / 'ledger.sqlite'}"
        self._config = directory / "integrations.yaml"
        self._config.write_text(yaml_text.dump({"erp": configuration(proxy.url, directory)}), encoding="utf-8")

    def run(self, phase: str, kills: list[int]) -> None:
        """Run a phase to its end; each number kills an attempt when so many requests more have come."""
        self.phase = phase
        already = self.killed
        for number, moment in enumerate(kills, start=already + 1):
            begin = self.arrived()
            while self.killed < number and self.attempt(begin + moment):
                pass
        self.leave_in_peace()

    def command(self) -> list[str]:
        """Return the worker of this phase."""
        known = ["--config", str(self._config), "--ledger", self.ledger, "--owner", f"try {self.attempts}"]
        return ["tests.live.tryton.worker", self.phase, *known, "--on", self.today.isoformat()]

    def arrived(self) -> int:
        """Return how many requests have reached the proxy."""
        self._seen = max((request["number"] for request in self.proxy.requests(self._seen)), default=self._seen)
        return self._seen

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Return what the ledger has; its audit chain verifies."""
        with Ledger(self.ledger) as ledger:
            ledger.verify()
            return ledger.counts()


def configuration(url: str, directory: Path) -> dict[str, Any]:
    """Return a configuration whose deadlines are as short as a busy machine allows, so that leases end soon."""
    contract = yaml_text.read(PROJECT / "include/mappings/erp_tryton.yaml")
    contract["limits"].update(**LIMITS)
    file = directory / "erp_live.yaml"
    file.write_text(yaml_text.dump(contract, sort_keys=False), encoding="utf-8")
    return {
        "provider": "Tryton",
        "contract": str(file),
        "base_url": f"{url}/{DATABASE}",
        "auth_type": "basic",
        "username": plan.INTEGRATION,
        "password": plan.INTEGRATION_PASSWORD,
    }


def storm(rate: float) -> list[dict[str, Any]]:
    """Return the faults that hit writes: answers lost, requests that never arrive, errors around a commit."""
    kinds: list[tuple[str, float, dict[str, Any]]] = [
        ("drop_after", rate, {}),
        ("drop_before", rate / 4, {}),
        ("error", rate / 4, {"status": 500}),
        ("html", rate / 4, {}),
        ("truncate", rate / 4, {}),
    ]
    return [
        {"route": "POST *", "holding": f'{method}"', "kind": kind, "rate": share, "seed": seed, **more}
        for method in WRITES
        for seed, (kind, share, more) in enumerate(kinds, start=1)
    ]


@pytest.fixture(scope="module")
def books(tryton: Server) -> Iterator[Caller]:
    """Tryton's own view, past the proxy."""
    with Caller(tryton.url, plan.INTEGRATION, plan.INTEGRATION_PASSWORD) as caller:
        yield caller


@pytest.fixture(scope="module")
def attack(tryton: Server, books: Caller, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    with serve_proxy(tryton.url) as proxy:
        attack = Attack(proxy, books, tmp_path_factory.mktemp("attack"))
        proxy.faults(*storm(0.15))
        attack.run("bill", [20, 60, 60, 60])
        attack.run("stock", [20, 60, 60])
        attack.lost = sum(rule["hits"] for rule in proxy.read_faults("proxy") if rule["kind"] == "drop_after")
        proxy.faults()
        yield attack


def invoices(books: Caller, keys: list[str]) -> list[dict[str, Any]]:
    fields = ["reference", "state", "number", "untaxed_amount", "tax_amount", "total_amount", "party.name"]
    return books.search("account.invoice", [["reference", "in", keys]], fields)


def test_the_attack_was_one(attack):
    assert attack.killed == 7
    assert attack.lost >= 5


def test_every_customer_is_there_once(attack, books):
    names = [plan.CUSTOMER, *work.NEW_CUSTOMERS]
    there = books.search("party.party", [["name", "in", names]], ["name", "addresses"])
    assert Counter(each["name"] for each in there) == Counter(names)
    assert all(len(each["addresses"]) == 1 for each in there)


def test_every_invoice_is_posted_once_to_the_cent(attack, books):
    there = invoices(books, list(work.REQUESTS))
    assert Counter(each["reference"] for each in there) == Counter(work.REQUESTS)
    assert {each["state"] for each in there} == {"posted"}
    assert {each["total_amount"] for each in there} == {Decimal("14994.00")}
    assert sum(each["total_amount"] for each in there) == len(work.REQUESTS) * work.total(len(work.PROTOCOLS))
    assert len({each["number"] for each in there}) == len(work.REQUESTS)
    lines = books.search("account.invoice.line", [["invoice", "in", [each["id"] for each in there]]], ["quantity"])
    assert (len(lines), {line["quantity"] for line in lines}) == (len(work.REQUESTS) * len(work.PROTOCOLS), {12})


def test_every_invoice_is_booked_once(attack, books):
    origins = {f"account.invoice,{each['id']}": each["total_amount"] for each in invoices(books, list(work.REQUESTS))}
    moves = books.search("account.move", [["origin", "in", list(origins)]], ["origin", "state"])
    assert Counter(move["origin"] for move in moves) == Counter(list(origins))
    domain = [["move.origin", "in", list(origins)], ["maturity_date", "!=", None]]
    owed = books.search("account.move.line", domain, ["debit", "maturity_date"])
    assert sum(line["debit"] for line in owed) == sum(origins.values())
    assert {line["maturity_date"] for line in owed} == {attack.today}


def test_what_was_withdrawn_is_given_back_once(attack, books):
    keys = [f"{sr}/{protocol}" for sr, protocol in work.WITHDRAWN.items()]
    there = invoices(books, keys)
    assert Counter(each["reference"] for each in there) == Counter(keys)
    assert {(each["state"], each["total_amount"]) for each in there} == {("posted", Decimal("-4998.00"))}


def test_every_module_has_moved_once_each_way(attack, books):
    domain = [["product.code", "=", plan.MODULE], ["lot.number", "like", "SR-2024-%"]]
    there = books.search("stock.move", domain, ["state", "lot.number", "to_location.code", "effective_date"])
    wanted = Counter(
        (f"{sr}/{serial}", code)
        for sr in work.REQUESTS[:4]
        for serial in work.MODULES
        for code in ("LAB", "SHELF", "CUS")
    )
    assert Counter((each["lot."]["number"], each["to_location."]["code"]) for each in there) == wanted
    assert {(each["state"], each["effective_date"]) for each in there} == {("done", attack.today)}
    lots = books.search("stock.lot", [["number", "like", "SR-2024-%"]], ["number"])
    assert Counter(each["number"] for each in lots) == Counter(lot for lot, code in wanted if code == "LAB")


def test_every_draw_is_there_once(attack, books):
    keys = [f"{execution}/{plan.CLEANER}" for execution in work.EXECUTIONS]
    there = books.search("stock.shipment.internal", [["reference", "in", keys]], ["reference", "state"])
    assert Counter((each["reference"], each["state"]) for each in there) == Counter((key, "done") for key in keys)
    shipments = [f"stock.shipment.internal,{each['id']}" for each in there]
    moves = books.search("stock.move", [["shipment", "in", shipments]], ["state", "quantity"])
    assert [(each["state"], each["quantity"]) for each in moves] == [("done", 0.25)] * len(keys)


def test_the_ledger_says_the_same(attack):
    assert attack.counts() == {
        ("erp", "customer", "confirmed"): 1 + len(work.NEW_CUSTOMERS),
        ("erp", "invoice", "confirmed"): len(work.REQUESTS),
        ("erp", "invoice_posting", "confirmed"): len(work.REQUESTS),
        ("erp", "credit_note", "confirmed"): len(work.WITHDRAWN),
        ("erp", "stock_movement", "confirmed"): 4 * len(work.MODULES) * len(work.MOVEMENTS),
        ("erp", "consumable", "confirmed"): len(work.EXECUTIONS),
    }


def test_another_run_writes_nothing(attack, books):
    def newest() -> list[Any]:
        models = (
            "party.party",
            "account.invoice",
            "account.move",
            "stock.lot",
            "stock.move",
            "stock.shipment.internal",
        )
        return [(model, len(books.search(model, [], []))) for model in models]

    before = newest()
    for attack.phase in ("bill", "stock"):
        assert attack.attempt() == 0
    assert newest() == before
