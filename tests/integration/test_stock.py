"""Shows that the ERP's stock follows the laboratory: in order, once, and with the days on which it happened."""

from __future__ import annotations

import json
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

import sandbox
from pv_testing.core.errors import ExchangeIncomplete, IntegrationError
from pv_testing.core.sync import run
from pv_testing.integrations import ERPClient, FrameworkClient
from pv_testing.inventory import InventoryPolicy
from pv_testing.inventory.stock import STOCK, draw_consumables, move_stock
from pv_testing.ledger import Ledger
from pv_testing.workflow.sweep import Sweep

STATES = {"received": "INSPECTION_COMPLETE", "stored": "TESTING_COMPLETE", "leaving": "CLOSED"}
POLICY = InventoryPolicy.of(
    {
        "product": "PV-MODULE",
        "states": STATES,
        "leaving": {"scrapped_if_failed": ["PVTP-001"]},
        "consumables": {"PVTP-001": {"CLEANER": {"quantity": "0.05", "unit": "l"}}},
    }
)
BERLIN = ZoneInfo("Europe/Berlin")


class Store:
    """The two steps, run as the operators run them, and what the ERP's database holds then."""

    def __init__(self, lab: sandbox.Lab, ledger: Ledger) -> None:
        self.lab = lab
        self.ledger = ledger
        known = lab.credentials
        user = {"username": known.framework_username, "password": known.framework_password}
        client = {"client_id": known.erp_client_id, "client_secret": known.erp_client_secret}
        self.framework = FrameworkClient(lab.framework_url, ledger=ledger, **user)
        self.erp = ERPClient(lab.url("erp"), ledger=ledger, owner="test", **client)

    def ids(self):
        return [request["id"] for request in self.framework.list_service_requests()]

    def step(self, workflow, *, ids=None, policy=POLICY, zone=BERLIN, **options):
        wanted = self.ids() if ids is None else ids
        return run(workflow(self.framework, self.erp, wanted, policy=policy, zone=zone, **options))

    def move(self, **options):
        return self.step(move_stock, **options)

    def draw(self, **options):
        return self.step(draw_consumables, **options)

    def advance(self, state):
        for sr in self.ids():
            self.lab.advance(sr, state)

    def rows(self, table="stock_movements"):
        sql = f"SELECT number, external_id, status, json_extract(body, '$.date') AS date, body FROM {table} ORDER BY 1"
        return self.lab.rows("erp", sql)

    def keys(self, table="stock_movements"):
        return [row["external_id"] for row in self.rows(table)]

    def writes(self):
        paths = ("/stock-movements", "/stock-movements/bulk", "/consumables", "/consumables/bulk")
        return [r for r in self.lab.requests("erp") if r["method"] == "POST" and r["path"].endswith(paths)]

    def closed(self):
        return list(Sweep(self.framework, self.ledger, STOCK, (), days=30).due(keep=False).values())

    def close(self):
        self.framework.close()
        self.erp.close()


@pytest.fixture
def stock(tmp_path):
    """Return a function that starts a laboratory with a seed plan and gives its store."""
    with ExitStack() as stack:

        def start(**plan) -> Store:
            lab = stack.enter_context(sandbox.serve(tmp_path / "lab", seed_plan=sandbox.SeedPlan(**plan)))
            ledger = stack.enter_context(Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))
            return stack.enter_context(closing(Store(lab, ledger)))

        yield start


def test_modules_are_received_stored_and_returned_or_scrapped_as_their_request_goes_on(stock):
    store = stock(modules=4, protocols=1, failures=0.25)
    assert store.move().total() == 0
    store.advance("INSPECTION_COMPLETE")
    assert store.move().counts()["created"] == 4
    store.lab.run_executions()
    assert store.move().counts()["created"] == 4
    assert {row["status"] for row in store.rows()} == {"RECEIVED", "STORED"}
    store.advance("CLOSED")
    report = store.move()
    assert (report.counts()["created"], report.counts()["unchanged"]) == (4, 8)
    (failed,) = [each["module_id"] for each in store.lab.executions() if each["qc_status"] == "FAIL"]
    left = {row["external_id"].split("/")[1]: row["status"] for row in store.rows()[8:]}
    assert {serial for serial, movement in left.items() if movement == "SCRAPPED"} == {failed}
    assert sorted(left.values()) == ["RETURNED"] * 3 + ["SCRAPPED"]


