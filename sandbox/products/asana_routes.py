"""The resources of Asana that integrations use."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

from sandbox.products import asana_shapes as shapes
from sandbox.products.documents import Document
from sandbox.products.json_server import Answer, Asked, Refusal, Routes

if TYPE_CHECKING:
    from sandbox.products.asana import Asana

BASE = "/api/1.0"
WRITABLE = {
    "name", "notes", "completed", "start_on", "due_on", "assignee", "projects", "parent", "external", "custom_fields",
    "workspace",
}  # fmt: skip
TYPES = ("on_track", "at_risk", "off_track", "on_hold", "complete")
SMALL = 10
EXPIRED = "offset: Your pagination token has expired."


class Resources:
    """Answers requests; the names of the methods say to which.

    Args:
        asana: what it holds.
    """

    def __init__(self, asana: Asana) -> None:
        self.asana = asana
        self._oauth = False
        self._tokens: dict[str, int] = {}
        self._expired = False
        self._routes = self._known()

    def answer(self, asked: Asked, *, oauth: bool) -> Answer:
        """Answer a request.

        Args:
            asked: the request.
            oauth: whether its token is that of an app.
        """
        self._oauth = oauth
        try:
            return self._routes.answer(asked)
        except Refusal as refusal:
            if refusal.status in {404, 405} and "errors" not in (refusal.body or {}):
                raise Refusal(404, _errors("No matching route for request")) from None
            raise

    def _known(self) -> Routes:
        routes = Routes()
        for method, path, route in (
            ("GET", "/users/{user}", self._user),
            ("GET", "/tasks/{task}", self._task),
            ("PUT", "/tasks/{task}", self._change),
            ("POST", "/tasks", self._create),
            ("GET", "/tasks/{task}/subtasks", self._subtasks),
            ("POST", "/tasks/{task}/subtasks", self._create_subtask),
            ("GET", "/tasks/{task}/stories", self._stories),
            ("POST", "/tasks/{task}/stories", self._comment),
            ("GET", "/tasks/{task}/time_tracking_entries", self._entries),
            ("POST", "/tasks/{task}/time_tracking_entries", self._enter),
            ("GET", "/time_tracking_entries/{entry}", self._entry),
            ("PUT", "/time_tracking_entries/{entry}", self._change_entry),
            ("DELETE", "/time_tracking_entries/{entry}", self._remove_entry),
            ("GET", "/projects/{project}", self._project),
            ("GET", "/projects/{project}/tasks", self._project_tasks),
            ("GET", "/projects/{project}/sections", self._sections),
            ("POST", "/sections/{section}/addTask", self._move),
            ("GET", "/status_updates", self._updates),
            ("POST", "/status_updates", self._update),
            ("POST", "/batch", self._batch),
        ):
            routes.add(method, BASE + path, route)
        return routes

    def _user(self, asked: Asked, user: str) -> Answer:
        return 200, {"data": shapes.chosen(self.asana.person(user), asked, ("gid", "resource_type", "name", "email"))}

    def _task(self, asked: Asked, task: str) -> Answer:
        return 200, {"data": self._shown(self.asana.task(task, oauth=self._oauth), asked)}

    def _shown(self, task: Document, asked: Asked, *, compact: bool = False) -> dict[str, Any]:
        whole = shapes.task(self.asana, task, oauth=self._oauth)
        default = shapes.COMPACT if compact else shapes.RECORD
        return shapes.chosen(whole, asked, default)

    def _create(self, asked: Asked) -> Answer:
        data = _data(asked)
        if not {"workspace", "projects", "parent"} & set(data):
            raise Refusal(400, _errors("You should specify one of workspace, parent, projects"))
        return self._made(asked, data, None)

    def _create_subtask(self, asked: Asked, task: str) -> Answer:
        return self._made(asked, _data(asked), self.asana.task(task, oauth=self._oauth)["number"])

    def _made(self, asked: Asked, data: Mapping[str, Any], parent: int | None) -> Answer:
        if parent is None and "parent" in data:
            parent = self.asana.task(str(data["parent"]), oauth=self._oauth)["number"]
        blank: Document = {"name": "", "notes": "", "completed": False, "completed_at": None, "start_on": None}
        blank |= {"due_on": None, "assignee": None, "projects": [], "section": "", "custom_fields": {}}
        task = {**blank, "parent": parent, "created_at": _moment()}
        task = self._with(task, data)
        if task["projects"]:
            task["section"] = next(iter(shapes.sections()))
        number = self.asana.documents.add("task", task)
        self.asana.limits.after_commit()
        return 201, {"data": self._shown({**task, "number": number}, asked)}

    def _change(self, asked: Asked, task: str) -> Answer:
        there = self.asana.task(task, oauth=self._oauth)
        number = there.pop("number")
        changed = self._with(there, _data(asked))
        self.asana.documents.change("task", number, changed)
        self.asana.limits.after_commit()
        return 200, {"data": self._shown({**changed, "number": number}, asked)}

    def _with(self, task: Document, data: Mapping[str, Any]) -> Document:
        """Return a task with other fields, as far as Asana takes them."""
        strange = set(data) - WRITABLE
        if strange:
            raise Refusal(400, _errors(f"{min(strange)}: Unrecognized field"))
        changed = {**task, **{name: data[name] for name in ("name", "notes") if name in data}}
        if not isinstance(changed["name"], str) or not isinstance(changed["notes"], str):
            raise Refusal(400, _errors("name: Value is not a string"))
        if "completed" in data:
            if not isinstance(data["completed"], bool):
                raise Refusal(400, _errors("completed: Value is not a boolean"))
            changed |= {"completed": data["completed"], "completed_at": _moment() if data["completed"] else None}
        if "projects" in data:
            changed["projects"] = [self._known_project(gid) for gid in data["projects"]]
        if "assignee" in data:
            changed["assignee"] = self.asana.person(data["assignee"])["gid"] if data["assignee"] else None
        if "external" in data:
            changed["external"] = self._external(data["external"])
        changed["custom_fields"] = {**task["custom_fields"], **self._fields(changed, data.get("custom_fields", {}))}
        return {**changed, **_dates(task, data)}

    def _external(self, value: Any) -> Any:
        if not self._oauth:
            raise Refusal(403, _errors("external: You must be authenticated with OAuth to write external data"))
        if not isinstance(value, dict) or set(value) - {"gid", "data"} or not isinstance(value.get("gid"), str):
            raise Refusal(400, _errors("external: gid must be a string"))
        return value

    def _fields(self, task: Document, values: Any) -> dict[str, Any]:
        """Return values of custom fields, which a task has by its project only."""
        kinds = shapes.fields()
        for gid, value in values.items():
            if gid not in kinds or not task["projects"]:
                raise Refusal(400, _errors(f"Custom field with ID {gid} is not on given object"))
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if value is not None and not (number if kinds[gid] == "number" else isinstance(value, str)):
                raise Refusal(400, _errors(f"custom_fields: {gid}: wrong type of value"))
        return dict(values)

    def _known_project(self, gid: Any) -> str:
        if gid != shapes.project()["gid"]:
            raise Refusal(404, _errors(f"project: Unknown object: {gid}"))
        return str(gid)

    def _subtasks(self, asked: Asked, task: str) -> Answer:
        parent = self.asana.task(task, oauth=self._oauth)
        return self._page(asked, self.asana.children(parent), self._compact(asked))

    def _compact(self, asked: Asked) -> Callable[[Document], dict[str, Any]]:
        return lambda task: self._shown(task, asked, compact=True)

    def _project(self, asked: Asked, project: str) -> Answer:
        del asked
        self._known_project(project)
        return 200, {"data": shapes.project()}

    def _project_tasks(self, asked: Asked, project: str) -> Answer:
        self._known_project(project)
        tasks = [each for each in self.asana.documents.all("task") if project in each["projects"]]
        return self._page(asked, tasks, self._compact(asked))

    def _sections(self, asked: Asked, project: str) -> Answer:
        self._known_project(project)
        sections = [{"gid": gid, "resource_type": "section", "name": name} for gid, name in shapes.sections().items()]
        return self._page(asked, sections, lambda section: section)

    def _page(self, asked: Asked, items: Sequence[Any], shown: Callable[[Any], dict[str, Any]]) -> Answer:
        """Return a page; where the next one is, a token says that can't be made up and expires."""
        limit = asked.query.get("limit", "100")
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            raise Refusal(400, _errors("limit: must be between 1 and 100"))
        start, token = 0, asked.query.get("offset")
        if token is not None:
            start = self._tokens.pop(token, -1)
            if start < 0:
                raise Refusal(400, _errors("offset: Your offset is invalid; use only one that was given to you."))
            if "offset_expires" in self.asana.traps and not self._expired:
                self._expired = True
                raise Refusal(400, _errors(EXPIRED))
        size = min(int(limit), SMALL if {"short_pages", "offset_expires"} & self.asana.traps else 100)
        page = [shown(item) for item in items[start : start + size]]
        following = None
        if len(items) > start + size:
            token = secrets.token_urlsafe(12)
            self._tokens[token] = start + size
            path = asked.path.removeprefix(BASE)
            uri = f"{self.asana.origin}{asked.path}?limit={limit}&offset={token}"
            following = {"offset": token, "path": f"{path}?limit={limit}&offset={token}", "uri": uri}
        return 200, {"data": page, "next_page": following}

    def _stories(self, asked: Asked, task: str) -> Answer:
        number = self.asana.task(task, oauth=self._oauth)["number"]
        stories = [each for each in self.asana.documents.all("story") if each["task"] == number]
        return self._page(asked, stories, self._story)

    def _story(self, story: Document) -> dict[str, Any]:
        shown = {"gid": str(story["number"]), "resource_type": "story", "resource_subtype": "comment_added"}
        return {**shown, "text": story["text"], "created_at": story["created_at"]}

    def _comment(self, asked: Asked, task: str) -> Answer:
        number, text = self.asana.task(task, oauth=self._oauth)["number"], _data(asked).get("text")
        if not isinstance(text, str) or not text:
            raise Refusal(400, _errors("text: Missing input"))
        story = {"task": number, "text": text, "created_at": _moment()}
        story["number"] = self.asana.documents.add("story", story)
        self.asana.limits.after_commit()
        return 201, {"data": self._story(story)}

    def _entries(self, asked: Asked, task: str) -> Answer:
        number = self.asana.task(task, oauth=self._oauth)["number"]
        return self._page(asked, self.asana.entries(number), self._time)

    def _time(self, entry: Document) -> dict[str, Any]:
        me = shapes.named(self.asana.person("me"))
        shown = {"gid": str(entry["number"]), "resource_type": "time_tracking_entry", "created_by": me}
        return {**shown, "duration_minutes": entry["duration_minutes"], "entered_on": entry["entered_on"]}

    def _enter(self, asked: Asked, task: str) -> Answer:
        number = self.asana.task(task, oauth=self._oauth)["number"]
        entry = {"task": number, **_minutes({}, _data(asked))}
        entry["number"] = self.asana.documents.add("time_entry", entry)
        self.asana.limits.after_commit()
        return 201, {"data": self._time(entry)}

    def _kept(self, entry: str) -> Document:
        time_entry = self.asana.documents.get("time_entry", entry)
        if time_entry is None or time_entry.get("removed"):
            raise Refusal(404, _errors(f"time_tracking_entry: Unknown object: {entry}"))
        return time_entry

    def _entry(self, asked: Asked, entry: str) -> Answer:
        del asked
        return 200, {"data": self._time(self._kept(entry))}

    def _change_entry(self, asked: Asked, entry: str) -> Answer:
        kept = self._kept(entry)
        changed = {**kept, **_minutes(kept, _data(asked))}
        number = changed.pop("number")
        self.asana.documents.change("time_entry", number, changed)
        return 200, {"data": self._time({**changed, "number": number})}

    def _remove_entry(self, asked: Asked, entry: str) -> Answer:
        del asked
        kept = self._kept(entry)
        self.asana.documents.change("time_entry", kept["number"], {"task": 0, "duration_minutes": 0, "removed": True})
        return 200, {"data": {}}

    def _move(self, asked: Asked, section: str) -> Answer:
        if section not in shapes.sections():
            raise Refusal(404, _errors(f"section: Unknown object: {section}"))
        task = self.asana.task(str(_data(asked).get("task")), oauth=self._oauth)
        number = task.pop("number")
        project = shapes.project()["gid"]
        self.asana.documents.change("task", number, {**task, "section": section, "projects": [project]})
        self.asana.limits.after_commit()
        return 200, {"data": {}}

    def _updates(self, asked: Asked) -> Answer:
        self._known_project(asked.query.get("parent"))
        since = asked.query.get("created_since", "")
        moment = datetime.fromisoformat(since.replace("Z", "+00:00").replace(" ", "+")) if since else None
        updates = [
            each
            for each in self.asana.documents.all("update")
            if moment is None or datetime.fromisoformat(each["created_at"].replace("Z", "+00:00")) >= moment
        ]
        return self._page(asked, updates, self._told)

    def _told(self, update: Document) -> dict[str, Any]:
        shown = {"gid": str(update["number"]), "resource_type": "status_update"}
        shown["resource_subtype"] = "project_status_update"
        return {**shown, **{name: update[name] for name in ("title", "text", "status_type", "created_at")}}

    def _update(self, asked: Asked) -> Answer:
        data = _data(asked)
        self._known_project(data.get("parent"))
        if not data.get("text") or data.get("status_type") not in TYPES:
            raise Refusal(400, _errors("status_type: Invalid value"))
        update = {name: data.get(name, "") for name in ("title", "text", "status_type")}
        update["created_at"] = _moment()
        update["number"] = self.asana.documents.add("update", update)
        self.asana.limits.after_commit()
        return 201, {"data": self._told(update)}

    def _batch(self, asked: Asked) -> Answer:
        actions = _data(asked).get("actions")
        if not isinstance(actions, list) or not 1 <= len(actions) <= 10:
            raise Refusal(400, _errors("actions: must have between 1 and 10 actions"))
        partial = "partial_batch" in self.asana.traps and not self.asana.documents.all("partial")
        writes = any(action.get("method") != "get" for action in actions)
        answers = []
        for place, action in enumerate(actions):
            if partial and writes and place == len(actions) - 1:
                self.asana.documents.add("partial", {})
                refused = {"errors": [{"message": "Server Error", "phrase": "2 shy owls overslept"}]}
                answers.append({"status_code": 500, "headers": {}, "body": refused})
                continue
            answers.append(self._act(action))
        if "shuffled_batch" in self.asana.traps and writes:
            answers.reverse()
        return 200, {"data": answers}

    def _act(self, action: Mapping[str, Any]) -> dict[str, Any]:
        path, options = str(action.get("relative_path")), action.get("options") or {}
        if "?" in path or not path.startswith("/"):
            raise Refusal(400, _errors("relative_path: Query parameters are not accepted here"))
        method = str(action.get("method")).upper()
        query = {"opt_fields": ",".join(options["fields"])} if "fields" in options else {}
        data = action.get("data") or {}
        body = None if method == "GET" else {"data": data}
        try:
            status, answer = self._routes.answer(Asked(method, BASE + path, query, {}, body))
        except Refusal as refusal:
            status, answer = refusal.status, refusal.body
        return {"status_code": status, "headers": {}, "body": answer}


