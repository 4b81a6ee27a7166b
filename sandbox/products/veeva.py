"""A Veeva Vault, written from what is public of its API: sessions, VQL, object records, refusals under 200."""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from sandbox.products import Row
from sandbox.products.answering import Answered, Asked, serve_answers

TRAPS = ("session_ends", "burst_delay", "race_condition", "operation_in_progress")
"""Sessions that idle out; answers that are delayed where requests come too fast; two retryable refusals under 200."""
USER, PASSWORD = "pv@lab.veevavault.com", "vault-secret"
BASE = "/api/v26.1"
NC = {
    "name__v", "external_id__v", "description__v", "severity__c", "source__c", "detected__c", "cause__c",
    "proposed_action__c", "service_request__c", "module__c", "protocol__c", "earlier__c", "factors__c",
}  # fmt: skip
CAPA = {
    "name__v", "external_id__v", "problem__c", "root_cause__c", "corrective_action__c", "preventive_action__c",
    "effectiveness__c", "quality_events__c", "approved_by__c", "scope__c", "protocol__c",
}  # fmt: skip
OBJECTS: Mapping[str, set[str]] = {"quality_event__qdm": NC, "capa__qdm": CAPA}
SYSTEM = {"id", "state__v", "created_date__v"}
REQUIRED = {"quality_event__qdm": {"name__v", "severity__c"}, "capa__qdm": {"name__v"}}
PICKLISTS = {"severity__c": {"minor__c", "major__c", "critical__c"}}
KEYS = {"non_conformance": "quality_event__qdm", "capa": "capa__qdm"}
CREATED = "2026-11-20T10:00:00.000Z"
LIVES, EVERY = 25, 9
_VQL = re.compile(r"SELECT ([\w, ]+) FROM (\w+)(?: WHERE (\w+) = '([^']*)')?")
Record = dict[str, Any]


class RefusedError(Exception):
    """A refusal, which Vault sends with the status 200.

    Args:
        kind: such as ``INVALID_DATA``.
        message: in words.
    """

    def __init__(self, kind: str, message: str) -> None:
        self.error = {"type": kind, "message": message}
        super().__init__(message)