def test_a_closed_request_that_nobody_has_seen_gets_all_its_movements_in_their_order(stock):
    store = stock(modules=3, protocols=1, state="complete", failures=0)
    store.advance("CLOSED")
    report = store.move()
    report.raise_for_waiting()
    assert [row["status"] for row in store.rows()] == ["RECEIVED"] * 3 + ["STORED"] * 3 + ["RETURNED"] * 3
    assert len(set(store.keys())) == 9


def test_a_second_run_writes_nothing_and_asks_the_erp_nothing(stock):
    store = stock(modules=3, protocols=2, state="complete")
    store.advance("CLOSED")
    store.move().raise_for_waiting()
    store.draw().raise_for_waiting()
    before, events = len(store.lab.requests("erp")), store.ledger.verify().count
    assert store.move().counts()["unchanged"] == store.move().total() == 9
    assert store.draw().counts()["unchanged"] == store.draw().total() == 3
    assert len(store.lab.requests("erp")) == before
    assert store.ledger.verify().count == events


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_after"},
        {"kind": "drop_before"},
        {"kind": "truncate"},
        {"kind": "html"},
        {"kind": "error", "status": 500},
        {"kind": "error", "status": 500, "when": "after"},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('when', '')}",
)
def test_lost_answers_and_failures_double_nothing_and_keep_the_order(stock, fault):
    store = stock(modules=30, protocols=1, state="complete", failures=0)
    store.advance("CLOSED")
    store.lab.faults("erp", {"route": "POST /api/*/bulk", "rate": 0.6, "seed": 2, "times": 4, **fault})
    for _ in range(3):
        moved, drawn = store.move(), store.draw()
    moved.raise_for_waiting()
    drawn.raise_for_waiting()
    assert [row["status"] for row in store.rows()] == ["RECEIVED"] * 30 + ["STORED"] * 30 + ["RETURNED"] * 30
    assert len(set(store.keys())) == 90
    assert len(store.keys("consumables")) == len(set(store.keys("consumables"))) == 30
    assert sum(rule["hits"] for rule in store.lab.fault_report("erp")) > 0


def test_a_movement_waits_for_the_one_before(stock):
    store = stock(modules=2, protocols=1, state="complete", failures=0)
    (request,) = store.lab.service_requests()
    number, (one, two) = request["sr_number"], request["module"]["serial_numbers"]
    # The ERP has booked the first module itself, under a key of its own, so that it refuses ours.
    store.erp.call("record_stock_movement", external_id="by hand", **_movement(number, one, "RECEIVED"))
    report = store.move()
    assert [outcome.key for outcome in report.not_in_effect()] == [f"{number}/{one}/RECEIVED"]
    assert report.notes == [f"{number}: stored waits for received with {one}"]
    assert store.keys() == ["by hand", f"{number}/{two}/RECEIVED", f"{number}/{two}/STORED"]
    with pytest.raises(ExchangeIncomplete, match="1 wait for a person"):
        report.raise_for_waiting()


def _movement(sr_number, serial, movement):
    return {"sr_number": sr_number, "serial_number": serial, "movement": movement, "date": "2025-11-01"}


def test_days_are_the_laboratorys_and_stay_as_they_were_first_seen(stock):
    store = stock(modules=1, protocols=1, state="complete", failures=0)
    store.lab.faults("erp", {"route": "POST /api/*", "kind": "error", "status": 503, "times": 200})
    assert store.move().error is not None
    first = store.ledger.watermark(f"{STOCK}/SR-2025-0001")
    store.lab.faults("erp")
    store.advance("REPORTS_APPROVED")
    store.move().raise_for_waiting()
    assert store.ledger.watermark(f"{STOCK}/SR-2025-0001") == first
    # Created and changed last on 1 September; the only execution ended on 13 November at 06:00 UTC.
    assert [(row["status"], row["date"]) for row in store.rows()] == [
        ("RECEIVED", "2025-09-01"),
        ("STORED", "2025-11-13"),
    ]
    store.advance("CLOSED")
    store.move(zone=ZoneInfo("Pacific/Kiritimati")).raise_for_waiting()
    assert (
        store.rows()[-1]["date"]
        == datetime.now(timezone.utc).astimezone(ZoneInfo("Pacific/Kiritimati")).date().isoformat()
    )


