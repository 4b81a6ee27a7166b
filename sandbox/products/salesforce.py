"""A Salesforce org with two objects of a QMS, as TrackWise Digital and ComplianceQuest keep them.

Written from Salesforce's REST API documentation: upsert by external id, SOQL, OAuth's client credentials.
"""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import threading
from base64 import b64decode
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from sandbox.products import Row
from sandbox.products.answering import Answered, Asked, serve_answers

TRAPS = ("token_ends", "row_locked", "limit_reached", "no_content")
"""Tokens that end; a row that another transaction holds; the day's requests used up; updates answered with 204."""
CLIENT_ID, CLIENT_SECRET = "salesforce-client", "salesforce-secret"
BASE = "/services/data/v62.0"
COMMON = {"Name", "Source__c", "Protocol__c"}
OBJECTS: Mapping[str, set[str]] = {
    "Nonconformance__c": COMMON | {
        "Description__c", "Severity__c", "Detected__c", "Cause__c", "Factors__c", "Proposed_Action__c",
        "Service_Request__c", "Module__c", "Earlier__c",
    },
    "CAPA__c": COMMON | {
        "Problem__c", "Root_Cause__c", "Corrective_Action__c", "Preventive_Action__c", "Effectiveness__c",
        "Nonconformances__c", "Approved_By__c", "Scope__c",
    },
}  # fmt: skip
KEY = "External_Key__c"
SYSTEM = {"Id", KEY, "Status__c", "CreatedDate"}
CREATED = "2026-11-20T10:00:00.000+0000"
SEVERITIES = {"Minor", "Major", "Critical"}
KINDS = {"non_conformance": "Nonconformance__c", "capa": "CAPA__c"}
PREFIXES = {"Nonconformance__c": "a01", "CAPA__c": "a02"}
LIVES, EVERY = 25, 9
_SOQL = re.compile(r"SELECT ([\w, ]+) FROM (\w+)(?: WHERE (\w+) = '((?:[^'\\]|\\.)*)')?(?: LIMIT \d+)?", re.IGNORECASE)
Record = dict[str, Any]


