"""A planner with Microsoft Project, who opens the plan's XML, changes it by hand and saves it; no lock is known there.

Written from what is known of MSPDI: the namespace, ``OutlineLevel``, ISO durations, texts as extended attributes.
"""

from __future__ import annotations

import re
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from sandbox.products import Row

TRAPS = ("stale_save", "half_written")
"""A plan that was opened before changes and saved after them; a save that another process reads half done."""
NAMESPACE = "http://schemas.microsoft.com/project"
TEXT1 = "188743731"
PLAN = "plan.xml"
SAVES, EVERY = 6, 5
_TAG = f"{{{NAMESPACE}}}"
_LINE = re.compile(r"^\[(\S+)\] (?:\S+) (\S+) h", re.MULTILINE)
_HOURS = re.compile(r"PT(\d+)H(\d+)M(\d+)S")


class Planner:
    """The plan's folder, and the planner who works in it.

    Args:
        folder: has the plan.
        traps: see :data:`TRAPS`.
    """

    origin = ""

    def __init__(self, folder: Path, traps: Collection[str] = ()) -> None:
        if unknown := set(traps) - set(TRAPS):
            raise ValueError(f"unknown traps: {', '.join(sorted(unknown))}")
        self.plan, self.traps = folder / PLAN, frozenset(traps)
        self.section: dict[str, Any] = {
            "provider": "Microsoft Project",
            "auth_type": "none",
            "options": {"file_store": str(folder), "plan": PLAN},
        }
        self.saves = 0
        self._most = 0

    def open(self) -> ET.Element:
        """Return the plan as Project has it in memory; it is read again where it is only half there."""
        for _ in range(50):
            try:
                return ET.fromstring(self.plan.read_bytes())  # noqa: S314 - our own file
            except (ET.ParseError, FileNotFoundError):
                time.sleep(0.02)
        return ET.Element(f"{_TAG}Project")

    def save(self, root: ET.Element) -> None:
        """Save the plan over whatever lies there."""
        ET.register_namespace("", NAMESPACE)
        content = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
        if "half_written" in self.traps:
            self.plan.write_bytes(content[: len(content) // 2])
            time.sleep(0.01)
        self.plan.write_bytes(content)
        self.saves += 1

    def rows(self, kind: str) -> list[Row]:
        """Return all tasks, or all hours, that the file has."""
        root = self.open()
        return _tasks(root) if kind == "task" else _entries(root)

    def lose(self, share: float, seed: int) -> None:
        """Lose nothing: between a process and a file of its own machine there is no answer to lose."""

    def writes(self) -> int:
        """Return how many tasks, statuses and hours have been seen in the file; stale saves take none away."""
        root = self.open()
        texts = len(root.findall(f".//{_TAG}Task/{_TAG}ExtendedAttribute"))
        self._most = max(self._most, texts + len(_entries(root)))
        return self._most

    def work(self, ended: threading.Event) -> None:
        """Open the plan, look away while others change it, and save it with a milestone, a few times."""
        while self.saves < SAVES and not ended.is_set():
            if not self.plan.exists():
                ended.wait(0.05)
                continue
            root, seen = self.open(), self.writes()
            while self.writes() < seen + EVERY and not ended.wait(0.02):
                pass
            if not ended.is_set():
                add_task(root, f"Milestone {self.saves + 1}")
                self.save(root)


def add_task(root: ET.Element, name: str) -> ET.Element:
    """Add a task of the planner's own at the end, and return it."""
    tasks = root.find(f"{_TAG}Tasks")
    assert tasks is not None
    uid = 1 + max((int(_text(each, "UID") or 0) for each in tasks), default=0)
    task = ET.SubElement(tasks, f"{_TAG}Task")
    for field, value in (("UID", uid), ("ID", uid), ("Name", name), ("OutlineLevel", 1)):
        ET.SubElement(task, f"{_TAG}{field}").text = str(value)
    return task


def _tasks(root: ET.Element) -> list[Row]:
    rows: list[Row] = []
    above: list[str] = []
    people = {_text(each, "UID"): _text(each, "EmailAddress") for each in root.iter(f"{_TAG}Resource")}
    assigned = {
        _text(each, "TaskUID"): people.get(_text(each, "ResourceUID"), "")
        for each in root.iter(f"{_TAG}Assignment")
        if people.get(_text(each, "ResourceUID"))
    }
    for task in root.iter(f"{_TAG}Task"):
        level, key = int(_text(task, "OutlineLevel") or 0), _key(task)
        del above[max(level - 1, 0) :]
        parent = above[-1] if above else ""
        above.append(key)
        if key:
            percent, hours = int(_text(task, "PercentComplete") or 0), _hours(_text(task, "Work"))
            done = {"status": str(percent), "done": percent == 100, "assignee": assigned.get(_text(task, "UID"))}
            rows.append({"key": key, "parent": parent, "hours": hours, **done})
    return rows


def _entries(root: ET.Element) -> list[Row]:
    return [
        {"key": match[1], "hours": Decimal(match[2])}
        for each in root.iter(f"{_TAG}Assignment")
        for match in _LINE.finditer(_text(each, "Notes"))
    ]


def _key(task: ET.Element) -> str:
    for each in task.iter(f"{_TAG}ExtendedAttribute"):
        if _text(each, "FieldID") == TEXT1:
            return _text(each, "Value")
    return ""


def _hours(duration: str) -> Decimal | None:
    match = _HOURS.fullmatch(duration)
    return Decimal(match[1]) + Decimal(match[2]) / 60 if match else None


def _text(element: ET.Element, name: str) -> str:
    return element.findtext(f"{_TAG}{name}") or ""


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[Planner]:
    """Give the folder of a plan, and let a planner work in it who saves stale plans where that trap is set.

    Args:
        folder: for the plan.
        traps: see :data:`TRAPS`.
        port: of no meaning here.
    """
    del port
    planner, ended = Planner(folder, traps), threading.Event()
    thread = threading.Thread(target=planner.work, args=(ended,), daemon=True)
    if "stale_save" in planner.traps:
        thread.start()
    try:
        yield planner
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()