def test_how_a_module_left_is_decided_once(stock):
    store = stock(modules=2, protocols=1, state="complete", failures=0)
    store.advance("CLOSED")
    store.move().raise_for_waiting()
    otherwise = InventoryPolicy.of({"states": STATES, "leaving": {"destroyed_by": ["PVTP-001"]}})
    report = store.move(policy=otherwise)
    assert report.counts()["unchanged"] == report.total() == 6
    assert [note.partition(": ")[2] for note in report.notes] == [
        "by today's rules 2 modules, the first is AST2025M400001 would leave otherwise; what is booked stays"
    ]
    assert sorted({row["status"] for row in store.rows()}) == ["RECEIVED", "RETURNED", "STORED"]


def test_a_lost_decision_is_looked_up_and_not_taken_again(stock):
    store = stock(modules=1, protocols=1, state="complete", failures=0)
    store.move().raise_for_waiting()
    store.advance("CLOSED")
    rules = [
        {"route": "POST /api/stock-movements*", "kind": "drop_after", "times": 1},
        {"route": "* /api/*", "kind": "error", "status": 503},
    ]
    store.lab.faults("erp", *rules)
    with pytest.raises(IntegrationError):
        store.move().raise_for_waiting()
    store.lab.faults("erp")
    otherwise = InventoryPolicy.of({"states": STATES, "leaving": {"modules": "scrapped"}})
    store.move(policy=otherwise).raise_for_waiting()
    assert [row["status"] for row in store.rows()] == ["RECEIVED", "STORED", "RETURNED"]


def test_an_execution_without_verdict_keeps_a_module_from_leaving(stock):
    store = stock(modules=2, protocols=1, state="complete", failures=0)
    store.advance("CLOSED")
    with _framework_database(store) as connection:
        connection.execute("UPDATE executions SET qc_status = 'PENDING' WHERE execution_id = 5001")
    report = store.move()
    (outcome,) = report.not_in_effect()
    assert (outcome.result.value, outcome.code) == ("deferred", "VERDICT_MISSING")
    assert store.closed() == store.ids()
    with _framework_database(store) as connection:
        connection.execute("UPDATE executions SET qc_status = 'FAIL' WHERE execution_id = 5001")
    store.move().raise_for_waiting()
    assert sorted(row["status"] for row in store.rows()[4:]) == ["RETURNED", "SCRAPPED"]
    assert store.closed() == []


@contextmanager
def _framework_database(store):
    with closing(sqlite3.connect(store.lab.settings.database("framework"))) as connection, connection:
        yield connection


def test_modules_without_or_with_a_doubled_serial_number_are_in_no_stock(stock):
    store = stock(modules=3, protocols=1)
    with _framework_database(store) as connection:
        connection.execute(
            "UPDATE service_requests SET module = json_set(module, '$.serial_numbers', json(?))",
            ('["A","B","A",null]',),
        )
    store.advance("INSPECTION_COMPLETE")
    report = store.move()
    assert store.keys() == ["SR-2025-0001/B/RECEIVED"]
    assert [(outcome.key, outcome.code) for outcome in report.not_in_effect()] == [
        ("SR-2025-0001/A/RECEIVED", "SERIAL_DUPLICATE")
    ]
    assert report.notes == [
        "SR-2025-0001: 1 modules have no serial number and are in no stock; enter it in the framework"
    ]


def test_closed_requests_are_found_until_their_modules_have_left_and_not_after(stock):
    store = stock(requests=3, modules=1, protocols=1, failures=0)
    first, second, third = store.ids()
    store.lab.advance(first, "INSPECTION_COMPLETE")
    store.lab.advance(second, "INSPECTION_COMPLETE")
    store.move().raise_for_waiting()
    assert store.closed() == [first, second]
    store.lab.run_executions(first)
    store.lab.advance(first, "CLOSED")
    store.lab.vanish(second)
    report = store.move(ids=store.closed())
    assert any(f"service request {second} has been deleted" in note for note in report.notes)
    assert store.closed() == []
    # Created long ago and never seen: not looked for. Created today: found, although closed before any run saw it.
    store.lab.advance(third, "CLOSED")
    assert store.closed() == []
    with _framework_database(store) as connection:
        today = datetime.now(timezone.utc).isoformat()
        connection.execute("UPDATE service_requests SET created_at = ? WHERE id = ?", (today, third))
    assert store.closed() == [third]
    store.move(ids=[third]).raise_for_waiting()
    assert store.closed() == []


