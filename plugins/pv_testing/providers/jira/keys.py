"""Business keys of issues: in a property and in a label or custom field at creation, and looked up despite the lag.

A search of Jira Cloud may not show a new issue for long, and says nothing of that. Therefore an issue whose creation
may have taken effect counts as absent only once the lag has passed; what is known by id is read by id.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from pv_testing.core.errors import AmbiguousOutcome, IntegrationError, NotFound
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Prepared
from pv_testing.providers.jira.jql import among, phrase

if TYPE_CHECKING:
    from pv_testing.providers.jira.provider import JiraProvider

PROPERTY = "pv_testing"
LABEL = "pv:"
AT_ONCE = 40
LAGGING = (
    "the issue may have been created {0} s ago, and a search of Jira shows one surely only after {1} s (option "
    "search_lag); nothing is created before"
)
Issue = Mapping[str, Any]


class Keys:
    """Writes and finds the business keys of issues.

    Args:
        provider: who asks.
    """

    def __init__(self, provider: JiraProvider) -> None:
        self._provider = provider
        self._field = f"customfield_{provider.options.key_field}" if provider.options.key_field else ""
        self._state = f"jira/{provider.contract.system}/sent"

    @property
    def field(self) -> str:
        """The field that a search finds the key by."""
        return self._field or "labels"

    def stamp(self, key: str) -> dict[str, Any]:
        """Return what a new issue carries besides its content."""
        value: Any = key if self._field else [_label(key)]
        return {"fields": {self.field: value}, "properties": [{"key": PROPERTY, "value": {"key": key}}]}

    def of(self, issue: Issue) -> str:
        """Return the key of an issue, or the empty string."""
        kept = (issue.get("properties") or {}).get(PROPERTY)
        if isinstance(kept, Mapping) and kept.get("key"):
            return str(kept["key"])
        value = (issue.get("fields") or {}).get(self.field)
        if self._field:
            return str(value or "")
        return next((unquote(label[len(LABEL) :]) for label in value or () if label.startswith(LABEL)), "")

    async def find(self, batch: Sequence[Prepared], operation: str) -> dict[str, list[Issue]]:
        """Return the issues that carry the records' keys, by key.

        Known ids and parents are read by their ids, which shows every change at once; the rest is searched.
        """
        by_id: dict[str, Issue] = {}
        for start in range(0, len(batch), AT_ONCE):
            part = batch[start : start + AT_ONCE]
            ids = await self._known_ids(part, operation)
            for issue in (*await self._by_id(ids, operation), *await self._searched(part, ids, operation)):
                by_id[str(issue["id"])] = issue
        wanted = {item.key for item in batch} | {item.external_id for item in batch}
        by_key: dict[str, list[Issue]] = defaultdict(list)
        for number, issue in by_id.items():
            key = next((item.key for item in batch if item.external_id == number), self.of(issue))
            if key in wanted:
                by_key[key].append(issue)
        return by_key

    async def _known_ids(self, part: Sequence[Prepared], operation: str) -> list[str]:
        """Return the ids to read: those that the ledger knows, and of new subtasks those of their parent."""
        parents = {str(item.payload["parent"]) for item in part if not item.external_id and "parent" in item.payload}
        ids = {item.external_id for item in part if item.external_id}
        for parent in parents:
            try:
                issue = await self._provider.issue(parent, operation, fields=("subtasks",))
            except NotFound:
                continue
            ids.update(str(child["id"]) for child in issue["fields"].get("subtasks") or ())
        return sorted(ids)

    async def _by_id(self, ids: Sequence[str], operation: str) -> Sequence[Issue]:
        return await self._provider.issues(ids, operation) if ids else ()

    async def _searched(self, part: Sequence[Prepared], ids: Sequence[str], operation: str) -> Sequence[Issue]:
        keys = [item.key for item in part]
        if not self._field:
            return await self._provider.search(among("labels", map(_label, keys)), operation, reconcile=ids)
        issues: list[Issue] = []
        for key in keys:
            clause = phrase(f"cf[{self._provider.options.key_field}]", key)
            issues += await self._provider.search(clause, operation, reconcile=ids)
        return issues

    def clause(self, key: str) -> str:
        """Return the JQL that finds one key."""
        return phrase(f"cf[{self._field[12:]}]", key) if self._field else among("labels", [_label(key)])

    @asynccontextmanager
    async def sending(self, keys: Sequence[str]) -> AsyncIterator[None]:
        """Note that issues with these keys may be there from now on, unless what is sent within surely makes none."""
        await self._note(keys)
        try:
            yield
        except IntegrationError as error:
            if not (isinstance(error, AmbiguousOutcome) or error.may_have_effect):
                await self.settled(keys)
            raise

    async def _note(self, keys: Sequence[str]) -> None:
        now, lag = time.time(), self._provider.lag
        if lag <= self._horizon:
            return
        new = dict.fromkeys(keys, now)

        def change(kept: dict[str, float]) -> dict[str, float]:
            return {**{key: at for key, at in kept.items() if at > now - lag}, **new}

        await asyncio.to_thread(self._provider.ledger.update, self._state, change, {})

    async def settled(self, keys: Iterable[str]) -> None:
        """Note that Jira has said what became of these keys."""
        over = set(keys)
        if not over or self._provider.lag <= self._horizon:
            return

        def change(kept: dict[str, float]) -> dict[str, float]:
            return {key: at for key, at in kept.items() if key not in over}

        await asyncio.to_thread(self._provider.ledger.update, self._state, change, {})

    async def unclear(self, absent: Sequence[Prepared]) -> dict[str, Found]:
        """Return the records whose absence proves nothing yet, because a search may be behind.

        One of which a person has said that Jira doesn't hold it is not among them.
        """
        asked = [item for item in absent if not item.absent]
        if not asked or self._provider.lag <= self._horizon:
            return {}
        empty: dict[str, float] = {}
        sent = await asyncio.to_thread(self._provider.ledger.state, self._state, empty)
        now, lag = time.time(), self._provider.lag
        unclear: dict[str, Found] = {}
        for item in asked:
            since = now - sent.get(item.key, 0.0)
            # Within the horizon the exchange looks once more by itself.
            if since < lag - self._horizon:
                unclear[item.key] = Found("", unclear=LAGGING.format(int(since), lag), code=Reason.SEARCH_LAG)
        return unclear

    @property
    def _horizon(self) -> float:
        return self._provider.contract.limits.horizon


def _label(key: str) -> str:
    """Return the label of a key; a label can't have blanks."""
    return LABEL + quote(key, safe="/")
