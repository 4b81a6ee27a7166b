"""SAP's quality notifications over OData v2: a write needs a CSRF token with its cookies, a change ``If-Match``."""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import threading
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from sandbox.products import Row
from sandbox.products.answering import Answered, Asked, serve_answers

TRAPS = ("session_lost",)
"""A session that ends with its token, as behind a load balancer that loses it."""
BASE = "/sap/opu/odata/sap/API_QUALITYNOTIFICATION"
USER, PASSWORD = "QM_INTERFACE", "sap-qm-password"
TYPES = {"Q3": "non_conformance", "Z1": "capa"}
LENGTHS: Mapping[str, int] = {
    "NotificationType": 2,
    "NotificationText": 40,
    "NotificationReference": 20,
    "NotificationPriority": 1,
    "NotificationLongText": 100_000,
}
COOKIE = "SAP_SESSIONID_QM1_100"
LOST_EVERY = 4
_TERM = re.compile(r"(\w+) eq '((?:[^']|'')*)'")
_ONE = re.compile(r"/A_QualityNotification\('(\d+)'\)")
Record = dict[str, Any]


class RefusedError(Exception):
    """A refusal, as SAP Gateway words it.

    Args:
        status: of HTTP.
        code: of the message.
        message: in words.
        headers: of the answer.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        content = {"error": {"code": code, "message": {"lang": "en", "value": message}}}
        self.answered = Answered(status, content, headers or {})
        super().__init__(message)


class SapQm:
    """One client of a system.

    Args:
        folder: for its database.
        traps: see :data:`TRAPS`.
    """

    def __init__(self, folder: Path, traps: Collection[str] = ()) -> None:
        if unknown := set(traps) - set(TRAPS):
            raise ValueError(f"unknown traps: {', '.join(sorted(unknown))}")
        self.traps, self.origin = frozenset(traps), ""
        self.lost = self._writes = 0
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()
        self._database = sqlite3.connect(folder / "sap_qm.sqlite", check_same_thread=False)
        self._database.execute("CREATE TABLE IF NOT EXISTS notification (id INTEGER PRIMARY KEY, body TEXT)")

    @property
    def section(self) -> dict[str, Any]:
        """The QMS's part of the configuration."""
        base = self.origin + BASE.rpartition("/")[0]
        return {"provider": "SAP QM", "base_url": base, "auth_type": "basic", "username": USER, "password": PASSWORD}

    def rows(self, kind: str) -> list[Row]:
        """Return all notifications of a kind from the database."""
        with self._lock:
            notifications = [each for each in self._all() if TYPES[each["NotificationType"]] == kind]
        return [{"key": each["NotificationReference"], "status": "open", "text": each} for each in notifications]

    def answer(self, asked: Asked) -> Answered:
        """Answer a request."""
        wanted = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if asked.headers.get("authorization") != wanted:
            return Answered(401, b"<html>Logon failed</html>", {"Content-Type": "text/html"})
        with self._lock:
            try:
                if asked.method != "GET":
                    self._require_token(asked)
                answered = self._answer(asked, asked.path.removeprefix(BASE))
            except RefusedError as refused:
                return refused.answered
            if asked.headers.get("x-csrf-token", "").casefold() == "fetch":
                session, token = secrets.token_hex(8), secrets.token_urlsafe(12)
                self._tokens[session] = token
                cookie = f"{COOKIE}={session}; path=/; secure; HttpOnly"
                return Answered(answered.status, answered.content, {"x-csrf-token": token, "Set-Cookie": cookie})
        return answered

    def _require_token(self, asked: Asked) -> None:
        self._writes += 1
        morsel = SimpleCookie(asked.headers.get("cookie", "")).get(COOKIE)
        session = morsel.value if morsel else ""
        if "session_lost" in self.traps and self._writes % LOST_EVERY == 2:
            self.lost += self._tokens.pop(session, None) is not None
        if not session or self._tokens.get(session) != asked.headers.get("x-csrf-token"):
            raise RefusedError(403, "403", "CSRF token validation failed", {"x-csrf-token": "Required"})

    def _answer(self, asked: Asked, path: str) -> Answered:
        if path == "/":
            return Answered(200, {"d": {"EntitySets": ["A_QualityNotification"]}})
        if path == "/A_QualityNotification":
            return self._create(asked.json()) if asked.method == "POST" else self._list(asked)
        match = _ONE.fullmatch(path)
        if match is None:
            raise RefusedError(404, "/IWBEP/CM_MGW_RT/021", "Resource not found")
        kept = next((each for each in self._all() if each["QualityNotification"] == match[1]), None)
        if kept is None:
            raise RefusedError(404, "IM/029", f"Notification {match[1]} does not exist")
        if asked.method == "PATCH":
            return self._change(asked, kept)
        return Answered(200, {"d": kept})

    def _list(self, asked: Asked) -> Answered:
        terms = _TERM.findall(asked.query.get("$filter", ""))
        if unknown := [name for name, _ in terms if name not in {*LENGTHS, "QualityNotification"}]:
            raise RefusedError(400, "/IWFND/CM_MGW/096", f"Property {unknown[0]} is unknown")
        wanted = {name: value.replace("''", "'") for name, value in terms}
        matching = [each for each in self._all() if all(each.get(name) == value for name, value in wanted.items())]
        first = int(asked.query.get("$skip", 0))
        return Answered(200, {"d": {"results": matching[first : first + int(asked.query.get("$top", 1000))]}})

    def _create(self, body: Record) -> Answered:
        _check(body)
        if body.get("NotificationType") not in TYPES:
            raise RefusedError(400, "IM/003", f"Notification type {body.get('NotificationType')} is not defined")
        with self._database:
            done = self._database.execute("INSERT INTO notification (body) VALUES (?)", [json.dumps(body)])
        return Answered(201, {"d": _shown(int(done.lastrowid or 0), body)})

    def _change(self, asked: Asked, kept: Record) -> Answered:
        if not asked.headers.get("if-match"):
            raise RefusedError(428, "/IWFND/CM_MGW/452", "The request requires an If-Match header")
        body = asked.json()
        _check(body)
        if "NotificationType" in body:
            raise RefusedError(400, "IM/400", "NotificationType can not be changed")
        number = int(kept.pop("QualityNotification"))
        with self._database:
            changed = json.dumps({**kept, **body})
            self._database.execute("UPDATE notification SET body = ? WHERE id = ?", [changed, number])
        return Answered(204)

    def _all(self) -> list[Record]:
        rows = self._database.execute("SELECT id, body FROM notification ORDER BY id")
        return [_shown(number, json.loads(body)) for number, body in rows]


def _shown(number: int, body: Record) -> Record:
    return {"NotifProcessingPhase": "1", **body, "QualityNotification": f"{number:012}"}


def _check(body: Record) -> None:
    for name, value in body.items():
        if name not in LENGTHS:
            raise RefusedError(400, "/IWCOR/CX_OD_EP_ERROR/005", f"Property {name} is invalid")
        if value is not None and (not isinstance(value, str) or len(value) > LENGTHS[name]):
            raise RefusedError(400, "/IWBEP/CM_MGW_RT/020", f"Property {name} has a wrong type or is too long")


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[SapQm]:
    """Run a system.

    Args:
        folder: for its database.
        traps: see :data:`TRAPS`.
        port: 0 for any free one.
    """
    sap = SapQm(folder, traps)
    with serve_answers(sap.answer, port) as origin:
        sap.origin = origin
        yield sap