def _errors(message: str) -> dict[str, Any]:
    from sandbox.products.asana import errors

    return errors(message)


def _data(asked: Asked) -> dict[str, Any]:
    if not isinstance(asked.body, dict) or not isinstance(asked.body.get("data"), dict):
        raise Refusal(400, _errors("Request data should be an object with the only key 'data'"))
    data: dict[str, Any] = asked.body["data"]
    return data


def _dates(task: Document, data: Mapping[str, Any]) -> dict[str, Any]:
    dates = {name: data.get(name, task[name]) for name in ("start_on", "due_on")}
    if "start_on" in data and "due_on" not in data:
        raise Refusal(400, _errors("start_on: due_on must be present in the request when setting start_on"))
    for value in dates.values():
        try:
            date.fromisoformat(value or "2000-01-01")
        except (TypeError, ValueError):
            raise Refusal(400, _errors("due_on: Not a valid date")) from None
    if dates["start_on"] and (not dates["due_on"] or dates["start_on"] >= dates["due_on"]):
        raise Refusal(400, _errors("start_on: must be before due_on"))
    return dates


def _minutes(entry: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    strange = set(data) - {"duration_minutes", "entered_on", "attributable_to", "billable_status", "categories"}
    minutes = data.get("duration_minutes", entry.get("duration_minutes"))
    if strange or not isinstance(minutes, int) or isinstance(minutes, bool) or minutes <= 0:
        raise Refusal(400, _errors("duration_minutes: must be a whole number above 0"))
    day = data.get("entered_on", entry.get("entered_on")) or date.today().isoformat()  # noqa: DTZ011
    return {"duration_minutes": minutes, "entered_on": date.fromisoformat(day).isoformat()}


def _moment() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
