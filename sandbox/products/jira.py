"""Jira Cloud (REST v3) and Data Center (REST v2), written from Atlassian's OpenAPI file and documentation alone.

Names on the command line: ``jira`` and ``jira-dc``. ``docs/products/jira.md`` says how surely each fact is known.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from sandbox.framework.app import USERS
from sandbox.products import jira_fields, jira_search
from sandbox.products.documents import Document, Documents
from sandbox.products.jira_limits import Limits
from sandbox.products.jira_routes import Resources
from sandbox.products.json_server import Answer, Asked, JsonServer, Refusal
from sandbox.products.serving import running

TRAPS = (
    "search_lag",
    "short_pages",
    "bulk_partial",
    "shuffled_bulk",
    "error_after_commit",
    "burst_limit",
    "issue_limit",
    "quota_limit",
    "hidden_mail",
)
SETTINGS = ("no_time_tracking",)
"""What a site may have switched off, so that something waits for a person; set like a trap."""
MAIL, TOKEN = "integration@lab.example", "jira-api-token"
PROJECT, OTHER_PROJECT = "PVL", "OTH"
LAG = 2.0
KEY_LINE = "Key: "


class Jira:
    """What a Jira holds and knows.

    Args:
        folder: for its database.
        traps: the documented traps to set.
        cloud: whether it is a Cloud site; Data Center otherwise.

    Attributes:
        lag: seconds for which a search doesn't show a change.
        origin: its address.
        section: the system's part of the configuration.
        server: counts what was asked.
    """

    server: JsonServer

    def __init__(self, folder: Path, traps: Collection[str], *, cloud: bool) -> None:
        unknown = set(traps) - {*TRAPS, *SETTINGS}
        if unknown:
            raise ValueError(f"unknown traps: {', '.join(sorted(unknown))}")
        self.documents = Documents(folder / "jira.sqlite")
        self.traps = frozenset(traps)
        self.cloud = cloud
        self.base = "/rest/api/3" if cloud else "/rest/api/2"
        self.lag = LAG if "search_lag" in traps else 0.0
        self.limits = Limits(self.traps)
        self.search = jira_search.Search(self)
        self.origin = ""
        self.section: dict[str, Any] = {}
        self._routes = Resources(self).routes()

    def answer(self, asked: Asked) -> Answer:
        """Answer a request."""
        if not self._knows(asked.headers.get("authorization", "")):
            raise Refusal(401, errors("Client must be authenticated to access this resource."))
        with self.documents.lock:
            self.limits.check(asked)
            return self._routes.answer(asked)

    def _knows(self, authorization: str) -> bool:
        if self.cloud:
            return authorization == "Basic " + base64.b64encode(f"{MAIL}:{TOKEN}".encode()).decode()
        return authorization == f"Bearer {TOKEN}"

    def issue(self, id_or_key: str) -> Document:
        """Return an issue by id or key.

        Raises:
            Refusal: there is none.
        """
        issue = self.documents.get("issue", id_or_key)
        if issue is None:
            issue = next((each for each in self.documents.all("issue") if each["key"] == id_or_key), None)
        if issue is None:
            raise Refusal(404, errors("Issue does not exist or you do not have permission to see it."))
        return issue

    def children(self, issue: Document) -> list[Document]:
        """Return the subtasks of an issue."""
        return [each for each in self.documents.all("issue") if each.get("parent") == issue["number"]]

    def next_key(self, project: str) -> str:
        """Return the key of the next issue of a project."""
        numbers = [int(each["key"].split("-")[1]) for each in self.documents.all("issue") if each["project"] == project]
        return f"{project}-{max(numbers, default=0) + 1}"

    def person(self, number: int) -> dict[str, Any]:
        """Return a user as Jira shows one."""
        known = next(user for user in USERS if user[0] == number)
        login, mail, name, active = known[1], known[2], known[3], bool(known[5])
        shown: dict[str, Any] = {"displayName": name, "active": active}
        shown["self"] = f"{self.origin}{self.base}/user?{'accountId' if self.cloud else 'username'}={login}"
        if "hidden_mail" not in self.traps or number == 9:
            shown["emailAddress"] = mail
        if self.cloud:
            return {**shown, "accountId": f"5b10a2844c20165700ede{number:03}", "accountType": "atlassian"}
        return {**shown, "name": login, "key": f"JIRAUSER{10000 + number}"}

    def people(self, text: str) -> list[dict[str, Any]]:
        """Return the active users whose name or address begins with a text."""
        wanted = text.casefold()
        return [
            self.person(user[0])
            for user in USERS
            if user[5] and any(str(part).casefold().startswith(wanted) for part in (user[1], user[2], user[3]))
        ]

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return all tasks, or all hours, from the database."""
        if kind == "task":
            return [self._task(issue) for issue in self.documents.all("issue")]
        entries = self.documents.all("worklog")
        return [{"key": _key(entry), "hours": Decimal(entry["timeSpentSeconds"]) / 3600} for entry in entries]

    def _task(self, issue: Document) -> dict[str, Any]:
        parent = self.documents.get("issue", issue.get("parent") or "")
        seconds = issue["fields"].get("timetracking", {}).get("originalEstimateSeconds")
        return {
            "key": _business_key(issue),
            "parent": "" if parent is None else _business_key(parent),
            "status": issue["status"],
            "done": issue["status"] == "Done",
            "hours": None if seconds is None else Decimal(seconds) / 3600,
            "assignee": issue.get("assignee"),
        }


def errors(*messages: str, **fields: str) -> dict[str, Any]:
    """Return the body of a refusal."""
    return {"errorMessages": list(messages), "errors": fields}


def _business_key(issue: Document) -> str:
    for value in issue["properties"].values():
        if isinstance(value, dict) and "key" in value:
            return str(value["key"])
    return ""


def _key(entry: Document) -> str:
    last = jira_fields.plain(entry["comment"]).splitlines()[-1:]
    return last[0].removeprefix(KEY_LINE) if last and last[0].startswith(KEY_LINE) else ""


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0, *, cloud: bool = True) -> Iterator[Jira]:
    """Run a Jira.

    Args:
        folder: for its database.
        traps: the documented traps to set.
        port: 0 for any free one.
        cloud: whether it is a Cloud site.
    """
    jira = Jira(folder, traps, cloud=cloud)
    server = JsonServer(jira.answer, port)
    with running(server):
        jira.server, jira.origin = server, server.origin
        login = {"auth_type": "basic", "username": MAIL, "password": TOKEN}
        jira.section = {
            "provider": "Jira" if cloud else "Jira DC",
            "base_url": f"{server.origin}{jira.base}",
            **(login if cloud else {"auth_type": "bearer", "token": TOKEN}),
            "options": {"project": PROJECT, "search_lag": int(2 * LAG)},
        }
        yield jira
    jira.documents.close()


@contextmanager
def serve_dc(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[Jira]:
    """Run a Jira Data Center; the arguments are those of :func:`serve`."""
    with serve(folder, traps, port, cloud=False) as jira:
        yield jira