class Vault:
    """A Vault with two objects.

    Args:
        folder: for its database.
        traps: see :data:`TRAPS`.
    """

    def __init__(self, folder: Path, traps: Collection[str] = ()) -> None:
        if unknown := set(traps) - set(TRAPS):
            raise ValueError(f"unknown traps: {', '.join(sorted(unknown))}")
        self.traps = frozenset(traps)
        self.origin = ""
        self.logins = self.queries = 0
        self._sessions: dict[str, int] = {}
        self._asked = 0
        self._lock = threading.Lock()
        self._database = sqlite3.connect(folder / "vault.sqlite", check_same_thread=False)
        self._database.execute("CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, object TEXT, body TEXT)")

    @property
    def section(self) -> dict[str, Any]:
        """The QMS's part of the configuration."""
        login = {"auth_type": "login", "username": USER, "password": PASSWORD}
        return {"provider": "Veeva Vault", "base_url": self.origin + BASE, **login}

    def rows(self, kind: str) -> list[Row]:
        """Return all records of a kind from the database."""
        with self._lock:
            records = [json.loads(body) for (body,) in self._select(KEYS[kind])]
        links = [each.get("quality_events__c", "").split() for each in records]
        return [
            {"key": each["external_id__v"], "status": "open", "non_conformances": link, "title": each["name__v"]}
            for each, link in zip(records, links, strict=True)
        ]

    def answer(self, asked: Asked) -> Answered:
        """Answer a request."""
        if not asked.path.startswith(BASE + "/"):
            return Answered(404, b"no such API")
        path = asked.path.removeprefix(BASE)
        with self._lock:
            self._asked += 1
            number = self._asked
            try:
                content = self._login(asked) if path == "/auth" else self._known(asked, path, number)
            except RefusedError as refused:
                content = {"responseStatus": "FAILURE", "errors": [refused.error]}
        headers = {"X-VaultAPI-BurstLimit": "2000", "X-VaultAPI-BurstLimitRemaining": "1999"}
        if "burst_delay" in self.traps and number % EVERY == 0:
            time.sleep(0.05)
            headers |= {"X-VaultAPI-BurstLimitRemaining": "0", "X-VaultAPI-ResponseDelay": "50"}
        return Answered(200, content, headers)

    def _login(self, asked: Asked) -> Record:
        given = dict(parse_qsl(asked.body.decode()))
        if asked.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise RefusedError("PARAMETER_REQUIRED", "username and password are required")
        if (given.get("username"), given.get("password")) != (USER, PASSWORD):
            raise RefusedError("USERNAME_OR_PASSWORD_INCORRECT", "Authentication failed")
        session = secrets.token_hex(20).upper()
        self._sessions[session] = 0
        self.logins += 1
        return {"responseStatus": "SUCCESS", "sessionId": session, "userId": 12021, "vaultId": 1776}

    def _known(self, asked: Asked, path: str, number: int) -> Record:
        session = asked.headers.get("authorization", "")
        used = self._sessions.get(session, LIVES)
        if used >= LIVES and ("session_ends" in self.traps or session not in self._sessions):
            raise RefusedError("INVALID_SESSION_ID", "Invalid or expired session ID")
        self._sessions[session] = used + 1
        if path == "/objects/users/me":
            return {"responseStatus": "SUCCESS", "users": [{"user": {"user_name__v": USER}}]}
        if path == "/query":
            return self._query(asked)
        if match := re.fullmatch(r"/vobjects/(\w+)", path):
            return self._write(asked, match[1], number)
        if (match := re.fullmatch(r"/vobjects/(\w+)/V(\d+)", path)) and asked.method == "GET":
            rows = [_shown(key, body) for key, body in self._all(match[1]) if key == int(match[2])]
            if rows:
                return {"responseStatus": "SUCCESS", "data": rows[0]}
        raise RefusedError("MALFORMED_URL", "The specified resource cannot be found")

    def _query(self, asked: Asked) -> Record:
        form = asked.headers.get("content-type", "") == "application/x-www-form-urlencoded"
        given = dict(parse_qsl(asked.body.decode())) if asked.method == "POST" and form else dict(asked.query)
        match = _VQL.fullmatch(given.get("q", ""))
        if match is None or match[2] not in OBJECTS:
            raise RefusedError("MALFORMED_URL" if not given else "INVALID_DATA", "The query is malformed")
        self.queries += 1
        names = [name.strip() for name in match[1].split(",")]
        if unknown := sorted({*names, *filter(None, [match[3]])} - OBJECTS[match[2]] - SYSTEM):
            raise RefusedError("INVALID_DATA", f"Unknown column {unknown[0]}")
        matching = [_shown(number, body) for number, body in self._all(match[2])]
        if match[3]:
            matching = [each for each in matching if each.get(match[3]) == match[4]]
        data = [{name: each.get(name) or None for name in names} for each in matching]
        return {"responseStatus": "SUCCESS", "responseDetails": {"total": len(data)}, "data": data}

    def _write(self, asked: Asked, kind: str, number: int) -> Record:
        if kind not in OBJECTS:
            raise RefusedError("INVALID_DATA", f"The object {kind} does not exist")
        if asked.headers.get("content-type") != "application/json" or asked.method not in {"POST", "PUT"}:
            raise RefusedError("INVALID_DATA", "Send JSON or CSV")
        records = asked.json()
        if not isinstance(records, list) or not 0 < len(records) <= 500:
            raise RefusedError("INVALID_DATA", "Send a list of at most 500 records")
        busy = {1: "race_condition", 4: "operation_in_progress"}.get(number % EVERY, "")
        if busy in self.traps:
            raise RefusedError(busy.upper(), "Another operation holds the record")
        return {"responseStatus": "SUCCESS", "data": [self._one(asked.method, kind, each) for each in records]}

    def _one(self, method: str, kind: str, record: Record) -> Record:
        try:
            with self._database:
                number = self._put(kind, dict(record)) if method == "PUT" else self._post(kind, record)
        except RefusedError as refused:
            return {"responseStatus": "FAILURE", "errors": [refused.error]}
        return {"responseStatus": "SUCCESS", "data": {"id": f"V{number:011}"}}

    def _post(self, kind: str, record: Record) -> int:
        _check(kind, record)
        if missing := sorted(name for name in REQUIRED[kind] if not record.get(name)):
            raise RefusedError("PARAMETER_REQUIRED", f"Missing required parameter [{missing[0]}]")
        done = self._database.execute("INSERT INTO record (object, body) VALUES (?, ?)", [kind, json.dumps(record)])
        return int(done.lastrowid or 0)

    def _put(self, kind: str, record: Record) -> int:
        number = int(str(record.pop("id", "V0"))[1:] or 0) if re.fullmatch(r"V\d+", str(record.get("id"))) else 0
        _check(kind, record)
        old = self._database.execute("SELECT body FROM record WHERE id = ? AND object = ?", [number, kind]).fetchone()
        if old is None:
            raise RefusedError("INVALID_DATA", "The resource does not exist")
        body = json.dumps({**json.loads(old[0]), **record})
        self._database.execute("UPDATE record SET body = ? WHERE id = ?", [body, number])
        return number

    def _all(self, kind: str) -> list[tuple[int, str]]:
        rows = self._database.execute("SELECT id, body FROM record WHERE object = ? ORDER BY id", [kind])
        return [(int(number), str(body)) for number, body in rows]

    def _select(self, kind: str) -> list[tuple[str]]:
        return [(body,) for _, body in self._all(kind)]


def _shown(number: int, body: str) -> Record:
    system = {"id": f"V{number:011}", "state__v": "active__v", "created_date__v": CREATED}
    return {**system, **json.loads(body)}


def _check(kind: str, record: Record) -> None:
    for name, value in record.items():
        if name not in OBJECTS[kind]:
            raise RefusedError("INVALID_DATA", f"The field [{name}] does not exist")
        if value is not None and not isinstance(value, str):
            raise RefusedError("INVALID_DATA", f"Invalid value for [{name}]")
        if name in PICKLISTS and value not in PICKLISTS[name]:
            raise RefusedError("INVALID_DATA", f"[{value}] is no value of the picklist of [{name}]")
        if name == "name__v" and len(value or "") > 128:
            raise RefusedError("INVALID_DATA", "name__v has more than 128 characters")


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[Vault]:
    """Run a Vault.

    Args:
        folder: for its database.
        traps: see :data:`TRAPS`.
        port: 0 for any free one.
    """
    vault = Vault(folder, traps)
    with serve_answers(vault.answer, port) as origin:
        vault.origin = origin
        yield vault
