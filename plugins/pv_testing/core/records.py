"""The records, replies and outcomes that pass between the exchange engine, the providers and the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

from pv_testing.core.reasons import Reason

Payload = dict[str, Any]
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to carry.

    Attributes:
        key: the business key, unique for its kind in its system, such as ``SR-2025-0123/SN001``.
        data: the record in the project's own words, as the contract's field map reads it.
        problem: the cause, known before mapping, for which the record can't be carried; it goes straight to quarantine.
    """

    key: str
    data: Mapping[str, Any]
    problem: Exception | None = None


@dataclass(slots=True)
class Prepared:
    """A record that is mapped, validated and claimed, ready to be sent.

    Attributes:
        key: the business key.
        payload: the record in the system's words.
        fingerprint: SHA-256 of the payload, so that an unchanged record is known without asking the system.
        external_id: the record's id in the system, where the ledger knows it.
        revision: 1 for the first version that takes effect, one more for each amendment.
        data: the record as it was before mapping, for operations that need more than the payload.
        idempotency_key: the same for every attempt to bring this version into effect, where it is known already.
        absent: whether the system surely holds nothing of it, although an earlier version was confirmed: a look-up has
            found nothing, twice, or a person has looked.
    """

    key: str
    payload: Payload
    fingerprint: str
    external_id: str = ""
    revision: int = 1
    data: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str = ""
    absent: bool = False


class Verdict(str, Enum):
    """The meaning of a response by the contract."""

    OK = "ok"
    REJECTED = "rejected"
    RETRYABLE = "retryable"
    AMBIGUOUS = "ambiguous"


class Reply(NamedTuple):
    """The answer of a system about one record.

    Attributes:
        verdict: its meaning by the contract.
        external_id: the record's id in the system, when the verdict is ``ok``.
        reason: the cause in words for a person, when it isn't.
        code: a short reason code.
        body: the system's own description of the record, for callers that want it.
        retry_after: seconds to wait before the next try, when the system asks for a pause.
    """

    verdict: Verdict
    external_id: str = ""
    reason: str = ""
    code: str = ""
    body: Mapping[str, Any] = NOTHING
    retry_after: float | None = None


class Found(NamedTuple):
    """The record that a look-up by business key finds in a system.

    Attributes:
        external_id: the record's id in the system.
        in_effect: whether this very version of the record is in effect there, not an earlier one.
        body: the system's own description of the record.
        copies: how many records carry the business key; more than one is a matter for a person.
        unclear: why the answer doesn't tell whether the record is there; empty where it does.
        others: why the answer may lack further copies, as it held records that were not asked for; empty where not.
        code: a short reason code of ``unclear``.
    """

    external_id: str
    in_effect: bool = True
    body: Mapping[str, Any] = NOTHING
    copies: int = 1
    unclear: str = ""
    others: str = ""
    code: str = Reason.FILTER_IGNORED


class Result(str, Enum):
    """The result of carrying a record.

    Attributes:
        in_effect: whether the record is in effect in the system.
    """

    in_effect: bool

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    ADOPTED = "adopted"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"
    DEFERRED = "deferred"

    def __init__(self, name: str) -> None:
        # An attribute: as a property it would be computed five times for every record.
        self.in_effect = name in {"created", "updated", "unchanged", "adopted"}


class Outcome(NamedTuple):
    """The result of carrying one record, with its cause.

    Attributes:
        key: the business key.
        result: of carrying it.
        external_id: its id in the system, where it has one.
        code: a short reason code, where it is not in effect.
        reason: the same in words for a person.
        body: the system's own description, where the exchange spoke with the system about it.
    """

    key: str
    result: Result
    external_id: str = ""
    code: str = ""
    reason: str = ""
    body: Mapping[str, Any] = NOTHING
