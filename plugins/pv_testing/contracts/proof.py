"""How surely a contract describes its product: what it was tried on, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WORDS = {
    "real_system": "the real system",
    "vendor_description": "the vendor's machine-readable description",
    "independent_implementation": "an independent implementation",
    "stand_in": "a stand-in made from documentation",
}


@dataclass(frozen=True)
class Proof:
    """What a contract was tried on.

    Attributes:
        by: words of :data:`WORDS`, the strongest first.
        version: of the product.
        date: of the trial, as ISO 8601.
    """

    by: tuple[str, ...]
    version: str
    date: str

    def __str__(self) -> str:
        """Return the sentence for people."""
        return f"tried on {' and '.join(WORDS[each] for each in self.by)} ({self.version}) on {self.date}"


def compile_proof(written: Mapping[str, Any]) -> Proof:
    """Compile a contract's section ``proof``."""
    order = list(WORDS)
    return Proof(tuple(sorted(written["by"], key=order.index)), written["version"], written["date"])
