"""The office under attack: reports, tasks, hours, invoices and stock movements of a laboratory whose tests are done."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import sandbox
from pv_testing.ledger import Ledger
from sandbox.closing import Tally, closing
from sandbox.seed import CUSTOMERS
from tests import yaml_text
from tests.chaos.siege import Siege
from tests.forks import PROJECT
from tests.shipped import configuration, impatient

SYSTEMS = ("qms", "pm", "erp")
WRITING = frozenset({"POST", "PUT", "PATCH"})
READING = ("/search", "/oauth/token")
CENT = Decimal("0.01")


@dataclass(frozen=True)
class OfficeVerdict:
    """What the systems' own databases, their request logs and the ledger say in the end.

    Attributes:
        tallies: what there is, beside what there should be.
        wrong: what isn't as it should be.
        kills: how often the process was killed.
        attempts: how many there were.
        lost_answers: how many answers were lost after the commit.
        early_requests: requests that came before a ``Retry-After``.
        audit_events: of the verified audit trail.
        sent_again: writes of a last run in which nothing had changed.
        seconds: how long it took.
    """

    tallies: list[Tally]
    wrong: list[str]
    kills: int
    attempts: int
    lost_answers: int
    early_requests: int
    audit_events: int
    sent_again: int
    seconds: float

    def lines(self) -> list[str]:
        """The verdict for people."""
        return [
            *(
                f"{each.system} {each.records}: {each.there}, {each.twice} twice {each.comes_to}"
                for each in self.tallies
            ),
            *(f"WRONG: {each}" for each in self.wrong),
            f"processes killed {self.kills}, attempts {self.attempts}",
            f"answers lost after the commit: {self.lost_answers}",
            f"requests before their Retry-After {self.early_requests}",
            f"audit trail verified: {self.audit_events:,} events",
            f"requests that write, sent by a last run in which nothing had changed: {self.sent_again}",
            f"{self.seconds:.0f} s",
        ]

    @property
    def holds(self) -> bool:
        """Whether the promise was kept: everything once, nothing missing, money to the cent, no system hammered."""
        return not self.wrong and self.early_requests == 0 and self.sent_again == 0


class OfficeAttack(Siege):
    """Kills the office's work again and again, and loses answers meanwhile.

    Args:
        lab: a laboratory where nothing has happened yet.
        ledger: the address of the ledger.
        directory: for configuration, contracts and logs.
        kills: how often the process is killed, each time when a random number of records has arrived.
        seed: of the random numbers.
        deadline: seconds after which all is given up.
    """

    def __init__(
        self, lab: sandbox.Lab, ledger: str, directory: Path, *, kills: int, seed: int = 7, deadline: float = 900.0
    ) -> None:
        super().__init__(directory, deadline)
        self.lab = lab
        self.ledger = ledger
        self.kills = kills
        self.seed = seed
        limits = {"attempt_timeout": 1, "total_timeout": 1.5, "horizon": 0.3}
        contracts = {each: impatient(f"{each}_custom", directory, bulk=5, **limits) for each in SYSTEMS}
        self._config = directory / "integrations.yaml"
        self._config.touch(mode=0o600)
        self._config.write_text(yaml_text.dump(configuration(lab, contracts)), encoding="utf-8")
        write_rules(directory)

    def run(self) -> OfficeVerdict:
        """Kill, retry and at last leave in peace; then count what arrived."""
        started = time.monotonic()
        for customer in CUSTOMERS:
            self.lab.know_customer(customer)
        for request in self.lab.service_requests():
            self.lab.run_executions(request["id"])
            self.lab.advance(request["id"], "REPORTS_APPROVED")
        for number, system in enumerate(SYSTEMS):
            self.lab.faults(system, *faults(number))
        self.kill_at(self._moments())
        self.leave_in_peace()
        lost = sum(rule["hits"] for each in SYSTEMS for rule in self.lab.fault_report(each) if "after" in rule["kind"])
        before = self._writes()
        self.attempt()
        return self._judge(lost, self._writes() - before, time.monotonic() - started)

    def command(self) -> list[str]:
        """Return the worker that does the office's work."""
        known = ["--config", str(self._config), "--ledger", self.ledger, "--owner", f"try {self.attempts}"]
        return ["tests.chaos.clerk", *known]

    def arrived(self) -> int:
        """Return how many records the three systems have."""
        return sum(tally.there for tally in self._tallies())

    def _moments(self) -> list[int]:
        total = sum(tally.wanted or 0 for tally in self._tallies())
        return sorted(random.Random(self.seed).sample(range(1, total), self.kills))

    def _tallies(self) -> list[Tally]:
        own = {"audit events", "invoice lines", "credit notes", "consumables drawn"}
        return [each for each in closing(self.lab) if each.system in SYSTEMS and each.records not in own]

    def _writes(self) -> int:
        requests = [request for each in SYSTEMS for request in self.lab.requests(each)]
        return sum(1 for r in requests if r["method"] in WRITING and not str(r["path"]).endswith(READING))

    def _judge(self, lost: int, sent_again: int, seconds: float) -> OfficeVerdict:
        tallies = self._tallies()
        wrong = [tally.complaint for tally in tallies if tally.complaint]
        with Ledger(self.ledger) as ledger:
            events = ledger.verify().count
        return OfficeVerdict(
            tallies=tallies,
            wrong=[*wrong, *wrong_capas(self.lab, tallies), *wrong_money(self.lab)],
            kills=self.killed,
            attempts=self.attempts,
            lost_answers=lost,
            early_requests=sum(len(self.lab.rate_violations(each)) for each in SYSTEMS),
            audit_events=events,
            sent_again=sent_again,
            seconds=seconds,
        )


