"""What a service request does in each kind of system, and what is there in the end."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, cast

import sandbox
from pv_testing.config import load_config
from pv_testing.contracts import load_contract
from pv_testing.core.reasons import Reason
from pv_testing.ledger import Ledger
from sandbox.products import ErpStandIn, LimsStandIn, Product, Row, StandIn, UnproxiedStandIn
from sandbox.proxy import serve_proxy
from sandbox.seed import CUSTOMERS
from tests import yaml_text
from tests.chaos.office import write_rules
from tests.live.whole_way import storm
from tests.shipped import PROJECT, configuration
from tests.way import Way

MODULES = PROTOCOLS = 12
WHOLE = "PV_TEST_PRODUCTS" in os.environ
"""Whether LIMS and project management carry the whole request; otherwise four modules and protocols, to save time."""
FEW = 4
# A killed attempt's leases end after both timeouts and the horizon: the next attempt waits, or its clock is ahead.
LEASE = 15.0
LIMITS = {"attempt_timeout": 3, "total_timeout": 4, "horizon": 0.5}


@dataclass
class Walk(Way):
    """One service request's way through one product.

    Attributes:
        lab: the framework.
        product: which one.
        stand_in: it.
        section: its part of the configuration.
        lost: answers that were lost after the product had done the work.
    """

    lab: sandbox.Lab
    product: Product
    stand_in: StandIn
    section: Mapping[str, Any]
    lost: int = field(default=0, init=False)

    def configuration(self) -> dict[str, Any]:
        """Return the framework's part as it is shipped, and the product's with short deadlines."""
        shipped = configuration(self.lab, {})
        path = self.directory / "product.yaml"
        path.write_text(yaml_text.dump({self.product.system: dict(self.section)}), encoding="utf-8")
        contract = load_config(path).systems[self.product.system].contract
        shortened = shorten(Path(load_contract(contract).file), self.directory, self.product.name)
        section = {**self.section, "contract": str(shortened)}
        return {"framework": shipped["framework"], "lab": shipped["lab"], self.product.system: section}

    def carried(self) -> Path:
        """Return the file that gets what the next attempt carries, so that it can be read back."""
        return self.directory / f"{self.attempts:02}.carried"

    def writes(self) -> int:
        """Return how many writing requests have reached the product."""
        return super().writes() if self.proxies else cast("UnproxiedStandIn", self.stand_in).writes()

    def lease(self) -> float:
        """Return the seconds of a lease, or none where the product's own clock counts."""
        return 0.0 if self.product.timed else LEASE

    def attend(self) -> None:
        """Release what was sent twice while a search lags, after a look at the product: there is one at the most."""
        with Ledger(self.ledger) as ledger:
            for entry in ledger.waiting():
                if self.product.timed and entry.code == Reason.LOOKUP_REFUSED:
                    kinds = Journey.OF[entry.system].kinds
                    assert sum(self.keys(kind)[entry.key] for kind in kinds) <= 1, entry
                    ledger.release(entry.system, entry.kind, [entry.key], owner="a person")

    def storm(self, rate: float, seed: int = 1) -> None:
        """Lose answers and requests from now on; 0 ends it."""
        for proxy in self.proxies:
            self.lost += sum(rule["hits"] for rule in proxy.read_faults("proxy") if rule["kind"] == "drop_after")
            known = self.product.writes or (("POST *", ""), ("PUT *", ""), ("PATCH *", ""))
            faults = [fault for route, holding in known for fault in storm(rate, route, holding=holding)]
            proxy.faults(*(faults if rate else ()))
        if not self.proxies:
            cast("UnproxiedStandIn", self.stand_in).lose(rate, seed)

    @property
    def request(self) -> dict[str, Any]:
        """The service request."""
        (request,) = self.lab.service_requests()
        return request

    @property
    def executions(self) -> list[dict[str, Any]]:
        """The framework's own executions."""
        return list(self.lab.framework_rows("SELECT * FROM executions ORDER BY execution_id"))

    def keys(self, kind: str) -> Counter[str]:
        """Return the business keys that the product holds of a kind, each as often as it is there."""
        return Counter(row["key"] for row in self.stand_in.rows(kind))


