"""The resources of Jira that integrations use."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sandbox.products import jira_fields
from sandbox.products.documents import Document
from sandbox.products.jira_fields import TYPES, rich
from sandbox.products.json_server import Answer, Asked, Refusal, Routes

if TYPE_CHECKING:
    from sandbox.products.jira import Jira

STARTED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}[+-][0-9]{4}")
LEADS = {"To Do": ("In Progress",), "In Progress": ("To Do", "Done"), "Done": ("In Progress",)}
NUMBERS = {
    ("To Do", "In Progress"): "11",
    ("In Progress", "To Do"): "21",
    ("In Progress", "Done"): "31",
    ("Done", "In Progress"): "41",
}
TRACKING_OFF = "Time Tracking is not enabled."
REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
    "A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)


class Resources:
    """Answers requests; the names of the methods say to which.

    Args:
        jira: what it holds.
    """

    def __init__(self, jira: Jira) -> None:
        self.jira = jira

    def routes(self) -> Routes:
        """Return who answers what."""
        jira, known = self.jira, Routes()
        one = f"{jira.base}/issue/{{issue}}"
        for method, path, route in (
            ("GET", f"{jira.base}/myself", self._myself),
            ("GET", f"{jira.base}/serverInfo", self._server_info),
            ("GET", f"{jira.base}/field", self._fields),
            ("GET", f"{jira.base}/user/assignable/search", self._assignable),
            ("POST", f"{jira.base}/issue", self._create),
            ("POST", f"{jira.base}/issue/bulk", self._create_many),
            ("GET", f"{one}/transitions", self._transitions),
            ("POST", f"{one}/transitions", self._move),
            ("GET", f"{one}/comment", self._comments),
            ("POST", f"{one}/comment", self._comment),
            ("GET", f"{one}/worklog", self._worklogs),
            ("POST", f"{one}/worklog", self._log_work),
            ("PUT", f"{one}/worklog/{{worklog}}", self._change_work),
            ("GET", f"{one}/remotelink", self._links),
            ("POST", f"{one}/remotelink", self._link),
            ("GET", f"{one}/properties/{{name}}", self._property),
            ("PUT", f"{one}/properties/{{name}}", self._set_property),
            ("GET", one, self._read),
            ("PUT", one, self._change),
        ):
            known.add(method, path, route)
        if jira.cloud:
            known.add("POST", f"{jira.base}/issue/bulkfetch", self._read_many)
            known.add("POST", f"{jira.base}/search/jql", self._search_cloud)
            known.add("GET", f"{jira.base}/search/jql", self._search_cloud_get)
            for method in ("GET", "POST"):
                known.add(method, f"{jira.base}/search", self._search_removed)
        else:
            known.add("POST", f"{jira.base}/search", self._search_dc)
            known.add("GET", f"{jira.base}/search", self._search_dc_get)
        return known

    def _myself(self, asked: Asked) -> Answer:
        del asked
        return 200, self.jira.person(9)

    def _server_info(self, asked: Asked) -> Answer:
        del asked
        kind, version = ("Cloud", "1001.0.0-SNAPSHOT") if self.jira.cloud else ("Server", "10.3.1")
        numbers = [int(part) for part in version.split("-")[0].split(".")]
        return 200, {"baseUrl": self.jira.origin, "version": version, "versionNumbers": numbers, "deploymentType": kind}

    def _fields(self, asked: Asked) -> Answer:
        del asked
        fields = []
        for name in sorted(jira_fields.ON_SCREEN | set(jira_fields.CUSTOM)):
            custom = name in jira_fields.CUSTOM
            flags = {"custom": custom, "orderable": True, "navigable": True, "searchable": True}
            fields.append({"id": name, "key": name, "name": name.capitalize(), "clauseNames": [name], **flags})
        return 200, fields

    def _assignable(self, asked: Asked) -> Answer:
        if not {"project", "issueKey", "issueId"} & set(asked.query):
            raise Refusal(400, refused("project or issueKey is required"))
        if self.jira.cloud and "username" in asked.query:
            raise Refusal(400, refused("The query parameter 'username' is not supported in GDPR strict mode."))
        return 200, self.jira.people(asked.query.get("query" if self.jira.cloud else "username", ""))

    def _create(self, asked: Asked) -> Answer:
        made = self._created(asked.body)
        self.jira.limits.after_commit("create")
        return 201, self._name(made)

    def _create_many(self, asked: Asked) -> Answer:
        updates = (asked.body or {}).get("issueUpdates")
        if not isinstance(updates, list) or not updates or len(updates) > 50:
            raise Refusal(400, refused("issueUpdates must have 1 to 50 elements"))
        made, failed = [], []
        partial = "bulk_partial" in self.jira.traps and not self.jira.documents.all("partial")
        for number, update in enumerate(updates):
            try:
                if partial and number == len(updates) - 1:
                    self.jira.documents.add("partial", {})
                    raise Refusal(500, refused("The issue could not be created now."))
                made.append(self._name(self._created(update)))
            except Refusal as refusal:
                failed.append({"status": refusal.status, "elementErrors": refusal.body, "failedElementNumber": number})
        self.jira.limits.after_commit("create")
        if "shuffled_bulk" in self.jira.traps:
            made.reverse()
        return (201 if made else 400), {"issues": made, "errors": failed}

    def _created(self, body: Any) -> Document:
        if not isinstance(body, dict) or not isinstance(body.get("fields"), dict):
            raise Refusal(400, refused("fields are required"))
        fields = jira_fields.checked(self.jira, body["fields"], new=True)
        parent = self.jira.issue(fields["parent"])["number"] if TYPES[fields["issuetype"]][1] else None
        properties: dict[str, Any] = {}
        for each in body.get("properties", ()):
            properties[each["key"]] = each["value"]
        issue = {
            "key": self.jira.next_key(fields["project"]),
            "project": fields["project"],
            "parent": parent,
            "status": "To Do",
            "assignee": fields.pop("assignee", None),
            "fields": fields,
            "properties": properties,
            "created": moment(),
            "indexed": time.time(),
        }
        return {**issue, "number": self.jira.documents.add("issue", issue)}

    def _name(self, issue: Document) -> dict[str, Any]:
        number = str(issue["number"])
        return {"id": number, "key": issue["key"], "self": f"{self.jira.origin}{self.jira.base}/issue/{number}"}

    def _read(self, asked: Asked, issue: str) -> Answer:
        fields = asked.query.get("fields", "*all").split(",")
        properties = [name for name in asked.query.get("properties", "").split(",") if name]
        shown = self.jira.search.shown(self.jira.issue(issue), fields, properties)
        return 200, {"expand": "renderedFields,names,schema", **shown}

    def _read_many(self, asked: Asked) -> Answer:
        names = asked.body.get("issueIdsOrKeys")
        if not isinstance(names, list) or len(names) > 100:
            raise Refusal(400, refused("issueIdsOrKeys takes at most 100"))
        issues = []
        for name in names:
            try:
                issue = self.jira.issue(name)
            except Refusal:
                continue
            issues.append(
                self.jira.search.shown(issue, asked.body.get("fields", ["*all"]), asked.body.get("properties", ()))
            )
        return 200, {"issues": issues, "issueErrors": []}

    def _change(self, asked: Asked, issue: str) -> Answer:
        there = self.jira.issue(issue)
        fields = jira_fields.checked(self.jira, (asked.body or {}).get("fields", {}), new=False)
        if "assignee" in fields:
            there["assignee"] = fields.pop("assignee")
        there["fields"] |= fields  # a transition is ignored here
        self._keep(there)
        return 204, None

    def _keep(self, issue: Document) -> None:
        number = issue.pop("number")
        self.jira.documents.change("issue", number, {**issue, "indexed": time.time()})

    def _transitions(self, asked: Asked, issue: str) -> Answer:
        del asked
        there = self.jira.issue(issue)
        offered = [self._transition(there["status"], target) for target in self._leads(there)]
        return 200, {"expand": "transitions", "transitions": offered}

    def _leads(self, issue: Document) -> list[str]:
        """Return where the workflow leads; this site's doesn't complete a task with open subtasks."""
        unfinished = any(each["status"] != "Done" for each in self.jira.children(issue))
        return [target for target in LEADS[issue["status"]] if target != "Done" or not unfinished]

    def _transition(self, source: str, target: str) -> dict[str, Any]:
        names = {"To Do": "Back to the list", "In Progress": "Start", "Done": "Finish"}
        flags = {"hasScreen": False, "isGlobal": False, "isInitial": False, "isAvailable": True, "isConditional": False}
        return {"id": NUMBERS[source, target], "name": names[target], "to": self.jira.search.status(target), **flags}

    def _move(self, asked: Asked, issue: str) -> Answer:
        there = self.jira.issue(issue)
        wanted = ((asked.body or {}).get("transition") or {}).get("id")
        for target in self._leads(there):
            if NUMBERS[there["status"], target] == wanted:
                there["status"] = target
                there["resolved"] = moment() if target == "Done" else None
                self._keep(there)
                self.jira.limits.after_commit("move")
                return 204, None
        raise Refusal(
            400,
            refused(
                "It seems that you have tried to perform a workflow operation that is not valid for the current "
                "state of this issue."
            ),
        )

    def _comments(self, asked: Asked, issue: str) -> Answer:
        number = self.jira.issue(issue)["number"]
        there = [self._shown_comment(each) for each in self.jira.documents.all("comment") if each["issue"] == number]
        if asked.query.get("orderBy") == "-created":
            there.reverse()
        start, size = int(asked.query.get("startAt", 0)), int(asked.query.get("maxResults", 50))
        return 200, {"startAt": start, "maxResults": size, "total": len(there), "comments": there[start : start + size]}

    def _shown_comment(self, comment: Document) -> dict[str, Any]:
        author = self.jira.person(9)
        person = {name: author[name] for name in author if name != "locale"}
        shown = {"id": str(comment["number"]), "body": comment["body"], "author": person, "created": comment["created"]}
        return {
            **shown,
            "self": f"{self.jira.origin}{self.jira.base}/issue/{comment['issue']}/comment/{comment['number']}",
        }

    def _comment(self, asked: Asked, issue: str) -> Answer:
        there = self.jira.issue(issue)
        body = self._rich((asked.body or {}).get("body"), "body")
        comment = {"issue": there["number"], "body": body, "created": moment()}
        number = self.jira.documents.add("comment", comment)
        self.jira.limits.after_commit("comment")
        return 201, self._shown_comment({**comment, "number": number})

    def _rich(self, value: Any, field: str) -> Any:
        try:
            text = rich(self.jira, value)
        except ValueError as error:
            raise Refusal(400, {"errorMessages": [], "errors": {field: str(error)}}) from None
        if not text:
            raise Refusal(400, {"errorMessages": [], "errors": {field: f"{field} can not be empty!"}})
        return text

    def _worklogs(self, asked: Asked, issue: str) -> Answer:
        self._tracked()
        number = self.jira.issue(issue)["number"]
        there = [self._worklog(each) for each in self.jira.documents.all("worklog") if each["issue"] == number]
        start, size = int(asked.query.get("startAt", 0)), int(asked.query.get("maxResults", 5000))
        if "short_pages" in self.jira.traps:
            size = min(size, 40)
        return 200, {"startAt": start, "maxResults": size, "total": len(there), "worklogs": there[start : start + size]}

    def _tracked(self) -> None:
        if "no_time_tracking" in self.jira.traps:
            raise Refusal(400, refused(TRACKING_OFF))

    def _worklog(self, entry: Document) -> dict[str, Any]:
        author = self.jira.person(9)
        address = f"{self.jira.origin}{self.jira.base}/issue/{entry['issue']}/worklog/{entry['number']}"
        return {
            "self": address,
            "id": str(entry["number"]),
            "issueId": str(entry["issue"]),
            "author": author,
            "comment": entry["comment"],
            "started": entry["started"],
            "timeSpentSeconds": entry["timeSpentSeconds"],
            "timeSpent": f"{entry['timeSpentSeconds'] // 60}m",
            "created": entry["created"],
            "updated": entry["created"],
        }

    def _log_work(self, asked: Asked, issue: str) -> Answer:
        there = self.jira.issue(issue)
        entry = {**self._work(asked), "issue": there["number"], "created": moment()}
        number = self.jira.documents.add("worklog", entry)
        self.jira.limits.after_commit("worklog")
        return 201, self._worklog({**entry, "number": number})

    def _work(self, asked: Asked) -> dict[str, Any]:
        self._tracked()
        body = asked.body if isinstance(asked.body, dict) else {}
        strange = set(body) - {"comment", "started", "timeSpentSeconds", "timeSpent", "visibility", "properties"}
        if strange:
            raise Refusal(400, refused(f"Unrecognized field {min(strange)}"))
        if asked.query.get("adjustEstimate", "auto") not in {"new", "leave", "manual", "auto"}:
            raise Refusal(400, refused("adjustEstimate must be new, leave, manual or auto"))
        started, seconds = body.get("started"), body.get("timeSpentSeconds")
        if not isinstance(started, str) or not STARTED.fullmatch(started):
            raise Refusal(400, refused("started must look like 2026-11-20T09:00:00.000+0000"))
        if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 60:
            raise Refusal(
                400, {"errorMessages": [], "errors": {"timeLogged": "You must indicate the time spent working."}}
            )
        return {"comment": self._rich(body.get("comment"), "comment"), "started": started, "timeSpentSeconds": seconds}

    def _change_work(self, asked: Asked, issue: str, worklog: str) -> Answer:
        there = self.jira.issue(issue)
        entry = self.jira.documents.get("worklog", worklog)
        if entry is None or entry["issue"] != there["number"]:
            raise Refusal(404, refused(f"Cannot find worklog with id: '{worklog}'."))
        changed = {**entry, **self._work(asked)}
        number = changed.pop("number")
        self.jira.documents.change("worklog", number, changed)
        return 200, self._worklog({**changed, "number": number})

    def _links(self, asked: Asked, issue: str) -> Answer:
        number = self.jira.issue(issue)["number"]
        there = [each for each in self.jira.documents.all("link") if each["issue"] == number]
        wanted = asked.query.get("globalId")
        shown = [{"id": each["number"], "globalId": each["globalId"], "object": each["object"]} for each in there]
        if wanted is None:
            return 200, shown
        for each in shown:
            if each["globalId"] == wanted:
                return 200, each
        raise Refusal(404, refused("The remote link does not exist."))

    def _link(self, asked: Asked, issue: str) -> Answer:
        number = self.jira.issue(issue)["number"]
        body = asked.body or {}
        there = body.get("object")
        if not isinstance(there, dict) or not there.get("title") or not there.get("url"):
            raise Refusal(
                400, {"errorMessages": [], "errors": {"title": "'title' is required.", "url": "'url' is required."}}
            )
        kept = {"issue": number, "globalId": body.get("globalId"), "object": there}
        for each in self.jira.documents.all("link"):
            if each["issue"] == number and each["globalId"] and each["globalId"] == kept["globalId"]:
                self.jira.documents.change("link", each["number"], kept)
                return 200, self._link_name(number, each["number"])
        return 201, self._link_name(number, self.jira.documents.add("link", kept))

    def _link_name(self, issue: int, link: int) -> dict[str, Any]:
        return {"id": link, "self": f"{self.jira.origin}{self.jira.base}/issue/{issue}/remotelink/{link}"}

    def _property(self, asked: Asked, issue: str, name: str) -> Answer:
        del asked
        there = self.jira.issue(issue)["properties"]
        if name not in there:
            raise Refusal(404, refused(f"The property with key {name} does not exist."))
        return 200, {"key": name, "value": there[name]}

    def _set_property(self, asked: Asked, issue: str, name: str) -> Answer:
        there = self.jira.issue(issue)
        if asked.body is None or len(name) > 255:
            raise Refusal(400, refused("a JSON value is required"))
        known = name in there["properties"]
        there["properties"][name] = asked.body
        self._keep(there)
        return (200 if known else 201), {}

    def _search_cloud(self, asked: Asked) -> Answer:
        return 200, self.jira.search.cloud_page(asked.body or {})

    def _search_cloud_get(self, asked: Asked) -> Answer:
        given: dict[str, Any] = dict(asked.query)
        for name in ("fields", "properties"):
            if name in given:
                given[name] = given[name].split(",")
        return self._search_cloud(Asked("POST", asked.path, {}, {}, given))

    def _search_dc(self, asked: Asked) -> Answer:
        return 200, self.jira.search.dc_page(asked.body or {})

    def _search_dc_get(self, asked: Asked) -> Answer:
        given: dict[str, Any] = dict(asked.query)
        if "fields" in given:
            given["fields"] = given["fields"].split(",")
        return self._search_dc(Asked("POST", asked.path, {}, {}, given))

    def _search_removed(self, asked: Asked) -> Answer:
        del asked
        raise Refusal(410, refused(REMOVED))


def refused(message: str) -> dict[str, Any]:
    """Return the body of a refusal."""
    return {"errorMessages": [message], "errors": {}}


def moment() -> str:
    """Return the time as Jira writes it: with milliseconds, and no colon in the offset."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
