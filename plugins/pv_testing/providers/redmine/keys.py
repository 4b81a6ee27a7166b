"""Business keys: a custom field of issues and one of time entries, written at creation and looked up exactly."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pv_testing.core.errors import ConfigError
from pv_testing.core.records import Prepared

if TYPE_CHECKING:
    from pv_testing.providers.redmine.provider import RedmineProvider

KEYS = 40
Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Collection:
    """A kind of thing that Redmine has.

    Attributes:
        path: where it is listed and made.
        root: what its listing calls it.
        one: what the answer of one calls it.
        option: the option with the number of its key field.
    """

    path: str
    root: str
    one: str
    option: str


ISSUES = Collection("/issues.json", "issues", "issue", "issue_key_field")
TIME_ENTRIES = Collection("/time_entries.json", "time_entries", "time_entry", "time_entry_key_field")


class Keys:
    """Writes and finds the business keys of a collection.

    Args:
        provider: who asks.
        collection: of issues or of time entries.
    """

    def __init__(self, provider: RedmineProvider, collection: Collection) -> None:
        self._provider = provider
        self._collection = collection
        self._proven = False

    @property
    def field(self) -> int:
        """The number of the custom field."""
        return self._provider.options.field(self._collection.option)

    def stamp(self, key: str) -> list[dict[str, Any]]:
        """Return ``custom_fields`` of something new."""
        return [{"id": self.field, "value": key}]

    def of(self, item: Item) -> str:
        """Return the key of something, or the empty string."""
        fields = item.get("custom_fields") or ()
        return next((str(field.get("value") or "") for field in fields if field.get("id") == self.field), "")

    async def find(self, batch: Sequence[Prepared], operation: str) -> dict[str, list[Item]]:
        """Return everything that carries one of the records' keys, by key.

        Redmine filters by several values at a time, but ignores a filter that it doesn't know, and answers a stranger
        with an empty success. Neither is taken for an absence.

        Raises:
            ConfigError: the field can't be filtered by.
            AuthenticationError: Redmine doesn't know the caller.
        """
        await self._prove(operation)
        by_key: dict[str, list[Item]] = defaultdict(list)
        for start in range(0, len(batch), KEYS):
            wanted = {item.key for item in batch[start : start + KEYS]}
            for item in await self.carrying(sorted(wanted), operation):
                if self.of(item) in wanted:
                    by_key[self.of(item)].append(item)
        if any(item.key not in by_key for item in batch):
            await self._provider.identity()
        return by_key

    async def carrying(self, keys: Iterable[str], operation: str) -> list[Item]:
        """Return what Redmine finds when asked for some keys; a database may take letters for each other."""
        where = {f"cf_{self.field}": ("=", list(keys)), **EVERY_STATUS.get(self._collection.root, {})}
        return await self._provider.search(self._collection, where, operation)

    async def _prove(self, operation: str) -> None:
        """Ask once for a key that doesn't exist: any answer with records shows that the filter is ignored."""
        if self._proven:
            return
        where = {f"cf_{self.field}": ("=", [uuid.uuid4().hex])}
        if await self._provider.first(self._collection, where, operation):
            message = (
                f"Redmine ignores the filter by custom field {self.field} of {self._collection.root}; check the option "
                f"{self._collection.option}, and that the field is used as a filter and shown to this user"
            )
            raise ConfigError(message, code="KEY_NOT_FILTERED")
        self._proven = True


EVERY_STATUS: Mapping[str, Mapping[str, tuple[str, list[str]]]] = {"issues": {"status_id": ("*", [""])}}
