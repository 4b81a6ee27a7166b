"""OpenLineage's events of the demo: into a file; at the end validated, counted, and followed from column to column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from demo.openlineage import SPEC, official_problems, problems
from sandbox.closing import Tally

PMAX = ("framework/executions", "measurements.Pmax")
REACHED = {("lims/results", "results.MaxPower_W"), ("files/exports/measurement_data", "Pmax")}
"""Where the maximum power that the framework has measured must arrive."""


class Link(NamedTuple):
    """A way from one column to another one.

    Attributes:
        source: dataset and column, such as ``framework/executions`` and ``measurements.Pmax``.
        target: the same of what was written.
        done: what was done with the value.
    """

    source: tuple[str, str]
    target: tuple[str, str]
    done: str


def environment(events: Path) -> dict[str, str]:
    """Return what turns OpenLineage on, as docs/reference/lineage.md says it.

    Args:
        events: the file that takes the events, one in each line.
    """
    transport = {"type": "file", "log_file_path": str(events), "append": True}
    return {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__OPENLINEAGE__EXECUTE_IN_THREAD": "True",
    }


class Lineage:
    """The events of a demo.

    Args:
        events: the file.
    """

    def __init__(self, events: Path) -> None:
        lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
        self.events: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self.links = {link for event in self.events for link in links_of(event)}

    def invalid(self) -> list[str]:
        """Return what is wrong with the events by the schemas; each problem once."""
        faults = [problem for event in self.events for problem in problems(event)]
        if SPEC:
            faults += [problem for event in self.events for problem in official_problems(event, Path(SPEC))]
        return list(dict.fromkeys(faults))

    def from_column(self, source: tuple[str, str]) -> list[Link]:
        """Return the ways from a column, those from the columns that it reaches included."""
        reached: list[Link] = []
        left = [source]
        while left:
            here = left.pop()
            further = sorted(link for link in self.links if link.source == here and link not in reached)
            reached += further
            left += [link.target for link in further]
        return reached

    def tally(self) -> Tally:
        """Return the line of the closing table."""
        valid = len([event for event in self.events if not problems(event)])
        return Tally("openlineage", "valid events", valid, 0, len(self.events), f"{len(self.links)} column links")

    def wrong(self) -> list[str]:
        """Return what is wrong: invalid events, and a maximum power that doesn't arrive."""
        reached = {link.target for link in self.from_column(PMAX)}
        missing = [f"openlineage: Pmax doesn't reach {column} of {dataset}" for dataset, column in REACHED - reached]
        return [*(f"openlineage: {problem}" for problem in self.invalid()), *missing]

    def path(self) -> list[str]:
        """Return the way of the maximum power in lines for a person."""
        by = "the official JSON Schemas" if SPEC else "the classes of OpenLineage's client"
        lines = [f"OpenLineage: {len(self.events)} events, checked by {by}. The way of Pmax:", ""]
        for link in self.from_column(PMAX):
            lines.append(
                f"  {_shown(link.source)}  →  {_shown(link.target)}" + (f"  ({link.done})" if link.done else "")
            )
        return lines


def links_of(event: Mapping[str, Any]) -> Iterator[Link]:
    """Give the ways between columns that an event tells of."""
    for output in event.get("outputs") or ():
        for column, field in output["facets"].get("columnLineage", {}).get("fields", {}).items():
            for source in field["inputFields"]:
                done = "; ".join(each.get("description") or "" for each in source.get("transformations", ()))
                yield Link((_dataset(source), source["field"]), (_dataset(output), column), done)


def _dataset(named: Mapping[str, Any]) -> str:
    return f"{named['namespace'].removeprefix('pv://')}/{named['name']}"


def _shown(column: tuple[str, str]) -> str:
    return f"{column[0]} {column[1]}"
