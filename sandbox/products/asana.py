"""Asana, written from its OpenAPI file and documentation alone.

Names on the command line: ``asana`` (keys as external ids, OAuth) and ``asana-pat`` (a text field, personal token).
``docs/products/asana.md`` says how surely each fact is known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from sandbox.framework.app import USERS
from sandbox.products.asana_limits import Limits
from sandbox.products.asana_routes import Resources
from sandbox.products.documents import Document, Documents
from sandbox.products.json_server import Answer, Asked, JsonServer, Refusal
from sandbox.products.serving import running

TRAPS = (
    "offset_expires",
    "short_pages",
    "shuffled_batch",
    "partial_batch",
    "error_after_commit",
    "rate_limit",
)
OAUTH, PERSONAL = "oauth-token", "personal-token"
WORKSPACE, PROJECT = "1200000000000001", "1200000000000002"
KEY_FIELD, ESTIMATE_FIELD, PROGRESS_FIELD = "1200000000000011", "1200000000000012", "1200000000000013"
FIELDS = {KEY_FIELD: "text", ESTIMATE_FIELD: "number", PROGRESS_FIELD: "number"}
SECTIONS = {
    "1200000000000021": "To do",
    "1200000000000022": "In progress",
    "1200000000000023": "Complete",
}
ME = 9
FIRST = 1_300_000_000_000_000
_KEY = re.compile(r"^Key: (.+)\Z", re.MULTILINE)


class Asana:
    """What an Asana holds and knows.

    Args:
        folder: for its database.
        traps: the documented traps to set.

    Attributes:
        origin: its address.
        section: the system's part of the configuration.
        server: counts what was asked.
    """

    server: JsonServer

    def __init__(self, folder: Path, traps: Collection[str]) -> None:
        unknown = set(traps) - set(TRAPS)
        if unknown:
            raise ValueError(f"unknown traps: {', '.join(sorted(unknown))}")
        self.documents = Documents(folder / "asana.sqlite", FIRST)
        self.traps = frozenset(traps)
        self.limits = Limits(self.traps)
        self.origin = ""
        self.section: dict[str, Any] = {}
        self._resources = Resources(self)

    def answer(self, asked: Asked) -> Answer:
        """Answer a request."""
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in {OAUTH, PERSONAL}:
            raise Refusal(401, errors("Not Authorized"))
        with self.documents.lock:
            self.limits.check()
            return self._resources.answer(asked, oauth=token == OAUTH)

    def task(self, gid: str, *, oauth: bool) -> Document:
        """Return a task by its number, or by ``external:`` and its external id.

        Raises:
            Refusal: there is none.
        """
        task = self.documents.get("task", gid)
        if gid.startswith("external:"):
            if not oauth:
                raise Refusal(403, errors("external ids need an OAuth token"))
            wanted = gid.removeprefix("external:")
            named = (each for each in self.documents.all("task") if each.get("external", {}).get("gid") == wanted)
            task = next(named, None)
        if task is None:
            raise Refusal(404, errors(f"task: Unknown object: {gid}"))
        return task

    def children(self, task: Document) -> list[Document]:
        """Return the subtasks of a task."""
        return [each for each in self.documents.all("task") if each.get("parent") == task["number"]]

    def entries(self, task: int) -> list[Document]:
        """Return the time entries of a task."""
        return [each for each in self.documents.all("time_entry") if each["task"] == task]

    def person(self, name: str) -> dict[str, Any]:
        """Return a user by ``me``, number or address.

        Raises:
            Refusal: there is none.
        """
        for number, _, mail, shown, _, active in USERS:
            gid = str(1_100_000_000_000_000 + number)
            if active and (name in {gid, mail} or (name == "me" and number == ME)):
                return {"gid": gid, "resource_type": "user", "name": shown, "email": mail}
        raise Refusal(400, errors(f"assignee: Not a user in Organization: {name}"))

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return all tasks, or all hours, from the database."""
        tasks = self.documents.all("task")
        if kind == "task":
            return [self._task(task) for task in tasks if _business_key(task)]
        rows = []
        for carrier in tasks:
            match = _KEY.search(carrier["notes"].rstrip())
            if match and not _business_key(carrier):
                minutes = sum(entry["duration_minutes"] for entry in self.entries(carrier["number"]))
                rows.append({"key": match[1], "minutes": minutes, "notes": carrier["notes"]})
        return rows

    def _task(self, task: Document) -> dict[str, Any]:
        parent = self.documents.get("task", task["parent"] or "")
        minutes = task["custom_fields"].get(ESTIMATE_FIELD)
        return {
            "key": _business_key(task),
            "parent": "" if parent is None else _business_key(parent),
            "status": SECTIONS.get(task["section"], ""),
            "done": task["completed"],
            "hours": None if minutes is None else Decimal(str(minutes)) / 60,
            "assignee": task["assignee"],
        }


def errors(message: str, **more: str) -> dict[str, Any]:
    """Return the body of a refusal."""
    help_text = "For more information on API status codes and how to handle them, read the docs on errors"
    return {"errors": [{"message": message, "help": help_text, **more}]}


def _business_key(task: Document) -> str:
    return str(task.get("external", {}).get("gid") or task["custom_fields"].get(KEY_FIELD) or "")


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0, *, personal: bool = False) -> Iterator[Asana]:
    """Run an Asana.

    Args:
        folder: for its database.
        traps: the documented traps to set.
        port: 0 for any free one.
        personal: whether the configuration has a personal token, which may not use external ids.
    """
    asana = Asana(folder, traps)
    server = JsonServer(asana.answer, port)
    with running(server):
        asana.server, asana.origin = server, server.origin
        keys: dict[str, Any] = {"key_field": KEY_FIELD} if personal else {"external_ids": True}
        asana.section = {
            "provider": "Asana",
            "base_url": f"{server.origin}/api/1.0",
            "auth_type": "bearer",
            "token": PERSONAL if personal else OAUTH,
            "options": {
                "project": PROJECT,
                **keys,
                "estimate_field": ESTIMATE_FIELD,
                "progress_field": PROGRESS_FIELD,
                "status_updates": True,
            },
        }
        yield asana
    asana.documents.close()


@contextmanager
def serve_personal(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[Asana]:
    """Run an Asana that is asked with a personal token; the arguments are those of :func:`serve`."""
    with serve(folder, traps, port, personal=True) as asana:
        yield asana
