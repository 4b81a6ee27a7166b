"""A Dataverse with the premium planner, written from the documentation of its Project schedule API alone.

A change is put into an operation set, the set is executed, and the scheduling service persists it later or not at all.
``docs/products/dataverse.md`` says how surely each fact is known.
"""

from __future__ import annotations

import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from sandbox.products.answering import Answered, Asked, serve_answers
from sandbox.products.dataverse_filters import meets
from sandbox.products.dataverse_tables import ENTRY, ENTRY_LINKS, TASK, TASK_LINKS, Row, Tables, WrongError

TRAPS = ("persisted_late", "set_fails", "answer_lost")
"""Sets that are persisted later; sets of which nothing takes effect; answers that a gateway loses after the work."""
BASE = "/api/data/v9.2"
CLIENT, SECRET, TOKEN = "pv-client", "pv-secret", "dataverse-token"
PLANNER = "0b7f8a52-3f0a-4f0e-9f3b-6d1d7c2f4a01"
PROJECT = "3e5b8f6c-2d6a-4a39-8f0e-51d0a6e7c902"
BUCKET = "9a1c7d44-7b1e-4c0a-b1d2-0f6e5d4c3b03"
OPEN, EXECUTED, DONE, FAILED = 192350000, 192350001, 192350002, 192350003
MOST_OPEN, MOST_OPERATIONS, PAGE = 10, 200, 5
LATE, EVERY_FAILS, EVERY_LOST = 0.25, 5, 6
TASKS, ENTRIES, SETS, LOGS = "msdyn_projecttasks", "msdyn_timeentries", "msdyn_operationsets", "msdyn_psserrorlogs"
IDS = {
    TASKS: "msdyn_projecttaskid",
    ENTRIES: "msdyn_timeentryid",
    SETS: "msdyn_operationsetid",
    LOGS: "msdyn_psserrorlogid",
}
CALCULATED = ("msdyn_effort", "msdyn_progress")
_PATH = re.compile(r"/(\w+)(?:\(([0-9a-f-]{36})\))?")


class RefusedError(Exception):
    """A refusal.

    Args:
        status: of HTTP.
        message: in words.
        code: Dataverse's own.
    """

    def __init__(self, status: int, message: str, code: str = "0x80040265") -> None:
        self.answered = Answered(status, {"error": {"code": code, "message": message}})
        super().__init__(message)


