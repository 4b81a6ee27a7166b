"""One service request on its way: from the framework through the laboratory to the posted invoice."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from demo.api import FINAL, Api, Run, TaskRun
from demo.processes import Components, DemoError
from demo.products import Products
from demo.reports import lines_of, numbers, reports_on, say, together
from sandbox import Lab
from sandbox.closing import Tally, closing
from sandbox.judge import table

DAGS = (
    "pv_intake",
    "pv_status_sync",
    "pv_results",
    "pv_quality",
    "pv_projects",
    "pv_invoicing",
    "pv_capa",
    "pv_audit_sync",
    "pv_webhooks",
)
ASKING = "pv_capa"
"""The DAG that asks a person."""
ON_DATA = ("pv_quality", "pv_projects", "pv_invoicing")
BY_DATA = "asset_triggered"
BY_EVENT = "webhook__"
"""How the ids of runs begin that an event of a system has started."""
APPROVE = "Approve"
PARSE_SECONDS = 120.0
RUN_SECONDS = 300.0
READING_SECONDS = 2.0
"""How long the quality manager reads a question: Airflow repeats the task when an answer comes before the scheduler has
noted that the task waits."""
LOG_LINES = 25
READING_POSTS = ("/search", "/auth/login", "/auth/refresh", "/oauth/token")


class Story:
    """Runs the DAGs and plays the laboratory's part between them.

    Args:
        lab: the sandbox.
        api: Airflow.
        components: the processes, which must live on while a run is waited for.
        products: take the place of some of the sandbox's systems.
    """

    def __init__(self, lab: Lab, api: Api, components: Components, products: Products | None = None) -> None:
        self.lab = lab
        self.api = api
        self.components = components
        self.products = products or Products()
        self.count = 0
        self.told: set[tuple[str, str]] = set()
        self.brief = False

    def wait_for_dags(self, *more: str) -> None:
        """Wait until Airflow has read the DAG files.

        Args:
            more: further DAGs.

        Raises:
            DemoError: one can't be imported.
        """

        def read() -> bool | None:
            for name, trace in self.api.import_errors().items():
                raise DemoError(f"Airflow can't import {name}:\n{trace}")
            return True if self.api.dags().issuperset((*DAGS, *more)) else None

        self.components.wait_for("Reading the DAG files", read, seconds=PARSE_SECONDS, poll=0.5)

    def tell(self) -> None:
        """Carry the laboratory's open service requests from their arrival to their invoice."""
        self.run("pv_intake", "service requests become samples")
        self.carry_on()

    def carry_on(self) -> None:
        """Carry them from the samples to the invoice; :meth:`tell` without the intake."""
        requests = {request["sr_number"]: request["id"] for request in self.lab.service_requests()}
        received = self.products.receive()
        say(f"     the laboratory receives {len(self.lab.receive()) if received is None else received} samples")
        self.run("pv_status_sync", "the framework hears of the receipt")
        self._work(requests.values(), fraction=0.5)
        self.run("pv_results", "the first half of the results")
        self.run("pv_status_sync", "the LIMS hears of the testing")
        self._work(requests.values(), fraction=1.0)
        self.run("pv_results", "the second half of the results")
        self.run("pv_capa", "are there more failures than there should be?")
        self._advance(requests.values(), "REPORTS_APPROVED")
        self.run("pv_status_sync", "the LIMS hears of the approval")
        self.run("pv_audit_sync", "the QMS hears of all that was done")

    def repeat(self) -> list[dict[str, Any]]:
        """Run everything once more and return the requests that would have changed something."""
        last = {system: self._last_request(system) for system in self.lab.origins}
        held = self.products.state()
        before, self.brief = set(self.told), True
        for dag_id in DAGS:
            if dag_id not in {ran for ran, _ in self.told - before}:  # new data has not started it in this round
                self.run(dag_id, "once more")
        written: list[dict[str, Any]] = []
        for system, number in last.items():
            written += filter(writes, self.lab.read_requests(system, number))
        now = self.products.state()
        written += [{"method": "changed", "path": kind} for kind in held if held[kind] != now[kind]]
        return written

    def _last_request(self, system: str) -> int:
        return max((request["number"] for request in self.lab.read_requests(system)), default=0)

    def run(self, dag_id: str, why: str, **conf: Any) -> list[Any]:
        """Trigger a DAG, wait for its end, print the reports of its tasks, and return them.

        Args:
            dag_id: the DAG.
            why: the purpose of the run, in words.
            conf: the run's parameters.

        Raises:
            DemoError: the run failed or took too long.
        """
        self.count += 1
        started = time.monotonic()
        run_id = f"demo-{self.count:02}-{int(time.time())}"
        self.api.trigger(dag_id, run_id, conf)
        self._wait_for(dag_id, run_id)
        reports = self._report(dag_id, run_id, f"{self.count:>3}", f"{why} ({time.monotonic() - started:.1f} s)")
        self._settle()
        return reports

    def _wait_for(self, dag_id: str, run_id: str) -> None:
        asked: dict[str, float] = {}

        def ended() -> str | None:
            for question in self.api.questions(dag_id, run_id) if dag_id == ASKING else ():
                since = asked.setdefault(question["task_instance"]["id"], time.monotonic())
                if time.monotonic() - since >= READING_SECONDS:
                    say(f"     the quality manager is asked: {question['subject']} The answer is: approve.")
                    self.api.answer(dag_id, run_id, question, APPROVE)
            return self.api.finished(dag_id, run_id)

        activity = f"The run {run_id} of {dag_id}"
        state = self.components.wait_for(activity, ended, seconds=RUN_SECONDS, poll=0.5)
        if state != "success":
            raise DemoError(self._failure(dag_id, run_id, self.api.tasks(dag_id, run_id)))
        self.told.add((dag_id, run_id))

    def follow(self, dag_id: str) -> None:
        """Wait for the runs that an event of a system starts, and print the reports of their tasks.

        Args:
            dag_id: a DAG that the event starts.
        """

        def begun() -> bool | None:
            return any(run.dag_id == dag_id and run.run_id.startswith(BY_EVENT) for run in self.api.runs()) or None

        self.components.wait_for(f"The start of {dag_id} by an event", begun, seconds=RUN_SECONDS, poll=0.5)
        self._settle()

    def _settle(self) -> None:
        """Wait until every run that changed data or an event has set off has ended, and print its reports."""
        self.components.wait_for("The runs that new data set off", self._settled, seconds=RUN_SECONDS, poll=0.5)
        for run in self.api.runs():
            cause = cause_of(run)
            if cause and (run.dag_id, run.run_id) not in self.told:
                self._wait_for(run.dag_id, run.run_id)
                self._report(run.dag_id, run.run_id, "   ", cause)

    def _settled(self) -> bool | None:
        if not self._idle() or any(self.api.queued(dag_id) for dag_id in ON_DATA):
            return None
        return True if self._idle() else None  # what was queued a moment before may run now

    def _idle(self) -> bool:
        return all(run.state in FINAL for run in self.api.runs())

    def _report(self, dag_id: str, run_id: str, mark: str, why: str) -> list[Any]:
        tasks = [task for task in self.api.tasks(dag_id, run_id) if task.state == "success" and reports_on(task)]
        reports = [(task, self.api.result(dag_id, run_id, task)) for task in tasks]
        if self.brief:
            say(f"{mark}  {dag_id:<15} {why}: {numbers(together(report for _, report in reports))}")
            return [report for _, report in reports]
        lines = [line for task, report in reports for line in lines_of(task.name, report)]
        say(f"{mark}  {dag_id:<15} {why}" + ("" if lines else ": no records to carry"))
        for line in lines:
            say(f"       {line}")
        return [report for _, report in reports]

    def _work(self, sr_ids: Sequence[int] | Any, fraction: float) -> None:
        done = 0
        for sr_id in sr_ids:
            self.lab.advance(sr_id, "PROTOCOLS_ASSIGNED")
            done += self.lab.run_executions(sr_id, fraction)
        say(f"     the laboratory completes {done} executions")

    def _advance(self, sr_ids: Sequence[int] | Any, status: str) -> None:
        for sr_id in sr_ids:
            self.lab.advance(sr_id, status)
        say("     the laboratory approves the reports")

    def _failure(self, dag_id: str, run_id: str, tasks: Sequence[TaskRun]) -> str:
        failed = [task for task in tasks if task.state == "failed"]
        lines = [f"The run {run_id} of {dag_id} failed: {', '.join(task.name for task in failed) or 'no task ran'}."]
        for task in failed[:1]:
            log = self.api.log(dag_id, run_id, task)
            lines += [
                f"The end of the log of {task.name}, try {task.attempt}:",
                *(f"  | {x}" for x in log[-LOG_LINES:]),
            ]
        return "\n".join(lines)

    def judge(self, *more: Tally) -> list[str]:
        """Print a summary of the systems' own databases, and return every complaint.

        Args:
            more: further lines of the closing table.
        """
        rows, tallies = self.lab.summary(), [*closing(self.lab, self.products.stand_ins), *more]
        say("\nEach system's own database was read.")
        if "lims" in self.products.stand_ins:
            rows = []  # they compare with the sandbox's own LIMS, which has taken no part
        else:
            say("The service requests:\n")
            say(table([{("duplicates" if name == "twice" else name): row[name] for name in row} for row in rows]))
        say("\nThe records, and the number that the framework gives cause for where it can tell:\n")
        say(table([tally.row() for tally in tallies]))
        wrong = [tally.complaint for tally in tallies if tally.complaint]
        for row in rows:
            wrong += complaints(row)
        return wrong


def cause_of(run: Run) -> str:
    """Return what has set off a run that the demo has not started itself; empty for one that it has."""
    if run.run_id.startswith(BY_EVENT):
        return "started by the framework's event"
    return "started by new data" if run.kind == BY_DATA else ""


def writes(request: Mapping[str, Any]) -> bool:
    """Whether a request was meant to change something in a system."""
    path = str(request["path"])
    return request["method"] not in {"GET", "HEAD"} and "/_sandbox" not in path and not path.endswith(READING_POSTS)


def complaints(row: Mapping[str, Any]) -> list[str]:
    """Return the complaints about a service request at its end."""
    wanted = {
        "samples": row["modules"],
        "twice": 0,
        "result_sets": row["executions_complete"],
        "lims_status": f"{row['modules']} Approved",
    }
    return [
        f"{row['service_request']}: {name.replace('_', ' ')} should be {value}, but is {row[name]}"
        for name, value in wanted.items()
        if row[name] != value
    ]
