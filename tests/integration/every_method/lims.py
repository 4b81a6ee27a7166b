"""A LIMS that is reached by one method, as the test needs it whichever method that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pv_testing.core.places import contract_path
from tests import yaml_text
from tests.integration.every_method.content import Content
from tests.integration.every_method.sender import Moment

TOGETHER = 4
"""The most records that one request or file carries, so that it takes several."""
HORIZON = 0.05


@dataclass(frozen=True)
class Lims:
    """A running LIMS.

    Attributes:
        section: what the configuration says of it.
        content: reads its own database.
        lost: says how many answers it has lost so far; ``None`` where no answer is on a way.
        answer_late: has it give the answers that were lost, where one can be late.
        moments: when an attempt is killed besides, by the kind of records that it carries then.
    """

    section: Mapping[str, Any]
    content: Callable[[], Content]
    lost: Callable[[], int] | None
    answer_late: Callable[[], object] = lambda: None
    moments: Mapping[str, tuple[Moment, ...]] = field(default_factory=dict)

    def arrived(self, kind: str) -> int:
        """Return how many records of a kind it has."""
        content = self.content()
        return len(content.samples if kind == "sample" else content.results)


def written_contract(folder: Path, name: str, change: Callable[[dict[str, Any]], object] = lambda _: None) -> str:
    """Write a shipped contract with a short horizon and a change of its operations, and return the file."""
    shipped = contract_path(name)
    written = yaml_text.read(shipped)
    written["limits"].update(horizon=HORIZON, concurrency=2)
    change(written["operations"])
    path = folder / shipped.name
    path.write_text(yaml_text.dump(written, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return str(path)
