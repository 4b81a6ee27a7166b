"""The analyses of a sample: read, and ordered without losing any that is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pv_testing.core.errors import Conflict
from pv_testing.providers.senaite.provider import SenaiteProvider, only
from pv_testing.providers.senaite.setup import SenaiteSetup

GONE = frozenset({"retracted", "rejected", "cancelled"})


class Analyses:
    """Reads and orders the analyses of samples.

    Args:
        provider: who speaks to SENAITE.
        setup: knows the analysis services.
    """

    def __init__(self, provider: SenaiteProvider, setup: SenaiteSetup) -> None:
        self._provider = provider
        self._setup = setup

    async def of(self, sample: str) -> list[Mapping[str, Any]]:
        """Return all analyses of a sample, retracted ones too.

        Args:
            sample: its UID.
        """
        return only(await self._provider.search("get_analyses", sample=sample), parent_uid=sample)

    async def missing(self, sample: str, keywords: Iterable[str]) -> list[str]:
        """Return the keywords of which the sample has no analysis at all."""
        keywords = list(keywords)
        if not keywords:
            return []
        there = {analysis["getKeyword"] for analysis in await self.of(sample)}
        return [keyword for keyword in keywords if keyword not in there]

    async def order(self, sample: str, keywords: Iterable[str], key: str) -> None:
        """Order the analyses that the sample lacks.

        SENAITE takes the whole list and removes what isn't on it, so that everything that is there goes along.

        Args:
            sample: its UID.
            keywords: of the analyses that it is to have.
            key: the business key of the record that needs them.

        Raises:
            Conflict: the sample takes no analyses any more, or didn't take these.
        """
        missing = await self.missing(sample, keywords)
        if not missing:
            return
        wanted = {str(analysis["getServiceUID"]) for analysis in await self.of(sample)}
        wanted.update(await self._setup.services(missing))
        listed = [{"uid": service} for service in sorted(wanted)]
        try:
            await self._provider.write("order_analyses", key, id=sample, Analyses=listed)
        except Conflict as error:
            raise _not_ordered(missing, key) from error
        refused = await self.missing(sample, missing)
        if refused:
            raise _not_ordered(refused, key)


def _not_ordered(keywords: Iterable[str], key: str) -> Conflict:
    message = (
        f"the sample takes no further analyses from this user; order {', '.join(keywords)} in SENAITE, then release"
    )
    return Conflict(message, key=key, code="NOT_ORDERED")
