"""The demo's words for what tasks have done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from demo.api import TaskRun

SILENT = frozenset({"choose", "choose_updates", "choose_hours", "find_findings", "approve", "announce", "start_runs"})


def reports_on(task: TaskRun) -> bool:
    """Whether the task returns the results of records."""
    return task.task_id not in SILENT


def lines_of(task: str, report: Any) -> Iterator[str]:
    """Give what a task has done: by operation, in numbers, or the files that it has written; then its remarks.

    Args:
        task: its name.
        report: what it has returned.
    """
    if not isinstance(report, Mapping):
        yield from (f"{task}: {path}" for path in report)
        return
    for operation, counts in report.get("operations", {"": report}).items():
        if any(counts.values()):
            yield " ".join(part for part in (f"{task}:", operation, numbers(counts)) if part)
    yield from (f"  {note}" for note in report.get("notes", ()))


def together(reports: Iterable[Any]) -> Counter[str]:
    """Return the counts of reports added up."""
    total: Counter[str] = Counter()
    for report in reports:
        total.update(report.get("counts", report) if isinstance(report, Mapping) else {})
    return total


def numbers(counts: Mapping[str, int]) -> str:
    """Return the counts that aren't zero, in words."""
    return ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "nothing to do"


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)