def write_rules(directory: Path) -> None:
    """Write the shipped rules of the laboratory, without the approval of CAPAs, because there is no person to ask."""
    for policy in ("quality", "capa", "projects", "prices", "billing", "inventory"):
        policy_file = yaml_text.read(PROJECT / "config" / f"{policy}.yaml")
        if policy == "capa":
            policy_file["approval"] = {**policy_file.get("approval", {}), "required": False}
        (directory / f"{policy}.yaml").write_text(yaml_text.dump(policy_file, allow_unicode=True), encoding="utf-8")


def faults(seed: int) -> list[dict[str, Any]]:
    """Return what writes of a system suffer: lost answers, bursts of 429 and 500, connections that break."""
    kinds: list[dict[str, Any]] = [
        {"kind": "drop_after", "rate": 0.10},
        {"kind": "error", "status": 500, "when": "after", "rate": 0.02},
        {"kind": "rate_limit", "rate": 0.01, "burst": 3, "retry_after": 0.4},
        {"kind": "error", "status": 500, "rate": 0.01, "burst": 3},
        {"kind": "drop_before", "rate": 0.01},
    ]
    return [
        {"route": f"{method} /api/*", "seed": 10 * seed + place, **kind}
        for place, kind in enumerate(kinds)
        for method in ("POST", "PUT", "PATCH")
    ]


def wrong_capas(lab: sandbox.Lab, tallies: list[Tally]) -> Iterator[str]:
    """Give what is wrong with the CAPAs: one with three files for each protocol that more than five modules fail."""
    there = {tally.records: tally.there for tally in tallies}
    (row,) = lab.framework_rows(_RECURRING)
    wanted = (row["n"], 3 * row["n"])
    if (there["CAPAs"], there["files of CAPAs"]) != wanted:
        yield f"{wanted} CAPAs and files are called for, but there are {there['CAPAs']} and {there['files of CAPAs']}"


def wrong_money(lab: sandbox.Lab) -> Iterator[str]:
    """Compute every invoice anew from the shipped prices, and give what the ERP has otherwise."""
    prices = yaml_text.read(PROJECT / "config" / "prices.yaml")["prices"]
    billing = yaml_text.read(PROJECT / "config" / "billing.yaml")
    in_erp = {row["key"]: row for row in lab.rows("erp", _INVOICES)}
    for request in lab.framework_rows("SELECT sr_number, customer, module, testing FROM service_requests"):
        customer, module, testing = (yaml_text.load(request[name]) for name in ("customer", "module", "testing"))
        tax = billing["customers"][customer["name"]].get("tax") or billing["tax"]
        each = sum(Decimal(prices[protocol][0]["price"]) for protocol in testing["protocols"])
        subtotal = each * module["quantity"]
        total = subtotal + (subtotal * Decimal(tax.get("rate", "0")) / 100).quantize(CENT, ROUND_HALF_UP)
        invoice = in_erp.get(request["sr_number"], {"total": "nothing", "status": "missing"})
        there, wanted = f"{invoice['status']} with {invoice['total']}", f"POSTED with {total.quantize(CENT)}"
        if there != wanted:
            yield f"{request['sr_number']} should be {wanted}, but is {there}"


_INVOICES = "SELECT external_id AS key, status, json_extract(body, '$.total') AS total FROM invoices"
_RECURRING = (
    "SELECT count(*) AS n FROM (SELECT protocol_id FROM executions WHERE status = 'COMPLETE' AND qc_status = 'FAIL'"
    " GROUP BY protocol_id HAVING count(DISTINCT module_id) > 5)"
)
