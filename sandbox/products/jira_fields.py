"""The fields of an issue and what Jira takes for them; Atlassian's document format."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

from sandbox.products.json_server import Refusal

if TYPE_CHECKING:
    from sandbox.products.jira import Jira

TYPES = {"10001": ("Task", False), "10002": ("Sub-task", True), "10003": ("Bug", False)}
ON_SCREEN = {
    "project", "issuetype", "summary", "description", "duedate", "labels", "assignee", "parent", "timetracking",
}  # fmt: skip
CUSTOM = {"customfield_10015": "date", "customfield_10050": "text", "customfield_10060": "number"}
NOT_ON_SCREEN = "Field '{0}' cannot be set. It is not on the appropriate screen, or unknown."
BLOCKS = {"paragraph", "bulletList", "listItem", "heading"}
_ESTIMATE = re.compile(r"(?:([0-9]+)h)?\s*(?:([0-9]+)m)?")


def checked(jira: Jira, given: Any, *, new: bool) -> dict[str, Any]:
    """Return the fields of an issue as they are kept.

    Args:
        jira: knows the people and whether time is tracked.
        given: what was sent as ``fields``.
        new: whether it is a creation.

    Raises:
        Refusal: 400, naming each field that isn't taken.
    """
    wrong: dict[str, str] = {}
    kept: dict[str, Any] = {}
    if not isinstance(given, dict):
        raise Refusal(400, {"errorMessages": ["fields must be an object"], "errors": {}})
    for name, value in given.items():
        if name not in ON_SCREEN | set(CUSTOM) or (name == "timetracking" and "no_time_tracking" in jira.traps):
            wrong[name] = NOT_ON_SCREEN.format(name)
            continue
        try:
            kept[name] = _value(jira, name, value)
        except ValueError as error:
            wrong[name] = str(error)
    if new and not wrong:
        wrong |= _missing(jira, kept)
    if wrong:
        raise Refusal(400, {"errorMessages": [], "errors": wrong})
    return kept


def _value(jira: Jira, name: str, value: Any) -> Any:
    if name in CUSTOM:
        return _custom(CUSTOM[name], value)
    readers: dict[str, Callable[[], Any]] = {
        "project": lambda: _named(value, ("key", "id")),
        "issuetype": lambda: _type(value),
        "summary": lambda: _summary(value),
        "description": lambda: rich(jira, value),
        "duedate": lambda: _day(value),
        "labels": lambda: _labels(value),
        "assignee": lambda: _assignee(jira, value),
        "parent": lambda: _named(value, ("id", "key")),
        "timetracking": lambda: _estimate(value),
    }
    return readers[name]()


def _custom(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "date":
        return _day(value)
    if kind == "number" and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise ValueError("Operation value must be a number")
    if kind == "text" and not isinstance(value, str):
        raise ValueError("Operation value must be a string")
    return value


def _named(value: Any, names: tuple[str, str]) -> str:
    if not isinstance(value, dict) or not any(isinstance(value.get(name), str) for name in names):
        raise ValueError(f"{' or '.join(names)} expected")
    return str(next(value[name] for name in names if name in value))


def _type(value: Any) -> str:
    wanted = _named(value, ("name", "id"))
    for number, (name, _) in TYPES.items():
        if wanted in (number, name):
            return number
    raise ValueError("Specify a valid issue type")


def _summary(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("You must specify a summary of the issue.")
    if "\n" in value:
        raise ValueError("The summary is invalid because it contains newline characters.")
    if len(value) > 255:
        raise ValueError("Summary can't exceed 255 characters.")
    return value


def _day(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise ValueError("Error parsing date string; yyyy-MM-dd expected") from None


def _labels(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(label, str) and label for label in value):
        raise ValueError("a list of texts expected")
    for label in value:
        if " " in label:
            raise ValueError(f"The label '{label}' contains spaces which is invalid.")
        if len(label) > 255:
            raise ValueError("The label exceeds 255 characters.")
    return value


def _assignee(jira: Jira, value: Any) -> int | None:
    if value is None:
        return None
    name = "accountId" if jira.cloud else "name"
    if not isinstance(value, dict) or set(value) - {name, "id"} or name not in value:
        raise ValueError(f"{name} expected" if jira.cloud else "expected Object containing a 'name' property")
    from sandbox.framework.app import USERS

    for user in USERS:
        if user[5] and jira.person(user[0])[name] == value[name]:
            return int(user[0])
    raise ValueError(f"User '{value[name]}' cannot be assigned issues.")


def _estimate(value: Any) -> dict[str, Any]:
    text = value.get("originalEstimate") if isinstance(value, dict) else None
    match = _ESTIMATE.fullmatch(text.strip()) if isinstance(text, str) and text.strip() else None
    if match is None or not (match[1] or match[2]):
        raise ValueError("The original estimate specified is not in the correct format.")
    seconds = int(match[1] or 0) * 3600 + int(match[2] or 0) * 60
    return {"originalEstimate": text, "originalEstimateSeconds": seconds}


def _missing(jira: Jira, kept: dict[str, Any]) -> dict[str, str]:
    from sandbox.products.jira import OTHER_PROJECT, PROJECT

    wrong: dict[str, str] = {}
    if kept.get("project") not in {PROJECT, OTHER_PROJECT}:
        wrong["project"] = "valid project is required"
    if "issuetype" not in kept:
        wrong["issuetype"] = "Specify an issue type"
    elif TYPES[kept["issuetype"]][1]:
        try:
            parent = jira.issue(kept.get("parent", ""))
        except Refusal:
            wrong["parent"] = "Could not find issue by id or key."
        else:
            if parent.get("parent"):
                wrong["parent"] = "A subtask can't be the parent of another one."
    elif "parent" in kept:
        wrong["parent"] = "Given parent work item does not belong to the appropriate hierarchy."
    if "summary" not in kept:
        wrong["summary"] = "You must specify a summary of the issue."
    return wrong


def rich(jira: Jira, value: Any) -> Any:
    """Return text that people read: a document in Cloud, plain text in Data Center.

    Raises:
        ValueError: it is the other one, or no valid document.
    """
    if value is None:
        return None
    if not jira.cloud:
        if not isinstance(value, str):
            raise ValueError("Operation value must be a string")
        return value
    if not isinstance(value, dict) or value.get("type") != "doc" or value.get("version") != 1:
        raise ValueError("Operation value must be an Atlassian Document (see the Atlassian Document Format)")
    _check_node(value)
    return value


def _check_node(node: Any) -> None:
    """Refuse what Atlassian's document format doesn't have, such as an empty text."""
    kind = node.get("type") if isinstance(node, dict) else None
    if kind == "text":
        if not isinstance(node.get("text"), str) or not node["text"] or "\n" in node["text"]:
            raise ValueError("INVALID_INPUT: text")
        return
    if kind not in BLOCKS | {"doc", "hardBreak"} or (kind != "hardBreak" and "content" not in node):
        raise ValueError(f"INVALID_INPUT: {kind}")
    for inner in node.get("content", ()):
        _check_node(inner)


def plain(value: Any) -> str:
    """Return the text of a document, a line for each of its lines."""
    if isinstance(value, str) or value is None:
        return value or ""
    kind = value.get("type")
    if kind == "text":
        return str(value["text"])
    if kind == "hardBreak":
        return "\n"
    inner = "".join(plain(each) for each in value.get("content", ()))
    return f"{inner}\n" if kind in BLOCKS else inner
