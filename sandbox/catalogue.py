"""The 54 protocols, read from ``data/protocols.csv``, and the measurements of each."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).with_name("data") / "protocols.csv"
EXAMPLE = ("001", "002", "003", "010", "011", "018", "019", "020", "030", "038", "044", "045")


@dataclass(frozen=True)
class Protocol:
    """A test protocol, in the words of the framework's documents."""

    protocol_id: str
    name: str
    category: str
    standard: str
    duration_hours: float
    parameters: str
    equipment: tuple[str, ...]


@cache
def protocols() -> dict[str, Protocol]:
    """Return all protocols by id."""
    with DATA.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row["protocol_id"]: _protocol(row) for row in rows}


def _protocol(row: dict[str, str]) -> Protocol:
    return Protocol(
        row["protocol_id"],
        row["name"],
        row["category"],
        row["standard"],
        float(row["duration_hours"]),
        row["parameters"],
        tuple(part.strip() for part in row["equipment_required"].split(",")),
    )


def choose(count: int) -> list[Protocol]:
    """Return that many protocols: those of the framework's example request first, then the others in order."""
    every = protocols()
    first = [f"PVTP-{number}" for number in EXAMPLE]
    rest = [identity for identity in every if identity not in first]
    return [every[identity] for identity in (first + rest)[:count]]
