"""A session whose requests are answered from a plan's file, so that a contract speaks to it as to any other system."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson
from yarl import URL

from pv_testing.core import lease
from pv_testing.core.errors import AmbiguousOutcome, ConfigError, NetworkError, ResponseError
from pv_testing.core.response import Response
from pv_testing.providers.microsoft_project.entries import EQUIPMENT, Entry
from pv_testing.providers.microsoft_project.plan import Plan
from pv_testing.providers.microsoft_project.plan_file import PlanFile
from pv_testing.transports.addresses import Addresses
from pv_testing.transports.outgoing_request import Again, Carrier, OutgoingRequest
from pv_testing.transports.rest import RestSession
from pv_testing.transports.settings import RestSettings


class Answer(NamedTuple):
    """What a request gives.

    Attributes:
        status: what HTTP would say.
        body: the answer.
        changed: whether the plan was changed.
    """

    status: int
    body: Any
    changed: bool = False


class PlanSession(RestSession):
    """A session with a plan's file.

    Args:
        file: the plan's.
        settings: the deadlines and limits.
    """

    def __init__(self, file: PlanFile, settings: RestSettings) -> None:
        self._file = file
        super().__init__(settings)

    def _new_way(self) -> tuple[Addresses, Carrier]:
        return _Paths(), PlanWire(self._file)


class _Paths(Addresses):
    """Paths within a plan."""

    def __init__(self) -> None:
        self._base = URL("file://plan/")
        self.of = functools.cache(self._of)

    def _of(self, path: str) -> URL:
        return self._base.join(URL(f"/{path.lstrip('/')}", encoded=True))


class PlanWire:
    """Answers requests from a plan's file, each in a thread.

    Args:
        file: the plan's.
    """

    def __init__(self, file: PlanFile) -> None:
        self._file = file
        self.closed = False

    async def send(self, call: OutgoingRequest, headers: Mapping[str, str]) -> Response:
        """Answer a request.

        Raises:
            Again: nothing was written, and another try may help.
            AmbiguousOutcome: the plan may have been written.
        """
        del headers
        if self.closed:
            raise NetworkError("the session was closed; nothing was sent")
        call.written = False
        context = contextvars.copy_context()
        try:
            answer = await asyncio.to_thread(context.run, self._answer, call)
        except (NetworkError, ResponseError, ConfigError) as error:
            if call.written and not call.repeatable:
                message = f"{error.message}; the plan may have been written"
                raise AmbiguousOutcome(message, code=error.code) from error
            raise (error if isinstance(error, ConfigError) else Again(error)) from error
        return Response(answer.status, {}, orjson.dumps(answer.body, default=str), call.url)

    async def aclose(self) -> None:
        """Close nothing: no file stays open."""

    def _answer(self, call: OutgoingRequest) -> Answer:
        parts = [unquote(part) for part in call.url.raw_path.strip("/").split("/")]
        body = orjson.loads(call.data) if call.data else {}
        query, route = dict(call.url.query), (call.method, parts[0], *parts[2:])
        answer = Answer(404, {"message": f"nothing is at {call.url.path}"})

        def change(plan: Plan) -> bool:
            nonlocal answer
            answer = _ROUTES[route](plan, parts[1:], body, query)
            return answer.changed

        def writing() -> None:
            if call.method != "GET":
                call.left()
                lease.writes()
                call.written = True

        if route in _ROUTES:
            self._file.update(change, call.left, writing)
        if parts == [""]:
            return Answer(200, {"who": f"whoever may write {self._file.where}"})
        return answer


def _list(plan: Plan, at: list[str], body: Any, query: Mapping[str, str]) -> Answer:
    del body
    rows = [plan.row(task) for task in plan.tasks(at[0] if at else query.get("key", ""))]
    if at:
        return Answer(200, {"data": rows}) if rows else _unknown(at[0])
    wanted = query.get("status")
    return Answer(200, {"data": [row for row in rows if wanted in {None, row["status"]}]})


def _create(plan: Plan, at: list[str], body: Any, query: Mapping[str, str]) -> Answer:
    del at, query
    parent = None
    if body.get("parent"):
        above = plan.tasks(body["parent"])
        if not above:
            return _unknown(body["parent"])
        parent = above[0]
    if plan.tasks(body["key"]):
        return Answer(409, {"message": f"the plan has a task {body['key']} already"})
    return Answer(201, plan.row(plan.create(body, parent)), changed=True)


def _changes(apply: Callable[[Plan, Any, Any], None]) -> Callable[..., Answer]:
    def answer(plan: Plan, at: list[str], body: Any, query: Mapping[str, str]) -> Answer:
        del query
        tasks = plan.tasks(at[0])
        if len(tasks) > 1:
            message = f"{len(tasks)} tasks carry the key {at[0]}; clear PV testing key of the copies"
            return Answer(409, {"message": message})
        if not tasks:
            return _unknown(at[0])
        apply(plan, tasks[0], body)
        return Answer(200, plan.row(tasks[0]), changed=True)

    return answer


def _entries(plan: Plan, at: list[str], body: Any, query: Mapping[str, str]) -> Answer:
    del at, body
    rows = [_entry_row(entry) for entry in plan.entries(query.get("key", ""))]
    return Answer(200, {"data": [row for row in rows if query.get("task") in {None, row["task"]}]})


def _enter(plan: Plan, at: list[str], body: Any, query: Mapping[str, str]) -> Answer:
    if isinstance(body, list):
        answers = [_enter(plan, [], each, query) for each in body]
        rows = [{"key": each["key"], "status": one.status, **one.body} for each, one in zip(body, answers, strict=True)]
        return Answer(200, {"data": rows}, changed=any(one.changed for one in answers))
    tasks = plan.tasks(body["task"])
    if len(tasks) != 1:
        return _unknown(body["task"])
    known = list(plan.entries(at[0] if at else body["key"]))
    if at and not known:
        return Answer(404, {"message": f"the plan has no hours under {at[0]}"})
    if known and not at:
        return Answer(409, {"message": f"the plan has hours under {body['key']} already"})
    words = {name: str(body.get(name) or "") for name in ("date", "description", "task", "resource")}
    group = EQUIPMENT if body.get("group") else ""
    entry = Entry(at[0] if at else body["key"], Decimal(str(body["hours"])), group=group, **words)
    plan.enter(tasks[0], entry)
    return Answer(200 if at else 201, _entry_row(entry), changed=True)


def _entry_row(entry: Entry) -> dict[str, Any]:
    row = {name: value or None for name, value in entry._asdict().items()}
    return {**row, "id": entry.key, "hours": float(entry.hours)}


def _unknown(key: str) -> Answer:
    return Answer(404, {"message": f"the plan has no task {key}, or several"})


_ROUTES: Mapping[tuple[str, ...], Callable[[Plan, list[str], Any, Mapping[str, str]], Answer]] = {
    ("GET", "tasks"): _list,
    ("POST", "tasks"): _create,
    ("PATCH", "tasks"): _changes(Plan.change),
    ("PUT", "tasks", "status"): _changes(Plan.set_status),
    ("PUT", "tasks", "progress"): _changes(Plan.set_progress),
    ("GET", "entries"): _entries,
    ("POST", "entries"): _enter,
    ("PUT", "entries"): _enter,
}
