"""OpenLineage's events of the demo: into a file, and counted at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.closing import Tally


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


def tally(events: Path) -> Tally:
    """Return how many events there are, and between how many columns they show a way.

    Args:
        events: the file.
    """
    lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
    links = {link for line in lines for link in _links(json.loads(line))}
    return Tally("openlineage", "events", len(lines), 0, comes_to=f"{len(links)} column links")


def _links(event: Any) -> set[tuple[str, ...]]:
    return {
        (source["namespace"], source["name"], source["field"], output["namespace"], output["name"], column)
        for output in event.get("outputs") or ()
        for column, field in output["facets"].get("columnLineage", {}).get("fields", {}).items()
        for source in field["inputFields"]
    }
