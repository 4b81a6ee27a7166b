"""From an e-mail address to the account that Jira wants: ``accountId`` in Cloud, ``name`` in Data Center."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pv_testing.providers.jira.provider import JiraProvider


class People:
    """Finds those to whom issues of a project can be assigned; each is asked for once a session.

    Args:
        provider: who asks.
    """

    def __init__(self, provider: JiraProvider) -> None:
        self._provider = provider
        self._known: dict[tuple[str, str], str] = {}

    async def assignee(self, project: str, mail: str, operation: str) -> dict[str, str] | None:
        """Return how an issue names the person with an address; ``None`` where there is none.

        A person may hide the address. Then the only one whom a search by the whole address gives is taken.
        """
        place = (project, mail.casefold())
        if place not in self._known:
            params = {"project": project, self._provider.account_query: mail, "maxResults": "10"}
            people = await self._provider.ask("GET", "/user/assignable/search", operation, params=params)
            self._known[place] = self._chosen(people if isinstance(people, list) else [], mail)
        account = self._known[place]
        return {self._provider.account: account} if account else None

    def _chosen(self, people: list[Any], mail: str) -> str:
        account = self._provider.account
        for person in people:
            if str(person.get("emailAddress") or "").casefold() == mail.casefold():
                return str(person.get(account) or "")
        hidden = [person for person in people if not person.get("emailAddress")]
        return str(hidden[0].get(account) or "") if len(people) == len(hidden) == 1 else ""
