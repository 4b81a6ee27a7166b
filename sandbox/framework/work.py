"""The laboratory's work: executions are planned from a request and come to their end when the laboratory runs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from sandbox import catalogue, physics
from sandbox.chance import chance
from sandbox.framework.models import VerdictsIn
from sandbox.framework.records import EXECUTION_COLUMNS, PLANNED, FrameworkRecords, load
from sandbox.store import placeholders
from sandbox.times import now, parse, stamp

OPERATORS = (42, 43, 44)
_INSERT = f"INSERT INTO executions ({EXECUTION_COLUMNS}) VALUES ({placeholders(14)})"  # noqa: S608
_START = (
    "UPDATE executions SET status = 'RUNNING', progress = 50, started_at = ?, updated_at = ? WHERE execution_id = ?"
)
_COMPLETE = (
    "UPDATE executions SET status = 'COMPLETE', progress = 100, started_at = ?, completed_at = ?, updated_at = ?"
    " WHERE execution_id = ?"
)
_STATE = (
    "SELECT count(*) AS every, sum(status != 'PLANNED') AS begun, sum(status = 'COMPLETE') AS complete"
    " FROM executions WHERE sr_id = ?"
)
_WEAKNESS = 0.6
BENCHES = {"tracer": "IVT-001", "simulator": "SIM-001", "chamber": "TC-001", "meter": "DMM-001"}


@dataclass(frozen=True)
class ExecutionPlan:
    """How a request's executions will go.

    Args:
        failures: the share of executions that fail.
        seed: of all random numbers.
        completed_from: when given, all executions are complete, the first at this instant and one more each minute.
        weak: a protocol that more than half of the modules fail besides.
        after: the number that the first execution follows, where there is none of a higher number.
    """

    failures: float = 0.07
    seed: int = 1
    completed_from: datetime | None = None
    weak: str = ""
    after: int = 0


def plan(records: FrameworkRecords, sr_id: int, how: ExecutionPlan) -> int:
    """Add one execution for each module and protocol of a request and return how many."""
    row = records.service_request(sr_id)
    serials = list(dict.fromkeys(load(row, "module").get("serial_numbers") or []))
    chosen = [each for each in load(row, "testing")["protocols"] if each in catalogue.protocols()]
    last = int(records.store.value("SELECT coalesce(max(execution_id), 5000) FROM executions"))
    first = max(last, how.after) + 1
    rows = list(_executions(sr_id, serials, chosen, first, how))
    with records.store.transaction():
        records.store.execute_many(_INSERT, rows)
    return len(rows)


def plan_one(
    records: FrameworkRecords, sr_id: int, serial: str, protocol: catalogue.Protocol, how: ExecutionPlan
) -> int:
    """Add one execution and return its id."""
    identity = int(records.store.value("SELECT coalesce(max(execution_id), 5000) + 1 FROM executions"))
    random = chance(how.seed, identity)
    results = physics.run_test(protocol, physics.new_module(random), random, fails=random.random() < how.failures)
    records.store.execute(_INSERT, _row(identity, sr_id, serial, protocol, results, how, now(), identity))
    return identity


def _executions(
    sr_id: int, serials: list[str], chosen: list[str], first: int, how: ExecutionPlan
) -> Iterator[tuple[Any, ...]]:
    random = chance(how.seed, sr_id)
    total = len(serials) * len(chosen)
    failing = set(random.sample(range(total), round(total * how.failures)))
    if how.weak in chosen:
        places = random.sample(range(len(serials)), round(len(serials) * _WEAKNESS))
        failing |= {place * len(chosen) + chosen.index(how.weak) for place in places}
    known = catalogue.protocols()
    at = now()
    for place, serial in enumerate(serials):
        module = physics.new_module(random)
        for step, identity in enumerate(chosen):
            number = place * len(chosen) + step
            protocol = known[identity]
            results = physics.run_test(protocol, module, random, fails=number in failing)
            yield _row(first + number, sr_id, serial, protocol, results, how, at, number)


def _row(
    identity: int,
    sr_id: int,
    serial: str,
    protocol: catalogue.Protocol,
    results: dict[str, Any],
    how: ExecutionPlan,
    at: str,
    number: int,
) -> tuple[Any, ...]:
    started = completed = None
    if how.completed_from:
        end = how.completed_from + timedelta(minutes=number)
        started, completed = stamp(end - timedelta(hours=protocol.duration_hours)), stamp(end)
    status, progress = ("COMPLETE", 100.0) if completed else (PLANNED, 0.0)
    operator = OPERATORS[number % len(OPERATORS)]
    equipment = orjson.dumps(_equipment(protocol)).decode()
    text = orjson.dumps(results).decode()
    fixed = (identity, protocol.protocol_id, sr_id, serial, operator, equipment)
    return (
        *fixed,
        status,
        progress,
        results["qc_status"],
        protocol.duration_hours,
        started,
        completed,
        completed or at,
        text,
    )


def _equipment(protocol: catalogue.Protocol) -> dict[str, str]:
    words = " ".join(protocol.equipment).lower()
    benches = {role: identity for role, identity in BENCHES.items() if role in words}
    return benches or {"meter": BENCHES["meter"]}


def run(records: FrameworkRecords, sr_id: int, *, fraction: float, complete: bool) -> int:
    """Bring executions of a request to their end, or only begin them.

    Args:
        records: the framework's records.
        sr_id: the request; one that has no executions yet gets them planned first.
        fraction: the share of all its executions that shall have been run then.
        complete: whether they come to their end; else they are running afterwards.

    Returns:
        How many executions changed.
    """
    total = int(records.store.value("SELECT count(*) FROM executions WHERE sr_id = ?", (sr_id,)))
    if not total:
        total = plan(records, sr_id, ExecutionPlan(seed=sr_id))
    open_states = "('PLANNED', 'RUNNING')" if complete else "('PLANNED')"
    sql = (
        f"SELECT execution_id, hours, started_at FROM executions WHERE sr_id = ? AND status IN {open_states} ORDER BY 1"  # noqa: S608
    )
    waiting = records.store.rows(sql, (sr_id,))
    chosen = waiting[: max(0, round(total * fraction) - (total - len(waiting)))]
    at = now()
    with records.store.transaction():
        if complete:
            ends = [(_begin(each["hours"], at), at, at, each["execution_id"]) for each in chosen]
            records.store.execute_many(_COMPLETE, ends)
        else:
            records.store.execute_many(_START, [(at, at, each["execution_id"]) for each in chosen])
        _follow(records, sr_id)
    return len(chosen)


def _begin(hours: float, end: str) -> str:
    return stamp(parse(end) - timedelta(hours=hours))


def _follow(records: FrameworkRecords, sr_id: int) -> None:
    """Let the request's status follow its executions."""
    row = records.store.row(_STATE, (sr_id,))
    assert row is not None
    if row["begun"]:
        records.reach(sr_id, "TESTING_IN_PROGRESS", "laboratory")
    if row["every"] and row["complete"] == row["every"]:
        records.reach(sr_id, "TESTING_COMPLETE", "laboratory")


def correct(records: FrameworkRecords, execution_id: int, measurements: dict[str, Any]) -> None:
    """Put re-analysed measurements in the place of earlier ones."""
    results = load(records.execution(execution_id), "results")
    results["measurements"].update(measurements)
    sql = "UPDATE executions SET results = ?, updated_at = ? WHERE execution_id = ?"
    records.store.execute(sql, (orjson.dumps(results).decode(), now(), execution_id))
    records.note("laboratory", "data_update", "execution", execution_id, None, ", ".join(measurements))


def decide(records: FrameworkRecords, execution_id: int, decision: VerdictsIn) -> None:
    """Put other verdicts, and other criteria if any are given, in the place of an execution's earlier ones."""
    results = load(records.execution(execution_id), "results")
    overall = decision.qc_status if decision.overall is None else decision.overall
    criteria = results["pass_fail"]["criteria"] if decision.criteria is None else decision.criteria
    results |= {"qc_status": decision.qc_status, "pass_fail": {"overall": overall, "criteria": criteria}}
    sql = "UPDATE executions SET results = ?, qc_status = ?, updated_at = ? WHERE execution_id = ?"
    records.store.execute(sql, (orjson.dumps(results).decode(), decision.qc_status, now(), execution_id))
