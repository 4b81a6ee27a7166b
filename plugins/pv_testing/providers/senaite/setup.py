"""From the names that people use to SENAITE's UIDs, each asked for once a session."""

from __future__ import annotations

from collections.abc import Iterable

from pv_testing.core.errors import Rejected
from pv_testing.providers.senaite.provider import SenaiteProvider, only


class SenaiteSetup:
    """What the laboratory has set up in SENAITE.

    Args:
        provider: who asks.
    """

    def __init__(self, provider: SenaiteProvider) -> None:
        self._provider = provider
        self._known: dict[tuple[str, str], str] = {}

    async def client(self, title: str) -> str:
        """Return the UID of a client by its title.

        Raises:
            Rejected: there is none, or more than one.
        """
        return await self._named("get_clients", title, "client", "CLIENT_UNKNOWN")

    async def sample_type(self, title: str) -> str:
        """Return the UID of a sample type by its title.

        Raises:
            Rejected: there is none, or more than one.
        """
        return await self._named("get_sample_types", title, "sample type", "SAMPLE_TYPE_UNKNOWN")

    async def contact(self, client: str) -> str:
        """Return the UID of a client's first contact.

        Raises:
            Rejected: it has none, and SENAITE would never let its samples be received.
        """
        known = self._known.get(("contact", client))
        if known is None:
            contacts = only(await self._provider.search("get_contacts", client=client), parent_uid=client)
            if not contacts:
                raise Rejected("the client has no contact in SENAITE; add one there", code="CONTACT_MISSING")
            known = self._known["contact", client] = str(contacts[0]["uid"])
        return known

    async def services(self, keywords: Iterable[str]) -> list[str]:
        """Return the UIDs of analysis services by their keywords.

        Raises:
            Rejected: SENAITE doesn't have one of them; it would silently leave that analysis out.
        """
        keywords = list(keywords)
        missing = [keyword for keyword in keywords if ("service", keyword) not in self._known]
        if missing:
            for service in await self._provider.search("get_services", keyword=missing):
                self._known["service", str(service["getKeyword"])] = str(service["uid"])
        unknown = [keyword for keyword in missing if ("service", keyword) not in self._known]
        if unknown:
            message = f"SENAITE has no analysis service {', '.join(unknown)}; make it there or correct the contract"
            raise Rejected(message, code="SERVICE_UNKNOWN")
        return [self._known["service", keyword] for keyword in keywords]

    async def _named(self, listing: str, title: str, what: str, code: str) -> str:
        known = self._known.get((listing, title))
        if known is None:
            matches = only(await self._provider.search(listing, title=title), title=title)
            if len(matches) != 1:
                number = f"{len(matches)} of them" if matches else "none, or this user may not see it"
                raise Rejected(f"SENAITE must have one {what} called {title!r} and has {number}", code=code)
            known = self._known[listing, title] = str(matches[0]["uid"])
        return known
