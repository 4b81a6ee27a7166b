"""What a person is asked before a CAPA is raised: the finding in numbers, its charts, and what would be created."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pv_testing.quality.capa_texts import strata, usual
from pv_testing.quality.charts import CHARTS
from pv_testing.quality.finding import CapaFinding

MOST_ROWS = 20
UNKNOWN = "not known yet"
_ACTIVE = re.compile(r"([\\`*_\[\]<>|#!~])")


def subject(finding: CapaFinding) -> str:
    """Return the question in one line."""
    return f"Raise CAPA {finding.key}? {finding.modules} modules failed in {finding.window_days} days."


def body(finding: CapaFinding, charts: str) -> str:
    """Return the question's body in Markdown.

    Args:
        finding: to be decided on.
        charts: the address below which the finding's charts are.
    """
    pictures = " ".join(f"[![{name}]({charts}/{name})]({charts}/{name})" for name in CHARTS)
    return "\n\n".join(
        [
            plain(usual(finding)),
            _table(("", "window", "usual"), _numbers(finding)),
            pictures,
            "\n".join(f"- {plain(line)}" for line in strata(finding).values()),
            "### What approval creates",
            _table(("field", "value"), _capa(finding)),
            f"### Failed executions ({finding.failures})",
            _executions(finding),
            f"CapaFinding {finding.digest}. What you approve is exactly what is created.",
        ]
    )


def plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _ACTIVE.sub(r"\\\1", " ".join(text.split()))


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        lines.append([plain(str(cell)) for cell in row])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _numbers(finding: CapaFinding) -> list[tuple[str, str, str]]:
    signal = finding.signal
    rate = f"{finding.failed / finding.tested:.1%}"
    known = f"{signal.usual_rate:.1%}" if signal.known else UNKNOWN
    chance = f"{signal.probability:.2g}" if signal.known else UNKNOWN
    return [
        ("from", finding.since, ""),
        ("to", finding.at, ""),
        ("modules that failed", str(finding.modules), f"more than {finding.threshold} raises a finding"),
        ("failed executions", str(finding.failures), ""),
        (
            "failed tests",
            f"{finding.failed} of {finding.tested}",
            f"{signal.usually_failed} of {signal.usually_tested}",
        ),
        ("share of tests that failed", rate, known),
        ("probability by chance", chance, f"a rise below {signal.level:.2g}"),
    ]


def _capa(finding: CapaFinding) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _value(value)) for name, value in finding.capa.items()]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['description']} — {value['responsible']}, by {value['target_date']}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _executions(finding: CapaFinding) -> str:
    columns = ("execution_id", "sr_number", "module", "completed_at", "criteria", "equipment")
    shown: list[list[str]] = []
    for row in finding.executions[:MOST_ROWS]:
        shown.append([row[column] for column in columns])
    more = finding.failures - len(shown)
    return _table([column.replace("_", " ") for column in columns], shown) + (f"\n\nand {more} more" if more else "")
