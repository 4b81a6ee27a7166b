"""Many records in one request, and which answer is about which of them.

An answer is given to a record by the key that it says. Its place in the list counts only where the contract says that
the product promises the order: one that answers in the order of its own work would give records each other's ids.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pv_testing.contracts.paths import Getter, Keys, Putter
from pv_testing.core.errors import AmbiguousOutcome, MappingError
from pv_testing.core.reasons import Reason
from pv_testing.core.visible import visible

if TYPE_CHECKING:
    from pv_testing.contracts.request_template import Request, RequestTemplate, Values

SHOWN = 200

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bulk:
    """How many records travel in one request.

    Attributes:
        call: the request.
        size: the most records that it carries.
        wrap: puts the list of records into the body; ``None`` sends the bare list.
        items: finds the list of answers.
        status: finds an answer's HTTP status; ``None`` where it has none.
        id: finds the record's id in an answer.
        says_id: whether the contract itself says where that is, so that an answer without one isn't what it says.
        sent_keys: say which records sent bodies are; ``None`` where answers say no key.
        said_keys: say which records answers are about, equal to the ``sent_keys`` of these.
        ordered: whether the product promises that the answers come in the order of the records.
    """

    call: RequestTemplate
    size: int
    wrap: Putter | None
    items: Getter
    status: Getter | None
    id: Getter
    sent_keys: Keys | None = None
    said_keys: Keys | None = None
    ordered: bool = False
    says_id: bool = False

    def request(self, bodies: Sequence[Values]) -> Request:
        """Return the request for several records, each as :meth:`RequestTemplate.body` gives it."""
        body: Any = list(bodies)
        if self.wrap is not None:
            body = {}
            self.wrap(body, list(bodies))
        return self.call.of_many(body)

    def keys(self, bodies: Sequence[Values]) -> list[Any]:
        """Return the keys under which the answers will speak of the records; none where they say no key.

        Args:
            bodies: of the records, each as :meth:`RequestTemplate.body` gives it.

        Raises:
            MappingError: a record has no key, so that no answer could be told to be its own; nothing was sent.
        """
        if self.sent_keys is None:
            return []
        keys = self.sent_keys(bodies)
        if None in keys:
            message = "a record lacks what bulk.key of the contract names, so that its answer could not be told"
            raise MappingError(message, code=Reason.FIELD_MISSING)
        return keys

    def matched(self, body: Any, keys: Sequence[Any], number: int) -> Sequence[Any]:
        """Return the answer to each record, in the order of the records; ``None`` for one that has none.

        Args:
            body: the decoded answer.
            keys: as :meth:`keys` gave them.
            number: how many records were sent.

        Raises:
            AmbiguousOutcome: the answer speaks of none of the records.
        """
        answers = self.items(body)
        if not isinstance(answers, list):
            raise AmbiguousOutcome("the system's answer has no list of answers", code=Reason.BULK_INCOMPLETE)
        answer_keys = self.said_keys(answers) if self.said_keys else [None] * len(answers)
        if answer_keys == keys and len(set(keys)) == number:
            return answers
        matches = self._in_order(answers, answer_keys, keys, number) or _by_key(answers, answer_keys, keys)
        if all(answer is None for answer in matches):
            raise AmbiguousOutcome("the system's answer speaks of none of the records", code=Reason.BULK_INCOMPLETE)
        return matches

    def _in_order(self, answers: list[Any], answer_keys: list[Any], keys: Sequence[Any], number: int) -> list[Any]:
        """Return the answers where their places count; an answer out of its place shows that no place does."""
        if not self.ordered or len(answers) != number:
            return []
        in_place = all(key is None or key == mine for key, mine in zip(answer_keys, keys, strict=False))
        return answers if in_place else []


def _by_key(answers: list[Any], answer_keys: list[Any], keys: Sequence[Any]) -> list[Any]:
    """Return the only answer under the key of each record; one that is said twice counts for none."""
    times, wanted = Counter(answer_keys), Counter(keys)
    others = [key for key in times if key is not None and key not in wanted]
    if others:
        message = f"the answer speaks of {len(others)} records that were not sent, such as {others[0]!s:.{SHOWN}}"
        log.warning("%s", visible(message))
    sure = {key: answer for key, answer in zip(answer_keys, answers, strict=True) if times[key] == 1}
    return [sure.get(key) if wanted[key] == 1 else None for key in keys]