def shorten(contract: Path, directory: Path, name: str) -> Path:
    """Write a contract with short deadlines, and return its file."""
    document = yaml_text.read(contract)
    document.setdefault("limits", {}).update(LIMITS)
    if "soap" in document:
        document["soap"]["wsdl"] = str(contract.parent / document["soap"]["wsdl"])
    for operation in document["operations"].values():
        if "files" in operation:
            operation["files"].update(wait=2)
    path = directory / f"{name}.contract.yaml"
    path.write_text(yaml_text.dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def open_walk(stack: ExitStack, product: Product, directory: Path) -> Walk:
    """Start the framework, the product with all its traps, and the proxy before it."""
    size = MODULES if WHOLE or product.system in ("qms", "erp") else FEW
    seed = sandbox.SeedPlan(requests=1, modules=size, protocols=size, weak="PVTP-018")
    lab = stack.enter_context(sandbox.serve(directory / "lab", seed_plan=seed))
    folder = directory / "product"
    folder.mkdir()
    stand_in = stack.enter_context(product.serve(folder, product.traps()))
    section, proxies = dict(stand_in.section), []
    if stand_in.origin:
        proxies.append(stack.enter_context(serve_proxy(stand_in.origin)))
        section["base_url"] = section["base_url"].replace(stand_in.origin, proxies[0].url)
    write_rules(directory)
    return Walk(directory, proxies, lab, product, stand_in, section)


def through_lims(walk: Walk) -> None:
    """Create the samples, receive them, upload the results and tell the status."""
    walk.storm(0.2)
    walk.step("intake", kill_after=[1, 4])
    cast("LimsStandIn", walk.stand_in).receive()
    walk.step("pull")
    walk.lab.run_executions(walk.request["id"])
    walk.storm(0.05)
    walk.step("results", kill_after=[2, 60 if WHOLE else 8])
    walk.storm(0)


def through_pm(walk: Walk) -> None:
    """Create the tasks, follow the tests, log the hours and close."""
    walk.storm(0.1)
    walk.step("tasks", kill_after=[1])
    walk.lab.advance(walk.request["id"], "PROTOCOLS_ASSIGNED")
    walk.step("tasks", kill_after=[2])
    walk.lab.run_executions(walk.request["id"])
    walk.step("updates", kill_after=[2])
    walk.step("hours", kill_after=[20, 60] if WHOLE else [4, 8])
    walk.lab.advance(walk.request["id"], "CLOSED")
    walk.step("updates")
    walk.step("hours")
    walk.storm(0)


def through_qms(walk: Walk) -> None:
    """Report the non-conformances and raise the CAPA."""
    walk.lab.run_executions(walk.request["id"])
    walk.storm(0.2)
    walk.step("reports", kill_after=[3])
    walk.step("capas", kill_after=[1])
    walk.storm(0)


def through_erp(walk: Walk) -> None:
    """Write the invoice and post it."""
    for name in CUSTOMERS:
        cast("ErpStandIn", walk.stand_in).know_customer(name)
    walk.lab.run_executions(walk.request["id"])
    walk.lab.advance(walk.request["id"], "REPORTS_APPROVED")
    walk.storm(0.2)
    walk.step("invoices", kill_after=[1, 2])
    walk.storm(0)


def judge_lims(walk: Walk) -> None:
    """Hold the LIMS against the framework: each module is a sample once, each execution a result once."""
    number, serials = walk.request["sr_number"], walk.request["module"]["serial_numbers"]
    assert walk.keys("sample") == Counter(f"{number}/{serial}" for serial in serials)
    assert walk.keys("result") == Counter(str(row["execution_id"]) for row in walk.executions)
    samples = {row["sample"] for row in walk.stand_in.rows("result")}
    assert samples == set(walk.keys("sample"))


def judge_pm(walk: Walk) -> None:
    """Hold the tasks and the hours against the framework."""
    number = walk.request["sr_number"]
    parts = {f"{number}/{protocol}" for protocol in walk.request["testing"]["protocols"]}
    assert walk.keys("task") == Counter({number, *parts})
    tasks = {row["key"]: row for row in walk.stand_in.rows("task")}
    assert all(row["done"] for row in tasks.values())
    assert {row["parent"] for key, row in tasks.items() if key != number} == {number}
    entries = walk.keys("time_entry")
    worked = {str(row["execution_id"]) for row in walk.executions}
    used = {
        f"{row['execution_id']}/{name}" for row in walk.executions for name in json.loads(row["equipment"]).values()
    }
    assert {key for key in entries if "/" not in key} == worked
    assert {key for key in entries if "/" in key} in (used, set())
    assert set(entries.values()) == {1}


def judge_qms(walk: Walk) -> None:
    """Hold the non-conformances and the CAPA against the failures."""
    failed = [str(row["execution_id"]) for row in walk.executions if row["qc_status"] == "FAIL"]
    assert len(failed) > 6
    assert walk.keys("non_conformance") == Counter(failed)
    assert walk.keys("capa") == Counter(["PVTP-018/1"])


def judge_erp(walk: Walk) -> None:
    """Hold the invoice against the price list, to the cent."""
    (invoice,) = walk.stand_in.rows("invoice")
    prices = yaml_text.read(PROJECT / "config" / "prices.yaml")["prices"]
    net = MODULES * sum(Decimal(prices[protocol][0]["price"]) for protocol in walk.request["testing"]["protocols"])
    tax = (net * Decimal("0.19")).quantize(Decimal("0.01"))
    assert invoice["key"] == walk.request["sr_number"]
    assert invoice["posted"]
    assert (invoice["net"], invoice["tax"], invoice["total"]) == (net, tax, net + tax)
    assert invoice["lines"] == PROTOCOLS


@dataclass(frozen=True)
class Journey:
    """What a kind of system goes through.

    Attributes:
        go: the way.
        judge: what holds in the end.
        again: the steps that, once more, write nothing.
        kills: how many attempts are killed at least; one that ends a moment before gets away.
        kinds: what the stand-in is asked for.
    """

    go: Callable[[Walk], None]
    judge: Callable[[Walk], None]
    again: tuple[str, ...]
    kills: int
    kinds: tuple[str, ...]

    OF: ClassVar[dict[str, Journey]]

    def state(self, walk: Walk) -> dict[str, list[Row]]:
        """Return everything that the product holds."""
        return {kind: walk.stand_in.rows(kind) for kind in self.kinds}


Journey.OF = {
    "lims": Journey(through_lims, judge_lims, ("intake", "results"), 1, ("sample", "result")),
    "pm": Journey(through_pm, judge_pm, ("tasks", "updates", "hours"), 3, ("task", "time_entry")),
    "qms": Journey(through_qms, judge_qms, ("reports", "capas"), 1, ("non_conformance", "capa")),
    "erp": Journey(through_erp, judge_erp, ("invoices",), 1, ("invoice",)),
}