class Dataverse:
    """One environment with one project.

    Args:
        folder: for its database.
        traps: see :data:`TRAPS`.

    Attributes:
        asked: the actions, as they came.
        refused: ids of tasks whose changes the scheduling service always refuses.
        closes_when_refused: ids of open sets of other programs, each of which is closed right after a refusal.
    """

    def __init__(self, folder: Path, traps: Collection[str] = ()) -> None:
        if unknown := set(traps) - set(TRAPS):
            raise ValueError(f"unknown traps: {', '.join(sorted(unknown))}")
        self.traps = frozenset(traps)
        self.origin = ""
        self.asked: list[str] = []
        self.refused: set[str] = set()
        self.closes_when_refused: list[str] = []
        self._lock = threading.RLock()
        self._failed: set[str] = set()
        self._executed = 0
        self._due: list[tuple[float, str]] = []
        self.tables = Tables(folder)
        self.tables.put("msdyn_projects", PROJECT, {"msdyn_subject": "PV testing"})
        self.tables.put("msdyn_projectbuckets", BUCKET, {"msdyn_name": "Bucket 1"})

    @property
    def section(self) -> dict[str, Any]:
        """The project management's part of the configuration."""
        return {
            "provider": "Microsoft Project",
            "contract": "pm_dataverse",
            "base_url": self.origin + BASE,
            "auth_type": "oauth2",
            "token_url": f"{self.origin}/tenant/oauth2/v2.0/token",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scopes": [f"{self.origin}/.default"],
            "options": {"project": PROJECT, "bucket": BUCKET, "caller": PLANNER},
        }

    def rows(self, kind: str) -> list[Row]:
        """Return all tasks or time entries; what the scheduling service has taken is persisted first."""
        with self._lock:
            self._persist(time.monotonic() + LATE)
            if kind == "time_entry":
                return [
                    {"key": row["pv_key"], "minutes": row["msdyn_duration"], **row} for row in self.tables.all(ENTRIES)
                ]
            keys = {row[IDS[TASKS]]: row["pv_key"] for row in self.tables.all(TASKS)}
            return [self._task(self._shown(row), keys) for row in self.tables.all(TASKS)]

    def answer(self, asked: Asked) -> Answered:
        """Answer a request."""
        with self._lock:
            try:
                if asked.path.endswith("/oauth2/v2.0/token"):
                    return _token(asked)
                return self._known(asked)
            except RefusedError as refused:
                return refused.answered
            except WrongError as wrong:
                code = "0x80040217" if wrong.absent else "0x80048d19"
                return RefusedError(404 if wrong.absent else 400, str(wrong), code).answered

    def _known(self, asked: Asked) -> Answered:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            raise RefusedError(401, "Unauthorized")
        path = _PATH.fullmatch(asked.path.removeprefix(BASE))
        if path is None or not asked.path.startswith(BASE):
            raise RefusedError(404, "Resource not found for the segment", "0x8006088a")
        self._persist(time.monotonic())
        table, guid = path.groups()
        if asked.method == "POST":
            return self._act(asked, table)
        if asked.method == "PATCH" and guid:
            return self._upsert(asked, table, guid)
        if asked.method != "GET":
            raise RefusedError(405, "The method isn't allowed")
        if table == "WhoAmI":
            return Answered(200, {"UserId": PLANNER})
        if table not in IDS:
            raise RefusedError(404, f"Resource not found for the segment '{table}'", "0x8006088a")
        return Answered(200, self._one(table, guid)) if guid else self._page(asked, table)

    def _one(self, table: str, guid: str) -> Row:
        row = self.tables.get(table, guid)
        if row is None:
            raise WrongError(f"{table} With Id = {guid} Does Not Exist", absent=True)
        return self._shown(row) if table == TASKS else row

    def _page(self, asked: Asked, table: str) -> Answered:
        if unknown := set(asked.query) - {"$filter", "$skiptoken"}:
            raise RefusedError(400, f"The query parameter {min(unknown)} isn't known")
        try:
            rows = [row for row in self.tables.all(table) if meets(row, asked.query.get("$filter", ""))]
        except ValueError as error:
            raise RefusedError(400, f"There is an error in the filter: {error}") from None
        start = int(asked.query.get("$skiptoken", "0"))
        shown = [self._shown(row) if table == TASKS else row for row in rows[start : start + PAGE]]
        page: dict[str, Any] = {"value": shown}
        if start + PAGE < len(rows):
            only = asked.query.get("$filter", "").replace(" ", "%20")
            address = f"http://{asked.headers['host']}{asked.path}?$filter={only}&$skiptoken={start + PAGE}"
            page["@odata.nextLink"] = address
        return Answered(200, page)

    def _upsert(self, asked: Asked, table: str, guid: str) -> Answered:
        if table != ENTRIES:
            raise RefusedError(400, f"You cannot directly do 'Update' operation to '{table}'. Use the schedule API")
        row = self.tables.checked(asked.json(), ENTRY, ENTRY_LINKS)
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", row.get("msdyn_date", "")):
            raise WrongError("msdyn_date must be a day")
        old = self.tables.get(ENTRIES, guid) or {}
        self.tables.put(ENTRIES, guid, {**old, **row, IDS[ENTRIES]: guid})
        return Answered(204, None, {"OData-EntityId": f"{self.origin}{BASE}/{ENTRIES}({guid})"})

    def _act(self, asked: Asked, action: str) -> Answered:
        known: dict[str, Callable[[Mapping[str, Any]], Row]] = {
            "msdyn_CreateOperationSetV1": self._create_set,
            "msdyn_PssCreateV1": lambda body: self._queue(body, "Create"),
            "msdyn_PssUpdateV1": lambda body: self._queue(body, "Update"),
            "msdyn_ExecuteOperationSetV1": self._execute,
            "msdyn_AbandonOperationSetV1": self._abandon,
        }
        if action in {TASKS, ENTRIES}:
            raise RefusedError(400, f"You cannot directly do 'Create' operation to '{action}' here")
        if action not in known:
            raise RefusedError(404, f"Resource not found for the segment '{action}'", "0x8006088a")
        if asked.headers.get("callerobjectid") != PLANNER:
            raise RefusedError(403, "The user has no Microsoft Project license", "0x80040220")
        self.asked.append(action)
        answer = known[action](asked.json())
        lost = "answer_lost" in self.traps and action == "msdyn_ExecuteOperationSetV1"
        if lost and self._executed % EVERY_LOST == 0:
            return Answered(504, b"gateway timeout")
        return Answered(200, answer)

    def _create_set(self, body: Mapping[str, Any]) -> Row:
        if set(body) != {"ProjectId", "Description"} or self.tables.get("msdyn_projects", body["ProjectId"]) is None:
            raise RefusedError(400, "ProjectId must be a project", "ScheduleAPI")
        if len([row for row in self.tables.all(SETS) if row["msdyn_status"] == OPEN]) >= MOST_OPEN:
            while self.closes_when_refused:
                self._abandon({"OperationSetId": self.closes_when_refused.pop()})
            raise RefusedError(400, f"A user can have {MOST_OPEN} open operation sets only", "ScheduleAPI")
        guid, now = str(uuid4()), datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = {
            IDS[SETS]: guid, "msdyn_status": OPEN, "createdon": now, "msdyn_description": body["Description"],
            "_msdyn_project_value": body["ProjectId"], "_msdyn_psserrorlog_value": None, "operations": [],
        }  # fmt: skip
        self.tables.put(SETS, guid, row)
        return {"OperationSetId": guid}

    def _set(self, guid: Any) -> Row:
        row = self.tables.get(SETS, str(guid))
        if row is None or row["msdyn_status"] != OPEN:
            raise RefusedError(400, f"The operation set {guid} is not open", "ScheduleAPI")
        return row

    def _queue(self, body: Mapping[str, Any], kind: str) -> Row:
        kept = self._set(body.get("OperationSetId"))
        entity = dict(body["Entity"])
        if entity.pop("@odata.type", "") != "Microsoft.Dynamics.CRM.msdyn_projecttask":
            raise RefusedError(400, "The entity has no type that the schedule API knows", "ScheduleAPI")
        guid = entity.pop(IDS[TASKS], None) or str(uuid4())
        row = self.tables.checked(entity, TASK, TASK_LINKS)
        there = self.tables.get(TASKS, guid)
        if (there is None) is (kind == "Update"):
            raise RefusedError(400, f"The id {guid} cannot be used to {kind}", "ScheduleAPI")
        if kind == "Create" and not {"msdyn_subject", "_msdyn_project_value"} <= set(row):
            raise RefusedError(400, "A task needs msdyn_subject and msdyn_project", "ScheduleAPI")
        if (there or row)["_msdyn_project_value"] != kept["_msdyn_project_value"]:
            raise RefusedError(400, "The task is in another project", "ScheduleAPI-OV-0001")
        if len(kept["operations"]) >= MOST_OPERATIONS:
            raise RefusedError(400, f"An operation set takes {MOST_OPERATIONS} operations", "ScheduleAPI")
        kept["operations"].append([kind, guid, row])
        self.tables.put(SETS, kept[IDS[SETS]], kept)
        return {"OperationSetResponse": '{"operationType": "' + kind + '", "recordId": "' + guid + '"}'}

    def _execute(self, body: Mapping[str, Any]) -> Row:
        kept = self._set(body.get("OperationSetId"))
        self._executed += 1
        kept["msdyn_status"], guid = EXECUTED, kept[IDS[SETS]]
        records = {each for _, each, _ in kept["operations"]}
        fails = "set_fails" in self.traps and self._executed % EVERY_FAILS == 0 and not records & self._failed
        kept["fails"] = fails or bool(records & self.refused)
        self._failed |= records if fails else set()
        self.tables.put(SETS, guid, kept)
        late = LATE if "persisted_late" in self.traps else 0
        self._due.append((time.monotonic() + late, guid))
        return {"OperationSetResponse": "{}"}

    def _abandon(self, body: Mapping[str, Any]) -> Row:
        kept = self._set(body.get("OperationSetId"))
        self.tables.put(SETS, kept[IDS[SETS]], {**kept, "msdyn_status": FAILED})
        return {"OperationSetResponse": "{}"}

    def _persist(self, now: float) -> None:
        """Let the scheduling service persist the sets that are due, in their order."""
        while self._due and self._due[0][0] <= now:
            kept = self._one(SETS, self._due.pop(0)[1])
            problem = self._problem(kept)
            if problem:
                log = str(uuid4())
                self.tables.put(LOGS, log, {IDS[LOGS]: log, "msdyn_log": problem, "msdyn_errorcode": "PSS"})
                kept.update(msdyn_status=FAILED, _msdyn_psserrorlog_value=log)
            else:
                for _, guid, row in kept["operations"]:
                    self.tables.put(TASKS, guid, {**(self.tables.get(TASKS, guid) or {}), **row, IDS[TASKS]: guid})
                kept["msdyn_status"] = DONE
            self.tables.put(SETS, kept[IDS[SETS]], kept)

    def _problem(self, kept: Row) -> str:
        """Return why a set fails as a whole; empty where it doesn't."""
        if kept["fails"]:
            return "The scheduling service could not save the project"
        for kind, guid, row in kept["operations"]:
            there = self.tables.get(TASKS, guid)
            if (there is None) is (kind == "Update"):
                return f"The id {guid} cannot be used to {kind}"
            calculated = [name for name in CALCULATED if name in row]
            if calculated and there and self._shown(there)["msdyn_summary"]:
                return f"{calculated[0]} of a summary task is calculated"
        return ""

    def _shown(self, row: Row) -> Row:
        """Return a task with what is calculated of its subtasks."""
        parts = [each for each in self.tables.all(TASKS) if each.get("_msdyn_parenttask_value") == row[IDS[TASKS]]]
        shown = {"msdyn_progress": 0.0, "msdyn_summary": bool(parts), **row}
        if parts:
            shown["msdyn_progress"] = sum(self._shown(each)["msdyn_progress"] for each in parts) / len(parts)
        return shown

    def _task(self, row: Row, keys: Mapping[str, str]) -> Row:
        effort = row.get("msdyn_effort")
        return {
            "key": row["pv_key"],
            "parent": keys.get(row.get("_msdyn_parenttask_value", ""), ""),
            "status": row.get("pv_status", ""),
            "done": row["msdyn_progress"] == 1 and row.get("pv_status") == "COMPLETE",
            "hours": None if effort is None else Decimal(str(effort)),
            "assignee": "",
            "title": row["msdyn_subject"],
            "progress": row["msdyn_progress"],
        }


def _token(asked: Asked) -> Answered:
    form = dict(parse_qsl(asked.body.decode()))
    basic = "Basic " + b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    if asked.headers.get("authorization") != basic or form.get("grant_type") != "client_credentials":
        return Answered(401, {"error": "invalid_client"})
    if not form.get("scope", "").endswith("/.default"):
        return Answered(400, {"error": "invalid_scope"})
    return Answered(200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3599})


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[Dataverse]:
    """Run a Dataverse.

    Args:
        folder: for its database.
        traps: see :data:`TRAPS`.
        port: 0 for any free one.
    """
    dataverse = Dataverse(folder, traps)
    with serve_answers(dataverse.answer, port) as origin:
        dataverse.origin = origin
        yield dataverse
    dataverse.tables.close()
