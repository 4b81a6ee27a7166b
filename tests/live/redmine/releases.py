"""The releases of Redmine that are tried, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """A release of Redmine.

    Attributes:
        number: the first part of its version.
        suite: the release of Debian that has it.
    """

    number: int
    suite: str

    def __str__(self) -> str:
        """Return the name, which is also that of its directory."""
        return f"redmine-{self.number}"


FIVE = Release(5, "bookworm")
SIX = Release(6, "trixie")
RELEASES = (FIVE, SIX)