def test_a_booked_module_that_its_request_lists_no_longer_waits_for_a_person(stock):
    store = stock(modules=2, protocols=1)
    store.advance("INSPECTION_COMPLETE")
    store.move().raise_for_waiting()
    with _framework_database(store) as connection:
        sql = "UPDATE service_requests SET module = json_set(module, '$.serial_numbers', json(?))"
        connection.execute(sql, ('["AST2025M400001","NEW"]',))
    report = store.move()
    (waits,) = report.not_in_effect()
    gone = "SR-2025-0001/AST2025M400002"
    assert (waits.key, waits.result.value, waits.code) == (f"{gone}/RETURNED", "quarantined", "MODULE_NOT_LISTED")
    assert [row["external_id"] for row in store.rows()][2:] == ["SR-2025-0001/NEW/RECEIVED"]
    store.lab.advance(1, "CLOSED")
    assert [outcome.key for outcome in store.move().not_in_effect()] == [waits.key]
    assert store.closed() == [1]
    store.ledger.confirm("erp", "stock_movement", waits.key, "MOV-000009", owner="ada")
    store.move().raise_for_waiting()
    assert store.closed() == []


def test_a_laboratory_that_books_no_leaving_is_finished_with_what_it_books(stock):
    store = stock(modules=2, protocols=1, state="complete")
    steps = {step: STATES[step] for step in ("received", "stored")}
    some = InventoryPolicy.of({"states": STATES}).model_copy(update={"states": steps})
    store.advance("CLOSED")
    store.move(policy=some).raise_for_waiting()
    assert [row["status"] for row in store.rows()] == ["RECEIVED"] * 2 + ["STORED"] * 2
    assert store.closed() == []


def test_a_settled_request_costs_the_framework_one_read(stock):
    store = stock(modules=12, protocols=12, state="complete")
    store.move().raise_for_waiting()
    (sr,) = store.ids()
    before = len(store.lab.requests("framework"))
    assert store.move(ids=[sr]).counts()["unchanged"] == 24
    assert [request["path"] for request in store.lab.requests("framework")[before:]] == [
        f"/api/v1/service-requests/{sr}"
    ]


def test_a_dry_run_says_all_and_changes_nothing_anywhere(stock):
    store = stock(modules=3, protocols=1, state="complete", failures=0)
    store.advance("CLOSED")
    assert store.move(dry_run=True).counts()["created"] == 9
    assert store.draw(dry_run=True).counts()["created"] == 3
    assert (store.rows(), store.rows("consumables"), store.writes()) == ([], [], [])
    assert store.ledger.verify().count == 0
    assert store.ledger.watermark(STOCK) is None


def test_consumables_are_drawn_once_an_execution_and_item(stock):
    store = stock(modules=3, protocols=2)
    store.advance("PROTOCOLS_ASSIGNED")
    assert store.draw().total() == 0
    store.lab.run_executions(fraction=0.5)
    half = store.draw().counts()["created"]
    store.lab.run_executions()
    store.draw().raise_for_waiting()
    done = [each for each in store.lab.executions() if each["protocol_id"] == "PVTP-001"]
    assert 0 < half < len(done) == 3
    assert sorted(store.keys("consumables")) == [f"{each['execution_id']}/CLEANER" for each in done]
    assert {json.loads(row["body"])["quantity"] for row in store.rows("consumables")} == {"0.05"}
    more = InventoryPolicy.of({"consumables": {"PVTP-001": {"CLEANER": {"quantity": "9", "unit": "l"}}}})
    assert store.draw(policy=more).counts()["unchanged"] == 3
    assert {json.loads(row["body"])["quantity"] for row in store.rows("consumables")} == {"0.05"}


def test_without_states_nothing_is_moved_and_without_consumables_nothing_drawn(stock):
    store = stock(modules=2, protocols=1, state="complete")
    before = len(store.lab.requests("framework"))
    nothing = InventoryPolicy.of({"closed_days": 0})
    assert store.move(policy=nothing, ids=[1]).total() == store.draw(policy=nothing, ids=[1]).total() == 0
    assert len(store.lab.requests("framework")) == before
