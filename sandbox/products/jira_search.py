"""JQL as far as integrations write it, the lag of the index, pages by token, and issues as answers show them."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from sandbox.products.documents import Document
from sandbox.products.jira_fields import CUSTOM, TYPES, plain
from sandbox.products.json_server import Refusal

if TYPE_CHECKING:
    from sandbox.products.jira import Jira

_CLAUSE = re.compile(
    r'\s*([A-Za-z]+|cf\[[0-9]+\])\s*(=|~|in\b)\s*(\((?:[^"()]|"(?:[^"\\]|\\.)*")*\)|"(?:[^"\\]|\\.)*"|[\w-]+)\s*'
)
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"|([\w-]+)')
_ORDER = re.compile(r"\border\s+by\s+[a-z]+(\s+(asc|desc))?\s*$", re.IGNORECASE)
CATEGORIES = {
    "To Do": (2, "new", "To Do"),
    "In Progress": (4, "indeterminate", "In Progress"),
    "Done": (3, "done", "Done"),
}
STATUSES = {"To Do": "10100", "In Progress": "3", "Done": "10102"}
SMALL = 3
MOST = 100
BODY = {"jql", "fields", "properties", "maxResults", "nextPageToken", "reconcileIssues", "expand", "fieldsByKeys"}


class Search:
    """Finds issues by JQL.

    Args:
        jira: has the issues.
    """

    def __init__(self, jira: Jira) -> None:
        self._jira = jira
        self._tokens: dict[str, tuple[str, int]] = {}

    def found(self, jql: Any, reconciled: list[int]) -> list[Document]:
        """Return the issues that a query finds, as far as the index has them.

        Args:
            jql: the query.
            reconciled: ids of issues that are read from the database.

        Raises:
            Refusal: 400, the query isn't one.
        """
        if not isinstance(jql, str) or not jql.strip():
            raise Refusal(400, _refused("Unbounded JQL queries are not allowed here."))
        tests = self._tests(_ORDER.sub("", jql))
        now = time.time()
        issues = []
        for issue in self._jira.documents.all("issue"):
            shown = issue["number"] in reconciled or issue["indexed"] <= now - self._jira.lag
            if shown and all(test(issue) for test in tests):
                issues.append(issue)
        return issues

    def cloud_page(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a page as ``/search/jql`` does: without a total, and only ids without ``fields``."""
        strange = set(body) - BODY
        if strange:
            raise Refusal(400, _refused(f"Unrecognized field {min(strange)}"))
        reconciled = body.get("reconcileIssues", [])
        if len(reconciled) > 50 or not all(isinstance(each, int) for each in reconciled):
            raise Refusal(400, _refused("reconcileIssues takes at most 50 ids"))
        start = self._start(body)
        matching = self.found(body.get("jql"), reconciled)
        size = min(int(body.get("maxResults", 50)), SMALL if "short_pages" in self._jira.traps else MOST)
        page, rest = matching[start : start + size], matching[start + size :]
        fields = body.get("fields") or ["id"]
        answer: dict[str, Any] = {"issues": [self.shown(each, fields, body.get("properties", ())) for each in page]}
        if rest:
            token = secrets.token_urlsafe(12)
            self._tokens[token] = (body["jql"], start + size)
            return {**answer, "nextPageToken": token, "isLast": False}
        return {**answer, "isLast": True}

    def _start(self, body: dict[str, Any]) -> int:
        if "nextPageToken" not in body:
            return 0
        jql, start = self._tokens.get(body["nextPageToken"], ("", -1))
        if start < 0 or jql != body["jql"]:
            raise Refusal(400, _refused("The nextPageToken is invalid or has expired."))
        return start

    def dc_page(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a page as ``/search`` of Data Center does."""
        strange = set(body) - {"jql", "startAt", "maxResults", "fields", "expand", "validateQuery"}
        if strange:
            raise Refusal(400, _refused(f"Unrecognized field {min(strange)}"))
        matching = self.found(body.get("jql"), [])
        start, size = int(body.get("startAt", 0)), min(int(body.get("maxResults", 50)), MOST)
        size = min(size, SMALL) if "short_pages" in self._jira.traps else size
        fields = body.get("fields") or ["*all"]
        issues = [self.shown(each, fields) for each in matching[start : start + size]]
        return {"startAt": start, "maxResults": size, "total": len(matching), "issues": issues}

    def shown(self, issue: Document, fields: Any = ("*all",), properties: Any = ()) -> dict[str, Any]:
        """Return an issue with the fields and properties that were asked for."""
        answer: dict[str, Any] = {"id": str(issue["number"])}
        if list(fields) == ["id"]:
            return answer
        answer |= {"key": issue["key"], "self": f"{self._jira.origin}{self._jira.base}/issue/{issue['number']}"}
        everything = self._fields(issue)
        answer["fields"] = {name: value for name, value in everything.items() if "*all" in fields or name in fields}
        if properties:
            there = issue["properties"]
            answer["properties"] = {name: there[name] for name in properties if name in there}
        return answer

    def _fields(self, issue: Document) -> dict[str, Any]:
        jira, own = self._jira, issue["fields"]
        parent = jira.documents.get("issue", issue.get("parent") or "")
        subtasks = [self._link(each) for each in jira.children(issue)]
        time_spent = [each for each in jira.documents.all("worklog") if each["issue"] == issue["number"]]
        fields = {
            "summary": own["summary"],
            "description": own.get("description"),
            "duedate": own.get("duedate"),
            "labels": own.get("labels", []),
            "project": {"id": "10000", "key": issue["project"], "name": issue["project"]},
            "issuetype": {
                "id": own["issuetype"],
                "name": TYPES[own["issuetype"]][0],
                "subtask": TYPES[own["issuetype"]][1],
            },
            "status": self.status(issue["status"]),
            "assignee": jira.person(issue["assignee"]) if issue.get("assignee") else None,
            "subtasks": subtasks,
            "created": issue["created"],
            "resolutiondate": issue.get("resolved"),
            **{name: own.get(name) for name in CUSTOM},
        }
        if "no_time_tracking" not in jira.traps:
            spent = {"timeSpentSeconds": sum(each["timeSpentSeconds"] for each in time_spent)} if time_spent else {}
            fields["timetracking"] = {**own.get("timetracking", {}), **spent}
        return {**fields, **({"parent": self._link(parent)} if parent else {})}

    def _link(self, issue: Document) -> dict[str, Any]:
        fields = {"summary": issue["fields"]["summary"], "status": self.status(issue["status"])}
        address = f"{self._jira.origin}{self._jira.base}/issue/{issue['number']}"
        return {"id": str(issue["number"]), "key": issue["key"], "self": address, "fields": fields}

    def status(self, name: str) -> dict[str, Any]:
        """Return a status as Jira shows it."""
        number, key, title = CATEGORIES[name]
        address = f"{self._jira.origin}{self._jira.base}"
        category = {
            "self": f"{address}/statuscategory/{number}",
            "id": number,
            "key": key,
            "name": title,
            "colorName": "blue-gray",
        }
        return {
            "self": f"{address}/status/{STATUSES[name]}",
            "id": STATUSES[name],
            "name": name,
            "statusCategory": category,
        }

    def _tests(self, jql: str) -> list[Any]:
        tests = []
        for clause in re.split(r"\s+and\s+(?![^(]*\))", jql.strip(), flags=re.IGNORECASE):
            match = _CLAUSE.fullmatch(clause)
            if match is None:
                raise Refusal(400, _refused(f"Error in the JQL Query: {clause[:80]}"))
            words = [_unescaped(quoted) if quoted else bare for quoted, bare in _TEXT.findall(match[3])]
            tests.append(self._test(match[1].casefold(), match[2].casefold(), words))
        return tests

    def _test(self, field: str, operator: str, words: list[str]) -> Any:
        if field == "project":
            known = {"PVL", "OTH"}
            if not set(words) <= known:
                raise Refusal(400, _refused(f"The value '{words[0]}' does not exist for the field 'project'."))
            return lambda issue: issue["project"] in words
        if field == "labels" and operator != "~":
            return lambda issue: bool(set(issue["fields"].get("labels", ())) & set(words))
        if field == "status" and operator != "~":
            if not {word.casefold() for word in words} <= {name.casefold() for name in STATUSES}:
                raise Refusal(400, _refused(f"The value '{words[0]}' does not exist for the field 'status'."))
            return lambda issue: issue["status"].casefold() in {word.casefold() for word in words}
        if field == "issuetype" and operator != "~":
            return lambda issue: TYPES[issue["fields"]["issuetype"]][0] in words
        if field == "worklogcomment" and operator == "~":
            return lambda issue: any(_holds(each["comment"], words[0]) for each in self._worklogs(issue))
        if field.startswith("cf[") and operator == "~":
            return lambda issue: _holds(issue["fields"].get(f"customfield_{field[3:-1]}"), words[0])
        raise Refusal(400, _refused(f"Field '{field}' does not exist or does not take {operator}."))

    def _worklogs(self, issue: Document) -> list[Document]:
        return [each for each in self._jira.documents.all("worklog") if each["issue"] == issue["number"]]


def _holds(text: Any, words: str) -> bool:
    """Search text as an index does: without case and punctuation."""

    def tokens(part: str) -> str:
        return " " + " ".join(re.findall(r"\w+", part.casefold())) + " "

    return tokens(words) in tokens(plain(text))


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _refused(message: str) -> dict[str, Any]:
    return {"errorMessages": [message], "errors": {}}