class RefusedError(Exception):
    """A refusal: a list with one error.

    Args:
        status: of HTTP.
        code: such as ``INVALID_FIELD``.
        message: in words.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        self.answered = Answered(status, [{"message": message, "errorCode": code}])
        super().__init__(message)


class Salesforce:
    """An org.

    Args:
        folder: for its database.
        traps: see :data:`TRAPS`.
        provider: the product's name in the configuration.
    """

    def __init__(self, folder: Path, traps: Collection[str] = (), provider: str = "TrackWise Digital") -> None:
        if unknown := set(traps) - set(TRAPS):
            raise ValueError(f"unknown traps: {', '.join(sorted(unknown))}")
        self.traps, self.provider, self.origin = frozenset(traps), provider, ""
        self.logins = self.used = 0
        self._tokens: dict[str, int] = {}
        self._lock = threading.Lock()
        self._database = sqlite3.connect(folder / "salesforce.sqlite", check_same_thread=False)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, object TEXT, key TEXT, body TEXT)"
        )

    @property
    def section(self) -> dict[str, Any]:
        """The QMS's part of the configuration."""
        login = {"auth_type": "oauth2", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        return {"provider": self.provider, "base_url": self.origin + BASE, **login}

    def rows(self, kind: str) -> list[Row]:
        """Return all records of a kind from the database."""
        with self._lock:
            records = self._records(KINDS[kind])
        return [
            {
                "key": each[KEY],
                "status": "open",
                "non_conformances": (each.get("Nonconformances__c") or "").split(),
                "title": each["Name"],
            }
            for each in records
        ]

    def copy(self, key: str) -> None:
        """Give a second record the same key, as an org can whose field isn't unique."""
        with self._lock, self._database:
            self._database.execute(
                "INSERT INTO record (object, key, body) SELECT object, key, body FROM record WHERE key = ?", [key]
            )

    def answer(self, asked: Asked) -> Answered:
        """Answer a request."""
        with self._lock:
            self.used += 1
            try:
                answered = self._token(asked) if asked.path == "/services/oauth2/token" else self._known(asked)
            except RefusedError as refused:
                answered = refused.answered
        headers = {"Sforce-Limit-Info": f"api-usage={self.used}/15000", **answered.headers}
        return Answered(answered.status, answered.content, headers)

    def _token(self, asked: Asked) -> Answered:
        given = dict(parse_qsl(asked.body.decode()))
        header = asked.headers.get("authorization", "")
        known = (given.get("client_id"), given.get("client_secret"))
        if header.startswith("Basic "):
            user, _, secret = b64decode(header.removeprefix("Basic ")).decode().partition(":")
            known = (unquote(user), unquote(secret))
        if known != (CLIENT_ID, CLIENT_SECRET) or given.get("grant_type") != "client_credentials":
            return Answered(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
        token = secrets.token_urlsafe(24)
        self._tokens[token] = 0
        self.logins += 1
        return Answered(200, {"access_token": token, "instance_url": self.origin, "token_type": "Bearer"})

    def _known(self, asked: Asked) -> Answered:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        used = self._tokens.get(token, LIVES)
        if token not in self._tokens or ("token_ends" in self.traps and used >= LIVES):
            raise RefusedError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        self._tokens[token] = used + 1
        if asked.method != "GET":
            self._refuse_now_and_then()
        path = asked.path.removeprefix(BASE)
        if path == "/limits":
            return Answered(200, {"DailyApiRequests": {"Max": 15000, "Remaining": 15000 - self.used}})
        if path in {"/query", "/query/"}:
            return self._query(asked.query.get("q", ""))
        if (match := re.fullmatch(r"/sobjects/(\w+)/(a0\d+)", path)) and asked.method == "GET":
            return self._one(match[1], match[2])
        if match := re.fullmatch(r"/sobjects/(\w+)/(\w+)/(.+)", path):
            return self._upsert(asked, match[1], match[2], unquote(match[3]))
        raise RefusedError(404, "NOT_FOUND", "The requested resource does not exist")

    def _refuse_now_and_then(self) -> None:
        if "row_locked" in self.traps and self.used % EVERY == 1:
            raise RefusedError(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
        if "limit_reached" in self.traps and self.used % EVERY == 4:
            raise RefusedError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")

    def _query(self, soql: str) -> Answered:
        match = _SOQL.fullmatch(soql.strip())
        if match is None:
            raise RefusedError(400, "MALFORMED_QUERY", f"unexpected token: {soql[:40]}")
        names, kind = [name.strip() for name in match[1].split(",")], match[2]
        if kind not in OBJECTS:
            raise RefusedError(400, "INVALID_TYPE", f"sObject type '{kind}' is not supported.")
        if unknown := sorted({*names, *filter(None, [match[3]])} - OBJECTS[kind] - SYSTEM):
            raise RefusedError(400, "INVALID_FIELD", f"No such column '{unknown[0]}' on entity '{kind}'.")
        matching = self._records(kind)
        if match[3]:
            wanted = re.sub(r"\\(.)", r"\1", match[4])
            matching = [each for each in matching if str(each.get(match[3], "")).casefold() == wanted.casefold()]
        records = [{"attributes": {"type": kind}, **{name: each.get(name) for name in names}} for each in matching]
        return Answered(200, {"totalSize": len(records), "done": True, "records": records})

    def _one(self, kind: str, number: str) -> Answered:
        for each in self._records(kind):
            if each["Id"] == number:
                return Answered(200, {"attributes": {"type": kind}, **each})
        raise RefusedError(404, "NOT_FOUND", "The requested resource does not exist")

    def _upsert(self, asked: Asked, kind: str, field: str, key: str) -> Answered:
        if kind not in OBJECTS:
            raise RefusedError(404, "NOT_FOUND", "The requested resource does not exist")
        if field == "Id" or field != KEY or asked.method not in {"PATCH", "GET"}:
            raise RefusedError(400, "INVALID_FIELD", f"Provided external ID field does not exist: {field}")
        matching = [each for each in self._records(kind) if each[KEY].casefold() == key.casefold()]
        if len(matching) > 1:
            return Answered(300, [f"{BASE}/sobjects/{kind}/{each['Id']}" for each in matching])
        if asked.method == "GET":
            if not matching:
                raise RefusedError(404, "NOT_FOUND", "The requested resource does not exist")
            return Answered(200, {"attributes": {"type": kind}, **matching[0]})
        _check(kind, asked.json(), new=not matching)
        body = {name: value for name, value in asked.json().items() if value not in {None, ""}}
        if matching:
            cleared = {name: value for name, value in matching[0].items() if name not in {*asked.json(), *SYSTEM}}
            self._save(int(matching[0]["Id"][3:]), {**cleared, **body})
            if "no_content" in self.traps:
                return Answered(204)
            return Answered(200, {"id": matching[0]["Id"], "success": True, "errors": [], "created": False})
        number = self._insert(kind, key, body)
        return Answered(201, {"id": _id(kind, number), "success": True, "errors": [], "created": True})

    def _insert(self, kind: str, key: str, body: Record) -> int:
        with self._database:
            done = self._database.execute(
                "INSERT INTO record (object, key, body) VALUES (?, ?, ?)", [kind, key, json.dumps(body)]
            )
        return int(done.lastrowid or 0)

    def _save(self, number: int, body: Record) -> None:
        with self._database:
            self._database.execute("UPDATE record SET body = ? WHERE id = ?", [json.dumps(body), number])

    def _records(self, kind: str) -> list[Record]:
        rows = self._database.execute("SELECT id, key, body FROM record WHERE object = ? ORDER BY id", [kind])
        system = {"Status__c": "Open", "CreatedDate": CREATED}
        return [{**system, **json.loads(body), "Id": _id(kind, number), KEY: key} for number, key, body in rows]


def _id(kind: str, number: int) -> str:
    return f"{PREFIXES[kind]}{number:015}"


def _check(kind: str, record: Record, *, new: bool) -> None:
    if unknown := sorted(set(record) - OBJECTS[kind]):
        message = f"No such column '{unknown[0]}' on sobject of type {kind}"
        if unknown[0] in {"Id", KEY}:
            message = f"The {unknown[0]} field should not be specified in the sobject data."
        raise RefusedError(400, "INVALID_FIELD", message)
    if new and not record.get("Name"):
        raise RefusedError(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]")
    if len(record.get("Name") or "") > 80:
        raise RefusedError(400, "STRING_TOO_LONG", "Name: data value too large (max length=80)")
    if record.get("Severity__c") not in {None, *SEVERITIES}:
        message = f"Severity: bad value for restricted picklist field: {record['Severity__c']}"
        raise RefusedError(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message)


@contextmanager
def serve(
    folder: Path, traps: Collection[str] = (), port: int = 0, provider: str = "TrackWise Digital"
) -> Iterator[Salesforce]:
    """Run an org.

    Args:
        folder: for its database.
        traps: see :data:`TRAPS`.
        port: 0 for any free one.
        provider: the product's name in the configuration.
    """
    org = Salesforce(folder, traps, provider)
    with serve_answers(org.answer, port) as origin:
        org.origin = origin
        yield org
