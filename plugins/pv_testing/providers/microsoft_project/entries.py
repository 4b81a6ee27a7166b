"""Hours in the notes of an assignment, a line each: ``[5678] 2026-11-20 2.5 h: Executed Thermal cycling``.

Project has no place for the key of hours; the line keeps it beside the actual work, where people can read it.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import quote, unquote

EQUIPMENT = "Equipment"
"""The group of resources that are no people."""
_LINE = re.compile(r"\[([^\]\s]+)\] (\d{4}-\d\d-\d\d|-) (\d+(?:\.\d+)?) h: ?(.*)")


class Entry(NamedTuple):
    """Hours on a task.

    Attributes:
        key: the business key.
        hours: how many.
        date: the day; empty where none was said.
        description: the work in words.
        task: the business key of the task.
        resource: a person's address, or the name of a piece of equipment.
        group: ``Equipment`` of a piece of equipment; empty of a person.
    """

    key: str
    hours: Decimal
    date: str = ""
    description: str = ""
    task: str = ""
    resource: str = ""
    group: str = ""


def lines_of(notes: str) -> list[Entry]:
    """Return the hours of an assignment's notes; other lines are the planner's own."""
    matches = (_LINE.fullmatch(line.strip()) for line in notes.splitlines())
    return [
        Entry(unquote(match[1]), Decimal(match[3]), match[2].strip("-") and match[2], _unescaped(match[4]))
        for match in matches
        if match
    ]


def with_line(notes: str, entry: Entry) -> str:
    """Return notes with one more line."""
    words = json.dumps(entry.description, ensure_ascii=False)[1:-1]
    line = f"[{quote(entry.key, safe='/:+')}] {entry.date or '-'} {entry.hours:f} h: {words}".rstrip()
    return f"{notes}\n{line}" if notes else line


def without_line(notes: str, key: str) -> str:
    """Return notes without the line of a key."""
    return "\n".join(line for line in notes.splitlines() if key not in {entry.key for entry in lines_of(line)})


def _unescaped(words: str) -> str:
    try:
        return str(json.loads(f'"{words}"'))
    except ValueError:
        return words
